"""The site's API reference: what the kit's source defines, which notebook each function names, and which one calls it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from nbformat import NotebookNode

#: The rooms of mer_kit in the order in which sound becomes pictures; "" are the modules that every room uses.
ROOMS = (
    "corpora", "signal", "training", "songs", "systems", "runs", "analysis", "results", "batch", "checkup",
    "plots", "views", "pages", "notebook", "cli", "",
)  # fmt: skip
#: What the notebooks call their main objects, so that `experiment.train` is known to be Experiment's.
VARIABLES = {
    "kit": "mer_kit.notebook.session.Session",
    "experiment": "mer_kit.runs.experiment.Experiment",
    "passes": "mer_kit.analysis.passes.Passes",
}
_NAMES_NOTEBOOK = re.compile(r"Notebook: (\d\d_\w+(?:, \d\d_\w+)*)")


@dataclass(frozen=True)
class Entry:
    """A module, class, function or method: its first sentence and the notebooks that its docstring names."""

    kind: str
    summary: str
    notebooks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kit:
    """All public names of a package: `entries` by dotted name; `moved` tells where a re-exported name is defined."""

    entries: Mapping[str, Entry]
    moved: Mapping[str, str]

    def modules(self) -> list[str]:
        """Return the names of the modules that define something public."""
        names = [name for name, entry in self.entries.items() if entry.kind == "module"]
        homes = {
            name.rpartition(".")[0]
            for name, entry in self.entries.items()
            if entry.kind in ("class", "function")
        }
        return [name for name in names if name in homes]

    def called(self, notebook: NotebookNode) -> list[str]:
        """Return what a notebook's code uses of the package, in the order of first use."""
        aliases, found = dict(VARIABLES), []
        for cell in notebook.cells:
            try:
                tree = ast.parse(cell.source) if cell.cell_type == "code" else ast.Module([], [])
            except SyntaxError:  # a magic: nothing of ours
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module:
                    aliases |= {
                        alias.asname or alias.name: f"{node.module}.{alias.name}"
                        for alias in node.names
                    }
            places = [
                node for node in ast.walk(tree) if isinstance(node, (ast.Attribute, ast.Name))
            ]
            for node in sorted(places, key=lambda node: (node.lineno, node.col_offset)):
                root, dot, rest = ast.unparse(node).partition(".")
                name = f"{aliases.get(root, root)}{dot}{rest}"
                name = self.moved.get(name, name)
                if (
                    name in self.entries
                    and self.entries[name].kind != "module"
                    and (dot or root not in VARIABLES)
                ):
                    found.append(name)
        return list(dict.fromkeys(found))


def read(package: Path) -> Kit:
    """Return the public names of a package, from its source alone."""
    entries: dict[str, Entry] = {}
    moved: dict[str, str] = {}
    for name, path in _module_files(package).items():
        tree = ast.parse(path.read_text("utf-8"))
        entries[name] = _entry(tree, "module")
        entries |= {f"{name}.{inner}": entry for inner, entry in _defined(tree)}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package.name):
                moved |= {
                    f"{name}.{a.asname or a.name}": f"{node.module}.{a.name}" for a in node.names
                }
    return Kit(entries, moved)


def _module_files(package: Path) -> dict[str, Path]:
    found = {}
    for path in package.rglob("*.py"):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: found[name] for name in sorted(found) if "__main__" not in name}


def _defined(node: ast.Module | ast.ClassDef) -> Iterable[tuple[str, Entry]]:
    inside = isinstance(node, ast.ClassDef)
    for child in node.body:
        if not isinstance(child, (ast.FunctionDef, ast.ClassDef)) or child.name.startswith("_"):
            continue
        is_class = isinstance(child, ast.ClassDef)
        yield child.name, _entry(child, "class" if is_class else "method" if inside else "function")
        if isinstance(child, ast.ClassDef):
            yield from ((f"{child.name}.{inner}", entry) for inner, entry in _defined(child))


def _entry(node: ast.Module | ast.ClassDef | ast.FunctionDef, kind: str) -> Entry:
    text = ast.get_docstring(node) or ""
    names = [name for match in _NAMES_NOTEBOOK.findall(text) for name in match.split(", ")]
    paragraph = " ".join(text.split("\n\n")[0].split())
    summary = re.split(r"\s*(?:Source|Notebook): ", paragraph)[0]
    return Entry(kind, summary, tuple(dict.fromkeys(names)))


def functions_section(kit: Kit, notebook: str, names: list[str]) -> str:
    """Return the section that ends a notebook's page: what it calls, and what else was written for it."""
    stem = re.sub(r"_fold\d+$", "", notebook)
    others = [
        name
        for name, e in kit.entries.items()
        if stem in e.notebooks and name not in names and e.kind != "module"
    ]
    if not names and not others:
        return ""
    lines = ["## Functions of this notebook", ""]
    for title, group in (
        ("Called above, in the order of their first use:", names),
        ("Written for it, too:", others),
    ):
        if group:
            lines += [title, "", *(_item(kit, name) for name in group), ""]
    return "\n".join(lines)


def _item(kit: Kit, name: str) -> str:
    shown = name.removeprefix("mer_kit.")
    return f"- {{py:obj}}`{shown} <{name}>`: {kit.entries[name].summary}"


def pages(kit: Kit) -> dict[str, str]:
    """Return file name → text of the reference: an index of the rooms, a page a module, and the commands."""
    made: dict[str, str] = {}
    index = [
        "# API reference",
        "",
        "Rooms in the order in which sound becomes pictures. Imports go the other way only.",
        "",
    ]
    for room in ROOMS:
        purpose = kit.entries[f"mer_kit.{room}".rstrip(".")].summary
        inside = [name for name in kit.modules() if _room(name) == room]
        index += [f"## {room or 'Shared'}", "", purpose, "", "| module | what for |", "|---|---|"]
        for name in inside:
            short = name.removeprefix("mer_kit.")
            index.append(f"| [`{short}`]({short}.rst) | {kit.entries[name].summary} |")
            made[f"api/{short}.rst"] = f"{short}\n{'=' * len(short)}\n\n.. automodule:: {name}\n"
        index += [
            "",
            "```{toctree}",
            ":hidden:",
            "",
            *(name.removeprefix("mer_kit.") for name in inside),
            "```",
            "",
        ]
    made["api/index.md"] = "\n".join(index)
    made["commands.md"] = commands()
    return made


def _room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else ""


def commands() -> str:
    """Return the page of all commands with their options, as `--help` prints them."""
    from mer_kit.cli import main

    lines = ["# Commands", "", "What `mer-kit COMMAND --help` prints, for every command.", ""]
    for name in sorted(main.commands):
        command = main.commands[name]
        context = click.Context(command, info_name=f"mer-kit {name}", max_content_width=100)
        lines += [f"## mer-kit {name}", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(lines)
