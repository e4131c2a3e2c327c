"""Pictures of the split: losses over the epochs, their histograms with the fitted mixture, the posterior.

Notebook: 02_noisy_labels
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mer_kit.plots.axes import GROUP_LOOK, axes_or_new, end_labels, epoch_axis, percent, room_right
from mer_kit.plots.style import CLEAN, NEUTRAL, NOISY
from mer_kit.training.partition import Mixture

BINS = 40


def loss_over_epochs(
    losses: np.ndarray,
    groups: Mapping[str, np.ndarray],
    *,
    counts: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw median and quartiles of the losses [E, S] (nats) after every epoch, one line per group (name → bool [S]).

    With `counts` each name is followed by the size of its group.

    Notebook: 02_noisy_labels
    """
    ax = axes_or_new(ax)
    epochs = np.arange(1, len(losses) + 1)
    ends = []
    for name, rows in groups.items():
        if not rows.any():
            continue
        colour, line, _ = GROUP_LOOK[name]
        low, middle, high = np.percentile(losses[:, rows], [25, 50, 75], axis=1)
        ax.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(epochs, middle, color=colour, linestyle=line, marker="o", markersize=3)
        ends.append(
            (float(middle[-1]), name + (f" (n = {int(rows.sum())})" if counts else ""), colour)
        )
    ax.set_ylim(bottom=0)
    room_right(ax, 1, len(losses))
    end_labels(ax, len(losses), ends)
    epoch_axis(ax, len(losses), label="after epoch")
    ax.set_ylabel("loss against its label (nats)")
    return ax


