"""The command line: exit codes 0, 1, 2, one sentence for each failure, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mer_kit.batch import jobs, planning
from mer_kit.cli import main, run
from mer_kit.cli.options import parse_setting
from mer_kit.paths import cache_root
from mer_kit.runs.run_folder import all_runs


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_help_names_every_command() -> None:
    result = call("--help")
    assert result.exit_code == 0
    for name in ("demo", "run", "report", "predict", "data", "doctor", "grid"):
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
        ("run", "--set", "seed=3"),
        ("run", "--only-folds", "2-1"),
        ("run", "--only-folds", "0,9", "--folds", "3"),
        ("demo", "--no-such-option"),
        ("nothing",),
    ],
)
def test_wrong_usage_exits_with_2_before_anything_runs(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    extra = ("--runs", str(tmp_path / "runs")) if arguments[0] in ("run", "demo") else ()
    result = call(*arguments, *extra)
    assert result.exit_code == 2, result.output
    assert not (tmp_path / "runs").exists()


def test_the_demo_runs_two_of_its_folds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[dict[str, object], dict[str, object]]] = []
    monkeypatch.setattr(
        run, "run_notebooks", lambda parameters, **more: asked.append((parameters, more))
    )
    assert call("demo", "--runs", str(tmp_path)).exit_code == 0
    (parameters, more), *_ = asked
    assert (parameters["folds"], more["only_folds"]) == (3, "0")


def test_an_unknown_setting_names_the_nearest(tmp_path: Path) -> None:
    result = call("run", "--set", "temprature=1", "--runs", str(tmp_path))
    assert "did you mean 'temperature'?" in result.output


def test_a_missing_corpus_exits_with_1_and_says_whom_to_ask(tmp_path: Path) -> None:
    result = call(
        "run", "--corpus", "4q", "--data", str(tmp_path), "--runs", str(tmp_path / "runs")
    )
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


def test_a_run_that_failed_once_and_is_mended_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (
        "run",
        "--preset",
        "smoke",
        "--folds",
        "2",
        "--only-folds",
        "0",
        "--runs",
        str(tmp_path),
    )
    small = ("--set", 'corpus_options={"clips": 16, "seconds": 8.0}')
    real, broken = jobs.execute_one, ["05_emotion_curve"]
    monkeypatch.setattr(
        planning, "NOTEBOOKS", ("03_sssl_training", "04_song_decisions", "05_emotion_curve")
    )

    def failing(job: planning.Job, **more: object) -> jobs.Outcome:
        if job.name in broken:
            return jobs.Outcome(job, "failed", 0.0, "the cable was out")
        return real(job, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "execute_one", failing)
    result = call(*options, *small)
    (run,) = (run for run in all_runs(tmp_path) if "-sssl-" in run.path.name)
    assert (
        result.exit_code == 1
        and "1 of 3 notebooks failed, first 05_emotion_curve: the cable was out" in result.output
    )
    assert run.status == "failed"
    broken.clear()
    result = call(*options, *small)
    assert result.exit_code == 0, result.output
    assert result.output.count("kept (done before)") == 2 and run.status == "done"
    song = next(iter((cache_root()).rglob("MT9*.wav")))
    result = call("predict", str(song), "--run", str(run.path), "--out", str(tmp_path / "out"))
    assert result.exit_code == 0 and len(list((tmp_path / "out").iterdir())) == 4, result.output


def test_a_folder_that_takes_no_files_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = call("report", "--runs", str(tmp_path / "file"))
    assert result.exit_code in (1, 2) and "Traceback" not in result.output
    result = call("run", "--preset", "smoke", "--runs", str(tmp_path / "file" / "runs"))
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("mer-kit: Not a directory at ")


def test_doctor_and_data_run_here() -> None:
    doctor = call("doctor")
    assert doctor.exit_code == 0 and "torch" in doctor.output, doctor.output
    data = call("data")
    assert data.exit_code == 0, data.output
    assert "demo" in data.output and "4q" in data.output


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("tau=0.3", ("tau", 0.3)),
        ("per_class=true", ("per_class", True)),
        ("group_by=song", ("group_by", "song")),
    ],
)
def test_settings_are_json_else_text(text: str, wanted: tuple[str, object]) -> None:
    assert parse_setting(text) == wanted


def test_no_name_or_file_can_steer_the_terminal(tmp_path: Path) -> None:
    run = tmp_path / "a\x1b[2Jb\x07"
    run.mkdir()
    (run / "config.json").write_text('{"corpus": "x\\u001b[31m"')
    result = CliRunner().invoke(main, ["predict", str(tmp_path / "s.wav"), "--run", str(run)])
    assert (
        result.exit_code == 1 and "config.json in a\\x1b[2Jb\\x07 cannot be read" in result.output
    )
    assert all(one.isprintable() or one == "\n" for one in result.output)
