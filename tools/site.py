"""Build the static site from a finished demo run: `make site`, or `python tools/site.py [--runs DIR] [--out DIR]`.

The pages are gathered in build/site-work (executed notebooks of the run, solutions executed here and kept, documents, a
page for each module; tools/site_api.py reads the code). Sphinx turns them into build/site, which opens from a folder
without any network.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

sys.path.insert(0, str(Path(__file__).parent))

import site_api

from mer_kit.batch import planning
from mer_kit.batch.executed import PLACES
from mer_kit.batch.jobs import execute
from mer_kit.batch.parameters import declared_parameters
from mer_kit.checks import MerKitError
from mer_kit.paths import default_runs_dir
from mer_kit.runs.run_folder import RunFolder, all_runs
from mer_kit.runs.schema import read_json

ROOT = Path(__file__).resolve().parents[1]
#: Notebooks that are executed here, on runs of their own.
OWN = ("07_your_own_music", planning.COMPARE)
#: Documents of the repository's root that become pages, and what they link to.
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
BESIDE = ("CITATION.cff", "LICENSE", "figures")

_RELATIVE = re.compile(r"(\]\()(?![a-z]+:|#|/)([^)\s]+)(\))")
#: What a page would fetch: sources and stylesheets of HTML, addresses in CSS.
_AWAY = r"((?:https?:)?//[^\"'\s>)]+)"
_FETCHED = (
    re.compile(
        rf"<(?:script|img|iframe|audio|video|source|embed)\b[^>]*?\bsrc\s*=\s*[\"']?{_AWAY}", re.I
    ),
    re.compile(
        r"<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|preload|icon|modulepreload))[^>]*?\bhref\s*=\s*[\"']?"
        + _AWAY,
        re.I,
    ),
    re.compile(rf"(?:url\(\s*|@import\s+)[\"']?{_AWAY}", re.I),
)


# ---- the run -----------------------------------------------------------------------------------------------------


def finished_run(runs_dir: Path) -> RunFolder:
    """Return the newest run of the demo corpus whose notebooks are all executed.

    Raises
    ------
    MerKitError
        If there is none.
    """
    runs = [
        run
        for run in all_runs(runs_dir)
        if run.status == "done" and run.config.get("corpus") == "demo"
    ]
    whole = [run for run in runs if all(_is_executed(path) for path in executed(run).values())]
    if not whole:
        raise MerKitError(
            f"{runs_dir.name}/ holds no finished demo run, expected one to show: say `mer-kit demo` first"
        )
    return max(whole, key=lambda run: (run.path / "status.json").stat().st_mtime)


def executed(run: RunFolder) -> dict[str, Path]:
    """Return page name → executed copy of a run's notebooks; 03 once a fold, the first fold under the plain name."""
    found = {}
    for name in planning.NOTEBOOKS:
        if not name.startswith("03"):
            found[name] = run.path / "notebooks" / f"{name}.ipynb"
            continue
        for number, fold in enumerate(run.folds_done() or [0]):
            found[f"{name}_fold{fold}" if number else name] = run.fold(fold) / f"{name}.ipynb"
    return found


def _is_executed(path: Path) -> bool:
    status = path.with_suffix(".status.json")
    return path.exists() and status.exists() and read_json(status).get("state") == "done"


def parameters_of(run: RunFolder) -> dict[str, Any]:
    """Return the parameters that a run's notebooks were executed with, without the places of its machine."""
    found: dict[str, Any] = {}
    for path in executed(run).values():
        for cell in nbformat.read(path, as_version=4).cells:
            if "injected-parameters" in cell.metadata.get("tags", []):
                found |= batch_values(cell.source)
    return {name: value for name, value in found.items() if name not in PLACES}


def batch_values(source: str) -> dict[str, Any]:
    """Return name → value of a cell of plain assignments.

    Examples
    --------
    >>> batch_values("# Parameters\\nfolds = 3\\ntask = 'quadrant'")
    {'folds': 3, 'task': 'quadrant'}
    """
    import ast

    assignments = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in assignments}


def jobs(run: RunFolder, work: Path) -> list[planning.Job]:
    """Return what the run does not hold: every solution, on the same run, and notebooks 07 and 08, on runs of their own."""
    shared = parameters_of(run) | {"runs_dir": str(run.path.parent)}
    own = {
        "preset": run.config["preset"],
        "folds": run.config["folds"],
        "runs_dir": str(work / "runs"),
    }
    made = [_job(f"{name}.ipynb", work, own) for name in OWN]
    solution = "solutions/{}_solutions.ipynb"
    made += [_job(solution.format(name), work, own) for name in OWN]
    return made + [_job(solution.format(name), work, shared) for name in planning.NOTEBOOKS]


