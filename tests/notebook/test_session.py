"""The start call: it rejects what papermill lets through."""

from __future__ import annotations

from pathlib import Path

import pytest

from mer_kit.checks import MerKitError
from mer_kit.notebook import session as notebook
from mer_kit.records import EpochRecord

INJECTED = "# Parameters\ncorpus = 'demo'\nsegment_second = 3\n"


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    executed: list[str] = []
    monkeypatch.setattr(notebook, "_inputs", lambda: executed)
    return executed


def test_injected_names_are_read_from_papermills_cell(cells: list[str]) -> None:
    assert notebook.injected_names() == ()
    cells += ["import numpy", INJECTED]
    assert notebook.injected_names() == ("corpus", "segment_second")


def test_a_common_parameter_that_this_notebook_does_not_declare_is_named(
    cells: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cells += ["corpus: str = 'demo'\nseed: int = 0", "# Parameters\nonly_folds = '0'"]
    notebook.start(
        "02_noisy_labels", {"corpus": "demo", "seed": 0, "only_folds": "0"}, open_corpus=False
    )
    assert "This notebook does not use only_folds." in capsys.readouterr().out


def test_a_setting_given_twice_is_one_sentence(cells: list[str]) -> None:
    with pytest.raises(MerKitError, match="seed is given twice.*remove it from the overrides"):
        notebook.start(
            "x", {"corpus": "demo", "seed": 0, "overrides": {"seed": 1}}, open_corpus=False
        )


def test_an_unknown_injected_name_stops_with_the_nearest(cells: list[str]) -> None:
    cells.append(INJECTED)
    with pytest.raises(MerKitError, match="did you mean 'segment_seconds'"):
        notebook.start(
            "01_segmentation", {"corpus": "demo", "segment_seconds": 3.0}, open_corpus=False
        )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("task", "quadrants", "did you mean 'quadrant'"),
        ("segment_seconds", 0, "segment_seconds is 0"),
        ("folds", 1, "folds is 1"),
        ("overrides", {"tua": 0.5}, "did you mean 'tau'"),
    ],
)
def test_wrong_values_stop_before_anything_runs(
    cells: list[str], name: str, value: object, sentence: str
) -> None:
    with pytest.raises(MerKitError, match=sentence):
        notebook.start("x", {"corpus": "demo", name: value}, open_corpus=False)


def test_other_globals_are_left_alone(
    cells: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"corpus": "demo", "seed": 3, "runs_dir": str(tmp_path), "numpy": object(), "fold": 1}
    session = notebook.start("x", given, open_corpus=False)
    assert session.config.seed == 3 and session.runs_dir == tmp_path and session.experiment is None
    assert "seed 3" in capsys.readouterr().out
    with pytest.raises(MerKitError, match="open_corpus"):
        session.open()


def test_nobody_watches_a_batch(cells: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(notebook.sys.modules, "ipykernel", object())  # type: ignore[arg-type]
    for name in ("MER_BATCH", "MER_WATCHED", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    assert (
        not notebook.is_watched()
    )  # papermill without parameters leaves no mark: only a front end's sign counts
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/01.ipynb")
    assert notebook.is_watched()
    cells.append("# Parameters\nseed = 1")
    assert not notebook.is_watched()
    cells.clear()
    monkeypatch.setenv("MER_BATCH", "1")
    assert not notebook.is_watched()


def test_one_line_per_epoch_reports_the_size_of_u(capsys: pytest.CaptureFixture[str]) -> None:
    record = EpochRecord(
        3,
        "ssl",
        0.5,
        0.4,
        0.1,
        1.0,
        0.01,
        0.3,
        0.75,
        30,
        10,
        True,
        0.9,
        0.5,
        0.6,
        (0.5, 0.5),
        2.0,
        "a note",
    )
    notebook._say(1, record)
    line = capsys.readouterr().out
    assert line.count("\n") == 1 and "U 25.0%" in line and "a note" in line


def test_an_alias_becomes_its_run_and_notebooks_about_segments_refuse_whole_clips(
    cells: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {
        "corpus": "demo",
        "method": "whole_clip",
        "segment_seconds": 3.0,
        "runs_dir": str(tmp_path),
    }
    session = notebook.start("06_results", given, open_corpus=False)
    assert given["method"] == session.config.method == "ce"
    assert given["segment_seconds"] == session.config.segment_seconds == float("inf")
    assert "clip, ce, preset" in capsys.readouterr().out
    for method, sentence in (
        ("whole_clip", "segment_seconds is clip"),
        ("embedding_svm", "a system"),
    ):
        with pytest.raises(MerKitError, match=f"{sentence}.*05_emotion_curve is about segments"):
            notebook.start("05_emotion_curve", {**given, "method": method, "segment_seconds": 3.0})
