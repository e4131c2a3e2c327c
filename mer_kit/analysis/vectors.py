"""A segment as one vector of named features, whatever front-end the run uses.

Notebook: 01_segmentation
"""

import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.runs.experiment import Experiment
from mer_kit.signal import frontends
from mer_kit.signal.builder import Recipe
from mer_kit.signal.store import FileStore

#: What stands for the run's front-end if that has frames.
SMALLEST = "logmel_stats"


def vector(experiment: Experiment, clip: int, start_s: float, *, frontend: str = "") -> pd.Series:
    """Return the pooled features of a segment by column; the series' name is the front-end.

    Those of the run's own front-end are read from the store; others are computed for this clip.

    Parameters
    ----------
    clip : position in the corpus
    start_s : start of the segment in whole seconds
    frontend : one that pools; "" for the run's own, or SMALLEST if that has frames

    Raises
    ------
    MerKitError
        If no segment starts there, or the front-end does not pool.

    Notebook: 01_segmentation
    """
    config, store, row_of = experiment.config, experiment.store, clip
    name = frontend or config.frontend
    if frontends.of(name).pool is None and not frontend:
        name = SMALLEST
    if name != config.frontend:
        recipe = Recipe(frontends.make(name), config.segment_seconds, 1.0)
        store, row_of = FileStore(experiment.corpus.clips[clip].path, recipe), 0
    if not store.recipe.pools:
        raise MerKitError(f"front-end {name} has frames, expected one that pools: choose another")
    row = start_s / store.recipe.every_seconds
    values = store.values(row_of)
    if row != round(row) or not 0 <= row < len(values):
        raise MerKitError(
            f"no segment of clip {clip} starts at {start_s:g} s, expected one of the {len(values)} "
            "starts of experiment.index: choose another start_s"
        )
    return pd.Series(values[round(row)].astype(float), store.frontend.columns, name=name)
