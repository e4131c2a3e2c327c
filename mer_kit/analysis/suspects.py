"""The training segments whose labels a model rejects, named so that a person can look and listen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mer_kit.analysis.passes import Passes
from mer_kit.runs.experiment import Experiment


def noisiest(
    experiment: Experiment, passes: Passes, *, after_epoch: int, n: int = 8, per_song: int = 1
) -> pd.DataFrame:
    """Return the segments with the largest losses after an epoch, at most `per_song` of each song.

    Columns: clip_id, title, start_s, end_s, label, model (its likeliest class), p_label, loss (nats), omega, and truth
    where it is known.

    Notebook: 02_noisy_labels
    """
    classes = np.array(experiment.classes)
    losses, probabilities = passes.losses[after_epoch - 1], passes.probabilities[after_epoch - 1]
    table = pd.DataFrame(
        {
            "clip_id": [experiment.corpus.clips[i].clip_id for i in passes.clip],
            "title": [experiment.corpus.clips[i].title or "" for i in passes.clip],
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
