"""A finished fold read back: replayed partitions equal the training's, and the analyses are right."""

from __future__ import annotations

import copy
import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mer_kit.analysis import ablation
from mer_kit.analysis.curve import truth_spans
from mer_kit.analysis.dropout import DropoutProbe, choose_pair
from mer_kit.analysis.noise_study import draw_songs, noise_study
from mer_kit.analysis.noisy_segments import noisiest_segments
from mer_kit.analysis.passes import Passes, read_passes
from mer_kit.checks import MerKitError
from mer_kit.runs import fold_training
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.fold_training import trainer_seed
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import RunFolder
from mer_kit.seeding import derive
from mer_kit.signal.store import SegmentView
from mer_kit.training import SegmentClassifier, diagnostics, partition
from mer_kit.training.methods.sssl import PAPER_FORM

SETTINGS = {
    "corpus_options": {"clips": 24, "seconds": 8.0}, "epochs": 5, "warmup_epochs": 2, "train_every_seconds": 1.0,
    "learning_rate": 3e-3, "width": 2, "tau": 0.4, "min_gap": 0.02, **PAPER_FORM,
}  # fmt: skip


def make(runs_dir: Path, **more: object) -> Experiment:
    config = resolve(corpus="demo", task="arousal", preset="smoke", folds=2, **{**SETTINGS, **more})  # type: ignore[arg-type]
    return Experiment(config, runs_dir=runs_dir, precision="float32", device="cpu")


@pytest.fixture(scope="module")
def asked() -> list[dict[str, object]]:
    """The arguments of every call of `fit_partition` during the training."""
    return []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, asked: list[dict[str, object]]) -> Experiment:
    experiment = make(tmp_path_factory.mktemp("runs"))

    fit = partition.fit_partition

    def spy(losses: np.ndarray, labels: np.ndarray, **options: object) -> partition.Partition:
        asked.append(options)
        return fit(losses, labels, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partition, "fit_partition", spy)
        experiment.train(0)
    return experiment


@pytest.fixture(scope="module")
def passes(trained: Experiment) -> Passes:
    return read_passes(trained, 0)


def test_the_replay_equals_every_split_of_the_training(passes: Passes) -> None:
    split_epochs = [record for record in passes.history if record.phase == "ssl"]
    assert sum(record.n_unlabelled > 0 for record in split_epochs) >= 2, (
        "this training divided nothing: no test"
    )
    for record in split_epochs:
        split = passes.partition_after(record.epoch - 1)
        assert int((~split.clean).sum()) == record.n_unlabelled
        assert (split.separated, split.note) == (record.separated, record.note)
        assert split.loss_gap == pytest.approx(record.loss_gap, nan_ok=True)
        shares = np.bincount(passes.labels[split.clean], minlength=2) / split.clean.sum()
        assert shares == pytest.approx(record.labelled_class_share)


def test_the_replay_asks_what_the_training_asked(
    passes: Passes, asked: list[dict[str, object]]
) -> None:
    assert len(asked) == 3
    for options in asked:
        np.testing.assert_array_equal(options.pop("songs"), passes.clip)
        assert options == {"settings": passes.partition, "seed": passes.seed, "n_classes": 2}


def test_another_tau_cuts_the_same_posterior_elsewhere(passes: Passes) -> None:
    moved = 0
    for epoch in range(1, len(passes) + 1):
        own = passes.partitions[epoch - 1]
        for tau in (0.05, 0.2, 0.6, 0.8):
            split = passes.partition_after(epoch, tau=tau)
            np.testing.assert_array_equal(split.omega, own.omega)
            if split.separated:
                np.testing.assert_array_equal(split.clean, split.omega > tau)
                moved += bool(own.separated and (split.clean != own.clean).any())
    assert moved, "no τ made a difference: no test"


def test_a_fold_that_is_not_trained_is_refused_with_one_sentence(trained: Experiment) -> None:
    with pytest.raises(MerKitError, match="fold 1 of .* is not trained"):
        read_passes(trained, 1)
    with pytest.raises(MerKitError, match="after_epoch is 6, expected a whole number from 1 to 5"):
        read_passes(trained, 0).partition_after(6)


