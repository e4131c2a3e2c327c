"""Segments that every network rejects: by hand, on stored predictions of made-up runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer_kit.checks import MerKitError
from mer_kit.results import rejected
from mer_kit.runs.run_folder import FOLD_FILES, write_json
from tests.results.stored_runs import rightness, write_run

CLASSES = ["Q1", "Q2", "Q3", "Q4"]
#: [clips, seconds, classes]: three segments each of three clips, all of them labelled Q1.
SURE = np.full((3, 3, 4), 0.1) + 0.6 * np.eye(4)[0]


def stored(folder: Path, p: np.ndarray, *, seconds: float = 1.0, **settings: object) -> Path:
    """Write a run of three folds, each of which tests one clip and was trained on the others."""
    write_run(folder, {"mean": rightness(0)}, **settings)
    for fold in range(3):
        rows = [
            {"clip_id": f"c{clip}", "start_s": float(at), "end_s": at + seconds,
             "part": "test" if clip == fold else "train", "label": "Q1",
             # What a network says of songs that it has heard must not count.
             **dict(zip(CLASSES, p[clip, at] if clip == fold else SURE[0, 0], strict=True))}
            for clip in range(3) for at in range(3)
        ]  # fmt: skip
        path = folder / "folds" / str(fold)
        path.mkdir(parents=True)
        for name in FOLD_FILES:
            (path / name).write_bytes(b"")
        pd.DataFrame(rows).to_csv(path / "segments.csv", index=False)
        write_json(path / "status.json", {"state": "done", "fold": fold})
    return folder


def doubting(*cells: tuple[int, int], answer: int = 2) -> np.ndarray:
    p = SURE.copy()
    for rank, (clip, at) in enumerate(cells):
        p[clip, at] = 0.1 + 0.01 * rank
        p[clip, at, answer] = 1 - p[clip, at].sum() + p[clip, at, answer]
    return p


def test_only_what_all_networks_reject_is_listed_the_least_probable_label_first(
    tmp_path: Path,
) -> None:
    one = stored(tmp_path / "one", doubting((0, 1), (1, 2), (1, 0), (2, 0)))
    two = stored(tmp_path / "two", doubting((1, 2), (0, 1), (1, 0), answer=3), seed=1)
    found = rejected.by_all([one, two], per_song=2)
    assert found["clip_id"].tolist() == ["c0", "c1", "c1"]
    assert found["start_s"].tolist() == [1.0, 2.0, 0.0]
    np.testing.assert_allclose(found["p_label"], [0.105, 0.105, 0.12])
    assert found["runs"].eq(2).all() and found["agree"].eq(0.5).all()
    assert rejected.by_all([one, two])["start_s"].tolist() == [1.0, 2.0]
    assert len(rejected.by_all([one, two], n=1)) == 1
    assert len(rejected.by_all([one], n=None, per_song=None)) == 4


def test_runs_with_other_segments_do_not_vote(tmp_path: Path) -> None:
    one = stored(tmp_path / "one", doubting((0, 1)))
    long = stored(tmp_path / "long", SURE, seconds=3.0, seed=1)
    empty = write_run(tmp_path / "empty", {"mean": rightness(0)}, seed=2)
    other = stored(tmp_path / "other", doubting((0, 1), (1, 1)), seed=3)
    same = stored(tmp_path / "same", doubting((0, 1)), seed=4)
    for order in ([one, long, empty, other, same], [long, same, other, one]):
        assert rejected.by_all(order)["runs"].tolist() == [2], "equal predictions count once"
    assert rejected.by_all([long]).empty
    with pytest.raises(MerKitError, match="none of 1 runs has predictions of test segments"):
        rejected.by_all([empty])
