"""The command line: exit codes 0, 1, 2, one sentence for each failure, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mer_kit.cli import main, parse_setting


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_help_names_every_command() -> None:
    result = call("--help")
    assert result.exit_code == 0
    for name in ("demo", "run", "report", "predict", "data", "doctor", "figures"):
        assert f"\n  {name} " in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--corpus", "5q"),
        ("run", "--task", "mood"),
        ("run", "--seconds", "0"),
        ("run", "--method", "sss"),
        ("run", "--folds", "1"),
        ("run", "--set", "tau"),
        ("run", "--set", "tau=2"),
        ("run", "--set", "taus=0.5"),
        ("run", "--only-folds", "0,9", "--folds", "3"),
        ("demo", "--no-such-option"),
        ("nothing",),
    ],
)
def test_wrong_usage_exits_with_2_before_anything_runs(arguments: tuple[str, ...], tmp_path: Path) -> None:
    extra = ("--runs", str(tmp_path / "runs")) if arguments[0] in ("run", "demo") else ()
    result = call(*arguments, *extra)
    assert result.exit_code == 2, result.output
    assert not (tmp_path / "runs").exists()


def test_an_unknown_setting_names_the_nearest(tmp_path: Path) -> None:
    result = call("run", "--set", "temprature=1", "--runs", str(tmp_path))
    assert "did you mean 'temperature'?" in result.output


def test_a_missing_corpus_exits_with_1_and_says_whom_to_ask(tmp_path: Path) -> None:
    result = call("run", "--corpus", "4q", "--data", str(tmp_path), "--runs", str(tmp_path / "runs"))
    assert result.exit_code == 1
    assert "was not found" in result.output and "MER_DATA" in result.output


def test_report_on_an_empty_folder_says_how_to_begin(tmp_path: Path) -> None:
    result = call("report", "--runs", str(tmp_path))
    assert result.exit_code == 0, result.output
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "mer-kit demo" in page
    assert (tmp_path / "results.csv").exists()


def test_predict_without_a_run_is_one_sentence(tmp_path: Path) -> None:
    result = call("predict", "song.mp3", "--runs", str(tmp_path))
    assert result.exit_code == 1
    assert result.output.startswith("mer-kit: ") and result.output.count("\n") == 1


def test_doctor_and_data_run_here() -> None:
    doctor = call("doctor")
    assert "torch" in doctor.output
    data = call("data")
    assert data.exit_code == 0, data.output
    assert "demo" in data.output and "4q" in data.output


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("tau=0.3", ("tau", 0.3)), ("per_class=true", ("per_class", True)), ("group_by=song", ("group_by", "song"))],
)
def test_settings_are_json_else_text(text: str, wanted: tuple[str, object]) -> None:
    assert parse_setting(text) == wanted