def test_losses_and_truth_belong_to_the_segments(trained: Experiment, passes: Passes) -> None:
    own = passes.probabilities[2, np.arange(len(passes.labels)), passes.labels].astype(np.float64)
    assert passes.losses[2] == pytest.approx(-np.log(np.maximum(own, 2.0**-24)))
    assert passes.truth is not None
    table = trained.corpus.truth
    assert table is not None
    row = 17
    end_s = passes.start_s[row] + 3.0
    spans = table[table["clip_id"] == trained.corpus.clips[passes.clip[row]].clip_id]
    covered = {0: 0.0, 1: 0.0}
    for span in spans.itertuples():
        overlap = min(span.end_s, end_s) - max(span.start_s, passes.start_s[row])
        covered[int(span.label in ("Q1", "Q2"))] += max(0.0, overlap)
    assert passes.truth[row] == max(covered, key=lambda k: covered[k])
    assert (passes.end_s - passes.start_s == 3.0).all()
    assert passes.wrong is not None
    np.testing.assert_array_equal(passes.wrong, passes.truth != passes.labels)


def test_without_truth_there_is_one_group_and_no_quality(passes: Passes) -> None:
    blind = dataclasses.replace(passes, truth=None)
    assert list(blind.groups) == ["all segments"] and blind.groups["all segments"].all()
    assert blind.wrong is None and blind.quality() is None
    assert "guess_is_true" not in blind.pseudo_labels()
    unknown = dataclasses.replace(passes, truth=np.full(len(passes.labels), -1))
    assert unknown.wrong is None and unknown.quality() is None


def test_segments_without_truth_are_left_out_of_the_quality(passes: Passes) -> None:
    assert passes.truth is not None
    truth = passes.truth.copy()
    truth[::2] = -1
    part = dataclasses.replace(passes, truth=truth).quality()
    assert part is not None
    split, known = passes.partitions[-1], truth >= 0
    expected = diagnostics.partition_quality(
        split.clean[known], split.omega[known], (truth == passes.labels)[known]
    )
    assert part.iloc[-1][list(expected)].to_dict() == pytest.approx(expected, nan_ok=True)


def test_pseudo_labels_are_counted_on_u_alone(passes: Passes) -> None:
    table = passes.pseudo_labels()
    epoch = int(table.loc[table["n_unlabelled"] > 0, "after_epoch"].iloc[-1])
    noisy = ~passes.partitions[epoch - 1].clean
    guess = passes.probabilities[epoch - 1].argmax(axis=1)
    row = table.iloc[epoch - 1]
    assert row["n_unlabelled"] == noisy.sum()
    assert row["guess_is_label"] == pytest.approx((guess == passes.labels)[noisy].mean())
    assert row["guess_is_true"] == pytest.approx((guess == passes.truth)[noisy].mean())
    assert row["label_is_true"] == pytest.approx((passes.labels == passes.truth)[noisy].mean())


def test_milestones_hold_both_ends_and_the_pass_behind_the_first_split(passes: Passes) -> None:
    long = dataclasses.replace(
        passes,
        probabilities=np.repeat(passes.probabilities[:1], 60, axis=0),
        history=[dataclasses.replace(passes.history[-1], epoch=12, phase="ssl")],
    )
    chosen = long.epochs_to_plot(6)
    assert len(chosen) == 6 and chosen[0] == 1 and chosen[-1] == 60 and 11 in chosen
    assert passes.epochs_to_plot(6) == [1, 2, 3, 4, 5]


def test_the_table_names_the_phase_of_the_epoch_that_a_pass_decides_on(passes: Passes) -> None:
    table = passes.table()
    assert table["phase"].tolist() == ["warmup", "ssl", "ssl", "ssl", "training over"]
    assert (table["n_labelled"] + table["n_unlabelled"] == len(passes.labels)).all()


def test_doubted_is_u_or_the_tenth_with_the_smallest_omega(passes: Passes) -> None:
    for epoch, split in enumerate(passes.partitions, start=1):
        rows = passes.unlabelled_rows(epoch)
        if split.separated:
            np.testing.assert_array_equal(rows, np.flatnonzero(~split.clean))
        else:
            assert len(rows) == len(passes.labels) // 10
            assert split.omega[rows].max() <= np.delete(split.omega, rows).min()
    assert {split.separated for split in passes.partitions} == {True, False}, (
        "only one of the two cases was seen"
    )


def test_the_deciding_pass_is_the_last_that_separates_before_the_end(passes: Passes) -> None:
    separated = [split.separated for split in passes.partitions]
    for pattern, expected in (
        ([1, 1, 0, 0, 1], 2),
        ([0, 0, 0, 0, 1], 4),
        ([1, 1, 1, 1, 0], 4),
        ([1, 0, 0, 0, 0], 1),
    ):
        fresh = dataclasses.replace(passes)
        fresh.__dict__["partitions"] = [
            dataclasses.replace(split, separated=bool(flag))
            for split, flag in zip(passes.partitions, pattern, strict=True)
        ]
        assert fresh.last_separating_epoch == expected
    assert separated[passes.last_separating_epoch - 1]


