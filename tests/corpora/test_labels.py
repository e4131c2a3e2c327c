"""Labels as people write them, and the table of segment truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer_kit.checks import MerKitError
from mer_kit.corpora import labels


def test_read_truth_gives_numbers(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("label,clip_id,start_s,end_s\nQ1,007,0,4\nQ3,007,4,9.5\n")
    truth = labels.read_truth(path)
    assert list(truth.columns) == list(labels.TRUTH_COLUMNS)
    assert truth["clip_id"].tolist() == ["007", "007"]
    np.testing.assert_array_equal(truth[["start_s", "end_s"]].to_numpy(), [[0.0, 4.0], [4.0, 9.5]])


@pytest.mark.parametrize("row", ["x,zero,4,Q1", "x,4,4,Q1", "x,-1,4,Q1", "x,0,,Q1", "x,0,4,merry"])
def test_wrong_truth_row_is_named_by_its_line(tmp_path: Path, row: str) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(f"clip_id,start_s,end_s,label\nx,0,4,Q1\n{row}\n")
    with pytest.raises(MerKitError, match="truth.csv line 3 has clip_id x"):
        labels.read_truth(path)
