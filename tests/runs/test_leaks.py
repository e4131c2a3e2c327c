"""Nothing that is fitted may depend on test songs: for every method, system and classifier there is.

Folds are held fixed. The test songs get the other class and other audio; whatever a fold has learned must be the same to
the last bit.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from mer_kit import systems
from mer_kit.runs.experiment import Experiment
from tests.music import RATE
from tests.runs import own_classes

torch.set_num_threads(1)
FOLD = 0


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return two collections whose training songs agree, and whose test songs share nothing."""
    root = tmp_path_factory.mktemp("leaks")
    folders = {name: root / name / "table" for name in ("given", "replaced")}
    own_classes.collection(folders["given"], 2, songs=6, seconds=4.0)
    (folders["given"] / "segment_truth.csv").unlink()
    made = experiment("ce", folders["given"], root / "runs")
    test = [Path(made.corpus.clips[i].path).name for i in made.folds[FOLD].test]
    shutil.copytree(folders["given"], folders["replaced"])
    table = pd.read_csv(folders["given"] / "clips.csv").set_index("path")
    turned = table["label"].map({"tense": "happy", "happy": "tense"})
    table.loc[test, "label"] = turned[test]
    table.reset_index().to_csv(folders["replaced"] / "clips.csv", index=False)
    rng = np.random.default_rng(0)
    for file in test:
        soundfile.write(folders["replaced"] / file, rng.normal(0, 0.1, 5 * RATE), RATE)
    return folders


def experiment(chain: str, root: Path, runs: Path) -> Experiment:
    settings: dict[str, object] = {"train_every_seconds": 1.0}
    if chain not in systems.MODULES:
        settings |= {"epochs": 3, "warmup_epochs": 1}
    if chain == "two_stage":
        settings["frontend"] = "logmel"
    return Experiment(
        own_classes.config(method=chain, **settings),
        data_root=root.parent,
        runs_dir=runs,
        device="cpu",
        precision="float32",
    )


def learned(made: Experiment) -> dict[str, bytes]:
    """Return what a fold fitted, and what it says of its training songs."""
    folder = made.folder.fold(FOLD)
    files = {
        str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.safetensors")
    }
    if (folder / "epochs.npz").exists():
        with np.load(folder / "epochs.npz") as arrays:
            files |= {name: arrays[name].tobytes() for name in arrays.files}
    segments = pd.read_csv(folder / "segments.csv")
    return files | {"training songs": segments[segments["part"] == "train"].to_csv().encode()}


#: Aliases are ce runs by another name, of which whole_clip has settings of its own.
ALIASES = [name for name, alias in systems.ALIASES.items() if not alias.settings]


@pytest.mark.parametrize("chain", [name for name in systems.CHAINS if name not in ALIASES])
def test_nothing_fitted_depends_on_the_test_songs(
    chain: str, corpora: dict[str, Path], tmp_path: Path
) -> None:
    given = experiment(chain, corpora["given"], tmp_path / "given")
    given.train(FOLD)
    before = learned(given)
    other = experiment(chain, corpora["replaced"], tmp_path / "replaced")
    other.folds = given.folds
    other.train(FOLD)
    after = learned(other)
    assert after.keys() == before.keys()
    assert [key for key in before if before[key] != after[key]] == []
    # The other songs were really looked at.
    ours, theirs = (made.folder.segments(FOLD).query("part == 'test'") for made in (given, other))
    assert ours["label"].iloc[0] != theirs["label"].iloc[0]
    assert not np.allclose(ours[["happy", "tense"]].iloc[0], theirs[["happy", "tense"]].iloc[0])