def test_a_mixture_per_class_shows_its_own_class(passes: Passes) -> None:
    split_by_class = dataclasses.replace(
        passes, partition=dataclasses.replace(passes.partition, per_class=True)
    )
    losses, mixture, wrong = split_by_class.fitted_mixture(3, group=1)
    assert wrong is not None and mixture is not None
    np.testing.assert_array_equal(losses, passes.losses[2][passes.labels == 1])
    assert passes.wrong is not None
    np.testing.assert_array_equal(wrong, passes.wrong[passes.labels == 1])
    assert mixture == split_by_class.partitions[2].mixtures[1]


def test_the_noisiest_are_the_largest_losses_one_a_song(
    trained: Experiment, passes: Passes
) -> None:
    table = noisiest_segments(trained, passes, after_epoch=4, n=5)
    largest = pd.Series(passes.losses[3]).groupby(passes.clip).max().sort_values(ascending=False)
    assert table["loss"].to_numpy() == pytest.approx(largest.to_numpy()[:5])
    assert table["clip_id"].is_unique
    row = table.iloc[0]
    index = np.flatnonzero(
        (passes.clip == trained.corpus.position(row["clip_id"]))
        & (passes.start_s == row["start_s"])
    )
    assert row["label"] == trained.classes[passes.labels[index[0]]]
    assert row["truth"] == trained.classes[passes.truth[index[0]]]  # type: ignore[index]
    assert row["model"] == trained.classes[passes.probabilities[3][index[0]].argmax()]
    assert len(noisiest_segments(trained, passes, after_epoch=4, n=6, per_song=2)) == 6


def test_true_stretches_are_named_in_the_task(trained: Experiment) -> None:
    table = trained.corpus.truth
    assert table is not None
    arousal = {"Q1": "A+", "Q2": "A+", "Q3": "A-", "Q4": "A-"}
    for clip in trained.corpus.clips:
        spans = truth_spans(trained, clip.clip_id)
        assert spans is not None
        own = table[table["clip_id"] == clip.clip_id]
        for row in own.itertuples():
            (name,) = spans.loc[
                (spans["start_s"] <= row.start_s) & (spans["end_s"] >= row.end_s), "leader"
            ]
            assert name == arousal[row.label]
        assert (
            spans["end_s"].iloc[-1] == own["end_s"].iloc[-1]
            and (spans["leader"] != spans["leader"].shift()).all()
        )


def test_another_method_shares_everything_but_its_folder(trained: Experiment) -> None:
    for method in ("ce", "mixup"):
        other = ablation.with_method(trained, method)
        assert other.folder.path == make(trained.runs_dir, method=method).folder.path
        assert other.store is trained.store
    assert trained.config.method == "sssl", "the original was changed"
    with pytest.raises(MerKitError, match="method is 'sssm'"):
        ablation.with_method(trained, "sssm")


def test_the_counterpart_shares_the_warm_up_with_what_it_is_compared_with(
    trained: Experiment,
) -> None:
    mixing = make(trained.runs_dir, warmup_mixup=True)
    for experiment, wanted in ((trained, "ce"), (mixing, "mixup")):
        other = ablation.counterpart(experiment)
        assert other.config.method == wanted
        assert fold_training.warmup_file(other, "fold 0") == fold_training.warmup_file(
            experiment, "fold 0"
        )
        assert ablation.counterpart(other).config.method == "sssl"


def test_the_name_of_a_shared_warm_up_follows_from_what_shapes_it(trained: Experiment) -> None:
    def file(**changes: object) -> object:
        return fold_training.warmup_file(make(trained.runs_dir, **changes), "fold 0")

    assert file(svm_folds="songs") == file() != file(learning_rate=1e-3)
    assert file(theta=0.3, method="sssl_no_kl") == file()
    # A warm-up that no other method can use is not kept.
    assert file(method="elr") is None and file(method="dividemix") is None


def test_a_method_that_never_mixes_is_compared_with_one_that_does_not_either(
    trained: Experiment,
) -> None:
    plain = make(trained.runs_dir, method="elr", warmup_mixup=True)
    assert ablation.counterpart(plain).config.method == "ce"


