"""A site of a few small pages, built with the real settings: for the tests that look at it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).parents[1]
#: Module whose reference the small site holds.
MODULE = "training.objectives"


def load(path: Path, name: str) -> ModuleType:
    """Import a Python file that is in no package, under a name of its own."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


tool = load(ROOT / "tools" / "site.py", "site_tool")


def notebook(title: str, code: str, output: str = "", html: str = "") -> nbformat.NotebookNode:
    """Return an executed notebook: a heading with a formula, one code cell with its outputs, the end's navigation."""
    outputs = [new_output("stream", text=output)] if output else []
    outputs += (
        [new_output("display_data", {"text/html": html, "text/plain": "a view"})] if html else []
    )
    cells = [
        new_markdown_cell("(navigation)", id="nav-top"),
        new_markdown_cell(rf"# {title}" + "\n\nEq. (4) is $p^{1/T}$, in `training.objectives.sharpen`:\n\n"
                          r"$$ \hat y = p^{1/T} \quad \texttt{training.objectives.sharpen} $$"),
        new_code_cell(code, id="work", execution_count=1, outputs=outputs),
        new_markdown_cell("[glossary](../docs/glossary.md)", id="nav-bottom"),
    ]  # fmt: skip
    language = {"name": "python", "pygments_lexer": "ipython3"}
    return new_notebook(cells=cells, metadata={"widgets": {"state": {}}, "language_info": language})


def build(folder: Path, html: str = "") -> Path:
    """Write and build a site with one notebook, the glossary, the formulae and one module; return its folder.

    The notebook's cell has `html` among its outputs.
    """
    kit = tool.site_api.read(ROOT / "mer_kit")
    book = notebook(
        "03 · How the model learns",
        "from mer_kit.training import objectives\nobjectives.sharpen(x)",
        "0.78\n",
        html,
    )
    names = kit.called(book)
    name = "notebooks/03_sssl_training"
    section = tool.site_api.functions_section(kit, "03_sssl_training", names)
    section = "\n".join(line for line in section.splitlines() if line[:1] != "-" or MODULE in line)
    page = tool.prepared(book, section, "")
    pages = {
        f"{name}.ipynb": nbformat.writes(page),
        "docs/glossary.md": "# Glossary\n\n## Learning\n\n### temperature\n\nThe T of `training.objectives.sharpen`.\n",
        "docs/formulae.md": "# Formulae\n\n" + "\n\n".join(f"$$ y = {n} \\tag{{{n}}} $$" for n in range(1, 16)) + "\n",
        f"api/{MODULE}.rst": tool.site_api.pages(kit)[f"api/{MODULE}.rst"],
        "kit_pages.json": json.dumps({"titles": {name: tool.title_of(book)}, "uses": {used: [name] for used in names}}),
        "index.md": "# mer-kit\n\n```{toctree}\n" + "\n".join([name, "docs/glossary", "docs/formulae", f"api/{MODULE}"])
        + "\n```\n",
    }  # fmt: skip
    for path, text in pages.items():
        (folder / "pages" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "pages" / path).write_text(text, "utf-8")
    tool.build(folder / "pages", folder / "site", strict=True)
    return folder / "site"
