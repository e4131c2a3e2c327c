"""The flow of the whole kit as one picture: clip → segments → loss → split → training → song.

Notebook: 00_start_here
"""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from mer_kit.plots import style

WIDTH, HEIGHT, STEP_X, STEP_Y = 1.9, 1.05, 2.3, 1.5


@dataclass(frozen=True)
class Step:
    """One box: where it stands (column, row), what it is called, what happens there, which notebook teaches it."""

    name: str
    column: float
    row: float
    text: str
    notebook: str
    colour: str = style.NEUTRAL


STEPS = (
    Step("Clip", 0, 1, "30 s of music,\none label", "00"),
    Step("Segments", 1, 1, "one starts each second,\nall inherit the label", "01"),
    Step("Loss", 2, 1, "how far the network is\nfrom the label", "02"),
    Step("Split", 3, 1, "two Gaussians over\nall losses", "02"),
    Step("X: likely clean", 4, 1.62, "keeps its label", "03", style.CLEAN),
    Step("U: likely noisy", 4, 0.38, "label erased,\npseudo-label instead", "03", style.NOISY),
    Step("Training", 5, 1, "sharpening, mixup\nand R-Drop", "03"),
    Step("Answers", 5, -0.9, "class probabilities,\nsecond by second", "05"),
    Step("Features", 4, -0.9, "seven statistics\nfor each class", "04"),
    Step("Song", 3, -0.9, "SVM: one emotion\nfor the song", "04"),
    Step("Results", 2, -0.9, "tables beside\nthe paper's", "06"),
)
#: (from, to) by name.
ARROWS = (
    ("Clip", "Segments"),
    ("Segments", "Loss"),
    ("Loss", "Split"),
    ("Split", "X: likely clean"),
    ("Split", "U: likely noisy"),
    ("X: likely clean", "Training"),
    ("U: likely noisy", "Training"),
    ("Training", "Answers"),
    ("Answers", "Features"),
    ("Features", "Song"),
    ("Song", "Results"),
)
ALT = (
    "Flow chart. A clip of thirty seconds with one label is cut into segments that inherit the label; the network's "
    "loss on each segment is split by two Gaussians into X, likely clean, which keeps its labels, and U, likely noisy, "
    "which gets pseudo-labels; both train the network, and each epoch begins with a new loss. The trained network's "
    "probabilities for each segment become seven features per class, from which an SVM decides the song's emotion."
)


def steps_table() -> pd.DataFrame:
    """Return the boxes as a table: step, what happens, notebook."""
    rows = [(step.name, step.text.replace("\n", " "), step.notebook) for step in STEPS]
    return pd.DataFrame(rows, columns=["step", "what", "notebook"])


def flow(ax: Axes | None = None) -> Axes:
    """Draw the flow chart of the method with the number of the notebook that teaches each step.

    Source: paper Fig. 1, drawn anew. Notebook: 00_start_here
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(10, 4.5))
    place = {step.name: _box(ax, step) for step in STEPS}
    for start, end in ARROWS:
        _arrow(ax, place[start], place[end])
    _again(ax, place["Training"], place["Loss"])
    ax.set(xlim=(-1.05, 12.55), ylim=(-2.0, 4.1))
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def _box(ax: Axes, step: Step) -> tuple[float, float]:
    x, y = step.column * STEP_X, step.row * STEP_Y
    patch = FancyBboxPatch(
        (x - WIDTH / 2, y - HEIGHT / 2), WIDTH, HEIGHT, boxstyle="round,pad=0.02,rounding_size=0.12",
        facecolor="white", edgecolor=step.colour, linewidth=1.6, zorder=2,
    )  # fmt: skip
    ax.add_patch(patch)
    ax.text(x, y + 0.31, step.name, ha="center", va="center", fontsize=8.5, weight="bold", zorder=3)
    ax.text(
        x, y - 0.13, step.text, ha="center", va="center", fontsize=7, linespacing=1.25, zorder=3
    )
    ax.text(
        x + WIDTH / 2 - 0.04, y - HEIGHT / 2, step.notebook, ha="right", va="center", fontsize=6.8, color="white",
        bbox={"boxstyle": "round,pad=0.25", "facecolor": step.colour, "edgecolor": "none"}, zorder=4,
    )  # fmt: skip
    return x, y


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow between the facing edges of two boxes."""
    (x0, y0), (x1, y1) = start, end
    if x0 == x1:
        side = 1 if y1 > y0 else -1
        tail, head = (x0, y0 + side * (HEIGHT / 2 + 0.05)), (x1, y1 - side * (HEIGHT / 2 + 0.05))
    else:
        side = 1 if x1 > x0 else -1
        tail, head = (x0 + side * (WIDTH / 2 + 0.05), y0), (x1 - side * (WIDTH / 2 + 0.05), y1)
    look = {
        "arrowstyle": "-|>",
        "color": style.NEUTRAL,
        "linewidth": 1.4,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    ax.annotate("", xy=head, xytext=tail, arrowprops=look, zorder=1)


def _again(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw the way back from training to the loss, over the top."""
    top = 3.45
    (x0, y0), (x1, y1) = start, end
    ax.plot(
        [x0, x0, x1],
        [y0 + HEIGHT / 2 + 0.05, top, top],
        color=style.NEUTRAL,
        linewidth=1.4,
        linestyle="--",
    )
    look = {
        "arrowstyle": "-|>",
        "color": style.NEUTRAL,
        "linewidth": 1.4,
        "shrinkA": 0,
        "shrinkB": 0,
        "linestyle": "--",
    }
    ax.annotate("", xy=(x1, y1 + HEIGHT / 2 + 0.05), xytext=(x1, top), arrowprops=look)
    ax.text(
        (x0 + x1) / 2,
        top + 0.12,
        "again at the start of every epoch",
        ha="center",
        va="bottom",
        fontsize=8,
    )
