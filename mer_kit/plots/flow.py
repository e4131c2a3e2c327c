"""The whole method in one figure: clip → segments → loss → partition → training → song.

Notebook: 00_start_here
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from mer_kit.plots import style
from mer_kit.plots.axes import axes_or_new

WIDTH, HEIGHT, STEP_X, STEP_Y = 1.9, 1.05, 2.3, 1.5


#: Step → (column and row on the grid of boxes, what happens, the notebook that teaches it).
STEPS: dict[str, tuple[float, float, str, str]] = {
    "Clip": (0, 1, "30 s of music,\none label", "00"),
    "Segments": (1, 1, "one starts each second,\nall inherit the label", "01"),
    "Loss": (2, 1, "how far the network is\nfrom the label", "02"),
    "Partition": (3, 1, "two Gaussians over\nall losses", "02"),
    "X: likely clean": (4, 1.62, "keeps its label", "03"),
    "U: likely noisy": (4, 0.38, "label erased,\npseudo-label instead", "03"),
    "Training": (5, 1, "sharpening, mixup\nand R-Drop", "03"),
    "Answers": (5, -0.9, "class probabilities,\nsecond by second", "05"),
    "Features": (4, -0.9, "seven statistics\nfor each class", "04"),
    "Song": (3, -0.9, "SVM: one emotion\nfor the song", "04"),
    "Results": (2, -0.9, "tables next to\nthe paper's", "06"),
}
#: Step → colour of its frame, if not the neutral one.
_COLOURS = {"X: likely clean": style.CLEAN, "U: likely noisy": style.NOISY}
#: (from, to) by name.
ARROWS = (
    ("Clip", "Segments"),
    ("Segments", "Loss"),
    ("Loss", "Partition"),
    ("Partition", "X: likely clean"),
    ("Partition", "U: likely noisy"),
    ("X: likely clean", "Training"),
    ("U: likely noisy", "Training"),
    ("Training", "Answers"),
    ("Answers", "Features"),
    ("Features", "Song"),
    ("Song", "Results"),
)
ALT = (
    "Flow chart. A clip of thirty seconds with one label is cut into segments that inherit the "
    "label; from the network's loss on each segment, two Gaussians give a partition into X, likely "
    "clean, which keeps its labels, and U, likely noisy, which gets pseudo-labels; both train the "
    "network, and each epoch begins with new losses. The trained network's probabilities for each "
    "segment become seven features per class, from which an SVM predicts the song's emotion."
)
_ARROW_STYLE: dict[str, Any] = {
    "arrowstyle": "-|>", "color": style.NEUTRAL, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0,
}  # fmt: skip


def steps_table() -> pd.DataFrame:
    """Return the boxes as a table: step, what happens, notebook.

    Examples
    --------
    >>> steps_table().head(2)
           step                                            what notebook
    0      Clip                      30 s of music, one label       00
    1  Segments  one starts each second, all inherit the label       01
    """
    return pd.DataFrame(
        [(name, text.replace("\n", " "), number) for name, (*_, text, number) in STEPS.items()],
        columns=["step", "what", "notebook"],
    )


def flow(ax: Axes | None = None) -> Axes:
    """Draw the flow chart of the method; each step has the number of the notebook that teaches it.

    Source: paper Fig. 1, redrawn. Notebook: 00_start_here
    """
    ax = axes_or_new(ax, size=(10, 4.5))
    centres = {name: _box(ax, name) for name in STEPS}
    for start, end in ARROWS:
        _arrow(ax, centres[start], centres[end])
    _return_arrow(ax, centres["Training"], centres["Loss"])
    ax.set(xlim=(-1.05, 12.55), ylim=(-2.0, 4.1), aspect="equal")
    ax.axis("off")
    return ax


def _box(ax: Axes, name: str) -> tuple[float, float]:
    """Draw the box of a step and return its centre."""
    column, row, text, notebook = STEPS[name]
    x, y, colour = column * STEP_X, row * STEP_Y, _COLOURS.get(name, style.NEUTRAL)
    ax.add_patch(FancyBboxPatch(
        (x - WIDTH / 2, y - HEIGHT / 2), WIDTH, HEIGHT, facecolor="white", edgecolor=colour,
        boxstyle="round,pad=0.02,rounding_size=0.12", linewidth=1.6, zorder=2,
    ))  # fmt: skip
    centred: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 3}
    ax.text(x, y + 0.31, name, fontsize=8.5, weight="bold", **centred)
    ax.text(x, y - 0.13, text, fontsize=7, linespacing=1.25, **centred)
    ax.text(
        x + WIDTH / 2 - 0.04, y - HEIGHT / 2, notebook, ha="right", va="center", fontsize=6.8,
        color="white", zorder=4,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": colour, "edgecolor": "none"},
    )  # fmt: skip
    return x, y


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow between the facing edges of two boxes."""
    (x0, y0), (x1, y1) = start, end
    dx = (WIDTH / 2 + 0.05) * np.sign(x1 - x0)
    dy = (HEIGHT / 2 + 0.05) * np.sign(y1 - y0) * (x0 == x1)
    ax.annotate(
        "", xy=(x1 - dx, y1 - dy), xytext=(x0 + dx, y0 + dy), arrowprops=_ARROW_STYLE, zorder=1
    )


def _return_arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw the dashed way back from training to the loss, above the boxes."""
    (x0, y0), (x1, y1), top = start, end, 3.45
    ax.plot(
        [x0, x0, x1], [y0 + HEIGHT / 2 + 0.05, top, top], color=style.NEUTRAL, linewidth=1.4,
        linestyle="--",
    )  # fmt: skip
    ax.annotate(
        "", xy=(x1, y1 + HEIGHT / 2 + 0.05), xytext=(x1, top),
        arrowprops={**_ARROW_STYLE, "linestyle": "--"},
    )  # fmt: skip
    ax.text(
        (x0 + x1) / 2, top + 0.12, "again at the start of every epoch", ha="center", va="bottom",
        fontsize=8,
    )  # fmt: skip
