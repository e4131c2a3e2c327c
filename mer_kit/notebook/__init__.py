"""What a notebook's first cells call: `start` opens a run, `check` compares an exercise's answer, `table_view` shows a table.

session    the start call: parameters, style, seed, the run
exercise   answers compared with the function that knows, with hints
"""

from mer_kit.notebook.exercise import check
from mer_kit.notebook.session import Session, start, table_view

__all__ = ["Session", "check", "start", "table_view"]
