"""What ties the site's pages together: docstrings, notebooks, the glossary, and a search that needs no server.

`kit_pages.json` beside the pages (written by tools/site.py) says what each notebook is called and which functions it
calls.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_NOTEBOOK = re.compile(r"(?<![\w`])Notebook: (\d\d_\w+(?:, \d\d_\w+)*)\.?")
_EQUATION = re.compile(r"(?<![\w`])Eq\. \(?(\d+)\)?")
_SECTION = re.compile(r"^(Parameters|Attributes|Returns|Raises|Examples|Notes)$")
_ENTRY = re.compile(r"^(\*{0,2}[A-Za-z_][\w, *]*?) : (.+)$")


def _load(app: Sphinx) -> None:
    path = Path(app.srcdir) / "kit_pages.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {"titles": {}, "uses": {}}
    formulae = Path(app.srcdir) / "docs" / "formulae.md"
    numbers = (
        re.findall(r"\\tag\{([^}]*)\}", formulae.read_text("utf-8")) if formulae.exists() else []
    )
    app.kit_pages = found | {"named": {}, "equations": set(numbers)}  # type: ignore[attr-defined]


# ---- docstrings --------------------------------------------------------------------------------------------------


def docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Turn the kit's light docstrings into what napoleon and reStructuredText read, in place."""
    named: list[str] = []

    def note(match: re.Match[str]) -> str:
        named.extend(match[1].split(", "))
        return ""

    text = _NOTEBOOK.sub(note, "\n".join(lines))
    text = "\n".join(_entries_apart(text.splitlines()))
    text = re.sub(r"(`[^`\n]*`)|([|])", lambda match: match[1] or r"\|", text)
    pages = app.kit_pages  # type: ignore[attr-defined]
    text = _EQUATION.sub(
        lambda m: f":ref:`Eq. ({m[1]}) <eq-{m[1]}>`" if m[1] in pages["equations"] else m[0], text
    )
    lines[:] = text.rstrip().splitlines()
    pages["named"][name] = named


def notebook_links(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """End a docstring with links to the notebooks that it names and to those that call the function."""
    pages = app.kit_pages  # type: ignore[attr-defined]
    named = pages["named"].pop(name, [])
    entries = [("Notebook", f"notebooks/{stem}") for stem in named]
    entries += [
        ("Called in", page)
        for page in pages["uses"].get(name, [])
        if page.split("/")[-1] not in named
    ]
    links = [
        f"{label} :doc:`{pages['titles'][page]} </{page}>`"
        for label, page in entries
        if page in pages["titles"]
    ]
    if links:
        lines += ["", ".. rst-class:: kit-notebook", "", " · ".join(links), ""]


def _entries_apart(lines: list[str]) -> list[str]:
    """Put the sentence of `name : sentence` on a line of its own where a section lists parameters or attributes."""
    out: list[str] = []
    section = ""
    for at, line in enumerate(lines):
        if (
            at + 1 < len(lines)
            and set(lines[at + 1].strip()) == {"-"}
            and _SECTION.match(line.strip())
        ):
            section = line.strip()
        match = _ENTRY.match(line) if section in ("Parameters", "Attributes") else None
        out += [match[1], f"    {match[2]}"] if match else [line]
    return out


# ---- links from words to functions -------------------------------------------------------------------------------


def link_names(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Make a link of each code span that names something of the kit: `training.objectives.sharpen`, `reading.paired`."""
    for literal in list(doctree.findall(nodes.literal)):
        inside = isinstance(literal.parent, nodes.reference)
        where = "" if inside else address(app.builder, docname, literal.astext().removesuffix("()"))
        if where and not where.startswith("#"):
            reference = nodes.reference("", "", literal.deepcopy(), internal=True, refuri=where)
            literal.replace_self(reference)


def address(builder: Any, docname: str, name: str) -> str:
    """Return the address of what a name means, seen from a page, or "" if it is none or several of the kit's."""
    full = _short_names(builder).get(name)
    if full is None:
        return ""
    entry = builder.env.domains["py"].data["objects"][full]
    return f"{builder.get_relative_uri(docname, entry.docname)}#{entry.node_id}"


def _short_names(builder: Any) -> dict[str, str]:
    """Return every unambiguous dotted ending (and class name) of the kit's names → the full name."""
    if not hasattr(builder, "kit_short_names"):
        objects = builder.env.domains["py"].data["objects"]
        found: dict[str, set[str]] = {}
        for full, entry in objects.items():
            parts = full.split(".")
            for at in range(len(parts)):
                if (len(parts) - at > 1 or parts[at][:1].isupper()) and not entry.aliased:
                    found.setdefault(".".join(parts[at:]), set()).add(full)
        builder.kit_short_names = {
            tail: next(iter(full)) for tail, full in found.items() if len(full) == 1
        }
    return dict(builder.kit_short_names)


# ---- the glossary and the equations ------------------------------------------------------------------------------


def register(app: Sphinx, doctree: nodes.document) -> None:
    """Let {term} find the glossary's headings, and :ref: the paper's equation numbers."""
    docname, standard = app.env.docname, app.env.domains["std"]
    if docname == "docs/glossary":
        for section in doctree.findall(nodes.section):
            if isinstance(section.parent, nodes.section) and isinstance(
                section.parent.parent, nodes.section
            ):
                standard.note_object(
                    "term", section[0].astext(), section["ids"][0], location=section
                )  # type: ignore[attr-defined]
    if docname == "docs/formulae":
        for block in doctree.findall(nodes.math_block):
            for number in re.findall(r"\\tag\{([^}]*)\}", block.astext()):
                standard.data["labels"][f"eq-{number}"] = (
                    docname,
                    f"eq-{number}",
                    f"Eq. ({number})",
                )
                standard.data["anonlabels"][f"eq-{number}"] = (docname, f"eq-{number}")


# ---- search in a folder ------------------------------------------------------------------------------------------


def write_texts(app: Sphinx, error: Exception | None) -> None:
    """Write every page's words as one script: search.html shows them, since it may not fetch pages from a folder."""
    if error or app.builder.name != "html":
        return
    texts = {name: words(app.env.get_doctree(name)) for name in sorted(app.env.found_docs)}
    script = f"window.PAGE_TEXTS = {json.dumps(texts, ensure_ascii=False)};\n"
    (Path(app.outdir) / "_static" / "page_texts.js").write_text(
        script.replace("</", "<\\/"), "utf-8"
    )


def words(doctree: nodes.document) -> str:
    """Return a page's words in reading order, without formulae and what notebooks put out as HTML (pictures, sounds)."""
    texts = []
    for text in doctree.findall(nodes.Text):
        around = text.parent
        if not isinstance(around, (nodes.raw, nodes.math, nodes.math_block, nodes.comment)):
            texts.append(text.astext())
    return " ".join(re.sub(r"<IPython\.\S+ object>", "", " ".join(texts)).split())


def add_search_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Load the pages' words on the search page only."""
    if page == "search":
        app.add_js_file("page_texts.js")
        app.add_js_file("search_excerpts.js")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect everything."""
    app.connect("builder-inited", _load)
    app.connect("autodoc-process-docstring", docstring, priority=400)  # napoleon comes at 500
    app.connect("autodoc-process-docstring", notebook_links, priority=600)
    app.connect("doctree-read", register)
    app.connect("doctree-resolved", link_names)
    app.connect("html-page-context", add_search_scripts)
    app.connect("build-finished", write_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
