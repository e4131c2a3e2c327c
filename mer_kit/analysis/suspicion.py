"""Scores for wrong labels: one value per segment from each; `analysis.ranking` compares them.

Most scores come from the evaluation passes of a training that has seen the label. Two do not: the
loss by a network that was trained without the song, and confident learning's. Every score is larger
where a label is more likely to be wrong, so an AUC below ½ means that it misleads.

Notebook: 02_noisy_labels
"""

import numpy as np
import pandas as pd

from mer_kit.analysis import label_issues
from mer_kit.analysis.passes import Passes
from mer_kit.runs.experiment import Experiment
from mer_kit.training import diagnostics
from mer_kit.training.evaluation import losses
from mer_kit.training.partition import PartitionSettings, losses_to_divide

#: Scores of the evaluation passes → what they are.
OF_PASSES = {
    "loss": "loss of the last pass",
    "mean loss": "mean loss of the last five passes",
    "mean loss − song's median": "the same, minus the median of the song's segments",
    "1 − confidence": "data map: 1 − mean probability of the label over all passes",
    "distance from the song": "half the L1 distance from the song's mean probabilities",
    "1 − ω": "posterior of the noisy component, by the training's own settings",
}
#: What "mean loss" averages, and what is subtracted from it: as a partition may divide them.
_MEAN = PartitionSettings()
_LESS_MEDIAN = PartitionSettings(song_median=True)


def of_passes(passes: Passes, after_epoch: int) -> pd.DataFrame:
    """Return the scores `OF_PASSES` of every training segment [S] by the passes until an epoch.

    Raises
    ------
    MerKitError
        If there is no such pass.

    Notebook: 02_noisy_labels
    """
    partition = passes.partition_after(after_epoch)
    until = passes.probabilities[:after_epoch]
    mean, less_median = (
        losses_to_divide(until, passes.labels, passes.clip, of) for of in (_MEAN, _LESS_MEDIAN)
    )
    last = pd.DataFrame(until[-1].astype(np.float64))
    song = last.groupby(passes.clip).transform("mean")
    columns = (
        passes.losses[after_epoch - 1],
        mean,
        less_median,
        1 - diagnostics.data_map(until, passes.labels)["confidence"],
        (last - song).abs().sum(axis=1) / 2,
        1 - partition.omega,
    )
    return pd.DataFrame(dict(zip(OF_PASSES, map(np.asarray, columns), strict=True)))


def without_the_song(experiment: Experiment, passes: Passes) -> np.ndarray:
    """Return each training segment's loss by the fold that tested its song: float64 [S], nats.

    NaN for the segments whose fold is not trained, and for those that begin where no test segment
    does: test segments begin every second.

    Notebook: 02_noisy_labels
    """
    classes = list(experiment.classes)
    tables = [
        experiment.folder.segments(fold.number).query("part == 'test'")
        for fold in experiment.folds
        if experiment.folder.fold_done(fold.number)
    ]
    found = np.full(len(passes.labels), np.nan)
    if not tables:
        return found
    tested = pd.concat(tables)
    tested["key"] = _keys(tested["clip_id"], tested["start_s"])
    ids = np.asarray(experiment.clip_ids)[passes.clip]
    own = tested.set_index("key").reindex(_keys(pd.Series(ids), pd.Series(passes.start_s)))
    known = own[classes[0]].notna().to_numpy()
    found[known] = losses(own.loc[known, classes].to_numpy(float), passes.labels[known])
    return found


def _keys(clips: pd.Series, start_s: pd.Series) -> pd.Series:
    """Return a name for each segment, of its clip and its start in milliseconds."""
    return clips.astype(str) + "@" + (1000 * start_s).round().astype(int).astype(str)


def by_cleanlab(experiment: Experiment, passes: Passes) -> np.ndarray:
    """Return 1 − cleanlab's quality of every training segment's label, float64 [S].

    Raises
    ------
    MerKitError
        If cleanlab is not installed.

    Notebook: 02_noisy_labels
    """
    return 1 - label_issues.find(experiment, passes).quality
