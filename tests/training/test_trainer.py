"""The training loop: what it learns, what it records, what it never sees, and that it repeats."""

from __future__ import annotations

import dataclasses
import inspect
import random

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from mer_kit.checks import MerKitError
from mer_kit.records import EpochRecord
from mer_kit.training import (
    SegmentClassifier,
    Trainer,
    TrainingSettings,
    batch_loss,
    diagnostics,
    evaluation,
    methods,
    optimization,
    partition,
    training_state,
)
from mer_kit.training.evaluation import ArraySegments
from mer_kit.training.methods.sssl import mixture_seed
from mer_kit.training.objectives import ramp
from mer_kit.training.partition import PartitionSettings

#: Learns the four-class toy of 160 segments nearly perfectly; labels under 30 % noise do not throw
#: it off.
LEARNER = {
    "n_classes": 4,
    "epochs": 7,
    "warmup_epochs": 5,
    "learning_rate": 3e-3,
    "model": {"width": 4, "head_pool": 1, "dropout": 0.2},
}
#: How the trainer of these tests divides segments: as the paper does.
DIVIDED = {"min_gap": 0.0, "loss_window": 1, "dip_test": False, "em_tolerance": 1e-3}


# ---- learning ------------------------------------------------------------------------------------


def test_sssl_finds_and_mends_wrong_labels(toy_maker, trainer):
    """30 % of the labels are wrong: ω tells them apart, X is cleaner than the whole, and the truth
    is learnt.
    """
    toy = toy_maker(20, 8, n_classes=4, rate=0.3)
    clean = toy.labels == toy.truth
    made = trainer(**LEARNER).fit(toy.segments, toy.labels, toy.songs)
    replayed = diagnostics.replay(
        made.eval_probabilities_[4:5],
        toy.labels,
        settings=PartitionSettings(**DIVIDED),
        seed=mixture_seed(0),
    )
    assert roc_auc_score(clean, replayed.omega) > 0.9
    quality = diagnostics.partition_quality(replayed.clean, replayed.omega, clean)
    assert replayed.separated and quality["precision"] > 0.9 > clean.mean() == 0.7
    last = made.history_[-1]
    assert last.phase == "ssl" and last.separated and 0.15 < last.n_unlabelled / 160 < 0.45
    assert (made.eval_probabilities_[-1].argmax(axis=1) == toy.truth).mean() > 0.95
    fresh = toy_maker(8, 8, n_classes=4, seed=9)
    p = made.predict_proba(fresh.segments)
    assert (p.argmax(axis=1) == fresh.truth).mean() > 0.95
    # Pseudo-labels replace wrong labels, so they agree with few of the labels that were erased.
    assert last.pseudo_agreement < 0.5 < last.pseudo_confidence


def test_archived_pseudo_labels_are_those_of_the_pass_before(toy, trainer, monkeypatch):
    """What a batch is given as pseudo-labels is, row by row, what the last finished epoch said of
    these segments.
    """
    method, given = methods.of("sssl"), []
    original = method.batch

    def batch(self, x, rows):
        made = original(self, x, rows)
        given.append((self.epoch.number, rows, made.pseudo))
        return made

    monkeypatch.setattr(method, "batch", batch)
    made = trainer(pseudo_labels="epoch").fit(toy.segments, toy.labels, toy.songs)
    phases = [record.phase for record in made.history_]
    assert phases.count("ssl") >= 2
    for number, rows, pseudo in given:
        assert (pseudo is None) == (phases[number - 1] == "warmup")
        if pseudo is not None:
            np.testing.assert_array_equal(
                pseudo.numpy(), made.eval_probabilities_[number - 2][rows].astype(np.float32)
            )


# ---- what it records -----------------------------------------------------------------------------


