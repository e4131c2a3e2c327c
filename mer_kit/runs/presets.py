"""From a preset's name to every setting of a run: smoke, demo, cpu, paper."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from mer_kit import corpora, systems
from mer_kit.checks import LARGEST, MerKitError, check_choice, check_range, shortened
from mer_kit.later_settings import kinds
from mer_kit.records import TASKS
from mer_kit.runs.config import GROUPINGS, RunConfig
from mer_kit.runs.data import pooling_step
from mer_kit.signal import frontends
from mer_kit.training import methods, networks
from mer_kit.training.settings import TrainingSettings

#: More folds than this are a slip of the keyboard.
MOST_FOLDS = 1000
#: Seconds between two segments; less than a frame of the log-mel (0.023 s) would only repeat them.
SHORTEST_STEP = 0.02
#: Parts of a configuration that are set by the names of what they hold.
_PARTS = (
    "training",
    "model",
    "method",
    "network",
    "own",
    "frontend_settings",
    "system",
    "system_settings",
)
_SLIM: dict[str, Any] = {"width": 8, "batch_norm": True, "head_pool": 2}

#: Preset → what it sets. The origin of each number stands in RunConfig and TrainingSettings; sizes are D.
PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {  # tests: seconds
        "model": {"width": 2, "batch_norm": True, "head_pool": 1},
        "training": {
            "epochs": 3,
            "warmup_epochs": 1,
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "min_gap": 0.01,
        },
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

    `overrides` are further fields of RunConfig (`frontend`, `network` and others), or settings of the training, the
    method, the network or the front-end by their own names: `resolve(preset="cpu", tau=0.3, width=16)`.

    Raises
    ------
    MerKitError
        If a name or value is not known; the sentence names the nearest right one.

    Examples
    --------
    >>> config = resolve(preset="cpu", method="ce", tau=0.3, width=16)
    >>> config.training.partition.tau, config.model.width, config.training.epochs
    (0.3, 16, 16)

    Notebook: 00_start_here
    """
    check_choice("corpus", corpus, corpora.names())
    check_choice("task", task, TASKS)
    check_choice("method", method, systems.CHAINS)
    check_choice("preset", preset, PRESETS)
    check_range("segment_seconds", segment_seconds, 0, 30, low_open=True)
    check_range("folds", folds, 2, MOST_FOLDS, whole=True)
    check_range("seed", seed, 0, whole=True)
    base = PRESETS[preset]
    plain: dict[str, Any] = {
        "train_every_seconds": base["train_every_seconds"],
        "grouping": "normalised",
    }
    network = overrides.get("network", networks.DEFAULT)
    frontend = overrides.get("frontend", frontends.DEFAULT)
    homes: dict[str, dict[str, Any]] = {
        "run": plain,
        "training": dict(base["training"]),
        "method": {},
        "network": dict(base["model"]) if network == networks.DEFAULT else {},
        "front-end": {},
        "system": {},
    }
    system = method if method in systems.SYSTEMS else ""
    owners = _owners("ce" if system else method, network, frontend, system)
    for name, value in overrides.items():
        check_choice("setting", name, sorted(owners))
        home, kind = owners[name]
        homes[home][name] = _as_kind(name, value, kind)
    plain.pop("network", None)
    training = TrainingSettings.of(
        **homes["training"],
        method="ce" if system else method,
        network=network,
        model=homes["network"],
        own=homes["method"],
    )
    config = RunConfig(
        corpus=corpus,
        task=task,
        segment_seconds=float(segment_seconds),
        preset=preset,
        folds=1 if plain.get("divide_by") == "official" else int(folds),
        seed=int(seed),
        frontend_settings=homes["front-end"],
        training=training,
        system=system,
        system_settings=homes["system"],
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


def _owners(method: str, network: str, frontend: str, system: str) -> dict[str, tuple[str, str]]:
    """Return what may be set: name → (whose setting it is, its declared kind).

    Raises
    ------
    MerKitError
        If the method's, the network's or the front-end's own settings have names that are taken.
    """
    owners = {
        name: ("training", kind)
        for name, kind in kinds(TrainingSettings).items()
        if name not in _PARTS
    }
    owners |= {name: ("run", kind) for name, kind in kinds(RunConfig).items() if name not in _PARTS}
    owners |= {"network": ("run", "str")}
    members = {
        "method": (method, methods.of(method).settings),
        "network": (network, networks.of(network).settings),
        "front-end": (frontend, frontends.of(frontend).settings),
    }
    if system:  # nothing is trained, so nothing of a training can be set
        owners = {name: owner for name, owner in owners.items() if owner[0] == "run"}
        members = {
            "system": (system, systems.of(system).settings),
            "front-end": members["front-end"],
        }
    for what, (name, settings) in members.items():
        own = {field.name: type(field.default).__name__ for field in dataclasses.fields(settings)}
        taken = sorted(set(own) & (set(owners) | set(_PARTS)))
        if taken:
            raise MerKitError(
                f"{what} {name} has a setting {taken[0]} of its own, a name that {owners.get(taken[0], ('all runs',))[0]} "
                "uses already: rename it"
            )
        owners |= {setting: (what, kind) for setting, kind in own.items()}
    return owners


def _as_kind(name: str, value: Any, kind: str) -> Any:
    """Return a value as its declared kind ("bool", "int", "float", …) spells it."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "bool" and not isinstance(value, bool):
        raise MerKitError(f"{name} is {shortened(value)}, expected True or False: change {name}")
    if (
        number and kind.startswith("float") and abs(value) <= LARGEST
    ):  # what is larger is refused by the checks
        return float(value)
    return int(value) if number and kind == "int" and value == value // 1 else value


def _check(config: RunConfig) -> None:
    pools = frontends.of(config.frontend).pool is not None
    if pools:
        pooling_step(config.train_every_seconds)
    if not config.system:
        networks.check_pair(config.network, pools=pools, frontend=config.frontend)
    check_choice("group_by", config.group_by, ("auto", "song"))
    check_choice("grouping", config.grouping, GROUPINGS)
    check_choice("on_bad_clip", config.on_bad_clip, ("stop", "skip"))
    check_choice("song_features", config.song_features, ("in_sample", "oof"))
    check_choice("divide_by", config.divide_by, ("folds", "official"))
    check_range("theta", config.theta, 0, 1)
    check_range("train_every_seconds", config.train_every_seconds, SHORTEST_STEP)
    if config.max_seconds is not None:
        check_range("max_seconds", config.max_seconds, config.segment_seconds)
    if not isinstance(config.corpus_options, dict) or not all(
        isinstance(name, str) for name in config.corpus_options
    ):
        raise MerKitError(
            "corpus_options is no mapping, expected for example {'drift': 0.4}: pass a dict"
        )
