"""The segments that a fold's network doubted most, to be heard.

Notebook: 02_noisy_labels
"""

import numpy as np
import pandas as pd

from mer_kit.analysis.passes import Passes
from mer_kit.runs.experiment import Experiment


def noisiest_segments(
    experiment: Experiment, passes: Passes, *, after_epoch: int, n: int = 8, per_song: int = 1
) -> pd.DataFrame:
    """Return the n segments with the largest losses after an epoch, up to `per_song` of each song.

    Columns: clip_id, title, start_s, end_s, label, model (the most probable class), p_label, loss
    (nats), omega, and truth if it is known.

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from mer_kit.records import Clip
    >>> from mer_kit.training.partition import PartitionSettings
    >>> clips = [Clip(name, None, {"valence": 0}) for name in ("a", "b")]
    >>> experiment = SimpleNamespace(
    ...     classes=("V-", "V+"), corpus=SimpleNamespace(clips=clips)
    ... )
    >>> p = np.array([[[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]])  # one pass, three segments
    >>> start_s = np.array([0.0, 1.0, 0.0])
    >>> passes = Passes(p, np.zeros(3, int), np.array([0, 0, 1]), start_s, start_s + 3, None, [],
    ...                 PartitionSettings(), 0)
    >>> table = noisiest_segments(experiment, passes, after_epoch=1)
    >>> table[["clip_id", "start_s", "label", "model", "p_label"]].to_dict("records")
    [{'clip_id': 'b', 'start_s': 0.0, 'label': 'V-', 'model': 'V+', 'p_label': 0.2},
     {'clip_id': 'a', 'start_s': 1.0, 'label': 'V-', 'model': 'V+', 'p_label': 0.4}]
    """
    classes = np.array(experiment.classes)
    clips = [experiment.corpus.clips[i] for i in passes.clip]
    losses, probabilities = passes.losses[after_epoch - 1], passes.probabilities[after_epoch - 1]
    table = pd.DataFrame(
        {
            "clip_id": [clip.clip_id for clip in clips],
            "title": [clip.title or "" for clip in clips],
            "start_s": passes.start_s,
            "end_s": passes.end_s,
            "label": classes[passes.labels],
            "model": classes[probabilities.argmax(axis=1)],
            "p_label": probabilities[np.arange(len(losses)), passes.labels].astype(float),
            "loss": losses,
            "omega": passes.partitions[after_epoch - 1].omega,
        }
    )
    if passes.truth is not None:
        table["truth"] = np.where(passes.truth >= 0, classes[passes.truth], "?")
    table = table.sort_values("loss", ascending=False, kind="stable")
    return table.groupby("clip_id", sort=False).head(per_song).head(n).reset_index(drop=True)
