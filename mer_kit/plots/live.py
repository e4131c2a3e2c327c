"""Plots shown during training: losses, the histogram of segment losses, the sizes of X and U.

Notebook: 03_sssl_training
"""

from collections.abc import Callable

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mer_kit.analysis.passes import Passes
from mer_kit.plots import history
from mer_kit.plots.axes import root_scale
from mer_kit.plots.losses import loss_histogram
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
    for draw, ax in zip(PANELS, axes, strict=True):
        draw(passes, ax)
    return figure


def _losses(passes: Passes, ax: Axes) -> None:
    history.loss_curves(passes.history, ax=ax).set_title("losses")


def _histogram(passes: Passes, ax: Axes) -> None:
    losses, mixture, wrong = passes.fitted_mixture(len(passes))
    loss_histogram(losses, mixture, wrong=wrong, ax=ax)
    if mixture is not None:
        root_scale(ax)
    ax.set_title(f"segments after epoch {passes.history[-1].epoch}")


def _sizes(passes: Passes, ax: Axes) -> None:
    history.x_u_sizes(passes.history, ax=ax).set_title("X and U")


PANELS: tuple[Callable[[Passes, Axes], None], ...] = (_losses, _histogram, _sizes)


def panels(passes: Passes) -> list[bytes]:
    """Return the three plots of `picture` as PNG bytes, one each. Notebook: 03_sssl_training"""
    figures = [EmbeddedFigure(1, 1, size=(4.2, 3.3)) for _ in PANELS]
    for draw, figure in zip(PANELS, figures, strict=True):
        draw(passes, figure.axes[0])
    return [figure.png(dpi=150, level=6) for figure in figures]
