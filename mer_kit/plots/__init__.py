"""Plots: each function draws one idea from data into an Axes; none of them trains.

    comparisons differences from plain training, and what more seeds would show
    curve       class probabilities over a song, as in the paper's Fig. 2
    flow        the method as a diagram, after the paper's Fig. 1
    history     losses and accuracies over epochs
    labels      inherited labels: data map, forgetting, rejected seconds of a song
    live        the plots shown during training
    losses      the histogram of losses, the fitted mixture, X and U
    noise_map   every system at every noise, what it costs, and how often it splits
    objectives  sharpening, mixup and R-Drop
    quality     how well the partition separates wrong labels from right ones
    results     scores per fold, by duration, by seed
    segments    waveform, log-mel and the segments of a clip
    songs       the seven statistics per class, confusion, in-sample gap
    axes, style, names, picture: shared helpers

Notebook: all of them
"""

from mer_kit.plots import (
    comparisons,
    curve,
    flow,
    history,
    labels,
    live,
    losses,
    noise_map,
    objectives,
    quality,
    results,
    segments,
    songs,
)

__all__ = [
    "comparisons",
    "curve",
    "flow",
    "history",
    "labels",
    "live",
    "losses",
    "noise_map",
    "objectives",
    "quality",
    "results",
    "segments",
    "songs",
]
