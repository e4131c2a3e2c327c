"""Plots of the SSSL training objectives: sharpening, mixup, R-Drop, and the loop around them.

Notebook: 03_sssl_training
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from mer_kit.plots.axes import HATCHED, axes_or_new, class_ticks, percent
from mer_kit.plots.segments import features_picture
from mer_kit.plots.style import CLEAN, NEUTRAL, NOISY
from mer_kit.plots.style import looks as class_looks
from mer_kit.signal import frontends
from mer_kit.signal.frontend import BaseFrontend
from mer_kit.training import objectives

#: Box → (centre x, centre y, text, colour) of the loop's diagram, on a page of 100 × 44.
_BOXES: dict[str, tuple[float, float, str, str]] = {
    "pass": (10, 37, "evaluation pass\ndropout off: pᵢ", NEUTRAL),
    "loss": (33, 37, "loss of each label\nℓᵢ = −log pᵢ(yᵢ)   Eq. 2", NEUTRAL),
    "mixture": (56, 37, "two Gaussians\nωᵢ   Eq. 3", NEUTRAL),
    "u": (79, 37, "U: ωᵢ ≤ τ\nlabels erased", NOISY),
    "x": (56, 25, "X: ωᵢ > τ\nkeeps its labels", CLEAN),
    "sharpen": (79, 25, "pseudo-labels\nSharpen(p, T)   Eq. 4", NOISY),
    "mixup": (56, 13, "mixup over X ∪ Û\nL_MIX   Eq. 6–8", NEUTRAL),
    "rdrop": (79, 3, "two dropout passes on U\nL_KL   Eq. 9", NOISY),
    "total": (33, 8, "L = L_MIX + λ L_KL\nEq. 10", NEUTRAL),
    "step": (10, 8, "one optimizer step\nfor every batch", NEUTRAL),
}
_HALF_WIDTH, _HALF_HEIGHT = 9.5, 3.4
#: Start and end of each arrow as (box, right, up); offsets from the centre in half widths and
#: half heights of the box.
_ARROWS = (
    (("pass", 1, 0), ("loss", -1, 0)), (("loss", 1, 0), ("mixture", -1, 0)),
    (("mixture", 1, 0), ("u", -1, 0)), (("mixture", 0, -1), ("x", 0, 1)),
    (("u", 0, -1), ("sharpen", 0, 1)), (("x", 0, -1), ("mixup", 0, 1)),
    (("sharpen", -0.6, -1), ("mixup", 1, 0.3)), (("mixup", -1, 0), ("total", 1, 0.4)),
    (("rdrop", -1, 0), ("total", 1, -0.4)), (("total", -1, 0), ("step", 1, 0)),
    (("step", 0, 1), ("pass", 0, -1)),
)  # fmt: skip


def loop(*, ax: Axes | None = None) -> Axes:
    """Draw one epoch of SSSL as boxes and arrows, each with its equation.

    Source: paper Fig. 1, its training part. Notebook: 03_sssl_training
    """
    ax = axes_or_new(ax, size=(9.0, 4.2))
    for x, y, text, colour in _BOXES.values():
        ax.add_patch(FancyBboxPatch(
            (x - _HALF_WIDTH, y - _HALF_HEIGHT), 2 * _HALF_WIDTH, 2 * _HALF_HEIGHT,
            boxstyle="round,pad=0,rounding_size=1", facecolor=colour, alpha=0.16,
        ))  # fmt: skip
        ax.text(x, y, text, ha="center", va="center", fontsize=8.5)
    # U goes to R-Drop too, around the pseudo-labels.
    (x0, y0), (x1, y1) = _edge("u", 1, 0), _edge("rdrop", 1, 0)
    ax.plot([x0, 95, 95], [y0, y0, y1], color=NEUTRAL, linewidth=1.2)
    arrows = [(_edge(*start), _edge(*end)) for start, end in _ARROWS]
    for start, end in [*arrows, ((95, y1), (x1, y1))]:
        ax.add_patch(FancyArrowPatch(
            start, end, shrinkA=0, shrinkB=0, arrowstyle="-|>", mutation_scale=10, color=NEUTRAL
        ))  # fmt: skip
    ax.text(
        8.8, 22.5, "next epoch", color=NEUTRAL, rotation=90, ha="right", va="center", fontsize=8
    )
    ax.set(xlim=(-0.5, 97), ylim=(-1, 41))
    ax.axis("off")
    return ax


def _edge(name: str, right: float, up: float) -> tuple[float, float]:
    """Return a point just outside a box; offsets in half widths and half heights."""
    x, y, *_ = _BOXES[name]
    return x + right * (_HALF_WIDTH + 0.3), y + up * (_HALF_HEIGHT + 0.2)


def sharpen(p: np.ndarray, temperature: float) -> np.ndarray:
    """Return Sharpen(p, T) of probabilities [K] or [n, K]; see `training.objectives.sharpen`.

    The result is float64 and has the shape of `p`.

    Examples
    --------
    >>> sharpen(np.array([0.6, 0.3, 0.1]), 0.5).round(4).tolist()
    [0.7826, 0.1957, 0.0217]
    """
    logits = torch.from_numpy(
        np.log(np.maximum(np.atleast_2d(np.asarray(p, dtype=np.float64)), 1e-12))
    )
    return objectives.sharpen(logits, temperature).double().numpy().reshape(np.shape(p))


def symmetric_kl(p: np.ndarray, q: np.ndarray) -> float:
    """Return ½ [KL(P‖Q) + KL(Q‖P)] of two probability vectors [K], in nats.

    Examples
    --------
    >>> round(symmetric_kl(np.array([0.8, 0.2]), np.array([0.5, 0.5])), 4)
    0.2079
    """
    logits = torch.from_numpy(np.log(np.maximum([p, q], 1e-12)))
    return float(objectives.symmetric_kl(logits[:1], logits[1:])[0])


def sharpening_bars(
    p: np.ndarray, temperatures: Sequence[float], classes: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Draw the probabilities p [K] of one segment, sharpened at several temperatures.

    Notebook: 03_sssl_training

    Examples
    --------
    >>> ax = sharpening_bars(np.array([0.8, 0.2]), (1.0, 0.5), ("V-", "V+"))
    >>> [text.get_text() for text in ax.texts]
    ['0.80', '0.20', '0.94', '0.06']
    >>> plt.close(ax.figure)
    """
    last, step = len(temperatures) - 1, 0.84 / len(temperatures)
    looks = [
        {"label": f"T = {temperature:g}", "alpha": 0.35 + 0.65 * number / max(1, last)}
        for number, temperature in enumerate(temperatures)
    ]
    ax = _class_bars(
        [sharpen(p, temperature) for temperature in temperatures], classes, ax,
        looks=looks, step=step, width=0.92 * step,
    )  # fmt: skip
    ax.legend()
    return ax


