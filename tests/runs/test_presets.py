"""Presets: what they set, where overrides go, and the sentence for what is not known."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from mer_kit.checks import MerKitError
from mer_kit.later_settings import flat, kinds
from mer_kit.runs.config import RunConfig, as_dictionary, changed
from mer_kit.runs.defaults import PRESETS
from mer_kit.runs.presets import resolve
from mer_kit.training import METHODS, Trainer, TrainingSettings
from mer_kit.training.networks.vgg16 import VGG16


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_whole(preset):
    """All of TrainingSettings is written out, so that config.json says everything and a trainer takes it as it is."""
    config = resolve(preset=preset)
    written = as_dictionary(config)
    assert set(written["training"]) == set(kinds(TrainingSettings)) - {"method", "model", "network"}
    top = {name: written[name] for name in ("method", "model", "network")}
    assert Trainer(n_classes=4, **written["training"], **top).settings == config.training
    assert config.preset == preset and config.training.warmup_epochs < config.training.epochs


def test_sizes_of_the_presets():
    sizes = {name: (p["model"]["width"], p["training"]["epochs"]) for name, p in PRESETS.items()}
    assert (
        sizes["smoke"][0] == 2
        and sizes["demo"][0] == sizes["cpu"][0] == 8
        and sizes["paper"] == (64, 60)
    )
    paper = resolve(preset="paper")
    assert paper.model.head_pool == 7 and paper.train_every_seconds == 1.0
    assert paper.training == TrainingSettings(model={"batch_norm": True})
    small = VGG16(4, generator=torch.Generator(), **flat(resolve(preset="smoke").model))
    assert sum(p.numel() for p in small.parameters()) < 100_000


def test_what_people_type_is_kept():
    config = resolve(corpus="4q", task="arousal", segment_seconds=2, method="ce", folds=3.0, seed=7)
    assert (config.corpus, config.task, config.method, config.folds, config.seed) == (
        "4q",
        "arousal",
        "ce",
        3,
        7,
    )
    assert (
        config.segment_seconds == 2.0
        and type(config.segment_seconds) is float
        and type(config.folds) is int
    )
    defaults = resolve()
    assert (defaults.corpus, defaults.task, defaults.segment_seconds, defaults.folds) == (
        "demo",
        "quadrant",
        3.0,
        10,
    )
    assert (defaults.method, defaults.group_by, defaults.max_seconds) == ("sssl", "auto", 30.0)


def test_overrides_go_where_they_belong():
    config = resolve(
        preset="cpu",
        tau=0.3,
        epochs=9,
        warmup_epochs=4,
        width=16,
        dropout=0.2,
        theta=0.6,
        max_seconds=None,
    )
    assert (
        config.training.partition.tau,
        config.training.epochs,
        config.training.warmup_epochs,
    ) == (0.3, 9, 4)
    assert flat(config.model) == {
        "width": 16,
        "batch_norm": True,
        "head_pool": 2,
        "dropout": 0.2,
        "small_output": True,
    }
    assert config.theta == 0.6 and config.max_seconds is None
    assert config.training.learning_rate == PRESETS["cpu"]["training"]["learning_rate"]
    assert resolve(n_mels=64).frontend_settings.n_mels == 64
    assert resolve(corpus_options={"drift": 0.4}).corpus_options == {"drift": 0.4}
    assert resolve(preset="cpu", train_every_seconds=1).train_every_seconds == 1.0


def test_overriding_does_not_change_the_preset():
    before = repr(PRESETS)
    resolve(preset="demo", width=32, tau=0.9)
    assert repr(PRESETS) == before and resolve(preset="demo").model.width == 8


@pytest.mark.parametrize("method", METHODS)
def test_methods_differ_in_the_method_alone(method):
    assert changed(resolve(method=method), method="sssl") == resolve(method="sssl")


def test_whole_and_broken_numbers_are_one_spelling():
    """papermill and command lines give 4 for 4.0 and 4.0 for 4; both are one configuration, hence one run."""
    config = resolve(
        epochs=12.0, ramp_epochs=4, max_seconds=30, width=8.0, head_pool=2.0, weight_decay=0.02
    )
    assert repr(config) == repr(resolve())
    accuracy = resolve(warmup_accuracy=1, restart_schedule=False).training.warmup_accuracy
    assert accuracy == 1.0 and type(accuracy) is float


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"corpus": "4qq"}, "corpus is '4qq', expected one of .*4q.*: did you mean '4q'"),
        ({"task": "quadrants"}, "task is 'quadrants', .* did you mean 'quadrant'"),
        ({"method": "SSSL"}, "method is 'SSSL', expected one of ce, mixup, sssl_no_kl, sssl"),
        ({"preset": "cpus"}, "preset is 'cpus', .* did you mean 'cpu'"),
        ({"tua": 0.3}, "setting is 'tua', .* did you mean 'tau'"),
        ({"learning_rat": 0.3}, "setting is 'learning_rat', .* did you mean 'learning_rate'"),
        ({"model": {}}, "setting is 'model', expected one of"),
        ({"training": {}}, "setting is 'training', expected one of"),
        ({"segment_seconds": 0}, "segment_seconds is 0"),
        ({"segment_seconds": 31}, "segment_seconds is 31"),
        ({"segment_seconds": "3"}, "segment_seconds is '3'"),
        ({"folds": 1}, "folds is 1, expected a whole number from 2 to 1000"),
        ({"folds": 2.5}, "folds is 2.5"),
        ({"seed": -1}, "seed is -1"),
        ({"group_by": "artists"}, "group_by is 'artists'"),
        ({"on_bad_clip": "ignore"}, "on_bad_clip is 'ignore'"),
        ({"song_features": "out"}, "song_features is 'out'"),
        ({"theta": 1.5}, "theta is 1.5"),
        ({"train_every_seconds": 0}, "train_every_seconds is 0"),
        (
            {"segment_seconds": 5, "max_seconds": 4},
            "max_seconds is 4.0, expected a number of at least 5.0",
        ),
        ({"corpus_options": "drift"}, "corpus_options is 'drift', expected names and values"),
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"tau": "half"}, "tau is 'half'"),
        ({"width": 0}, "width is 0"),
        ({"dropout": 1}, "dropout is 1.0"),
        ({"batch_norm": "no"}, "batch_norm is 'no', expected True or False"),
        ({"per_class": 1}, "per_class is 1, expected True or False"),
        ({"per_class": "x" * 5000}, "^.{0,160}, expected True or False"),
        ({"seed": 10**23}, "seed is 1000.*, expected a whole number from 0"),
        ({"tau": 10**400}, "tau is a number of .* bits, expected a number from 0 to 1"),
        ({"max_seconds": 10**400}, "max_seconds is a number of .* bits, expected a number from 3"),
        (
            {"train_every_seconds": 1e-9},
            "train_every_seconds is 1e-09, expected a number of at least 0.02",
        ),
        ({"corpus_options": {1: 2}}, "corpus_options is {1: 2}, expected names and values such as"),
    ],
)
def test_what_is_not_known_gets_a_sentence(typed, sentence):
    with pytest.raises(MerKitError, match=sentence):
        resolve(**typed)


def test_every_field_of_the_configuration_can_be_set():
    values = {
        "group_by": "song",
        "max_seconds": 20.0,
        "on_bad_clip": "skip",
        "song_features": "oof",
        "theta": 0.3,
    }
    values |= {
        "train_every_seconds": 2.0,
        "corpus_options": {"clips": 8},
        "divide_by": "official",
        "grouping": "exact",
        "noise_kind": "song",
        "svm_folds": "songs",
        "noise_rate": 0.3,
    }
    config = resolve(**values)
    assert {name: getattr(config, name) for name in values} == values
    assert config.folds == 1  # the official division is one fold
    typed = {
        "corpus",
        "task",
        "segment_seconds",
        "preset",
        "folds",
        "seed",
        "training",
        "classes",  # from the corpus
        "frontend",
        "frontend_settings",
        "fold_seed",  # of a division into folds, which the official one is not
        "padding",  # of whole clips only
        "system",  # by the name of the method
        "system_settings",
    }
    assert {f.name for f in dataclasses.fields(RunConfig)} == typed | set(values)


# ---- settings without effect -----------------------------------------------------------------------------------------

_POOLED = {"method": "embedding_svm", "preset": "embedding", "frontend": "logmel_stats"}
_NOISE = {"noise_kind": "symmetric", "noise_rate": 0.2}


def _everything(values):
    """Return all settings of a configuration's dictionary, those of its parts included."""
    inner = [_everything(value) for value in values.values() if isinstance(value, dict)]
    return {**values, **{name: value for part in inner for name, value in part.items()}}


