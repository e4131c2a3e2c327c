"""A segment as one vector: the run's own from its store, others computed, with the names of their columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mer_kit.analysis.vectors import vector
from mer_kit.checks import MerKitError
from mer_kit.signal import frontends
from mer_kit.signal.store import open_store
from tests.views import fold_stub


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fold_stub.segments(tmp_path_factory.mktemp("clips"))


def test_where_the_front_end_has_frames_it_is_their_mean_and_deviation(stand: Any) -> None:
    found = vector(stand, 1, 2.0)
    assert found.name == "logmel_stats" and len(found) == 256
    frames = stand.store.values(1)[86:172].astype(np.float64)
    np.testing.assert_allclose(found.to_numpy()[:128], frames.mean(axis=0), atol=0.02)
    assert found.index[0] == f"{frontends.make().columns[0]} mean"


def test_where_it_pools_it_is_the_stores_row(stand: Any, tmp_path: Path) -> None:
    store = open_store(
        stand.corpus.clips,
        tmp_path,
        frontend=frontends.make("logmel_stats"),
        segment_seconds=2.0,
        every_seconds=0.5,
    )
    other = type(stand)(**{**vars(stand), "store": store})
    other.config = type(stand)(frontend="logmel_stats", segment_seconds=2.0)
    np.testing.assert_array_equal(vector(other, 1, 1.5), store.values(1)[3].astype(float))


def test_descriptors_have_names_and_a_clips_tempo_is_that_of_its_segments(stand: Any) -> None:
    early, late = (vector(stand, 1, start, frontend="descriptors") for start in (0.0, 4.0))
    assert early["loudness mean"] < late["loudness mean"] and early["tempo"] == late["tempo"]


def test_what_is_not_there_is_one_sentence(stand: Any) -> None:
    for start in (0.5, 5.0, -1.0):
        with pytest.raises(MerKitError, match=f"no segment of clip 1 starts at {start:g} s"):
            vector(stand, 1, start)
    with pytest.raises(MerKitError, match="front-end logmel has frames, expected one that pools"):
        vector(stand, 1, 0.0, frontend="logmel")
