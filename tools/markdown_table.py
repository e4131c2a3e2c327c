"""A table in Markdown whose cells may hold code and bold text, which `results.tables.markdown` escapes."""

from __future__ import annotations

from collections.abc import Sequence


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """Return rows as a Markdown table, with the columns of the fullest row; a missing cell is empty."""
    names = list(max(rows, key=len))
    lines = [names, ["---"] * len(names), *([row.get(name, "") for name in names] for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