def _job(name: str, work: Path, parameters: Mapping[str, Any]) -> planning.Job:
    source = ROOT / "notebooks" / name
    known = declared_parameters(nbformat.read(source, as_version=4))
    chosen = {key: value for key, value in parameters.items() if key in known}
    return planning.Job(source.stem, source, work / "executed" / name, chosen)


# ---- the pages ---------------------------------------------------------------------------------------------------


def stage(run: RunFolder, extra: Mapping[str, Path], target: Path) -> None:
    """Gather all pages of the site in `target`; `extra` is page name → executed copy of solutions, 07 and 08."""
    kit = site_api.read(ROOT / "mer_kit")
    wanted: dict[Path, str] = {}
    books = {f"notebooks/{name}": path for name, path in executed(run).items()}
    books |= {f"notebooks/{name}": path for name, path in extra.items()}
    uses: dict[str, list[str]] = {}
    titles = {}
    for name, path in sorted(books.items()):
        notebook = nbformat.read(path, as_version=4)
        names = [] if "solutions" in name else kit.called(notebook)
        for used in names:
            uses.setdefault(used, []).append(name)
        titles[name] = title_of(notebook)
        page = prepared(
            notebook,
            site_api.functions_section(kit, Path(name).name, names),
            fold_note(name, books),
        )
        wanted[target / f"{name}.ipynb"] = nbformat.writes(page) + "\n"
    for path in sorted((ROOT / "docs").glob("*.md")):
        home = target / "index.md" if path.stem == "index" else target / "docs" / path.name
        wanted[home] = moved_links(
            path.read_text("utf-8"), "" if home.parent == target else "docs", "docs"
        )
    for name in DOCUMENTS:
        wanted[target / name] = (ROOT / name).read_text("utf-8")
    wanted |= {target / name: text for name, text in site_api.pages(kit).items()}
    wanted[target / "index.md"] += contents(titles, run)
    wanted[target / "notebooks" / "solutions" / "index.md"] = solutions_page(titles)
    wanted[target / "kit_pages.json"] = json.dumps(
        {"titles": titles, "uses": uses}, indent=1, ensure_ascii=False
    )
    _write_all(target, wanted)
    for name in BESIDE:
        _copy(ROOT / name, target / name)


def prepared(notebook: NotebookNode, functions: str, note: str) -> NotebookNode:
    """Return a copy of an executed notebook as a page: parameters folded away, a section of functions before its end."""
    page = nbformat.from_dict({**notebook, "cells": [dict(cell) for cell in notebook.cells]})
    page.metadata.pop("widgets", None)
    for cell in page.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata["tags"] = [*cell.metadata["tags"], "hide-input"]
    cells = page.cells
    if note:
        cells.insert(2, new_markdown_cell(note, id="site-folds"))
    if functions:
        at = next((i for i, cell in enumerate(cells) if cell.get("id") == "nav-bottom"), len(cells))
        cells.insert(at, new_markdown_cell(functions, id="site-functions"))
    return page


def fold_note(name: str, books: Mapping[str, Path]) -> str:
    """Return one sentence that leads from a notebook to its copies for other folds, "" where there are none."""
    stem = re.sub(r"_fold\d+$", "", name)
    others = [
        other
        for other in books
        if re.fullmatch(rf"{re.escape(stem)}(_fold\d+)?", other) and other != name
    ]
    number = lambda other: books[other].parent.name  # noqa: E731
    links = ", ".join(f"[fold {number(other)}]({Path(other).name}.ipynb)" for other in others)
    return (
        f"*This copy looks at fold {number(name)}. The same notebook for {links}.*"
        if others
        else ""
    )


def title_of(notebook: NotebookNode) -> str:
    """Return a notebook's first heading."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.search(r"^# +(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else "notebook"


def moved_links(text: str, to: str, was: str) -> str:
    """Return Markdown whose relative links still lead where they led when the page moves from folder `was` to `to`.

    Examples
    --------
    >>> moved_links("[a](batch.md) [b](../README.md#x) [c](#here)", "", "docs")
    '[a](docs/batch.md) [b](README.md#x) [c](#here)'
    """
    if to == was:
        return text

    def moved(match: re.Match[str]) -> str:
        path, hash_, anchor = match[2].partition("#")
        new = os.path.relpath(os.path.normpath(os.path.join(was, path)), to or ".").replace(
            os.sep, "/"
        )
        return f"{match[1]}{new}{hash_}{anchor}{match[3]}"

    return _RELATIVE.sub(moved, text)


def contents(titles: Mapping[str, str], run: RunFolder) -> str:
    """Return the end of the front page: from which run the notebooks are, and the site's table of contents."""
    config = run.config
    folds = len(run.folds_done())
    told = (
        f"\nThe notebooks on these pages were executed in the run `{run.path.name}`: preset `{config['preset']}`, "
        f"{folds} of {config['folds']} folds, seed {config['seed']}.\n"
    )
    names = sorted(titles)
    trees = {
        "Notebooks": [name for name in names if "/solutions/" not in name and "_fold" not in name],
        "Read and teach": [f"docs/{name}" for name in ("teaching", "glossary", "formulae")],
        "Use": [
            f"docs/{name}"
            for name in (
                "running",
                "corpora",
                "frontends",
                "batch",
                "extending",
                "results",
                "protocol",
            )
        ]
        + ["commands"],
        "Look up": ["api/index", "notebooks/solutions/index"],
        "The project": [Path(name).stem for name in DOCUMENTS],
    }
    blocks = [
        f"```{{toctree}}\n:hidden:\n:caption: {name}\n\n" + "\n".join(tree) + "\n```"
        for name, tree in trees.items()
    ]
    return told + "\n" + "\n\n".join(blocks) + "\n"