def test_history_is_consistent_with_the_passes(toy, trained):
    history, epochs = trained.history_, trained.eval_probabilities_
    assert [record.epoch for record in history] == [1, 2, 3, 4, 5]
    assert epochs.shape == (5, 64, 2) and epochs.dtype == np.float16
    np.testing.assert_allclose(epochs.astype(float).sum(axis=2), 1, atol=2e-3)
    for record, p in zip(history, epochs, strict=True):
        assert record.n_labelled + record.n_unlabelled == 64
        assert record.train_accuracy == (p.argmax(axis=1) == toy.labels).mean()
        assert record.evaluation_loss == evaluation.losses(p, toy.labels).mean()
        assert (
            sum(record.labelled_class_share) == pytest.approx(1)
            and len(record.labelled_class_share) == 2
        )
        assert record.seconds > 0 and np.isfinite(record.loss_mix)
        if record.phase == "warmup":
            assert (
                record.n_unlabelled == 0 and not record.separated and record.loss == record.loss_mix
            )
            assert record.lambda_kl == 0 and np.isnan([record.loss_kl, record.loss_gap]).all()
            assert (
                np.isnan([record.pseudo_agreement, record.pseudo_confidence]).all()
                and record.note == ""
            )
    split_epochs = history[3:]
    assert all(r.separated and r.n_unlabelled > 0 and r.loss_gap > 0 for r in split_epochs)
    assert all(
        r.loss > r.loss_mix and r.loss_kl > 0 and 0.5 <= r.pseudo_confidence <= 1
        for r in split_epochs
    )
    rates = [
        0.01 * 0.5 * (1 + np.cos(np.pi * e / 4)) for e in range(5)
    ]  # a cosine over the epochs after the first
    np.testing.assert_allclose([r.learning_rate for r in history], rates, atol=1e-12)
    assert [r.lambda_kl for r in split_epochs] == [
        0.5,
        1.0,
    ]  # a ramp of two epochs, at the end of each


def test_the_split_of_every_epoch_is_the_replay_of_the_pass_before(toy, trained):
    seen = 0
    for record in trained.history_:
        if record.phase != "ssl":
            continue
        replayed = diagnostics.replay(
            trained.eval_probabilities_[: record.epoch - 1],
            toy.labels,
            settings=PartitionSettings(**DIVIDED),
            seed=mixture_seed(trained.seed),
        )
        assert (replayed.clean.sum(), replayed.separated) == (record.n_labelled, record.separated)
        assert replayed.loss_gap == record.loss_gap and replayed.note == record.note
        share = np.bincount(toy.labels[replayed.clean], minlength=2) / replayed.clean.sum()
        assert record.labelled_class_share == tuple(share)
        seen += 1
    assert seen == 2


def test_settings_of_the_split_reach_it(toy, trainer, trained, warm, monkeypatch):
    """Every one of them, and the first split is what a replay of the warm-up's last pass with them
    says.
    """
    chosen = {
        "tau": 0.7,
        "per_class": True,
        "min_gap": 0.01,
        "max_unlabelled": 0.04,
        "reg_covar": 1e-3,
    }
    seen = {}
    fit = partition.fit_partition
    monkeypatch.setattr(
        partition,
        "fit_partition",
        lambda *data, **options: seen.update(options) or fit(*data, **options),
    )
    record = (
        trainer(warmup_file=warm, epochs=5, **chosen)
        .fit(toy.segments, toy.labels, toy.songs)
        .history_[3]
    )
    assert all(seen.pop("songs") == toy.songs)
    assert seen == {
        "settings": PartitionSettings(**(DIVIDED | chosen)),
        "n_classes": 2,
        "seed": mixture_seed(0),
    }
    monkeypatch.undo()
    replayed = diagnostics.replay(
        trained.eval_probabilities_[:3],
        toy.labels,
        settings=PartitionSettings(**(DIVIDED | chosen)),
        seed=mixture_seed(0),
    )
    assert (
        (replayed.clean.sum(), replayed.separated)
        == (record.n_labelled, record.separated)
        == (62, True)
    )


@pytest.mark.parametrize(
    ("method", "phases"),
    [
        ("ce", ["warmup", "warmup", "plain"]),
        ("sssl_no_kl", ["warmup", "warmup", "ssl"]),
        ("sssl", ["warmup", "warmup", "ssl"]),
    ],
)
def test_phases(toy, trainer, method, phases):
    made = trainer(method=method, epochs=3, warmup_epochs=2).fit(toy.segments, toy.labels)
    assert [record.phase for record in made.history_] == phases
    assert made.settings.method == method