@pytest.mark.parametrize(
    ("given", "without", "needs"),
    [
        ({}, {"ramp_epochs": 3.0}, {"ramp_fraction": 0.0}),
        ({"method": "dividemix"}, {"ramp_epochs": 3.0}, {"ramp_fraction": 0.0}),
        ({"batch_norm": False}, {"renew_batch_norm": False}, {"batch_norm": True}),
        (
            {"segment_seconds": "clip"},
            {"train_every_seconds": 0.5, "share": 0.3},
            {"segment_seconds": 3.0},
        ),
        (
            {"method": "self_learning", "answers": "oof"},
            {"restart": False},
            {"answers": "in_sample"},
        ),
        ({"method": "handcrafted_svm"}, {"inner_folds": 3}, {"search": True}),
        ({"method": "handcrafted_svm"}, {"exclude": "start"}, {"table": "t.csv"}),
        (
            {"method": "handcrafted_svm", "search": True},
            {"cost": 2.0, "gamma": 0.1},
            {"search": False},
        ),
        ({"method": "two_stage"}, {"train_every_seconds": 4.0}, {"method": "ce"}),
        (_POOLED, {"train_every_seconds": 1.0}, {"train_every_seconds": 0.25}),
        (_POOLED, _NOISE, {"noise_kind": "song"}),
    ],
)
def test_a_setting_without_effect_makes_no_other_run(given, without, needs):
    """With what it needs for an effect, it is kept as given."""
    assert resolve(**given, **without) == resolve(**given)
    kept = _everything(as_dictionary(resolve(**(given | without | needs))))
    assert kept.items() >= (without | {n: v for n, v in needs.items() if n in without}).items()


def test_a_setting_without_effect_is_checked_all_the_same():
    with pytest.raises(MerKitError, match="ramp_epochs is -1"):
        resolve(ramp_epochs=-1)
    mlp = {"preset": "embedding", "frontend": "logmel_stats", "method": "mixup"}
    assert resolve(**mlp, renew_batch_norm=False) == resolve(**mlp)