def solutions_page(titles: Mapping[str, str]) -> str:
    """Return the page that lists all solutions."""
    names = [Path(name).name for name in sorted(titles) if "/solutions/" in name]
    return (
        "# Solutions\n\nWorked answers to the exercises of every notebook. Try them yourself first.\n\n"
        + ("```{toctree}\n:maxdepth: 1\n\n" + "\n".join(names) + "\n```\n")
    )


def _write_all(target: Path, wanted: Mapping[Path, str]) -> None:
    """Make `target` hold just these files; what has not changed keeps its time, so that Sphinx keeps its page."""
    for old in [path for path in target.rglob("*") if path.is_file() and path not in wanted]:
        if not any(name in old.relative_to(target).parts for name in BESIDE):
            old.unlink()
    for path, text in wanted.items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.exists():
        shutil.copy2(source, target)


# ---- the build ---------------------------------------------------------------------------------------------------


def build(pages: Path, out: Path, *, strict: bool = False) -> None:
    """Let Sphinx write the site of `pages` into `out`; with `strict`, a warning is an error.

    Raises
    ------
    MerKitError
        If Sphinx fails, or a page would fetch something from a network.
    """
    from sphinx.cmd.build import build_main

    options = [
        "--quiet",
        "-b",
        "html",
        "-c",
        str(ROOT / "docs"),
        "-d",
        str(pages.parent / "doctrees"),
    ]
    if build_main([*options, *(["-W", "--keep-going"] if strict else []), str(pages), str(out)]):
        raise MerKitError(
            f"Sphinx could not build {pages.name}, expected no error: see its lines above"
        )
    found = outside_references(out)
    if found:
        where, address = found[0]
        raise MerKitError(
            f"{where} would fetch {address}, expected nothing from a network: take it out of that page"
        )


def outside_references(site: Path) -> list[tuple[str, str]]:
    """Return (page, address) of everything that the pages of a folder would fetch from elsewhere."""
    found = []
    for path in sorted(site.rglob("*")):
        if path.suffix in (".html", ".css", ".svg"):
            text = path.read_text("utf-8")
            name = path.relative_to(site).as_posix()
            found += [(name, address) for pattern in _FETCHED for address in pattern.findall(text)]
    return found


def mark_of(run: RunFolder) -> str:
    """Return what executed solutions depend on besides their own source: the run's numbers and the kit's code."""
    code = hashlib.blake2b(digest_size=6)
    for path in sorted((ROOT / "mer_kit").rglob("*.py")):
        code.update(path.read_bytes())
    numbers = hashlib.blake2b((run.path / "metrics.json").read_bytes(), digest_size=6)
    return f"{run.path.name} {numbers.hexdigest()} {code.hexdigest()}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the site; return the exit code."""
    parser = argparse.ArgumentParser(description="Build the static site from a finished demo run.")
    parser.add_argument(
        "--runs", type=Path, default=default_runs_dir(), help="folder of the run folders"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "site", help="where the site goes"
    )
    given = parser.parse_args(arguments)
    out, work = given.out.absolute(), given.out.absolute().with_name(f"{given.out.name}-work")
    try:
        run = finished_run(given.runs.expanduser().absolute())
        print(f"run {run.path.name}")
        todo = jobs(run, work)
        outcomes = execute(todo, mark=mark_of(run))
        failed = [
            f"{outcome.job.name}: {outcome.message}"
            for outcome in outcomes
            if outcome.state == "failed"
        ]
        if failed:
            raise MerKitError(
                f"{len(failed)} of {len(todo)} notebooks failed, expected none: {failed[0]}"
            )
        places = {
            str(job.target.relative_to(work / "executed").with_suffix("")): job.target
            for job in todo
        }
        stage(run, places, work / "pages")
        build(work / "pages", out)
    except MerKitError as error:
        print(f"site: {error}", file=sys.stderr)
        return 1
    print(f"site  {out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
