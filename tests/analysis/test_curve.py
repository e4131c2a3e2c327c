"""Emotion curves and Fig. 2: the choice of the song, leading classes, and the paper's statements."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_kit.analysis import paper_fig2
from mer_kit.analysis.curve import leaders, truth_spans
from mer_kit.checks import MerKitError
from mer_kit.records import Clip, Corpus, Fold, SegmentIndex

QUADRANTS = ["Q1", "Q2", "Q3", "Q4"]


def make_curve(
    names: list[str], *, sure: float = 0.7, classes: list[str] = QUADRANTS
) -> pd.DataFrame:
    """A curve of 3 s segments whose leader has probability `sure`, the others equal parts of the rest."""
    rest = (1 - sure) / (len(classes) - 1)
    start = np.arange(len(names), dtype=float)
    curve = pd.DataFrame({"start_s": start, "end_s": start + 3, "centre_s": start + 1.5})
    for name in classes:
        curve[name] = [sure if name == leader else rest for leader in names]
    return curve


def experiment(
    *,
    corpus: str = "demo",
    truth: pd.DataFrame | None = None,
    ids: tuple[str, ...] = ("a", "b", "c", "d"),
) -> Any:
    """The attributes of an Experiment that `paper_fig2` uses: four clips of 6 s, labels Q1 Q2 Q1 Q2, two folds."""
    clips = tuple(
        Clip(name, Path(f"{name}.wav"), {"quadrant": k % 2}) for k, name in enumerate(ids)
    )
    clip, start = np.repeat(np.arange(4), 4), np.tile(np.arange(4.0), 4)
    folds = [
        Fold(0, np.array([2, 3]), np.array([0, 1])),
        Fold(1, np.array([0, 1]), np.array([2, 3])),
    ]
    return SimpleNamespace(
        corpus=Corpus(corpus, Path(), clips, truth=truth),
        config=SimpleNamespace(corpus=corpus, task="quadrant"),
        labels=np.array([0, 1, 0, 1]),
        index=SegmentIndex(clip, start, start.astype(int) * 43, 129, 4, 3.0),
        folds=folds,
        clip_ids=list(ids),
    )


def truth_of(spans: dict[str, list[tuple[float, float, str]]]) -> pd.DataFrame:
    rows = [(clip, *span) for clip, parts in spans.items() for span in parts]
    return pd.DataFrame(rows, columns=["clip_id", "start_s", "end_s", "label"])


TRUTH = truth_of(
    {
        "a": [(0, 6, "Q1")],
        "b": [(0, 4, "Q2"), (4, 6, "Q3")],  # segments 0–3: the last is mostly Q3
        "c": [(0, 6, "Q4")],  # all of it: more than half
        "d": [(0, 3, "Q2"), (3, 6, "Q1")],  # two of four
    }
)


def test_a_named_clip_goes_to_the_fold_that_tests_it() -> None:
    assert paper_fig2.choose(experiment(), "c", fold=0) == paper_fig2.SongChoice(
        Path("c.wav"), "c", 1, "c was asked for; it is a test song of fold 1."
    )


def test_a_file_of_ones_own_keeps_the_fold_and_has_no_id(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").touch()
    choice = paper_fig2.choose(experiment(), str(tmp_path / "song.mp3"), fold=1)
    assert (choice.clip_id, choice.fold, choice.path) == (None, 1, tmp_path / "song.mp3")
    with pytest.raises(
        MerKitError, match="expected a clip id of corpus demo .such as 'a'. or the path"
    ):
        paper_fig2.choose(experiment(), "e")


def test_4q_takes_the_papers_clip_and_its_fold() -> None:
    ids = ("MT1", "MT2", paper_fig2.PAPER_CLIP, "MT4")
    choice = paper_fig2.choose(experiment(corpus="4q", ids=ids), fold=0)
    assert (choice.clip_id, choice.fold) == (paper_fig2.PAPER_CLIP, 1)
    assert (
        paper_fig2.choose(experiment(corpus="4q"), fold=1).clip_id == "c"
    )  # a part of 4q without it


def test_with_truth_the_song_that_drifts_most_up_to_half_is_taken() -> None:
    stub = experiment(truth=TRUTH)
    assert paper_fig2.drift(stub) == pytest.approx([0.0, 0.25, 1.0, 0.5])
    assert paper_fig2.choose(stub, fold=0).clip_id == "b"
    assert paper_fig2.choose(stub, fold=1).clip_id == "d"


def test_without_truth_the_first_test_song_is_taken() -> None:
    assert paper_fig2.drift(experiment()) is None
    assert paper_fig2.choose(experiment(), fold=1).clip_id == "c"


def test_truth_spans_follow_the_task_and_join_equal_neighbours() -> None:
    stub = experiment(truth=truth_of({"a": [(0, 2, "Q1"), (2, 4, "Q2"), (4, 6, "Q3")]}))
    spans = truth_spans(stub, "a")
    assert spans is not None and spans["leader"].tolist() == ["Q1", "Q2", "Q3"]
    stub.config.task = "arousal"
    spans = truth_spans(stub, "a")
    assert spans is not None and spans.to_numpy().tolist() == [[0.0, 4.0, "A+"], [4.0, 6.0, "A-"]]
    stub = experiment(truth=truth_of({"a": [(0, 2, "Q1"), (3, 4, "Q1")]}))
    spans = truth_spans(stub, "a")
    assert spans is not None and spans["end_s"].tolist() == [2.0, 4.0], (
        "what is unknown between them is not joined"
    )
    stub = experiment(
        truth=truth_of({"a": [(4, 6, "Q2"), (2, 4, "Q1"), (0, 3, "Q1"), (0, 1, "Q1")]})
    )
    spans = truth_spans(stub, "a")
    assert spans is not None and spans.to_numpy().tolist() == [
        [0.0, 4.0, "Q1"],
        [4.0, 6.0, "Q2"],
    ], "in any order"
    assert truth_spans(stub, "b") is None and truth_spans(experiment(), "a") is None


@given(st.lists(st.sampled_from(QUADRANTS), min_size=1, max_size=40))
def test_spans_cover_the_curve_without_gap_and_count_every_segment(names: list[str]) -> None:
    spans = leaders(make_curve(names))
    assert spans["start_s"].iloc[0] == 0 and spans["end_s"].iloc[-1] == len(names) + 2
    assert (spans["start_s"].iloc[1:].to_numpy() == spans["end_s"].iloc[:-1].to_numpy()).all()
    assert (spans["leader"].iloc[1:].to_numpy() != spans["leader"].iloc[:-1].to_numpy()).all()
    again = [
        name for name, n in zip(spans["leader"], spans["segments"], strict=True) for _ in range(n)
    ]
    assert again == names


def test_a_span_changes_half_way_between_two_centres() -> None:
    spans = leaders(make_curve(["Q1", "Q1", "Q3"]))
    assert spans["end_s"].tolist() == [3.0, 5.0]  # centres 2.5 and 3.5
    assert spans["probability"].tolist() == pytest.approx([0.7, 0.7])


PAPERS_OWN = ["Q1"] * 3 + ["Q3"] * 4 + ["Q1"] * 21


def test_a_curve_as_the_paper_describes_it_agrees_in_all_but_the_dip() -> None:
    flat = paper_fig2.beside_paper(make_curve(PAPERS_OWN))
    assert flat["agrees"].tolist() == [
        True,
        True,
        True,
        False,
    ]  # it leads after 20 s, but does not dip
    dip = make_curve(PAPERS_OWN)
    dip.loc[20:, "Q1"], dip.loc[20:, "Q2"] = 0.6, 0.2
    assert paper_fig2.beside_paper(dip)["agrees"].all()
    assert paper_fig2.beside_paper(dip)["mean"].tolist() == pytest.approx([0.7, 0.7, 0.7, 0.6])
    assert paper_fig2.beside_paper(dip)["segments"].tolist() == [3, 4, 13, 8]


def test_another_curve_disagrees_where_another_class_leads() -> None:
    table = paper_fig2.beside_paper(make_curve(["Q4"] * 28))
    assert (
        not table["agrees"].any()
        and set(table["led_by"]) == {"Q4"}
        and table["share_led"].max() == 0
    )
    with pytest.raises(MerKitError, match="expected Q1 … Q4"):
        paper_fig2.beside_paper(make_curve(["V-"] * 28, classes=["V-", "V+"]))


def test_a_short_curve_has_fewer_statements() -> None:
    assert len(paper_fig2.beside_paper(make_curve(PAPERS_OWN[:6]))) == 2