def test_warmup_is_the_same_for_ce_and_sssl_and_mixup_differs_from_the_first_epoch(
    toy, trainer, trained
):
    ce, mixup = (
        trainer(method=m, epochs=5).fit(toy.segments, toy.labels, toy.songs)
        for m in ("ce", "mixup")
    )
    assert ce.eval_probabilities_[:3].tobytes() == trained.eval_probabilities_[:3].tobytes()
    assert ce.eval_probabilities_[3].tobytes() != trained.eval_probabilities_[3].tobytes()
    assert mixup.eval_probabilities_[0].tobytes() != ce.eval_probabilities_[0].tobytes()
    assert all(
        record.n_unlabelled == 0 and np.isnan(record.loss_gap)
        for record in mixup.history_ + ce.history_
    )


def test_warmup_mixup_is_the_mixup_method_up_to_the_split(toy, trainer):
    mixup = trainer(method="mixup", epochs=3, warmup_epochs=2).fit(toy.segments, toy.labels)
    mixed = trainer(method="sssl", epochs=3, warmup_epochs=2, warmup_mixup=True).fit(
        toy.segments, toy.labels
    )
    assert mixed.eval_probabilities_[:2].tobytes() == mixup.eval_probabilities_[:2].tobytes()
    assert mixed.history_[2].phase == "ssl"


def test_criterion_holds_the_split_back(toy, trainer):
    made = trainer(epochs=4, warmup_epochs=1, warmup_accuracy=1.0).fit(toy.segments, toy.labels)
    assert [record.phase for record in made.history_] == [
        "warmup"
    ] * 4  # noisy labels are not learnt in four epochs
    assert made.history_[0].note == "" and made.history_[3].note == (
        "warm-up goes on: agreement with the labels is under 1.00"
    )
    accuracies = [record.train_accuracy for record in made.history_]
    wanted = sorted(accuracies)[1] + 1e-6  # reached somewhere on the way
    reached = next(e for e, a in enumerate(accuracies, start=1) if a >= wanted)
    later = trainer(epochs=4, warmup_epochs=1, warmup_accuracy=wanted).fit(toy.segments, toy.labels)
    assert [r.phase for r in later.history_] == ["warmup"] * reached + ["ssl"] * (4 - reached)


def test_lambda_ramps_from_the_split_on_in_fractions_of_an_epoch(toy, trainer, monkeypatch):
    seen = []
    method = methods.of("sssl")
    original = method._lambda
    monkeypatch.setattr(
        method, "_lambda", lambda self, fraction: seen.append(fraction) or original(self, fraction)
    )
    made = trainer(epochs=3, warmup_epochs=1, ramp_epochs=4.0, lambda_kl=0.6).fit(
        toy.segments, toy.labels
    )
    np.testing.assert_allclose(
        seen[:9], np.arange(9) / 8
    )  # eight batches, then the record of the epoch's end
    assert [r.lambda_kl for r in made.history_] == [0.0, ramp(1, weight=0.6, ramp_epochs=4), 0.3]


def test_no_separation_is_warned_of_once(toy, trainer, caplog):
    made = trainer(min_gap=99.0).fit(toy.segments, toy.labels, toy.songs)
    assert [record.separated for record in made.history_[3:]] == [False, False]
    assert [
        record.getMessage()
        for record in caplog.records
        if "keeps every label" in record.getMessage()
    ] == [f"epoch 4 keeps every label: {made.history_[3].note} (reported once)"]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_on_cuda_it_trains_goes_on_and_predicts(tmp_path, toy, trainer):
    options = {"device": "cuda", "checkpoint_file": tmp_path / "c.safetensors"}
    trainer(**options, epochs=5).fit(toy.segments, toy.labels, toy.songs)
    again = trainer(**options, epochs=5).fit(toy.segments, toy.labels, toy.songs)
    assert (
        len(again.history_) == 5
        and (again.eval_probabilities_[-1].argmax(axis=1) == toy.truth).mean() > 0.8
    )
    assert again.predict_proba(toy.segments).shape == (len(toy.labels), 2)


