"""The counts of tools/shape.py on a package whose counts are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import shape

MODULE = '''"""A module."""

import math


def area(radius):
    """Return the area of a circle.

    >>> round(area(1), 2)
    3.14
    """
    # Comments are no statements.
    return math.pi * radius**2 if radius else 0 if radius == 0 else None


def _many(a, b, c, d, e, f, g):
    return a


class Kit:
    """A class."""

    def plain(self, a, b, c, d, e, f):
        return a
'''


def test_a_small_package_is_counted(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "circle.py").write_text(MODULE, "utf-8")
    (tmp_path / "room" / "view.mjs").write_text("const a = 1;\nexport { a };\n", "utf-8")
    found = shape.measure(tmp_path)
    assert found.rooms == {"room": (1, 24)}
    assert found.statements == 8  # import, three functions, a class, three returns
    assert (found.conditionals, found.nested_conditionals) == (2, 1)
    assert (found.public, found.examples, found.many_parameters) == (1, 1, 1)
    assert (found.comments, found.browser_lines) == (1, 2)
    assert sorted(found.functions) == [2, 2, 3]


def test_a_folder_without_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a package"):
        shape.measure(tmp_path)