def test_methods_on_disk_are_compared_on_the_same_songs(trained: Experiment) -> None:
    ablation.with_method(trained, "ce").train(0)
    assert ablation.on_disk(trained, 0) == ["ce", "sssl"] and ablation.on_disk(trained, 1) == []
    table = ablation.compare(trained, 0).set_index("method")
    result, songs = trained.decide(0)
    row = table.loc["sssl"]
    assert (
        row["segments"] == result.segments["accuracy"]
        and row["songs"] == result.songs["svm"]["accuracy"]
    )
    assert row["songs_error"] == pytest.approx(
        np.sqrt(row["songs"] * (1 - row["songs"]) / len(songs))
    )
    assert table.loc["ce", "share_unlabelled"] == 0 and table["n_songs"].nunique() == 1


def test_accuracy_against_the_truth_is_not_accuracy_against_labels(trained: Experiment) -> None:
    table = trained.folder.segments(0)
    table = table[table["part"] == "test"].reset_index(drop=True)
    truth = trained.corpus.truth
    assert truth is not None
    right = []
    for row in table.itertuples():
        spans = truth[truth["clip_id"] == row.clip_id]
        overlap = np.minimum(spans["end_s"], row.end_s) - np.maximum(spans["start_s"], row.start_s)
        energetic = spans["label"].isin(["Q1", "Q2"])
        seconds = overlap.clip(lower=0).groupby(energetic).sum()
        true = int(seconds.get(True, 0) > seconds.get(False, 0))
        right.append(int(table.loc[row.Index, "A+"] > table.loc[row.Index, "A-"]) == true)
    assert ablation.truth_accuracy(trained, 0) == pytest.approx(np.mean(right))


def test_the_lens_shows_the_network_that_was_kept(trained: Experiment, passes: Passes) -> None:
    probe = DropoutProbe(trained, 0)
    rows = np.arange(6)
    classifier = SegmentClassifier(
        trained.folder.fold(0) / "model.safetensors", device="cpu", precision="float32"
    )
    index = trained.train_index.take(trained.train_index.rows_of(trained.folds[0].train))
    expected = classifier.predict_proba(SegmentView(trained.store, index.take(rows)))
    assert probe.mixed(2, 5, 1.0) == pytest.approx(expected[2], abs=1e-5)
    assert probe.mixed(2, 5, 0.0) == pytest.approx(expected[5], abs=1e-5)
    assert passes.probabilities[-1][rows].astype(float) == pytest.approx(expected, abs=2e-3)
    assert probe.features(3).shape == (index.n_frames, 128)
    np.testing.assert_array_equal(
        probe.features(3), SegmentView(trained.store, index).gather(np.array([3]))[0, 0].T
    )


def test_dropout_passes_differ_repeat_and_leave_the_network_as_it_was(trained: Experiment) -> None:
    probe, rows = DropoutProbe(trained, 0), np.arange(4)
    before = {name: value.clone() for name, value in probe.network.state_dict().items()}
    draws = probe.dropout_passes(rows, n=2)
    assert draws.shape == (2, 4, 2) and draws.sum(axis=2) == pytest.approx(1, abs=1e-5)
    assert not np.allclose(draws[0], draws[1])
    np.testing.assert_array_equal(draws, probe.dropout_passes(rows, n=2))
    for name, value in probe.network.state_dict().items():
        assert torch.equal(value, before[name]), f"{name} changed"
    p, q = draws.astype(np.float64)
    assert probe.disagreement(rows) == pytest.approx(
        0.5 * ((p - q) * np.log(p / q)).sum(axis=1), rel=1e-3, abs=1e-5
    )


def test_a_pair_to_mix_is_one_trusted_and_one_doubted_segment(passes: Passes) -> None:
    first, second = choose_pair(passes, len(passes))
    doubted = passes.unlabelled_rows(len(passes))
    assert first not in doubted and second in doubted
    assert passes.labels[first] != passes.labels[second]


# ---- noise on purpose ----------------------------------------------------------------------------------------------


def test_songs_are_drawn_evenly_from_the_fold_and_repeat() -> None:
    labels = np.repeat([0, 1, 2, 3], 10)
    clips = np.arange(0, 40, 2)
    drawn = draw_songs(clips, labels, 8, seed=1)
    assert set(drawn) <= set(clips) and np.bincount(labels[drawn]).tolist() == [2, 2, 2, 2]
    np.testing.assert_array_equal(drawn, draw_songs(clips, labels, 8, seed=1))
    assert drawn.tolist() != draw_songs(clips, labels, 8, seed=2).tolist()
    assert len(draw_songs(clips, labels, 99, seed=1)) == len(clips)


