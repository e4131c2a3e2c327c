"""What docs/extending.md shows works as it stands there: one new file, seen by notebook, table, page and prediction."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import soundfile

from mer_kit import corpora, extensions
from mer_kit.checks import MerKitError
from mer_kit.runs.presets import resolve
from tests.music import RATE, song

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "extending.md").read_text("utf-8")
#: The examples of the page: where each goes, and its code.
EXAMPLES = dict(re.findall(r"`([a-z]+/[a-z]+\.py)`[^`]*```python\n(.*?)```", TEXT, re.DOTALL))
#: A grid of one small fold for each new method, executed as notebook 04, which trains what is missing.
WORDS = "--corpus demo --preset smoke --folds 2 --only-folds 0 --method own_elr,coteaching --notebooks 04 --set max_seconds=8.0"
PAIR = (
    "grid --corpus demo --preset smoke --folds 2 --only-folds 0 --method sssl --set max_seconds=8.0 "
    "--frontend chroma --network linear --set feature_dropout=0.2"
)
#: A system beside a method; what only one of them has, such as `neighbours`, cannot be set for both.
SYSTEM = "--corpus demo --preset smoke --folds 2 --method ce,neighbours --notebooks 04 --set max_seconds=8.0"
SMALL = ("--set", 'corpus_options={"clips": 16, "seconds": 8.0}')


def test_there_are_examples_and_they_are_short() -> None:
    assert set(EXAMPLES) >= {
        "corpora/quadrants.py",
        "methods/elr.py",
        "classifiers/logistic.py",
        "frontends/chroma.py",
        "networks/linear.py",
        "systems/neighbours.py",
    }
    assert all(len(code.splitlines()) < 80 for code in EXAMPLES.values())
    # The example of a method is the package's own file.
    package = ROOT / "mer_kit" / "training" / "methods" / "elr.py"
    assert EXAMPLES["methods/elr.py"] == package.read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, code in EXAMPLES.items():
        # A file that the package has is added once more, under a name of its own.
        path = tmp_path / "mine" / name.replace("elr", "own_elr")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, "utf-8")
    return tmp_path / "mine"


def mer_kit(environment: dict[str, str], folder: Path, *words: str) -> str:
    """Run the command and return what it printed."""
    command = [sys.executable, "-m", "mer_kit", *words]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


@pytest.mark.notebooks
def test_new_methods_and_a_new_classifier_are_seen_everywhere(folder: Path, tmp_path: Path) -> None:
    environment = {**os.environ, extensions.VARIABLE: str(folder), "PYTHONPATH": str(ROOT)}
    runs = tmp_path / "runs"
    mer_kit(environment, tmp_path, "grid", *WORDS.split(), *SMALL, "--runs", str(runs))
    table = pd.read_csv(runs / "results.csv")
    assert (
        sorted(table["method"]) == ["coteaching", "own_elr"]
        and table["pooled_accuracy_logistic"].notna().all()
    )
    page = (runs / "index.html").read_text("utf-8")
    assert (
        "demo, quadrant, 3 s, own_elr, seed 0" in page
        and "demo, quadrant, 3 s, coteaching, seed 0" in page
    )
    run = next(runs.glob("demo-*-own_elr-*"))
    assert pd.read_csv(run / "folds" / "0" / "history.csv")["elr_penalty"].notna().all()
    assert "logistic" in pd.read_csv(run / "songs.csv").columns
    assert "logistic regression" in (run / "notebooks" / "04_song_decisions.html").read_text(
        "utf-8"
    )
    soundfile.write(tmp_path / "a.wav", song(1, 8.0), RATE)
    for method in ("own_elr", "coteaching"):
        where = str(next(runs.glob(f"demo-*-{method}-*")))
        assert "logistic Q" in mer_kit(
            environment, tmp_path, "predict", "a.wav", "--run", where, "--no-html"
        )
    # where the files are gone again, the runs are read as before
    del environment[extensions.VARIABLE]
    mer_kit(environment, tmp_path, "report", str(runs))
    again = pd.read_csv(runs / "results.csv")
    assert again["song_accuracy_mean"].tolist() == table["song_accuracy_mean"].tolist()
    assert "pooled_accuracy_logistic" not in again and set(again["status"]) == {"partial"}
    mer_kit(environment, tmp_path, "predict", "a.wav", "--run", str(run), "--no-html")


@pytest.mark.notebooks
def test_a_new_front_end_and_a_new_network_are_seen_everywhere(
    folder: Path, tmp_path: Path
) -> None:
    """One grid with both, all notebooks of a run; then its page, a prediction, and the files gone again."""
    environment = {**os.environ, extensions.VARIABLE: str(folder), "PYTHONPATH": str(ROOT)}
    runs = tmp_path / "runs"
    words = [*PAIR.split(), *SMALL]
    mer_kit(environment, tmp_path, *words, "--runs", str(runs))
    (run,) = runs.glob("demo-*-sssl-*")  # notebook 03 trains ce beside it, to compare
    # 01 and 03 to 05; 02 is executed on request where folds train in seconds, 06 belongs to all runs.
    assert len(list(run.rglob("0*.ipynb"))) == 4
    config = json.loads((run / "config.json").read_text("utf-8"))
    assert (config["frontend"], config["network"], config["model"]) == (
        "chroma",
        "linear",
        {"feature_dropout": 0.2},
    )
    assert config["frontend_settings"] == {"chroma_fft": 4096}
    table = pd.read_csv(runs / "results.csv").query("method == 'sssl'")
    assert table["song_accuracy_mean"].notna().all() and len(table) == 1
    soundfile.write(tmp_path / "a.wav", song(1, 8.0), RATE)
    assert "svm Q" in mer_kit(
        environment, tmp_path, "predict", "a.wav", "--run", str(run), "--no-html"
    )
    del environment[extensions.VARIABLE]
    mer_kit(environment, tmp_path, "report", str(runs))
    again = pd.read_csv(runs / "results.csv").query("method == 'sssl'")
    assert again["song_accuracy_mean"].tolist() == table["song_accuracy_mean"].tolist()
    command = [sys.executable, "-m", "mer_kit", "predict", "a.wav", "--run", str(run), "--no-html"]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert (
        done.returncode == 1 and "front-end is 'chroma', expected one of logmel" in done.stderr
    ), done.stderr


@pytest.mark.notebooks
def test_a_new_system_is_seen_everywhere(folder: Path, tmp_path: Path) -> None:
    """Beside a method in a grid: notebook 04, the results page; what it cannot do gets a sentence; gone, it is still read."""
    environment = {**os.environ, extensions.VARIABLE: str(folder), "PYTHONPATH": str(ROOT)}
    runs = tmp_path / "runs"
    words = ["grid", *SYSTEM.split(), *SMALL]
    mer_kit(environment, tmp_path, *words, "--runs", str(runs))
    table = pd.read_csv(runs / "results.csv").set_index("method")
    assert (
        table.loc["neighbours", "status"] == "done"
        and table.loc["neighbours", "song_accuracy_mean"] > 0
    )
    assert {"ce", "neighbours"} == set(table.index)
    run = next(runs.glob("demo-*-neighbours-*"))
    assert json.loads((run / "config.json").read_text("utf-8"))["system_settings"] == {
        "neighbours": 5
    }
    assert set(pd.read_csv(run / "songs.csv").columns) == {"clip_id", "fold", "label", "system"}
    assert len(list(run.rglob("0*.ipynb"))) == 1
    assert "demo, quadrant, 3 s, neighbours, seed 0" in (runs / "index.html").read_text("utf-8")
    assert "neighbours" in (runs / "results.md").read_text("utf-8")
    soundfile.write(tmp_path / "a.wav", song(1, 8.0), RATE)
    command = [sys.executable, "-m", "mer_kit", "predict", "a.wav", "--run", str(run), "--no-html"]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert (
        done.returncode == 1
        and "run of the system neighbours, which keeps no network" in done.stderr
    ), done.stderr
    trained = next(runs.glob("demo-*-ce-*"))
    assert "svm Q" in mer_kit(
        environment, tmp_path, "predict", "a.wav", "--run", str(trained), "--no-html"
    )
    del environment[extensions.VARIABLE]
    mer_kit(environment, tmp_path, "report", str(runs))
    again = pd.read_csv(runs / "results.csv").set_index("method")
    assert again["song_accuracy_mean"].to_dict() == table["song_accuracy_mean"].to_dict()


def test_names_of_methods_systems_and_classifiers_are_disjoint(tmp_path: Path) -> None:
    code = EXAMPLES["systems/neighbours.py"]
    for name in ("ce", "svm"):
        path = tmp_path / name / "systems" / f"{name}.py"
        path.parent.mkdir(parents=True)
        path.write_text(code, "utf-8")
        environment = {
            **os.environ,
            extensions.VARIABLE: str(tmp_path / name),
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-c", "import mer_kit.systems"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
        assert done.returncode and f"{name} is the name of a system and of a" in done.stderr, (
            done.stderr
        )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "--frontend chroma --network vgg16",
            "network vgg16 accepts frames, but front-end chroma gives one vector for each segment",
        ),
        (
            "--network linear",
            "network linear accepts one vector for each segment, but front-end logmel gives frames",
        ),
        ("--method neighbours --set tau=0.3", "setting is 'tau', expected one of"),
        ("--frontend chroma --network linear --set width=8", "setting is 'width', expected one of"),
        (
            "--frontend chroma --network linear --set train_every_seconds=0.7",
            "expected a multiple or a fraction of 1 s",
        ),
    ],
)
def test_what_does_not_fit_together_gets_a_sentence(
    words: str, sentence: str, folder: Path, tmp_path: Path
) -> None:
    environment = {**os.environ, extensions.VARIABLE: str(folder), "PYTHONPATH": str(ROOT)}
    command = [
        sys.executable,
        "-m",
        "mer_kit",
        "run",
        "--corpus",
        "demo",
        *words.split(),
        "--runs",
        str(tmp_path),
    ]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert done.returncode and sentence in done.stderr and "Traceback" not in done.stderr, (
        done.stderr
    )


@pytest.mark.parametrize("name", ["own_elr"])
def test_a_new_method_goes_on_from_its_checkpoint(name: str, folder: Path, tmp_path: Path) -> None:
    """A training stopped after an epoch and gone on with ends bit for bit where one in one go does; it is known by name."""
    script = """