# ---- equal by construction -----------------------------------------------------------------------


def test_lambda_0_is_proposed_star(toy, trainer, trained, warm, same_training):
    star = trainer(method="sssl_no_kl", warmup_file=warm).fit(toy.segments, toy.labels, toy.songs)
    same_training(
        star, trainer(lambda_kl=0.0, warmup_file=warm).fit(toy.segments, toy.labels, toy.songs)
    )
    assert (
        star.eval_probabilities_[4].tobytes() != trained.eval_probabilities_[4].tobytes()
    )  # L_KL is there to be left out


def test_same_seed_same_training_other_seed_another(toy, trainer, trained, same_training):
    same_training(trained, trainer().fit(toy.segments, toy.labels, toy.songs))
    other = trainer(seed=1, epochs=4).fit(toy.segments, toy.labels, toy.songs)
    assert other.eval_probabilities_[0].tobytes() != trained.eval_probabilities_[0].tobytes()


def test_global_random_states_are_neither_used_nor_touched(toy, trainer, trained):
    """Numpy's, torch's and Python's own streams: as they were, and without influence."""
    torch.manual_seed(11), np.random.seed(11), random.seed(11)  # noqa: NPY002
    before = (torch.random.get_rng_state(), np.random.get_state(), random.getstate())  # noqa: NPY002
    made = trainer().fit(toy.segments, toy.labels, toy.songs)
    made.predict_proba(toy.segments)
    after = (torch.random.get_rng_state(), np.random.get_state(), random.getstate())  # noqa: NPY002
    assert (
        torch.equal(before[0], after[0])
        and repr(before[1]) == repr(after[1])
        and before[2] == after[2]
    )
    assert made.eval_probabilities_.tobytes() == trained.eval_probabilities_.tobytes()


@pytest.mark.parametrize(
    "change", [{"temperature": 1.0}, {"alpha": 4.0}, {"pseudo_labels": "epoch"}, {"ramp_epochs": 9}]
)
def test_settings_of_the_semi_supervised_epochs_reach_them(toy, trainer, trained, warm, change):
    made = trainer(warmup_file=warm, **change).fit(toy.segments, toy.labels, toy.songs)
    assert made.eval_probabilities_[2].tobytes() == trained.eval_probabilities_[2].tobytes()
    assert made.eval_probabilities_[4].tobytes() != trained.eval_probabilities_[4].tobytes()


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "sgd"},
        {"learning_rate": 5e-3},
        {"weight_decay": 0.5},
        {"gradient_clip": 1e-6},
        {"batch_size": 16},
    ],
)
def test_settings_of_the_optimizer_reach_it(toy, trainer, trained, change):
    made = trainer(method="ce", epochs=1, **change).fit(toy.segments, toy.labels, toy.songs)
    base = trainer(method="ce", epochs=1).fit(toy.segments, toy.labels, toy.songs)
    assert made.eval_probabilities_[0].tobytes() != base.eval_probabilities_[0].tobytes()


def test_true_labels_never_enter():
    """A trainer takes segments, inherited labels and songs; neither it nor a setting has room for
    the truth.
    """
    assert list(inspect.signature(Trainer.fit).parameters) == [
        "self",
        "segments",
        "labels",
        "songs",
    ]
    words = set(inspect.signature(Trainer.__init__).parameters)
    words |= {field.name for field in dataclasses.fields(TrainingSettings)}
    words |= {field.name for field in dataclasses.fields(EpochRecord)}
    assert not [word for word in words if "tru" in word or "clean" in word]
    source = "".join(
        inspect.getsource(module)
        for module in (inspect.getmodule(Trainer), training_state, evaluation)
    )
    assert "truth" not in source and "true_" not in source


# ---- drawing a share, schedules ------------------------------------------------------------------