def sharpening_curve(temperatures: Sequence[float], *, ax: Axes | None = None) -> Axes:
    """Draw the sharpened probability against p for two classes, one line per temperature T.

    Notebook: 03_sssl_training
    """
    ax = axes_or_new(ax)
    p = np.linspace(1e-6, 1 - 1e-6, 201)
    shades = plt.get_cmap("Purples")(np.linspace(0.4, 1, len(temperatures) + 1)[1:])
    for temperature, shade, line in zip(
        temperatures, shades, itertools.cycle(("-", "--", "-.", ":")), strict=False
    ):
        values = p ** (1 / temperature) / (p ** (1 / temperature) + (1 - p) ** (1 / temperature))
        ax.plot(p, values, color=shade, linestyle=line, label=f"T = {temperature:g}")
    percent(ax, "x", xlabel="p of one of two classes")
    percent(ax, ylabel="Sharpen(p, T)")
    ax.legend()
    return ax


def mixup_pictures(
    first: np.ndarray,
    second: np.ndarray,
    delta: float,
    *,
    names: tuple[str, str] = ("xₚ", "x_q"),
    frontend: BaseFrontend | None = None,
    axes: Sequence[Axes] | None = None,
) -> Sequence[Axes]:
    """Draw two segments and, between them, their mixture δ·first + (1 − δ)·second.

    Parameters
    ----------
    first, second : [frames, d]
    frontend : the front-end that computed them; None for log-mels in dB

    Source: paper Eq. (6). Notebook: 03_sssl_training

    Examples
    --------
    >>> axes = mixup_pictures(np.zeros((4, 128)), np.ones((4, 128)), 0.75)
    >>> float(axes[1].images[0].get_array()[0, 0])
    0.25
    >>> plt.close(axes[0].figure)
    """
    if axes is None:
        axes = list(plt.subplots(1, 3, figsize=(9.0, 2.6), sharey=True)[1])
    both = torch.from_numpy(np.stack([first, second]).astype(np.float32))
    mixed = objectives.mix(both, torch.tensor([1, 0]), delta)[0].numpy()
    titles = (names[0], f"mixed, δ = {delta:.2f}", names[1])
    frontend = frontend or frontends.make()
    for ax, values, title in zip(axes, (first, mixed, second), titles, strict=True):
        features_picture(values, ax, frontend=frontend, title=title).title.set_fontsize(9)
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)
    return axes


