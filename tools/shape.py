"""Count what the package is made of, now and at an earlier commit.

    python tools/shape.py                     # as it is
    python tools/shape.py --before 19c9b69    # and, beside it, as it was at that commit

Statements are counted in the syntax tree, without docstrings and comments: air and examples add lines, not statements.
"""

from __future__ import annotations

import argparse
import ast
import io
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_PARAMETERS = 6
LONG_LINE = 100
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Shape:
    """Counts of one package."""

    rooms: dict[str, tuple[int, int]] = field(default_factory=dict)  # modules, lines
    modules: list[int] = field(default_factory=list)  # lines of each
    functions: list[int] = field(default_factory=list)  # lines of each, without its docstring
    many_parameters: int = 0
    conditionals: int = 0
    nested_conditionals: int = 0
    examples: int = 0
    public: int = 0
    long_lines: int = 0
    statements: int = 0
    comments: int = 0
    browser_lines: int = 0

    def rows(self) -> dict[str, str]:
        """Return name → count, as text."""
        lines = sum(self.modules)
        return {
            "modules": f"{len(self.modules)}",
            "lines": f"{lines:,}",
            "statements": f"{self.statements:,}",
            "lines of a module, median / largest": f"{statistics.median(self.modules):.0f} / {max(self.modules)}",
            "lines of a function, median / largest": f"{statistics.median(self.functions):.0f} / {max(self.functions)}",
            "functions with more than six parameters": f"{self.many_parameters}",
            "conditional expressions": f"{self.conditionals}",
            "conditional expressions per 1,000 lines": f"{1000 * self.conditionals / lines:.1f}",
            "nested conditional expressions": f"{self.nested_conditionals}",
            "lines over 100 characters": f"{self.long_lines:,}",
            "lines that are comments": f"{100 * self.comments / lines:.1f} %",
            "public functions with an example": f"{self.examples} of {self.public}",
            "lines of JavaScript": f"{self.browser_lines:,}",
        }


def measure(package: Path) -> Shape:
    """Return the counts of a package's Python and JavaScript files.

    Raises
    ------
    FileNotFoundError
        If the folder holds no Python file.
    """
    shape = Shape()
    files = sorted(package.rglob("*.py"))
    if not files:
        raise FileNotFoundError(f"{package} holds no Python file, expected a package")
    for file in files:
        inside = file.relative_to(package)
        text = file.read_text("utf-8")
        tree = ast.parse(text)
        room = inside.parts[0] if len(inside.parts) > 1 else "(top)"
        lines = text.splitlines()
        modules, total = shape.rooms.get(room, (0, 0))
        shape.rooms[room] = (modules + 1, total + len(lines))
        shape.modules.append(len(lines))
        shape.long_lines += sum(len(line) > LONG_LINE for line in lines)
        shape.comments += sum(line.strip().startswith("#") for line in lines)
        _count(tree, shape)
    scripts = [file for file in package.rglob("*.mjs") if file.is_file()]
    shape.browser_lines = sum(len(file.read_text("utf-8").splitlines()) for file in scripts)
    return shape


def _count(tree: ast.Module, shape: Shape) -> None:
    documented = {id(node) for node in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and id(node) not in documented:
            shape.statements += 1
        if isinstance(node, ast.IfExp):
            shape.conditionals += 1
            inner = [child for child in ast.walk(node) if isinstance(child, ast.IfExp)]
            shape.nested_conditionals += len(inner) > 1
        if isinstance(node, Function):
            shape.functions.append(_length(node))
            arguments = node.args
            named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            shape.many_parameters += (
                sum(one.arg not in ("self", "cls") for one in named) > MOST_PARAMETERS
            )
    for node in tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            shape.public += 1
            shape.examples += ">>>" in (ast.get_docstring(node) or "")


def _docstrings(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements that are docstrings."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | Function)
            and ast.get_docstring(node) is not None
        ):
            yield node.body[0]


def _length(function: Function) -> int:
    """Return a function's lines without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def at_commit(commit: str, folder: Path) -> Path:
    """Write the package as it was at a commit into a folder and return its path.

    Raises
    ------
    subprocess.CalledProcessError
        If there is no such commit.
    """
    command = ["git", "-C", str(ROOT), "archive", commit, "mer_kit"]
    packed = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "mer_kit"


def main() -> int:
    """Print the counts; exit 2 if the commit is not there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", metavar="COMMIT", help="count an earlier commit as well")
    commit = parser.parse_args().before
    shapes = {"now": measure(ROOT / "mer_kit")}
    if commit:
        with tempfile.TemporaryDirectory() as folder:
            try:
                shapes = {commit: measure(at_commit(commit, Path(folder))), **shapes}
            except subprocess.CalledProcessError as error:
                print(
                    f"git has no commit {commit!r} ({error.stderr.decode().strip()}): name one of `git log`",
                    file=sys.stderr,
                )
                return 2
    columns = [shape.rows() for shape in shapes.values()]
    print(f"| | {' | '.join(shapes)} |\n|---|{'---:|' * len(shapes)}")
    for name in columns[0]:
        print(f"| {name} | {' | '.join(column[name] for column in columns)} |")
    for name, shape in shapes.items():
        print(f"\n{name}: modules and lines of each room")
        print(
            ", ".join(
                f"{room} {modules} / {lines:,}"
                for room, (modules, lines) in sorted(shape.rooms.items())
            )
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