@pytest.mark.parametrize(("share", "drawn"), [(0.5, 2 + 5 + 1 + 1), (0.01, 4), (1.0, 17)])
def test_share_draws_the_right_count_from_every_song(share, drawn):
    songs = np.repeat([3, 0, 7, 9], [4, 10, 2, 1])
    generator = np.random.default_rng(0)
    seen = set()
    for _ in range(60):
        rows = batch_loss.draw_rows(songs, share, generator)
        assert len(set(rows.tolist())) == len(rows) == batch_loss.n_drawn(songs, share) == drawn
        counts = {int(s): int((songs[rows] == s).sum()) for s in np.unique(songs)}
        wanted = {int(s): max(1, round(share * (songs == s).sum())) for s in np.unique(songs)}
        assert counts == wanted
        seen |= set(rows.tolist())
    assert seen == set(range(17))  # over the epochs every segment is drawn


def test_share_shortens_the_epoch(toy, trainer):
    asked: list[int] = []

    class Counting(ArraySegments):
        def gather(self, rows: np.ndarray) -> np.ndarray:
            asked.append(len(rows))
            return super().gather(rows)

    segments = Counting(toy.segments.values)
    made = trainer(method="ce", epochs=1, share=0.25).fit(segments, toy.labels, toy.songs)
    # Band statistics over all 64, training on a quarter of each song in batches of 8, evaluation
    # over all 64.
    assert asked == [64, 8, 8, 64]
    assert made.history_[0].n_labelled == 64
    asked.clear()
    trainer(method="ce", epochs=1, share=0.25).fit(
        segments, toy.labels
    )  # without songs: a quarter of all
    assert asked == [64, 8, 8, 64]


def test_order_changes_from_epoch_to_epoch(toy, trainer):
    asked: list[list[int]] = []

    class Listening(ArraySegments):
        def gather(self, rows: np.ndarray) -> np.ndarray:
            asked.append(rows.tolist())
            return super().gather(rows)

    trainer(method="ce", epochs=2, batch_size=32).fit(Listening(toy.segments.values), toy.labels)
    first, second = asked[1] + asked[2], asked[4] + asked[5]
    assert sorted(first) == sorted(second) == list(range(64)) and first != second != sorted(second)


def test_schedule_rises_over_one_epoch_then_falls_as_a_cosine():
    for name, after in (
        ("cosine", lambda t: 0.5 * (1 + np.cos(np.pi * t))),
        ("constant", np.ones_like),
    ):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
        settings = TrainingSettings(epochs=5, warmup_epochs=1, schedule=name, learning_rate=0.2)
        scheduler = optimization.make_scheduler(
            optimizer, settings, steps_per_epoch=4, epochs=settings.epochs
        )
        rates = []
        for _ in range(20):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step(), scheduler.step()
        expected = 0.2 * np.r_[np.arange(1, 5) / 4, after(np.arange(16) / 16)]
        np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_optimizers():
    network = torch.nn.Linear(2, 2)
    settings = TrainingSettings(learning_rate=0.3, weight_decay=0.04)
    sgd = optimization.make_optimizer(network, settings, fused=False)
    group = sgd.param_groups[0]
    assert isinstance(sgd, torch.optim.SGD) and (group["momentum"], group["nesterov"]) == (
        0.9,
        True,
    )
    adamw = optimization.make_optimizer(
        network, dataclasses.replace(settings, optimizer="adamw"), fused=False
    )
    assert isinstance(adamw, torch.optim.AdamW)
    assert all(
        (o.param_groups[0]["lr"], o.param_groups[0]["weight_decay"]) == (0.3, 0.04)
        for o in (sgd, adamw)
    )


def test_gradient_is_clipped_to_its_norm(toy, trainer, monkeypatch):
    norms = []
    original = torch.nn.utils.clip_grad_norm_

    def clip(parameters, limit):
        parameters = list(parameters)
        before = original(parameters, limit)
        norms.append((limit, float(torch.sqrt(sum((p.grad**2).sum() for p in parameters)))))
        return before

    monkeypatch.setattr("torch.nn.utils.clip_grad_norm_", clip)
    trainer(method="ce", epochs=1, gradient_clip=0.01).fit(toy.segments, toy.labels)
    assert len(norms) == 8 and all(limit == 0.01 and norm <= 0.01001 for limit, norm in norms)


