"""From a preset's name to every setting of a run: smoke, demo, cpu, paper."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from mer_kit import corpora
from mer_kit.checks import LARGEST, MerKitError, check_choice, check_range, shortened
from mer_kit.records import TASKS
from mer_kit.runs.config import GROUPINGS, RunConfig
from mer_kit.sssl import METHODS, methods
from mer_kit.sssl.network import check_shape
from mer_kit.sssl.settings import TrainingSettings

#: More folds than this are a slip of the keyboard.
MOST_FOLDS = 1000
#: Seconds between two segments; less than a frame of the log-mel (0.023 s) would only repeat them.
SHORTEST_STEP = 0.02
#: The network's settings and their kinds.
_MODEL = {"width": "int", "batch_norm": "bool", "head_pool": "int", "dropout": "float"}
_SLIM: dict[str, Any] = {"width": 8, "batch_norm": True, "head_pool": 2}

#: Preset → what it sets. The origin of each number stands in RunConfig and TrainingSettings; sizes are D.
PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {  # tests: seconds
        "model": {"width": 2, "batch_norm": True, "head_pool": 1},
        "training": {"epochs": 3, "warmup_epochs": 1, "optimizer": "adamw", "learning_rate": 1e-3, "min_gap": 0.01},
        "train_every_seconds": 2.0,
    },
    "demo": {  # `make demo`, lectures: minutes on two cores
        "model": _SLIM,
        "training": {
            "epochs": 12,
            "warmup_epochs": 8,
            "batch_size": 32,
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "weight_decay": 0.02,
            "ramp_epochs": 4.0,
            "warmup_mixup": True,  # as in cpu
            "max_unlabelled": 0.15,
            "share": 0.6,  # of each song's segments per epoch: a third less time, the split still judges all
        },
        "train_every_seconds": 1.0,
    },
    "cpu": {  # real corpora on a laptop
        "model": _SLIM,
        "training": {
            "epochs": 16,
            "warmup_epochs": 12,
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "weight_decay": 0.02,
            "ramp_epochs": 4.0,
            "warmup_mixup": True,  # these two: README, "Honest results so far"
            "max_unlabelled": 0.1,
        },
        "train_every_seconds": 3.0,
    },
    "paper": {  # GPU: full VGG16 and the defaults of TrainingSettings
        "model": {"width": 64, "batch_norm": True, "head_pool": 7},
        "training": {"epochs": 60, "warmup_epochs": 10},
        "train_every_seconds": 1.0,
    },
}


def resolve(
    *,
    corpus: str = "demo",
    task: str = "quadrant",
    segment_seconds: float = 3.0,
    method: str = "sssl",
    preset: str = "demo",
    folds: int = 10,
    seed: int = 0,
    **overrides: Any,
) -> RunConfig:
    """Return the full configuration for what a person typed.

    `overrides` are further fields of RunConfig, or of its `training` (TrainingSettings) and `model` (VGG16) parts by
    their own names: `resolve(preset="cpu", tau=0.3, width=16)`.

    Raises
    ------
    MerKitError
        If a name or value is not known; the sentence names the nearest right one.

    Examples
    --------
    >>> config = resolve(preset="cpu", method="ce", tau=0.3, width=16)
    >>> config.training["tau"], config.model["width"], config.training["epochs"]
    (0.3, 16, 16)

    Notebook: 00_start_here
    """
    check_choice("corpus", corpus, corpora.names())
    check_choice("task", task, TASKS)
    check_choice("method", method, METHODS)
    check_choice("preset", preset, PRESETS)
    check_range("segment_seconds", segment_seconds, 0, 30, low_open=True)
    check_range("folds", folds, 2, MOST_FOLDS, whole=True)
    check_range("seed", seed, 0, whole=True)
    base = PRESETS[preset]
    plain: dict[str, Any] = {"train_every_seconds": base["train_every_seconds"], "grouping": "normalised"}
    model, training = dict(base["model"]), dict(base["training"])
    own_fields = {f.name: type(f.default).__name__ for f in dataclasses.fields(methods.of(method).settings)}
    _check_own(method, own_fields)
    training["own"] = own = {}
    for name, value in overrides.items():
        if name in own_fields:
            own[name] = _as_kind(name, value, own_fields[name])
        else:
            home = _home_of(name, plain, model, training, own_fields)
            home[name] = _typed(name, value)
    settings = TrainingSettings(**training, method=method, model=model)
    config = RunConfig(
        corpus=corpus,
        task=task,
        segment_seconds=float(segment_seconds),
        method=method,
        preset=preset,
        folds=1 if plain.get("divide_by") == "official" else int(folds),
        seed=int(seed),
        model=dict(settings.model),
        training={k: v for k, v in dataclasses.asdict(settings).items() if k not in ("method", "model")},
        **plain,
    )
    _check(config)
    return config


def merged(parameters: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters and overrides as one set of keywords for `resolve`.

    Raises
    ------
    MerKitError
        If a name is in both.

    Examples
    --------
    >>> merged({"seed": 1}, {"tau": 0.3})
    {'seed': 1, 'tau': 0.3}
    """
    for name in overrides:
        if name in parameters:
            raise MerKitError(
                f"{name} is given twice, as a parameter ({shortened(parameters[name])}) and among the overrides "
                f"({shortened(overrides[name])}): take it out of the overrides"
            )
    return {**parameters, **overrides}