def loss_histogram(
    losses: np.ndarray,
    mixture: Mixture | None,
    *,
    wrong: np.ndarray | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the losses [n] (nats) of one pass on the mixture's 0–1 axis, with both Gaussians of Eq. (3).

    The x ticks carry the normalised loss and, below it, nats. With `wrong` (bool [n]) the bars are stacked: right
    labels, and on top of them the wrong ones. Without a mixture (all losses equal) the axis is in nats alone.

    Notebook: 02_noisy_labels
    """
    ax = axes_or_new(ax)
    if mixture is None:
        ax.hist(losses, bins=BINS, color=NEUTRAL, alpha=0.5)
        ax.set_xlabel("loss (nats)")
        ax.text(
            0.5,
            0.5,
            "no mixture:\nall losses are equal",
            transform=ax.transAxes,
            ha="center",
            color=NEUTRAL,
        )
        return ax
    x = mixture.normalise(losses)
    parts = [x] if wrong is None else [x[~wrong], x[wrong]]
    colours = [NEUTRAL] if wrong is None else [CLEAN, NOISY]
    weights = [np.full(len(part), BINS / len(x)) for part in parts]
    heights, _, areas = ax.hist(
        parts,
        bins=BINS,
        range=(0, 1),
        weights=weights,
        stacked=True,
        histtype="stepfilled",
        color=colours,
        alpha=0.4,
    )
    if wrong is not None:
        areas[1][0].set(hatch="////", edgecolor="white", linewidth=0)  # type: ignore[index]
    grid = np.linspace(0, 1, 401)
    clean, noisy = mixture.densities(grid)
    ax.plot(grid, clean, color=CLEAN, linestyle="-")
    ax.plot(grid, noisy, color=NOISY, linestyle="--")
    nat_ticks(ax, mixture)
    ax.set_ylim(0, 1.05 * max(clean.max(), noisy.max(), float(np.max(heights))))
    ax.set_ylabel("density")
    return ax


def nat_ticks(
    ax: Axes, mixture: Mixture | None, ticks: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0)
) -> None:
    """Label the normalised axis twice: 0–1, and below it the same place in nats."""
    if mixture is None:
        return
    nats = [mixture.low + tick * (mixture.high - mixture.low) for tick in ticks]
    ax.set_xlim(0, 1)
    ax.set_xticks(
        ticks, [f"{tick:g}\n{value:.2f}" for tick, value in zip(ticks, nats, strict=True)]
    )
    ax.set_xlabel("normalised loss (below: nats)")


def posterior_curve(mixture: Mixture | None, *, tau: float, ax: Axes | None = None) -> Axes:
    """Draw ω over the normalised loss: clamped (solid) and as the two Gaussians give it (dotted), cut at τ.

    The losses that go to X are shaded in the colour of the clean, those that go to U in the colour of the noisy.

    Notebook: 02_noisy_labels
    """
    ax = axes_or_new(ax)
    percent(ax, low=-0.03, high=1.03)
    ax.set_ylabel("ω")
    ax.axhline(tau, color=NEUTRAL, linewidth=1, linestyle=":")
    if mixture is None:
        return ax
    x = np.linspace(0, 1, 401)
    nats = mixture.low + x * (mixture.high - mixture.low)
    omega, raw = mixture.posterior(nats), mixture.posterior(nats, clamp=False)
    inside = omega > tau
    edges = [0.0, *x[1:][inside[1:] != inside[:-1]].tolist(), 1.0]
    for low, high in itertools.pairwise(edges):
        kept = bool(inside[np.searchsorted(x, (low + high) / 2)])
        ax.axvspan(low, high, color=CLEAN if kept else NOISY, alpha=0.15, linewidth=0)
        ax.text(
            (low + high) / 2, 0.5, "X" if kept else "U", ha="center", va="center", weight="bold"
        )
    ax.plot(x, raw, color="black", linestyle=":", linewidth=1.2)
    ax.plot(x, omega, color="black")
    nat_ticks(ax, mixture)
    return ax


def histogram_with_posterior(
    losses: np.ndarray,
    mixture: Mixture | None,
    *,
    tau: float,
    wrong: np.ndarray | None = None,
    axes: tuple[Axes, Axes] | None = None,
) -> tuple[Axes, Axes]:
    """Draw `loss_histogram` (heights on a root scale) and, below it on the same axis, `posterior_curve`.

    Notebook: 02_noisy_labels
    """
    if axes is None:
        figure = plt.figure(figsize=(7.2, 4.4))
        grid = figure.add_gridspec(2, 1, height_ratios=[3, 1])
        axes = (figure.add_subplot(grid[0]), figure.add_subplot(grid[1]))
    upper, lower = axes
    loss_histogram(losses, mixture, wrong=wrong, ax=upper)
    posterior_curve(mixture, tau=tau, ax=lower)
    if mixture is not None:
        upper.set_yscale(
            "function", functions=(np.sqrt, np.square)
        )  # else the second hill is too flat to see
        upper.set_ylabel("density (root scale)")
        upper.tick_params(labelbottom=False)
        upper.set_xlabel("")
    return upper, lower


def loss_multiples(
    losses: np.ndarray,
    mixtures: Sequence[Mixture | None],
    *,
    after_epochs: Sequence[int],
    tau: float,
    wrong: np.ndarray | None = None,
    notes: Sequence[str] | None = None,
    figure: Figure | None = None,
) -> list[tuple[Axes, Axes]]:
    """Draw one histogram with its mixture and its posterior below it for each of some passes.

    Parameters
    ----------
    losses : [E, S], nats, all passes
    mixtures : E of them, one a pass
    after_epochs : which passes, counted from 1
    wrong : bool [S], labels known to be wrong
    notes : E texts; where one is not empty, the title says "no separation"

    Notebook: 02_noisy_labels
    """
    columns = min(3, len(after_epochs))
    rows = -(-len(after_epochs) // columns)
    if figure is None:
        figure = plt.figure(figsize=(3.3 * columns, 3.1 * rows))
    grid = figure.add_gridspec(rows * 2, columns, height_ratios=[3, 1] * rows)
    drawn = []
    for place, epoch in enumerate(after_epochs):
        row, column = divmod(place, columns)
        pair = (
            figure.add_subplot(grid[2 * row, column]),
            figure.add_subplot(grid[2 * row + 1, column]),
        )
        histogram_with_posterior(
            losses[epoch - 1], mixtures[epoch - 1], tau=tau, wrong=wrong, axes=pair
        )
        upper, lower = pair
        upper.set_ylabel(upper.get_ylabel() if column == 0 else "")
        lower.set_ylabel("ω" if column == 0 else "")
        refused = notes is not None and bool(notes[epoch - 1])
        upper.set_title(
            f"after epoch {epoch}" + (": no separation" if refused else ""), fontsize=10
        )
        nat_ticks(lower, mixtures[epoch - 1], (0.0, 0.5, 1.0))
        lower.set_xlabel("normalised loss, nats below" if column == 0 else "")
        drawn.append(pair)
    return drawn