# ---- after training ------------------------------------------------------------------------------


def test_saved_models_predict_the_same(tmp_path, toy, trained):
    trained.save_model(tmp_path / "model.safetensors")
    before = torch.random.get_rng_state()
    model = SegmentClassifier(tmp_path / "model.safetensors", device="cpu", precision="float32")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert model.n_classes == 2
    expected = trained.predict_proba(toy.segments)
    np.testing.assert_array_equal(model.predict_proba(toy.segments), expected)
    np.testing.assert_array_equal(expected.astype(np.float16), trained.eval_probabilities_[-1])
    assert expected.dtype == np.float32


def test_a_checkpoint_is_no_model(tmp_path, toy, trainer):
    trainer(epochs=1, method="ce", checkpoint_file=tmp_path / "c.safetensors").fit(
        toy.segments, toy.labels
    )
    with pytest.raises(
        MerKitError, match="c.safetensors is no model file, expected model.safetensors of a fold"
    ):
        SegmentClassifier(tmp_path / "c.safetensors")


# ---- bad input -----------------------------------------------------------------------------------


def test_non_finite_losses_get_a_sentence(toy, trainer, tmp_path):
    values = toy.segments.values.copy()
    values[5, 0, 3, 3] = np.nan
    file = tmp_path / "c.safetensors"
    with pytest.raises(
        MerKitError,
        match=r"the loss of epoch 1 is nan .*expected finite numbers: lower learning_rate",
    ):
        trainer(method="ce", checkpoint_file=file).fit(ArraySegments(values), toy.labels)
    assert not file.exists()  # nothing to resume from


def test_weights_that_break_in_the_last_step_are_noticed(toy, trainer, monkeypatch):
    """The epoch's mean loss can be finite while the evaluation after it is not."""
    original = torch.optim.AdamW.step
    batch_loss = []

    def step(self, *args):
        batch_loss.append(1)
        original(self, *args)
        if len(batch_loss) == 8:
            self.param_groups[0]["params"][-1].data.fill_(float("nan"))

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    with pytest.raises(MerKitError, match=r"the loss of epoch 1 is \d.* \(nan after it\)"):
        trainer(method="ce", epochs=1).fit(toy.segments, toy.labels)


def test_other_bad_input_gets_a_sentence(toy, trainer):
    with pytest.raises(
        MerKitError, match="setting of a training is 'epoch', .* did you mean 'epochs'"
    ):
        Trainer(n_classes=2, epoch=3)
    with pytest.raises(MerKitError, match="this Trainer has not been trained yet: call fit first"):
        _ = trainer().history_
    with pytest.raises(MerKitError, match="labels has 63 entries, expected 64"):
        trainer().fit(toy.segments, toy.labels[:-1])
    with pytest.raises(MerKitError, match=r"labels\[\d+\] is 2, expected 0 to 1"):
        trainer().fit(toy.segments, toy.labels + 1)
    with pytest.raises(MerKitError, match=r"int64 songs of shape \(63,\), expected at least one"):
        trainer().fit(toy.segments, toy.labels, toy.songs[:-1])
    with pytest.raises(
        MerKitError, match="expected at least one segment and the song of each as a whole number"
    ):
        trainer().fit(toy.segments, toy.labels, toy.songs.astype(str))
    with pytest.raises(MerKitError, match="got 0 segments"):
        trainer().fit(ArraySegments(np.zeros((0, 1, 32, 32))), np.zeros(0, dtype=int))
    with pytest.raises(
        MerKitError,
        match="32 bands and 20 frames, expected at least 32 of each: raise segment_seconds",
    ):
        trainer().fit(ArraySegments(np.zeros((4, 1, 32, 20))), np.zeros(4, dtype=int))
