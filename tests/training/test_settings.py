"""Every setting is checked once, and every setting is read by something."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from mer_kit.checks import MerKitError
from mer_kit.later_settings import kinds
from mer_kit.records import PARTITION_PHASE
from mer_kit.training import (
    TrainingSettings,
    batch_loss,
    method,
    methods,
    objectives,
    optimization,
    partition,
    trainer,
    training_state,
)
from mer_kit.training.method import MIXUP


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("method", "ssl"),
        ("optimizer", "adam"),
        ("schedule", "linear"),
        ("pseudo_labels", "mean"),
        ("epochs", 0),
        ("epochs", 2.5),
        ("warmup_epochs", 0),
        ("warmup_accuracy", 1.1),
        ("batch_size", 1),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("weight_decay", -1e-3),
        ("gradient_clip", 0),
        ("share", 0),
        ("share", 1.2),
        ("tau", -0.1),
        ("temperature", 0),
        ("alpha", 0),
        ("lambda_kl", -1),
        ("ramp_epochs", -1),
        ("max_unlabelled", 1.1),
        ("min_gap", "0.1"),
        ("reg_covar", -1e-6),
    ],
)
def test_values_out_of_range_get_a_sentence_that_names_the_setting(field, value):
    with pytest.raises(MerKitError, match=f"^{field} is {value!r}, expected "):
        TrainingSettings.of(**{field: value})


@pytest.mark.parametrize("method", ["sssl", "sssl_no_kl"])
def test_a_method_that_splits_needs_an_epoch_after_its_warmup(method):
    with pytest.raises(
        MerKitError, match=rf"warmup_epochs is 5 of 5 epochs, expected fewer for {method}, .*lower "
    ):
        TrainingSettings(method=method, epochs=5, warmup_epochs=5)
    assert TrainingSettings(method="ce", epochs=5, warmup_epochs=5).epochs == 5


@pytest.mark.parametrize("method", ["sssl", "sssl_no_kl", "dividemix"])
def test_a_planned_second_schedule_does_not_go_with_a_warmup_of_open_length(method):
    of = TrainingSettings.of
    sentence = "^warmup_accuracy is 0.9 with restart_schedule, expected one .*: leave warmup_accur"
    with pytest.raises(MerKitError, match=sentence):
        of(method=method, warmup_accuracy=0.9)
    one = of(method=method, warmup_accuracy=0.9, restart_schedule=False)
    assert one.warmup_key() != of(method=method, restart_schedule=False).warmup_key()
    assert of(method=method, warmup_accuracy=0.0).warmup_accuracy == 0.0  # no condition at all
    assert of(method="elr", warmup_accuracy=0.9).restart_schedule  # which elr does not look at


def test_defaults_are_those_of_the_written_method():
    s = TrainingSettings()
    assert (s.epochs, s.warmup_epochs, s.batch_size) == (60, 10, 64)
    assert (s.optimizer, s.learning_rate, s.weight_decay, s.gradient_clip) == (
        "sgd",
        0.01,
        5e-4,
        1.0,
    )
    assert (s.partition.tau, s.temperature, s.alpha, s.lambda_kl, s.ramp_epochs) == (
        0.5,
        0.5,
        0.75,
        1.0,
        16.0,
    )
    p = s.partition
    assert (p.reg_covar, p.min_gap, p.per_class, s.share, p.max_unlabelled) == (
        5e-4,
        0.1,
        False,
        1.0,
        1.0,
    )
    assert (p.clean_share, p.min_per_class, p.clip_percentiles, p.clamp) == (
        (0.05, 0.98),
        8,
        (1.0, 99.0),
        True,
    )
    assert p == partition.PartitionSettings()


def test_no_setting_is_there_for_nothing():
    modules = (
        trainer,
        training_state,
        optimization,
        batch_loss,
        objectives,
        method,
        partition,
        *methods.MODULES.values(),
    )
    text = "".join(inspect.getsource(module) for module in modules)
    fields = (
        *dataclasses.fields(TrainingSettings),
        *dataclasses.fields(partition.PartitionSettings),
    )
    for field in fields:
        assert any(f"{owner}.{field.name}" in text for owner in ("s", "settings", "self")), (
            field.name
        )


def test_methods():
    four = ("ce", "mixup", "sssl_no_kl", "sssl")
    made = {method: TrainingSettings(method=method) for method in four}
    assert {m: (methods.of(m).makes_partition, s.weight_kl) for m, s in made.items()} == {
        "ce": (False, 0.0),
        "mixup": (False, 0.0),
        "sssl_no_kl": (True, 0.0),
        "sssl": (True, 1.0),
    }
    mixing = {
        m: [methods.of(m).mixes(s, phase) for phase in ("warmup", "plain", "ssl")]
        for m, s in made.items()
    }
    assert (
        mixing["mixup"] == [True] * 3
        and mixing["ce"] == [False] * 3
        and mixing["sssl"] == [False, False, True]
    )
    warm = TrainingSettings(warmup_mixup=True)
    assert methods.of("sssl").mixes(warm, "warmup") and not methods.of("sssl").mixes(warm, "plain")


def test_who_makes_a_partition_says_so_in_the_phase():
    """Plots and costs find the epochs with a partition by it."""
    for name in methods.METHODS:
        method = methods.of(name)
        assert method.makes_partition == (method.phase == PARTITION_PHASE), name


def test_warmup_key_holds_all_that_shapes_the_warmup():
    """Methods that warm up alike share a warm-up; what only matters later is left out, all else is
    in.
    """

    def settings(**given):
        return TrainingSettings.of(**{"restart_schedule": False, **given})

    base = settings().warmup_key()
    assert settings(method="ce").warmup_key() == base == settings(method="sssl_no_kl").warmup_key()
    assert settings(method="mixup").warmup_key() != base
    mixed = settings(warmup_mixup=True).warmup_key()
    assert mixed == settings(method="mixup").warmup_key()
    assert settings(method="mixup").warmup_key() != settings(method="mixup", alpha=0.2).warmup_key()
    later = {"tau": 0.1, "per_class": True, "reg_covar": 1e-3, "min_gap": 0.2, "temperature": 1.0}
    later |= {"pseudo_labels": "epoch", "alpha": 0.2, "lambda_kl": 2.0, "ramp_epochs": 3.0}
    later |= {"max_unlabelled": 0.15, "loss_window": 2, "song_median": True, "dip_test": False}
    later |= {"em_tolerance": 1e-3, "soft_targets": True, "ramp_fraction": 0.1}
    later |= {
        "clean_share": (0.1, 0.9),
        "min_per_class": 3,
        "clip_percentiles": (0.0, 100.0),
        "clamp": False,
    }
    assert settings(**later).warmup_key() == base
    sooner = {
        "epochs": 50,
        "warmup_epochs": 5,
        "warmup_accuracy": 0.9,
        "batch_size": 32,
        "optimizer": "adamw",
    }
    sooner |= {
        "learning_rate": 0.02,
        "weight_decay": 0.0,
        "schedule": "constant",
        "gradient_clip": 2.0,
        "share": 0.5,
    }
    sooner |= {"compile": True, "model": {"width": 8}}
    for name, value in sooner.items():
        assert settings(**{name: value}).warmup_key() != base, name
    assert {"method", *MIXUP, "restart_schedule", "own", "network", *later, *sooner} == set(
        kinds(TrainingSettings)
    )


def test_a_warmup_with_its_own_schedule_is_shared_whatever_follows_it():
    of = TrainingSettings.of
    base = of(method="sssl").warmup_key()
    assert of(method="sssl_no_kl", epochs=90).warmup_key() == base
    assert of(method="ce").warmup_key() != base != of(restart_schedule=False).warmup_key()
    assert of(renew_batch_norm=False).warmup_key() == base  # nothing is mixed in a plain warm-up
    mixed = of(warmup_mixup=True).warmup_key()
    assert of(warmup_mixup=True, renew_batch_norm=False).warmup_key() != mixed != base
