"""What the first cells of a notebook call: `start` opens a run, `check` checks an answer.

session    the start call: parameters, style, seed, the run
exercise   comparison of answers with computed ones, and hints
"""

from mer_kit.notebook.exercise import check
from mer_kit.notebook.session import Session, start, table_view

__all__ = ["Session", "check", "start", "table_view"]
