"""Plots of the partition: losses over the epochs, loss histograms with the mixture, the posterior.

Notebook: 02_noisy_labels
"""

import itertools
import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mer_kit.plots.axes import (
    GROUP_LOOK,
    HATCHED,
    axes_or_new,
    epoch_axis,
    note_in_middle,
    percent,
    root_scale,
)
from mer_kit.plots.style import CLEAN, NEUTRAL, NOISY
from mer_kit.training.mixture import Mixture

BINS = 40


def loss_over_epochs(
    losses: np.ndarray,
    groups: Mapping[str, np.ndarray],
    *,
    counts: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the median and quartiles of the losses after every epoch, one line per group.

    Parameters
    ----------
    losses : [E, S], nats
    groups : name → bool [S]
    counts : add the size of each group to its name

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> losses = np.array([[1.0, 1.0, 4.0], [0.5, 0.7, 3.0]])
    >>> ax = loss_over_epochs(losses, {"all segments": np.ones(3, dtype=bool)})
    >>> ax.lines[0].get_ydata().tolist(), ax.texts[0].get_text()
    ([1.0, 0.7], 'all segments (n = 3)')
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    epochs = np.arange(1, len(losses) + 1)
    ends = []
    for name, rows in ((name, rows) for name, rows in groups.items() if rows.any()):
        colour, line, _ = GROUP_LOOK[name]
        low, middle, high = np.percentile(losses[:, rows], [25, 50, 75], axis=1)
        ax.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(epochs, middle, color=colour, linestyle=line, marker="o", markersize=3)
        text = f"{name} (n = {int(rows.sum())})" if counts else name
        ends.append((float(middle[-1]), text, colour))
    ax.set_ylim(bottom=0)
    epoch_axis(ax, len(losses), ends, ylabel="loss against its label (nats)", label="after epoch")
    return ax


def loss_histogram(
    losses: np.ndarray,
    mixture: Mixture | None,
    *,
    wrong: np.ndarray | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the losses of one evaluation pass with both Gaussians of Eq. (3).

    The x axis is the normalised loss (0–1), with nats below it; without a mixture (all losses are
    equal) it is in nats only.

    Parameters
    ----------
    losses : [n], nats
    wrong : bool [n], labels known to be wrong; their bars are stacked on those of the right labels

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> ax = loss_histogram(np.full(20, 1.2), None)
    >>> ax.get_xlabel(), ax.texts[0].get_text()
    ('loss (nats)', 'no mixture:\\nall losses are equal')
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    if mixture is None:
        ax.hist(losses, bins=BINS, color=NEUTRAL, alpha=0.5)
        ax.set_xlabel("loss (nats)")
        note_in_middle(ax, "no mixture:\nall losses are equal")
        return ax
    x, grid = mixture.normalise(losses), np.linspace(0, 1, 401)
    subsets, colours = [x], [NEUTRAL]
    if wrong is not None:
        subsets, colours = [x[~wrong], x[wrong]], [CLEAN, NOISY]
    heights, _, areas = ax.hist(
        subsets, bins=BINS, range=(0, 1), stacked=True, histtype="stepfilled", color=colours,
        weights=[np.full(len(subset), BINS / len(x)) for subset in subsets], alpha=0.4,
    )  # fmt: skip
    if wrong is not None:
        areas[1][0].set(**HATCHED)  # type: ignore[index]
    clean, noisy = mixture.densities(grid)
    ax.plot(grid, clean, color=CLEAN, linestyle="-")
    ax.plot(grid, noisy, color=NOISY, linestyle="--")
    nat_ticks(ax, mixture)
    ax.set(ylim=(0, 1.05 * max(clean.max(), noisy.max(), np.max(heights))), ylabel="density")
    return ax


def nat_ticks(
    ax: Axes, mixture: Mixture, ticks: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0)
) -> None:
    """Label the axis of the normalised loss twice: 0–1, and below it the same loss in nats.

    Examples
    --------
    >>> ax = axes_or_new(None)
    >>> mixture = Mixture(weights=(0.7, 0.3), means=(0.2, 0.7), sds=(0.1, 0.1), low=0.1, high=2.1)
    >>> nat_ticks(ax, mixture, ticks=(0, 1))
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['0\\n0.10', '1\\n2.10']
    >>> plt.close(ax.figure)
    """
    span = mixture.high - mixture.low
    ax.set_xticks(ticks, [f"{tick:g}\n{mixture.low + tick * span:.2f}" for tick in ticks])
    ax.set(xlim=(0, 1), xlabel="normalised loss (below: nats)")


def posterior_curve(mixture: Mixture | None, *, tau: float, ax: Axes | None = None) -> Axes:
    """Draw ω against the normalised loss, and which losses the threshold τ assigns to X and to U.

    The solid line is ω as used (clamped), the dotted line is the raw posterior of the mixture.

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> mixture = Mixture(weights=(0.7, 0.3), means=(0.2, 0.7), sds=(0.1, 0.1), low=0.1, high=2.1)
    >>> ax = posterior_curve(mixture, tau=0.5)
    >>> [text.get_text() for text in ax.texts]
    ['X', 'U']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    percent(ax, low=-0.03, high=1.03, ylabel="ω")
    ax.axhline(tau, color=NEUTRAL, linewidth=1, linestyle=":")
    if mixture is None:
        return ax
    x = np.linspace(0, 1, 401)
    nats = mixture.low + x * (mixture.high - mixture.low)
    omega, raw = mixture.posterior(nats), mixture.posterior(nats, clamp=False)
    inside = omega > tau
    edges = [0.0, *x[1:][inside[1:] != inside[:-1]].tolist(), 1.0]
    for low, high in itertools.pairwise(edges):
        middle = (low + high) / 2
        name, colour = ("X", CLEAN) if inside[np.searchsorted(x, middle)] else ("U", NOISY)
        ax.axvspan(low, high, color=colour, alpha=0.15, linewidth=0)
        ax.text(middle, 0.5, name, ha="center", va="center", weight="bold")
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
    """Draw `loss_histogram` on a root scale and, below it on the same axis, `posterior_curve`.

    Notebook: 02_noisy_labels
    """
    if axes is None:
        axes = tuple(plt.subplots(2, 1, figsize=(7.2, 4.4), height_ratios=[3, 1])[1])
    upper, lower = axes
    loss_histogram(losses, mixture, wrong=wrong, ax=upper)
    posterior_curve(mixture, tau=tau, ax=lower)
    if mixture is not None:
        root_scale(upper)
        upper.tick_params(labelbottom=False)
        upper.set_xlabel("")
    return upper, lower


def loss_multiples(
    losses: np.ndarray,
    mixtures: Sequence[Mixture | None],
    *,
    after_epochs: Sequence[int],
    tau: float,
    notes: Sequence[str],
    wrong: np.ndarray | None = None,
    figure: Figure | None = None,
) -> list[tuple[Axes, Axes]]:
    """Draw `histogram_with_posterior` for several evaluation passes in one figure.

    Parameters
    ----------
    losses : [E, S], nats, of all evaluation passes
    mixtures : [E], one per evaluation pass
    after_epochs : which evaluation passes, counted from 1
    notes : [E] texts; where one is not empty, the title says "no separation"
    wrong : bool [S], labels known to be wrong

    Notebook: 02_noisy_labels
    """
    columns = min(3, len(after_epochs))
    rows = math.ceil(len(after_epochs) / columns)
    figure = figure or plt.figure(figsize=(3.3 * columns, 3.1 * rows))
    grid = figure.add_gridspec(rows * 2, columns, height_ratios=[3, 1] * rows)
    drawn = []
    for place, epoch in enumerate(after_epochs):
        row, column = divmod(place, columns)
        upper, lower = (figure.add_subplot(grid[2 * row + k, column]) for k in (0, 1))
        mixture, note = mixtures[epoch - 1], ": no separation" if notes[epoch - 1] else ""
        histogram_with_posterior(
            losses[epoch - 1], mixture, tau=tau, wrong=wrong, axes=(upper, lower)
        )
        upper.set_title(f"after epoch {epoch}{note}", fontsize=10)
        if mixture is not None:
            nat_ticks(lower, mixture, (0.0, 0.5, 1.0))
        lower.set_xlabel("normalised loss, nats below")
        if column > 0:
            upper.set_ylabel("")
            lower.set(xlabel="", ylabel="")
        drawn.append((upper, lower))
    return drawn