def _check_own(method: str, names: Iterable[str]) -> None:
    """Raise one sentence where a method's own setting has the name of a general one."""
    general = {f.name for f in (*dataclasses.fields(RunConfig), *dataclasses.fields(TrainingSettings))} | set(_MODEL)
    taken = sorted(general & set(names))
    if taken:
        raise MerKitError(f"{method} has a setting {taken[0]} of its own, a name that all runs use: rename it")


def _home_of(
    name: str, plain: dict[str, Any], model: dict[str, Any], training: dict[str, Any], own: Iterable[str]
) -> dict[str, Any]:
    """Return the part of the configuration that `name` belongs to."""
    run_fields = {f.name for f in dataclasses.fields(RunConfig)} - {"model", "training"}
    model_fields = set(_MODEL)
    training_fields = {f.name for f in dataclasses.fields(TrainingSettings)} - {"method", "model", "own"}
    check_choice("setting", name, sorted({*run_fields, *model_fields, *training_fields, *own}))
    return plain if name in run_fields else model if name in model_fields else training


def _typed(name: str, value: Any) -> Any:
    """Return 4 as 4.0 where a setting is a float and 4.0 as 4 where it counts: both spell one run, one fingerprint."""
    fields = (*dataclasses.fields(RunConfig), *dataclasses.fields(TrainingSettings))
    return _as_kind(name, value, ({field.name: str(field.type) for field in fields} | _MODEL)[name])


def _as_kind(name: str, value: Any, kind: str) -> Any:
    """Return a value as its declared kind ("bool", "int", "float", …) spells it."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "bool" and not isinstance(value, bool):
        raise MerKitError(f"{name} is {shortened(value)}, expected True or False: change {name}")
    if number and kind.startswith("float") and abs(value) <= LARGEST:  # what is larger is refused by the checks
        return float(value)
    return int(value) if number and kind == "int" and value == value // 1 else value


def _check(config: RunConfig) -> None:
    check_shape(len(TASKS[config.task]), **config.model)
    check_choice("group_by", config.group_by, ("auto", "song"))
    check_choice("grouping", config.grouping, GROUPINGS)
    check_choice("on_bad_clip", config.on_bad_clip, ("stop", "skip"))
    check_choice("song_features", config.song_features, ("in_sample", "oof"))
    check_choice("divide_by", config.divide_by, ("folds", "official"))
    check_range("theta", config.theta, 0, 1)
    check_range("train_every_seconds", config.train_every_seconds, SHORTEST_STEP)
    if config.max_seconds is not None:
        check_range("max_seconds", config.max_seconds, config.segment_seconds)
    if not isinstance(config.corpus_options, dict) or not all(isinstance(name, str) for name in config.corpus_options):
        raise MerKitError("corpus_options is no mapping, expected for example {'drift': 0.4}: pass a dict")