import sys
import numpy as np
from mer_kit.cli import main
from mer_kit.runs import run_folder
from mer_kit.runs.presets import resolve
from mer_kit.training import METHODS, SegmentClassifier, Trainer
from mer_kit.training.evaluation import ArraySegments
name, file = sys.argv[1:]
assert name in METHODS and name in next(p for p in main.commands["run"].params if p.name == "method").type.choices
x = np.random.default_rng(0).normal(size=(24, 1, 128, 43)).astype(np.float32)
y = np.arange(24) % 2
small = {"n_classes": 2, "method": name, "epochs": 4, "warmup_epochs": 2, "batch_size": 8, "device": "cpu"}
small |= {"precision": "float32", "model": {"width": 1, "head_pool": 1, "batch_norm": True}}
whole = Trainer(**small).fit(ArraySegments(x), y)
def stop(trainer):
    if len(trainer.history_) == 3:
        raise KeyboardInterrupt
try:
    Trainer(**small, checkpoint_file=file, watch=stop).fit(ArraySegments(x), y)
except KeyboardInterrupt:
    pass
again = Trainer(**small, checkpoint_file=file).fit(ArraySegments(x), y)
assert np.array_equal(again.eval_probabilities_, whole.eval_probabilities_)
again.save_model(file + ".model")
told = SegmentClassifier(file + ".model", device="cpu", precision="float32").predict_proba(ArraySegments(x))
assert np.array_equal(told, whole.predict_proba(ArraySegments(x)))
marks = {run_folder.fingerprint(resolve(method=name, preset="smoke", **own), corpus_checksum="0", code_version="1")
         for own in ({}, {"decay": 0.8})}