def test_a_noise_study_knows_what_it_spoiled(trained: Experiment) -> None:
    study = noise_study(trained, 0, kind="symmetric", rate=0.25, epochs=2, n_songs=8)
    songs = draw_songs(trained.folds[0].train, trained.labels, 8, seed=trained.config.seed)
    rows = trained.index.rows_of(songs)
    rows = rows[trained.index.start_s[rows] % 2 == 0]
    inherited = trained.labels[trained.index.clip[rows]]
    np.testing.assert_array_equal(study.labels != inherited, study.corrupted)
    assert study.realised == study.corrupted.mean() == pytest.approx(0.25, abs=0.5 / len(rows))
    assert study.probabilities.shape == (2, len(rows), 2) and len(study.partitions) == 2
    quality = study.quality()
    expected = diagnostics.partition_quality(
        study.partitions[1].clean, study.partitions[1].omega, ~study.corrupted
    )
    assert quality.iloc[1][list(expected)].to_dict() == pytest.approx(expected, nan_ok=True)
    assert (study.groups["corrupted"] ^ study.groups["left alone"]).all()


def test_noise_of_kind_song_spoils_whole_songs(trained: Experiment) -> None:
    study = noise_study(trained, 0, kind="song", rate=0.3, epochs=1, n_songs=8)
    songs = draw_songs(trained.folds[0].train, trained.labels, 8, seed=trained.config.seed)
    rows = trained.index.rows_of(songs)
    clip = trained.index.clip[rows[trained.index.start_s[rows] % 2 == 0]]
    shares = [study.corrupted[clip == song].mean() for song in np.unique(clip)]
    assert set(shares) == {0.0, 1.0}


def test_the_seed_of_a_fold_is_the_trainers(
    trained: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    class Stop(Exception):
        pass

    def spy(**settings: object) -> None:
        seen.append(int(settings["seed"]))  # type: ignore[call-overload]
        raise Stop

    monkeypatch.setattr("mer_kit.runs.fold_training.Trainer", spy)
    with pytest.raises(Stop):
        trained.train(1)
    assert (
        seen
        == [trainer_seed(trained.config.seed, "fold 1")]
        == [derive(trained.config.seed, "fold 1") % 2**31]
    )


@pytest.mark.parametrize("spoil", ["an epoch less", "a clip too many", "changed", "other classes"])
def test_passes_that_do_not_belong_to_their_fold_get_a_sentence(
    trained: Experiment, tmp_path: Path, spoil: str
) -> None:
    spoilt = replace_folder(trained, tmp_path)
    fold = spoilt.folder.fold(0)
    if spoil != "changed":
        spoilt.folder.set_status(
            "done", fold=0, seconds=1.0
        )  # without checksums, as a forger would
    if spoil == "an epoch less":
        text = (fold / "history.csv").read_text()
        (fold / "history.csv").write_text(text[: text.rstrip().rfind("\n") + 1])
    else:
        arrays = spoilt.folder.epochs(0)
        if spoil == "a clip too many":
            arrays["clip"] = arrays["clip"] + len(spoilt.corpus.clips)
        if spoil == "other classes":
            arrays["probabilities"] = np.concatenate([arrays["probabilities"] / 2] * 2, axis=2)
        np.savez(fold / "epochs.npz", **arrays)
    words = (
        "epochs.npz has changed since the training"
        if spoil == "changed"
        else "epochs.npz of fold 0 .* does not belong to"
    )
    with pytest.raises(MerKitError, match=words):
        read_passes(spoilt, 0)


def replace_folder(experiment: Experiment, folder: Path) -> Experiment:
    """Return the experiment with a copy of its run folder."""
    other = copy.copy(experiment)
    other.folder = RunFolder(shutil.copytree(experiment.folder.path, folder / "copy"))
    return other


def test_a_full_disk_is_told_as_one_also_where_no_status_can_be_written(
    trained: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = copy.copy(trained)
    other.folder = RunFolder(tmp_path / "run")

    def full(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    def fit(*arguments: object, **more: object) -> None:
        monkeypatch.setattr("mer_kit.runs.run_folder.write_json", full)
        raise MerKitError("checkpoint.safetensors cannot be written (No space left on device)")

    monkeypatch.setattr(fold_training, "fit", fit)
    with pytest.raises(MerKitError, match="checkpoint.safetensors cannot be written"):
        other.train(0)
