"""The README's table is what code makes of the kept results, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mer_kit.checks import MerKitError
from tools import readme_figures

ROOT = Path(__file__).parents[1]


def _table(**changed: object) -> pd.DataFrame:
    row = {
        "method": "ce", "folds": 3, "folds_done": 2, "n_songs": 50, "pooled_accuracy_svm": 0.8, "pooled_macro_f1_svm": 0.75,
        "song_accuracy_mean": 0.81, "song_accuracy_sd": 0.02, "segment_accuracy_mean": 0.7, "majority_accuracy_mean": 0.25,
        "fingerprint": "0123456789",
    }  # fmt: skip
    return pd.DataFrame([row | changed])


def test_the_readme_holds_the_table_of_the_kept_results() -> None:
    kept = pd.read_csv(ROOT / "figures" / readme_figures.RESULTS)
    assert len(kept) >= 3 and set(kept.columns) == {"method", *readme_figures.KEPT}
    assert readme_figures.as_markdown(kept) in (ROOT / "README.md").read_text("utf-8")
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120


def test_a_row_has_counts_an_interval_and_its_run() -> None:
    text = readme_figures.as_markdown(_table())
    # Wilson's interval of 40 of 50, by hand: (0.8 + z²/100 ± z·sqrt(0.16/50 + z²/10,000)) / (1 + z²/50), z = 1.96
    assert "| 40 of 50 | 67–89 % | 81.0 ± 2.0 | 75.0 | 70.0 | `0123456789` |" in text
    assert "2 of 3 folds" in text and "The majority class scores 25 %." in text


def test_runs_without_the_demo_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MerKitError, match="run `make figures` first"):
        readme_figures.demo_results(tmp_path)
