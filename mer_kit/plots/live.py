"""Plots shown during training: losses, the histogram of segment losses, the sizes of X and U.

Notebook: 03_sssl_training
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mer_kit.analysis.passes import Passes
from mer_kit.plots import history, losses
from mer_kit.plots.axes import root_scale
from mer_kit.plots.picture import EmbeddedFigure

#: Alt texts of the three plots.
ALTS = (
    "training loss, its parts and the evaluation loss over the epochs",
    "histogram of the segments' losses after the last epoch, with both Gaussians",
    "segments in X and in U for every epoch",
)


def picture(passes: Passes) -> Figure:
    """Return the final state of the live view as one figure of three plots.

    Notebook: 03_sssl_training
    """
    figure, axes = plt.subplots(1, 3, figsize=(12.5, 3.4))
    _draw(passes, axes)
    return figure


def panels(passes: Passes) -> list[bytes]:
    """Return the three plots of `picture` as PNG bytes, one each. Notebook: 03_sssl_training"""
    figures = [EmbeddedFigure(1, 1, size=(4.2, 3.3)) for _ in ALTS]
    _draw(passes, [figure.axes[0] for figure in figures])
    return [figure.png(dpi=150, level=6) for figure in figures]


def _draw(passes: Passes, axes: Sequence[Axes]) -> None:
    """Draw the three plots, one in each Axes."""
    history.loss_curves(passes.history, ax=axes[0]).set_title("losses")
    values, mixture, wrong = passes.fitted_mixture(len(passes))
    losses.loss_histogram(values, mixture, wrong=wrong, ax=axes[1])
    if mixture is not None:
        root_scale(axes[1])
    axes[1].set_title(f"segments after epoch {passes.history[-1].epoch}")
    history.x_u_sizes(passes.history, ax=axes[2]).set_title("X and U")
