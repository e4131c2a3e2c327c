"""A stopped or killed training resumes bit for bit, or one error message says why it cannot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from mer_kit.checks import MerKitError
from mer_kit.later_settings import flat
from mer_kit.training import Trainer, checkpoint
from mer_kit.training.evaluation import ArraySegments


def _stopper(after: int):
    def on_epoch(record):
        if record.epoch == after:
            raise KeyboardInterrupt

    return on_epoch


@pytest.mark.parametrize("after", [1, 3, 4])
def test_interrupted_in_any_phase_and_resumed_is_bit_equal(
    tmp_path, toy, trainer, trained, same_training, after
):
    """After the first epoch, at the end of the warm-up, and between two split epochs (half way up
    the ramp of λ).
    """
    file = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        trainer(checkpoint_file=file, on_epoch=_stopper(after)).fit(
            toy.segments, toy.labels, toy.songs
        )
    records: list[int] = []
    again = trainer(checkpoint_file=file, on_epoch=lambda record: records.append(record.epoch))
    again.fit(toy.segments, toy.labels, toy.songs)
    assert records == list(range(after + 1, 6))  # what was done is not done again
    same_training(again, trained)
    np.testing.assert_array_equal(
        again.predict_proba(toy.segments), trained.predict_proba(toy.segments)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "sgd", "learning_rate": 0.02},
        {"precision": "bfloat16", "warmup_mixup": True, "max_unlabelled": 0.1},
        {"schedule": "constant", "share": 0.5, "per_class": True, "pseudo_labels": "epoch"},
        {
            "model": {"width": 2, "head_pool": 2},
            "learning_rate": 3e-3,
            "warmup_accuracy": 0.3,
            "warmup_epochs": 1,
        },
    ],
)
def test_resuming_is_bit_equal_with_other_settings_too(
    tmp_path, toy, trainer, same_training, change
):
    change = {"epochs": 4, "warmup_epochs": 2} | change
    whole = trainer(**change).fit(toy.segments, toy.labels, toy.songs)
    file = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        trainer(checkpoint_file=file, on_epoch=_stopper(3), **change).fit(
            toy.segments, toy.labels, toy.songs
        )
    same_training(
        trainer(checkpoint_file=file, **change).fit(toy.segments, toy.labels, toy.songs), whole
    )


def test_a_finished_training_is_read_back_and_not_trained_on(
    tmp_path, toy, trainer, trained, same_training
):
    file = tmp_path / "checkpoint.safetensors"
    trainer(checkpoint_file=file).fit(toy.segments, toy.labels, toy.songs)

    class Silent(ArraySegments):
        def gather(self, rows: np.ndarray) -> np.ndarray:
            raise AssertionError("nothing needs to be read")

    again = trainer(checkpoint_file=file).fit(Silent(toy.segments.values), toy.labels, toy.songs)
    same_training(again, trained)
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint.safetensors"]


def test_a_killed_process_goes_on_from_its_last_epoch(
    tmp_path, toy, trainer, trained, same_training
):
    """The process dies in the middle of epoch 5, without any chance to clean up."""
    script = textwrap.dedent(f"""
        import os, signal, sys
        import numpy as np, torch
        torch.set_num_threads(1)
        from mer_kit.training import Trainer
        from mer_kit.training.evaluation import ArraySegments

        class Deadly(ArraySegments):
            calls = 0
            def gather(self, rows):
                Deadly.calls += 1
                if Deadly.calls > 1 + 4 * 9 + 4:  # statistics, four epochs of 8 batches and a pass, half an epoch
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().gather(rows)

        data = np.load(sys.argv[1])
        settings = {_settings(trainer())!r}
        Trainer(checkpoint_file=sys.argv[2], device="cpu", precision="float32", n_classes=2, **settings).fit(
            Deadly(data["x"]), data["labels"], data["songs"])
    """)
    np.savez(tmp_path / "toy.npz", x=toy.segments.values, labels=toy.labels, songs=toy.songs)
    file = tmp_path / "checkpoint.safetensors"
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", script, str(tmp_path / "toy.npz"), str(file)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(checkpoint.load(file)["history"]) == 4
    same_training(trainer(checkpoint_file=file).fit(toy.segments, toy.labels, toy.songs), trained)


def _settings(made: Trainer) -> dict:
    return flat(made.settings)


# ---- checkpoints that do not fit -----------------------------------------------------------------


@pytest.fixture(scope="module")
def one_epoch(tmp_path_factory, toy, trainer) -> Path:
    file = tmp_path_factory.mktemp("one") / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        trainer(checkpoint_file=file, on_epoch=_stopper(1)).fit(toy.segments, toy.labels, toy.songs)
    return file


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tau": 0.7}, "tau 0.5, now 0.7"),
        ({"seed": 4}, "seed 0, now 4"),
        ({"epochs": 6}, "epochs 5, now 6"),
        ({"precision": "bfloat16"}, "precision 'float32', now 'bfloat16'"),
        ({"model": {"width": 2}}, "model .*'width': 1}, now {.*'width': 2}"),
        ({"n_classes": 3}, "classes 2, now 3"),
    ],
)
def test_checkpoints_of_other_settings_get_a_sentence(one_epoch, toy, trainer, change, words):
    with pytest.raises(
        MerKitError, match=rf"belongs to another training \({words}\): delete it or train elsewhere"
    ):
        trainer(checkpoint_file=one_epoch, **change).fit(toy.segments, toy.labels, toy.songs)


def test_checkpoints_of_other_labels_or_songs_get_a_sentence(one_epoch, toy, trainer):
    for labels, songs in ((1 - toy.labels, toy.songs), (toy.labels, toy.songs + 1)):
        with pytest.raises(MerKitError, match=r"belongs to another training \(data "):
            trainer(checkpoint_file=one_epoch).fit(toy.segments, labels, songs)


def test_torn_and_foreign_checkpoints_get_a_sentence(tmp_path, one_epoch, toy, trainer, trained):
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(one_epoch.read_bytes()[:-10])
    with pytest.raises(
        MerKitError, match="torn.safetensors' cannot be read .*: delete it to train again"
    ):
        trainer(checkpoint_file=torn).fit(toy.segments, toy.labels, toy.songs)
    trained.save_model(tmp_path / "model.safetensors")
    with pytest.raises(
        MerKitError, match="model.safetensors holds no training, expected a checkpoint"
    ):
        trainer(checkpoint_file=tmp_path / "model.safetensors").fit(
            toy.segments, toy.labels, toy.songs
        )


def test_checkpoints_are_read_without_pickle(one_epoch, toy, trainer, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("no pickle")

    for name in ("load", "save"):
        monkeypatch.setattr(torch, name, refuse)
    monkeypatch.setattr(np, "load", refuse)
    made = trainer(checkpoint_file=one_epoch, on_epoch=_stopper(2))
    before = one_epoch.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        made.fit(toy.segments, toy.labels, toy.songs)
    assert len(made.history_) == 2
    one_epoch.write_bytes(before)  # as the other tests found it


# ---- a shared warm-up ----------------------------------------------------------------------------


def test_sssl_from_the_warmup_that_ce_left_is_bit_equal(toy, trainer, trained, warm, same_training):
    assert len(checkpoint.load(warm)["history"]) == 3
    left, epochs = warm.read_bytes(), []
    shared = trainer(warmup_file=warm, on_epoch=lambda record: epochs.append(record.epoch))
    same_training(shared.fit(toy.segments, toy.labels, toy.songs), trained)
    assert epochs == [4, 5] and warm.read_bytes() == left


def test_methods_with_another_tau_share_and_with_another_rate_do_not(tmp_path, toy, trainer):
    warm, epochs = tmp_path / "warm.safetensors", []
    settings = {
        "epochs": 2,
        "warmup_epochs": 1,
        "warmup_file": warm,
        "on_epoch": lambda record: epochs.append(record.epoch),
    }
    for change, trained_epochs in (
        ({}, [1, 2]),
        ({"tau": 0.8}, [2]),
        ({"learning_rate": 5e-3}, [1, 2]),
        ({"seed": 1}, [1, 2]),
        ({"method": "mixup"}, [1, 2]),
    ):
        epochs.clear()
        trainer(**(settings | change)).fit(toy.segments, toy.labels, toy.songs)
        assert epochs == trained_epochs, change
    epochs.clear()
    trainer(**settings).fit(toy.segments, 1 - toy.labels, toy.songs)
    assert epochs == [1, 2]  # other labels


def test_a_torn_warmup_only_costs_time(tmp_path, toy, trainer, trained, same_training):
    warm = tmp_path / "warm.safetensors"
    warm.write_bytes(b"torn")
    same_training(trainer(warmup_file=warm).fit(toy.segments, toy.labels, toy.songs), trained)
    epochs: list[int] = []
    trainer(warmup_file=warm, on_epoch=lambda record: epochs.append(record.epoch)).fit(
        toy.segments, toy.labels, toy.songs
    )
    assert epochs == [4, 5], (
        "the first training did not leave a good warm-up in the torn one's place"
    )


def test_an_own_checkpoint_goes_before_a_shared_warmup(
    tmp_path, toy, trainer, trained, same_training
):
    warm, file = tmp_path / "warm.safetensors", tmp_path / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        trainer(warmup_file=warm, checkpoint_file=file, on_epoch=_stopper(4)).fit(
            toy.segments, toy.labels, toy.songs
        )
    epochs: list[int] = []
    again = trainer(
        warmup_file=warm, checkpoint_file=file, on_epoch=lambda record: epochs.append(record.epoch)
    )
    same_training(again.fit(toy.segments, toy.labels, toy.songs), trained)
    assert epochs == [5]
