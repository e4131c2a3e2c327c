"""Pictures: functions of data and an Axes that draw one idea each; they read and never train.

    curve       probabilities over a song, as in the paper's Fig. 2
    flow        the system as a diagram: the paper's Fig. 1 with a run's own numbers
    history     losses and accuracies over epochs
    labels      inherited labels against segment-level ground truth
    live        the history of a training while it runs
    losses      the losses' histogram, the fitted mixture, X and U
    objectives  sharpening, mixup and R-Drop
    quality     how well the partition separates wrong labels from right ones
    results     scores per fold, by duration, by seed
    segments    waveform, log-mel and the segments' borders
    songs       the seven statistics, confusion, calibration of songs
    axes, style, names, picture: what they share

Notebook: all of them
"""

from mer_kit.plots import (
    curve,
    flow,
    history,
    labels,
    live,
    losses,
    objectives,
    quality,
    results,
    segments,
    songs,
)

__all__ = [
    "curve",
    "flow",
    "history",
    "labels",
    "live",
    "losses",
    "objectives",
    "quality",
    "results",
    "segments",
    "songs",
]