def delta_density(alpha: float, *, ax: Axes | None = None) -> Axes:
    """Draw the density of δ ~ Beta(α, α) and of max(δ, 1 − δ), which training uses.

    Notebook: 03_sssl_training

    Examples
    --------
    >>> ax = delta_density(1.0)  # uniform
    >>> [float(line.get_ydata()[-1]) for line in ax.lines]
    [1.0, 2.0]
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    x = np.linspace(0.005, 0.995, 397)
    constant = math.exp(math.lgamma(2 * alpha) - 2 * math.lgamma(alpha))
    density, half = constant * (x * (1 - x)) ** (alpha - 1), x >= 0.5
    ax.plot(x, density, color=NEUTRAL, linestyle="--")
    ax.plot(x[half], 2 * density[half], color=CLEAN)
    ax.fill_between(x[half], 0, 2 * density[half], color=CLEAN, alpha=0.15, linewidth=0)
    ax.annotate(
        f"Beta({alpha:g}, {alpha:g})", (0.25, density[100]), (0, 8), textcoords="offset points",
        ha="center", color=NEUTRAL,
    )  # fmt: skip
    ax.text(0.75, 0.45 * float(density.min()), "used: max(δ, 1 − δ)", ha="center", color=CLEAN)
    ax.set(
        xlim=(0, 1), ylim=(0, 1.3 * float(np.quantile(2 * density[half], 0.95))),
        xlabel="mixing weight δ", ylabel="density",
    )  # fmt: skip
    return ax


def target_bars(target: np.ndarray, classes: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Draw one (soft) target [K] as bars.

    Source: paper Eq. (7). Notebook: 03_sssl_training
    """
    return _class_bars([target], classes, ax, looks=[{}], width=0.7, size=9)


def rdrop_bars(passes: np.ndarray, classes: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Draw the probabilities [2, K] of one segment from two dropout passes, in pairs of bars.

    Notebook: 03_sssl_training

    Examples
    --------
    >>> ax = rdrop_bars(np.array([[0.8, 0.2], [0.6, 0.4]]), ("A-", "A+"))
    >>> [text.get_text() for text in ax.texts]
    ['0.80', '0.20', '0.60', '0.40']
    >>> plt.close(ax.figure)
    """
    ax = _class_bars(
        list(passes), classes, ax, step=0.4, width=0.37,
        looks=[
            {**HATCHED, "label": "dropout pass 1", "hatch": ""},
            {**HATCHED, "label": "dropout pass 2"},
        ],
    )  # fmt: skip
    ax.legend()
    return ax


def disagreement(values: Mapping[str, np.ndarray], *, ax: Axes | None = None) -> Axes:
    """Draw the cumulative distribution of the disagreement between two dropout passes.

    Parameters
    ----------
    values : name of a set of segments → symmetric KL of each segment, nats; empty sets are left out

    Notebook: 03_sssl_training

    Examples
    --------
    >>> ax = disagreement({"X": np.array([0.1, 0.3]), "U": np.array([])})
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['X (2 segments), mean 0.200']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    looks = {"X": (CLEAN, "-"), "U": (NOISY, "--")}
    filled = {name: kl for name, kl in values.items() if len(kl)}
    top = max((float(np.quantile(kl, 0.98)) for kl in filled.values()), default=1.0)
    for name, kl in filled.items():
        colour, line = looks.get(name, (NEUTRAL, "-."))
        below = np.arange(1, len(kl) + 1) / len(kl)
        ax.step(
            np.sort(kl), below, where="post", color=colour, linestyle=line,
            label=f"{name} ({len(kl)} segments), mean {kl.mean():.3f}",
        )  # fmt: skip
    percent(
        ax, high=1.02, xlim=(0, top or 1e-3), ylabel="fraction of the set below",
        xlabel="½ [KL(P₁‖P₂) + KL(P₂‖P₁)] of two dropout passes (nats)",
    )  # fmt: skip
    ax.legend(loc="lower right")
    return ax


def _class_bars(
    rows: Sequence[np.ndarray],
    classes: Sequence[str],
    ax: Axes | None,
    *,
    looks: Sequence[dict[str, Any]],
    width: float,
    step: float = 0.0,
    size: float = 8,
) -> Axes:
    """Draw n rows of probabilities [K] as n bars for each class, with their numbers above them.

    Parameters
    ----------
    looks : for each row, options of its bars; a label is for the legend, in grey
    step : distance between the bars of a class
    size : of the numbers
    """
    ax = axes_or_new(ax)
    colours = {name: colour for name, (colour, _) in class_looks(classes).items()}
    for number, (values, look) in enumerate(zip(rows, looks, strict=True)):
        if "label" in look:
            ax.bar(0, 0, color=NEUTRAL, **look)
        left = np.arange(len(classes)) + (number - (len(rows) - 1) / 2) * step
        for x, value, name in zip(left, values, classes, strict=True):
            ax.bar(x, value, width=width, **{**look, "color": colours[name], "label": ""})
            ax.text(x, float(value) + 0.015, f"{value:.2f}", ha="center", fontsize=size)
    percent(
        ax, high=1.1, yticks=np.linspace(0, 1, 5), ylabel="probability",
    )  # fmt: skip
    class_ticks(ax, classes)
    ax.grid(axis="x", visible=False)
    return ax