assert len(marks) == 2
older = resolve(corpus="4q", method="ce", preset="smoke", grouping="exact", svm_folds="songs", small_output=False)
assert run_folder.fingerprint(older, corpus_checksum="0", code_version="1") == "ca5bdbbab2"
"""
    environment = {**os.environ, extensions.VARIABLE: str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, name, str(tmp_path / "c.safetensors")]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_new_corpus_is_found_loaded_and_looked_at(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(extensions.VARIABLE, str(folder))
    for at, name in enumerate(("Q1", "Q2", "Q3", "Q4")):
        (tmp_path / "quadrants" / name).mkdir(parents=True)
        for k in range(2):
            soundfile.write(
                tmp_path / "quadrants" / name / f"{name}-{k}.wav", song(10 * at + k, 6.0), RATE
            )
    (tmp_path / "quadrants" / "Q4" / "Q1-0.wav").write_bytes(b"twice")
    command = [sys.executable, "-m", "mer_kit", "data", "quadrants", "--data", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=100
    ).stdout
    assert "Four folders" in said and "8 clips" in said and "is in two quadrants" in said, said
    corpus = corpora.load("quadrants", tmp_path)
    assert corpus.labels("quadrant").tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [problem.kind for problem in corpus.problems] == ["duplicate_file"]
    assert resolve(corpus="quadrants", preset="smoke").corpus == "quadrants"
    assert "quadrants" in corpora.names()
    monkeypatch.delenv(extensions.VARIABLE)
    assert "quadrants" not in corpora.names()


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("broken", "1 / 0", "cannot be imported \\(ZeroDivisionError: division by zero\\)"),
        ("svm", "", "has a name that mer_kit.songs.classifiers uses itself: rename the file"),
    ],
)
def test_a_file_that_cannot_be_added_gets_a_sentence(
    name: str, code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "classifiers").mkdir()
    (tmp_path / "classifiers" / f"{name}.py").write_text(code)
    monkeypatch.setenv(extensions.VARIABLE, str(tmp_path))
    with pytest.raises(MerKitError, match=words):
        extensions.modules("mer_kit.songs.classifiers")


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        (
            "classifiers/label.py",
            "",
            "label.py in MER_EXTENSIONS has a name that mer_kit.songs.classifiers uses itself",
        ),
        (
            "classifiers/new.py",
            "TITLE = 'x'",
            "new.py in MER_EXTENSIONS lacks SAYS, expected TITLE, SAYS, SOURCE, LEARNS",
        ),
        (
            "methods/new.py",
            "import nosuch",
            "new.py in MER_EXTENSIONS cannot be imported (ModuleNotFoundError",
        ),
        ("", "", "expected an existing folder: correct or unset it"),
    ],
)
def test_every_command_says_in_one_sentence_what_cannot_be_added(
    name: str, code: str, words: str, tmp_path: Path
) -> None:
    if name:
        (tmp_path / "mine" / name).parent.mkdir(parents=True)
        (tmp_path / "mine" / name).write_text(code)
    environment = {**os.environ, extensions.VARIABLE: "mine", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mer_kit", "report", "."]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr, (
        done.stderr
    )


def test_other_files_are_no_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "classifiers").mkdir()
    for name in ("_draft.py", "notes.txt", "not-a-name.py"):
        (tmp_path / "classifiers" / name).write_text("1 / 0")
    monkeypatch.setenv(extensions.VARIABLE, str(tmp_path))
    assert list(extensions.modules("mer_kit.songs.classifiers")) == [
        "svm",
        "mean",
        "vote",
        "run_length",
        "elm",
    ]
