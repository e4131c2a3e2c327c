"""Every notebook and every solution runs cold at the smoke preset through papermill, as `mer-kit run` does it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from mer_kit.batch import planning
from mer_kit.batch.jobs import Outcome, execute, execute_one, unfinished
from mer_kit.batch.parameters import declared_parameters
from mer_kit.checks import MerKitError
from mer_kit.notebook import check, session
from mer_kit.notebook.session import PARAMETERS
from mer_kit.results import statistics
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from tests.corpora import tiny
from tests.runs import own_classes

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
YOURS = "07_your_own_music"
TYPED = {"corpus": "demo", "preset": "smoke", "folds": 2}
#: A demo corpus small enough for tests; it is as real as the large one.
SMALL = {"corpus_options": {"clips": 16, "seconds": 10.0}}
#: The smallest comparison: two methods with and without wrong labels.
FEW = {
    "overrides": {**SMALL, "frontend": "logmel_stats"}, "methods": "ce,sssl", "seeds": 1,
    "noise_kinds": "song", "noise_rates": "0.4",
}  # fmt: skip

pytestmark = pytest.mark.notebooks


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def executed(runs_dir: Path) -> tuple[Experiment, list[Outcome]]:
    """The seven notebooks of one run, 03 once a fold."""
    experiment = Experiment(resolve(**TYPED, **SMALL), runs_dir=runs_dir)
    experiment.write_config()
    parameters = {**TYPED, "method": "sssl", "overrides": SMALL, "runs_dir": str(runs_dir)}
    jobs = planning.plan(experiment.folder, parameters, [0, 1])
    return experiment, execute(jobs, mark=experiment.fingerprint)


def test_there_are_nine_notebooks_and_a_solution_for_each() -> None:
    # a run executes seven; 07 is for a collection of one's own, 08 compares all runs
    names = [*planning.NOTEBOOKS, YOURS, planning.COMPARE]
    assert [p.stem for p in sorted(NOTEBOOKS.glob("*.ipynb"))] == names
    solutions = [p.stem for p in sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))]
    assert solutions == [f"{name}_solutions" for name in names]


@pytest.mark.parametrize(
    "path", sorted(NOTEBOOKS.rglob("[0-9]*.ipynb")), ids=lambda path: path.stem
)
def test_no_notebook_loads_torch_before_mer_kit_has_said_how_its_threads_wait(path: Path) -> None:
    cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    imports = [
        line
        for source in cells
        for line in source.splitlines()
        if re.match(r"(import|from) ", line)
    ]
    ours = next(k for k, line in enumerate(imports) if "mer_kit" in line)
    assert not any(re.match(r"(import|from) torch", line) for line in imports[:ours]), (
        "torch must come after mer_kit"
    )


def test_what_is_slow_to_load_is_loaded_where_it_is_needed_only() -> None:
    code = "import sys, mer_kit.notebook.session, mer_kit.analysis.passes; print([n for n in sys.argv if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code, "nbformat", "skops", "librosa"], capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.parametrize("own", [False, True])
def test_your_own_music_runs_on_its_example_and_on_a_folder_of_labels(
    own: bool, runs_dir: Path, tmp_path: Path
) -> None:
    given: dict[str, object] = {"preset": "smoke", "folds": 2, "runs_dir": str(runs_dir)}
    if own:
        rows = ["path,label,artist"]
        for k in range(8):
            tiny.tone(tmp_path / "mine" / f"s{k}.wav", 6.0, hertz=150 + 40 * k)
            rows.append(f"s{k}.wav,{('V-', 'V+')[k % 2]},artist {k}")
        tiny.write(tmp_path / "mine" / "clips.csv", "\n".join([*rows, ""]))
        given |= {"data_root": str(tmp_path / "mine"), "task": "valence", "overrides": {}}
    job = planning.Job(YOURS, NOTEBOOKS / f"{YOURS}.ipynb", tmp_path / "out.ipynb", given)
    outcome = execute_one(job, mark="yours")
    assert outcome.state == "done", outcome.message
    text = job.target.read_text("utf-8")
    assert "model.safetensors" in text and 'alt=\\"' in text
    assert ("8 clips" if own else "24 clips") in text
    code = [
        c
        for c in nbformat.read(job.source, as_version=4).cells
        if c.cell_type == "code" and "check(" not in c.source
    ]
    assert len(code) == 10, "from folder to model in ten cells"


def test_your_own_music_needs_no_weights_and_trains_every_fold(
    runs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MER_CACHE", str(tmp_path / "cache"))
    short = {"overrides": {"corpus_options": {"scale": [1, 9]}, "epochs": 3, "warmup_epochs": 1}}
    given = {"folds": 2, "runs_dir": str(tmp_path / "runs"), **short}
    job = planning.Job(YOURS, NOTEBOOKS / f"{YOURS}.ipynb", tmp_path / "out.ipynb", given)
    outcome = execute_one(job, mark="yours")
    assert outcome.state == "done", outcome.message
    text = job.target.read_text("utf-8")
    assert "logmel_stats is the front-end" in text and "run mer-kit frontends get musicnn" in text
    assert "front-end logmel_stats, network mlp" in text and "24 test songs of 2 folds" in text


def test_where_folds_train_in_seconds_03_trains_all_and_more_folds_are_added(
    tmp_path: Path,
) -> None:
    typed = {**TYPED, "folds": 3, "method": "sssl"}
    overrides = {**SMALL, "frontend": "logmel_stats"}
    experiment = Experiment(resolve(**typed, **overrides), runs_dir=tmp_path)
    experiment.write_config()
    parameters = {**typed, "overrides": overrides, "runs_dir": str(tmp_path)}
    for folds, states in (([0, 2], ["done"]), ([0, 1, 2], ["done"]), ([0, 1, 2], ["kept"])):
        jobs = planning.plan(
            experiment.folder, parameters, folds, config=experiment.config, notebooks=["03"]
        )
        outcomes = execute(jobs, mark=experiment.fingerprint)
        assert [outcome.state for outcome in outcomes] == states, outcomes[0].message
        assert experiment.folder.folds_done() == folds
    copies = [path.parent.name for path in tmp_path.rglob("03_sssl_training.ipynb")]
    assert copies == ["0"]
    text = jobs[0].target.read_text("utf-8")
    assert "fold 1: 3 epochs, agrees with" in text and "fold 1 epoch" not in text


def test_the_seven_notebooks_run_on_three_classes_of_a_tables_own(tmp_path: Path) -> None:
    typed = {
        "corpus": "table", "task": "label", "preset": "smoke", "folds": 2, "segment_seconds": 2.0,
        "data_root": str(own_classes.collection(tmp_path / "mine", 3, songs=8, seconds=8.0)),
    }  # fmt: skip
    overrides = {"frontend": "logmel_stats"}
    parameters = {**typed, "method": "sssl", "overrides": overrides, "runs_dir": str(tmp_path)}
    experiment = Experiment(
        own_classes.config(method="sssl"), data_root=typed["data_root"], runs_dir=tmp_path
    )
    experiment.write_config()
    jobs = planning.plan(experiment.folder, parameters, [0])
    outcomes = execute(jobs, mark=experiment.fingerprint)
    assert {one.job.name: one.message for one in outcomes if one.state != "done"} == {}
    assert len(outcomes) == len(planning.NOTEBOOKS)
    assert 0 in experiment.folder.folds_done()
    texts = {one.job.name[:2]: one.job.target.read_text("utf-8") for one in outcomes}
    for name in ("00", "01", "04", "05"):
        assert "tense" in texts[name], name


def test_every_notebook_is_executed_to_its_last_cell(
    executed: tuple[Experiment, list[Outcome]],
) -> None:
    _, outcomes = executed
    assert len(outcomes) == len(planning.NOTEBOOKS) + 1
    assert {
        outcome.job.name: outcome.message for outcome in outcomes if outcome.state != "done"
    } == {}


def test_the_run_folder_holds_what_the_design_says(
    executed: tuple[Experiment, list[Outcome]],
) -> None:
    experiment, _ = executed
    folder = experiment.folder.path
    for name in ("config.json", "status.json", "metrics.json", "songs.csv"):
        assert (folder / name).exists(), name
    for k in (0, 1):
        for name in (
            "status.json",
            "history.csv",
            "epochs.npz",
            "model.safetensors",
            "segments.csv",
        ):
            assert (folder / "folds" / str(k) / name).exists(), name
        assert (folder / "folds" / str(k) / "03_sssl_training.ipynb").exists()
    songs = pd.read_csv(folder / "songs.csv")
    assert sorted(songs["clip_id"]) == sorted(clip.clip_id for clip in experiment.corpus.clips)


def test_executed_copies_have_figures_with_alt_text_and_stay_small(
    executed: tuple[Experiment, list[Outcome]],
) -> None:
    _, outcomes = executed
    for outcome in outcomes:
        size = outcome.job.target.stat().st_size
        assert size < 3_000_000, f"{outcome.job.name}: {size} bytes"
        text = outcome.job.target.read_text("utf-8")
        if not outcome.job.name.startswith("00"):
            assert 'alt=\\"' in text, f"{outcome.job.name} shows no figure"


def test_a_second_run_keeps_everything(
    executed: tuple[Experiment, list[Outcome]], runs_dir: Path
) -> None:
    experiment, outcomes = executed
    again = execute([outcome.job for outcome in outcomes], mark=experiment.fingerprint)
    assert {outcome.state for outcome in again} == {"kept"}


def test_08_trains_what_is_missing_and_compares_it(runs_dir: Path, tmp_path: Path) -> None:
    source = NOTEBOOKS / f"{planning.COMPARE}.ipynb"
    given = {**TYPED, **FEW, "runs_dir": str(runs_dir)}
    outcome = execute_one(planning.Job("08", source, tmp_path / "out.ipynb", given), mark="08")
    assert outcome.state == "done", outcome.message
    text = (tmp_path / "out.ipynb").read_text("utf-8")
    assert "4 runs were missing" in text and text.count('alt=\\"') == 5
    assert "song noise, 16 songs of" in text and "of 2 combinations of a method and" in text


@pytest.mark.parametrize(
    ("number", "answers"),
    [
        (2, {"2": "right", "3": "without a correction", "1": "Bonferroni", "4": "Multiply"}),
        (3, {"4": "right", "2.35": "do not remove the songs' part", "5": "Set songs_part"}),
    ],
)
def test_the_exercises_of_08_reject_wrong_answers(
    number: int, answers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    cells = nbformat.read(NOTEBOOKS / f"{planning.COMPARE}.ipynb", as_version=4).cells
    (code,) = [cell.source for cell in cells if cell.id == f"08-exercise-{number}"]
    for answer, said in answers.items():
        names = {"check": check, "np": np, "statistics": statistics}
        exec(re.sub(r"(my_\w+) = \.\.\.", rf"\1 = {answer}", code), names)
        assert said in capsys.readouterr().out, answer


@pytest.mark.parametrize("name", [*planning.NOTEBOOKS, YOURS, planning.COMPARE])
def test_solutions_run_and_every_check_says_right(
    executed: tuple[Experiment, list[Outcome]], runs_dir: Path, tmp_path: Path, name: str
) -> None:
    source = NOTEBOOKS / "solutions" / f"{name}_solutions.ipynb"
    known = declared_parameters(nbformat.read(source, as_version=4))
    wanted = {**TYPED, "overrides": SMALL, "runs_dir": str(runs_dir)}
    if name == YOURS:
        wanted = {"preset": "smoke", "folds": 2, "runs_dir": str(runs_dir)}
    if name == planning.COMPARE:
        wanted |= FEW
    job = planning.Job(
        name, source, tmp_path / source.name, {k: v for k, v in wanted.items() if k in known}
    )
    outcome = execute_one(job, mark="solutions")
    assert outcome.state == "done", outcome.message
    text = job.target.read_text("utf-8")
    assert "✔" in text
    assert "✘" not in text and "not answered yet" not in text.replace("… {title}", "")


def papermill(*arguments: str, cwd: Path, runs_dir: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "papermill",
        *arguments,
        "-p",
        "preset",
        "smoke",
        "-p",
        "folds",
        "2",
    ]
    return subprocess.run(
        [*command, "-p", "runs_dir", str(runs_dir), "-y", f"overrides: {json.dumps(SMALL)}"],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"},
    )


def test_plain_papermill_works_as_people_type_it(
    executed: tuple[Experiment, list[Outcome]], runs_dir: Path, tmp_path: Path
) -> None:
    source = NOTEBOOKS / "03_sssl_training.ipynb"
    done = papermill(
        str(source),
        "out.ipynb",
        "-p",
        "corpus",
        "demo",
        "-p",
        "segment_seconds",
        "3",
        cwd=tmp_path,
        runs_dir=runs_dir,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert unfinished(nbformat.read(tmp_path / "out.ipynb", as_version=4)) == ""


def test_papermill_without_parameters_is_not_taken_for_a_person(tmp_path: Path) -> None:
    cell = nbformat.v4.new_code_cell(
        "from mer_kit.notebook.session import is_watched\nprint('watched:', is_watched())"
    )
    book = nbformat.v4.new_notebook(cells=[cell])
    book.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(book, tmp_path / "in.ipynb")
    kept = {
        k: v
        for k, v in os.environ.items()
        if k not in ("MER_BATCH", "MER_WATCHED", "JPY_SESSION_NAME")
    }
    done = subprocess.run(
        [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb"], cwd=tmp_path, capture_output=True, text=True,
        env=kept | {"JUPYTER_PREFER_ENV_PATH": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "watched: False" in (tmp_path / "out.ipynb").read_text("utf-8")


def test_an_unknown_parameter_stops_the_notebook_with_one_sentence(
    runs_dir: Path, tmp_path: Path
) -> None:
    source = NOTEBOOKS / "01_segmentation.ipynb"
    done = papermill(
        str(source), "out.ipynb", "-p", "segment_second", "3", cwd=tmp_path, runs_dir=runs_dir
    )
    assert done.returncode != 0
    assert "did you mean 'segment_seconds'?" in done.stderr


COMMON = {
    "corpus",
    "data_root",
    "task",
    "segment_seconds",
    "method",
    "preset",
    "folds",
    "seed",
    "runs_dir",
    "overrides",
}


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.rglob("*.ipynb")), ids=lambda path: path.stem)
def test_all_notebooks_have_the_common_parameters(path: Path) -> None:
    declared = declared_parameters(nbformat.read(path, as_version=4))
    assert set(declared) >= COMMON and set(declared) <= set(PARAMETERS)


def _start(tmp_path: Path, injected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what notebook 00 does up to its start call, in this process, after papermill's cell with these values."""
    first = nbformat.read(NOTEBOOKS / "00_start_here.ipynb", as_version=4)
    cells = [
        next(c for c in first.cells if "parameters" in c.metadata.get("tags", [])).source,
        f"# Parameters\n{injected}",
    ]
    values: dict[str, object] = {}
    for cell in cells:
        exec(cell, values)
    monkeypatch.setattr(session, "_inputs", lambda: cells)
    if not injected.startswith("runs_dir"):
        values["runs_dir"] = str(tmp_path)
    session.start("00_start_here", values, open_corpus=False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("overrides = '{\"tau\": 0.3}'\nseed = 4", ""),
        ("song = 'x'\nfold = 1", "does not use song, fold"),
        ("overrides = '{tau: 0.3'", "overrides is '{tau: 0.3', expected names and values like"),
        ("overrides = '[1, 2]'", "overrides is '[1, 2]', expected names and values like"),
        ("overrides = '{\"tua\": 0.3}'", "did you mean 'tau'?"),
        ("seed = 'five'", "seed is 'five', expected a whole number"),
        ("segment_seconds = float('nan')", "segment_seconds is nan, expected a number"),
        ("folds = True", "folds is True, expected a whole number"),
        ("sed = 3", "did you mean 'seed'?"),
        ("song = 2058\nfold = '1'", "does not use song, fold"),
        ("seed = '05'\nsegment_seconds = '2.5'\nfolds = 3.0", ""),
        ("seed = 1.5", "seed is 1.5, expected a whole number"),
        ("seed = None", "seed is None, expected a whole number"),
        ("song = ['a']", "song is ['a'], expected text"),
        ("runs_dir = True", "runs_dir is True, expected text"),
        ("task = 3", "task is 3, expected one of"),
        ('overrides = \'{"tau": 0.3, "tau": 0.4}\'', "overrides has 'tau' twice"),
        ("overrides = '{\"tau\": NaN}'", "tau is nan, expected a number"),
        ('overrides = \'{"tau": "0.3"}\'', "tau is '0.3', expected a number"),
        ("overrides = '{\"seed\": 3}'", "seed is given twice"),
        ("overrides = 7", "overrides is 7, expected names and values like"),
        ("overrides = {'corpus_options': '{\"drift\": 0.4}'}", ""),
        (
            "overrides = {'corpus_options': '{drift}'}",
            "corpus_options is '{drift}', expected names and values like",
        ),
    ],
)
def test_papermill_parameters_as_people_type_them(
    tmp_path: Path,
    given: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if expected and "does not use" not in expected:
        with pytest.raises(MerKitError, match=re.escape(expected)):
            _start(tmp_path, given, monkeypatch)
    else:
        _start(tmp_path, given, monkeypatch)
        assert expected in capsys.readouterr().out


def test_later_cells_see_the_parameters_as_they_are_declared(tmp_path: Path) -> None:
    values = {
        "song": 2058,
        "fold": "1",
        "folds": 3.0,
        "only_folds": [0, 2],
        "overrides": '{"tau": 0.3}',
        "other": 1,
    }
    session.start("x", given := {**values, "runs_dir": tmp_path}, open_corpus=False)
    assert given == {
        "song": "2058", "fold": 1, "folds": 3, "only_folds": "0,2", "overrides": {"tau": 0.3}, "other": 1,
        "runs_dir": str(tmp_path),
    }  # fmt: skip


@pytest.mark.notebooks
def test_overrides_reach_a_notebook_as_papermill_passes_them(
    runs_dir: Path, tmp_path: Path
) -> None:
    """`papermill 00_start_here.ipynb out.ipynb -p overrides '{"tau": 0.3}'`, up to the cell after the start call."""
    whole = nbformat.read(NOTEBOOKS / "00_start_here.ipynb", as_version=4)
    last = next(
        at
        for at, cell in enumerate(whole.cells)
        if "start(" in cell.source and cell.cell_type == "code"
    )
    whole.cells = [
        *whole.cells[: last + 1],
        nbformat.v4.new_code_cell("print(kit.config.training.partition.tau, overrides)"),
    ]
    nbformat.write(whole, tmp_path / "short.ipynb")
    given = ["-p", "overrides", '{"tau": 0.3}', "-p", "seed", "05"]
    done = papermill("short.ipynb", "out.ipynb", *given, cwd=tmp_path, runs_dir=runs_dir)
    assert done.returncode == 0, done.stderr
    said = [
        o["text"]
        for c in nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
        for o in c.get("outputs", [])
        if "text" in o
    ]
    assert said[-1] == "0.3 {'tau': 0.3}\n" and "seed 5" in said[0]
