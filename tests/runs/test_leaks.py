"""Nothing that is fitted may depend on test songs: for every method, system and classifier there is.

Folds are held fixed. The test songs' labels are shuffled, then their audio is replaced; whatever a fold has learned
must be the same to the last bit.
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
    """Return three collections whose training songs agree: as they are, relabelled, and with other audio."""
    root = tmp_path_factory.mktemp("leaks")
    folders = {name: root / name / "table" for name in ("given", "relabelled", "replaced")}
    own_classes.collection(folders["given"], 2, songs=8, seconds=4.0)
    (folders["given"] / "segment_truth.csv").unlink()
    made = experiment("ce", folders["given"], root / "runs")
    test = [Path(made.corpus.clips[i].path).name for i in made.folds[FOLD].test]
    for name in ("relabelled", "replaced"):
        shutil.copytree(folders["given"], folders[name])
    table = pd.read_csv(folders["given"] / "clips.csv").set_index("path")
    turned = table["label"].map({"tense": "happy", "happy": "tense"})
    table.loc[test, "label"] = turned[test]
    table.reset_index().to_csv(folders["relabelled"] / "clips.csv", index=False)
    rng = np.random.default_rng(0)
    for file in test:
        soundfile.write(folders["replaced"] / file, rng.normal(0, 0.1, 5 * RATE), RATE)
    return folders


def experiment(chain: str, root: Path, runs: Path) -> Experiment:
    training = {} if chain in systems.SYSTEMS else {"epochs": 3, "warmup_epochs": 1}
    return Experiment(
        own_classes.config(method=chain, train_every_seconds=1.0, **training),
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


@pytest.mark.parametrize("chain", systems.CHAINS)
def test_nothing_fitted_depends_on_the_test_songs(
    chain: str, corpora: dict[str, Path], tmp_path: Path
) -> None:
    given = experiment(chain, corpora["given"], tmp_path / "given")
    given.train(FOLD)
    before = learned(given)
    answers = [given.folder.segments(FOLD)]
    for name in ("relabelled", "replaced"):
        other = experiment(chain, corpora[name], tmp_path / name)
        other.folds = given.folds
        other.train(FOLD)
        after = learned(other)
        assert after.keys() == before.keys()
        assert [key for key in before if before[key] != after[key]] == []
        answers.append(other.folder.segments(FOLD))
    # The other audio was really looked at.
    tested = [table[table["part"] == "test"][["happy", "tense"]] for table in answers]
    assert not np.allclose(tested[0], tested[2].iloc[: len(tested[0])])
