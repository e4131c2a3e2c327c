"""From what a person typed to every setting of a run; the presets themselves are in `defaults`."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from mer_kit import corpora, systems
from mer_kit.checks import LARGEST, MerKitError, check_choice, check_range, shortened
from mer_kit.later_settings import kinds
from mer_kit.records import ALL_TASKS, LABEL
from mer_kit.runs import idle, label_noise
from mer_kit.runs.checked_config import check_config
from mer_kit.runs.config import RunConfig
from mer_kit.runs.defaults import PRESETS
from mer_kit.signal import frontends, segments
from mer_kit.training import methods, networks
from mer_kit.training.methods import sssl
from mer_kit.training.settings import TrainingSettings

#: More folds than this are a typing error.
MOST_FOLDS = 1000
#: Parts of a configuration that are set through the names of their fields.
_PARTS = (
    "training",
    "model",
    "method",
    "network",
    "own",
    "frontend_settings",
    "system",
    "system_settings",
    "classes",
)
#: Settings of a task that a person may override; see `config.with_classes`.
_OF_TASK: dict[str, dict[str, Any]] = {LABEL: {"theta": math.nan}}


def resolve(
    *,
    corpus: str = "demo",
    task: str = "quadrant",
    segment_seconds: float | str = 3.0,
    method: str = "sssl",
    preset: str = "demo",
    folds: int = 10,
    seed: int = 0,
    **overrides: Any,
) -> RunConfig:
    """Return the full configuration for the settings that a person typed.

    `segment_seconds` may be "clip": the clip as one piece. `overrides` are further fields of
    RunConfig (`frontend`, `network` and others), or settings of the training, the method, the
    network or the front-end by their own names: `resolve(preset="cpu", tau=0.3, width=16)`. Those
    that have no effect, given the others, are checked and then ignored, see `runs.idle`.

    Raises
    ------
    MerKitError
        If a name or value is not known; the sentence names the nearest right one.

    Examples
    --------
    >>> config = resolve(preset="cpu", method="ce", tau=0.3, width=16)
    >>> config.training.partition.tau, config.model.width, config.training.epochs
    (0.3, 16, 20)

    Notebook: 00_start_here
    """
    typed = (corpus, task, segment_seconds, method, preset, folds, seed)
    config = _resolved(*typed, overrides)
    ignored = idle.without_effect(config) & set(overrides)
    if ignored:
        rest = {name: value for name, value in overrides.items() if name not in ignored}
        config = _resolved(*typed, rest)
    return config


def _resolved(
    corpus: str,
    task: str,
    segment_seconds: float | str,
    method: str,
    preset: str,
    folds: int,
    seed: int,
    overrides: Mapping[str, Any],
) -> RunConfig:
    """Return the configuration of `resolve` with all overrides."""
    named = {
        "corpus": (corpus, corpora.names()),
        "task": (task, ALL_TASKS),
        "preset": (preset, PRESETS),
    }
    for name, (value, choices) in named.items():
        check_choice(name, value, choices)
    method, seconds, given = _meant(method, segment_seconds, overrides)
    check_range("folds", folds, 2, MOST_FOLDS, whole=True)
    check_range("seed", seed, 0, whole=True)
    system = method if method in systems.SYSTEMS else ""
    trained = "ce" if system else method
    own = _of_system(system, preset, corpus, seconds, given)
    given = {**own, **_OF_TASK.get(task, {}), **given}
    pools = frontends.of(given["frontend"]).pool is not None
    network = given.get("network", "mlp" if pools else networks.DEFAULT)
    homes = _settings(preset, trained, network, system, given)
    config = RunConfig(
        corpus=corpus,
        task=task,
        segment_seconds=seconds,
        preset=preset,
        folds=1 if homes["run"].get("divide_by") == "official" else int(folds),
        seed=int(seed),
        frontend_settings=homes["front-end"],
        training=TrainingSettings.of(
            **homes["training"],
            method=trained,
            network=network,
            model=homes["network"],
            own=homes["method"],
        ),
        system=system,
        system_settings=homes["system"],
        **label_noise.checked_settings(homes["run"], task=task),
    )
    check_config(config)
    return config


def _meant(
    method: str, segment_seconds: float | str, overrides: Mapping[str, Any]
) -> tuple[str, float, dict[str, Any]]:
    """Return method, seconds of a segment (infinite for "clip") and overrides, aliases resolved."""
    check_choice("method", method, systems.CHAINS)
    one = systems.ALIASES.get(method, systems.Alias(method))
    given = {"segment_seconds": segment_seconds, **one.settings, **overrides}
    seconds = given.pop("segment_seconds")
    if seconds in (segments.CLIP, segments.WHOLE):
        return one.method, segments.WHOLE, given
    check_range("segment_seconds", seconds, 0, 30, low_open=True)
    return one.method, float(seconds), given


def _of_system(
    system: str, preset: str, corpus: str, segment_seconds: float, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the front-end of a run that names none, and the settings that a system asks for."""
    usual = {"frontend": PRESETS[preset].get("frontend", frontends.DEFAULT)}
    if not system:
        return usual
    own = kinds(systems.of(system).settings)
    settings = {**PRESETS[preset].get(system, {}), **overrides}
    frontend, more = systems.frontend_of(
        system,
        {name: value for name, value in settings.items() if name in own},
        corpus=corpus,
        segment_seconds=float(segment_seconds),
    )
    if overrides.get("frontend", frontend) != frontend or not frontend:
        return usual
    return {"frontend": frontend, **more}


def _settings(
    preset: str, method: str, network: str, system: str, overrides: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return a preset's settings with the overrides, by the part that they belong to.

    Raises
    ------
    MerKitError
        If an override is not known or not of its type.
    """
    base = PRESETS[preset]
    overrides = _with_variant(method, overrides)
    homes: dict[str, dict[str, Any]] = {
        "run": {"train_every_seconds": base["train_every_seconds"], "grouping": "normalised"},
        "training": dict(base["training"]),
        "method": {},
        "network": dict(base.get({networks.DEFAULT: "model"}.get(network, network), {})),
        "front-end": {},
        "system": dict(base.get(system, {})),
    }
    owners = _owners(method, network, overrides["frontend"], system)
    for name, value in overrides.items():
        home, kind = owners[check_choice("setting", name, sorted(owners))]
        homes[home][name] = _as_kind(name, value, kind)
    homes["run"].pop("network", None)
    return homes


def _with_variant(method: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overrides with a variant of SSSL replaced by its settings; others given win.

    Raises
    ------
    MerKitError
        If there is no such variant, or the method has none.
    """
    rest = dict(overrides)
    if "variant" not in rest:
        return rest
    variant = check_choice("variant", rest.pop("variant"), sssl.VARIANTS)
    if not issubclass(methods.of(method), sssl.Method):
        raise MerKitError(
            f"variant is {variant!r}, but method {method} has no variants: remove it, or choose "
            "method sssl or sssl_no_kl"
        )
    return sssl.VARIANTS[variant] | rest


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
                f"{name} is given twice, as a parameter ({shortened(parameters[name])}) and among "
                f"the overrides ({shortened(overrides[name])}): remove it from the overrides"
            )
    return {**parameters, **overrides}


def _owners(method: str, network: str, frontend: str, system: str) -> dict[str, tuple[str, str]]:
    """Return what may be set: name → (whose setting it is, its declared kind).

    Raises
    ------
    MerKitError
        If the method's, the network's or the front-end's own settings have names that are taken.
    """
    owners = {name: ("run", kind) for name, kind in kinds(RunConfig).items()}
    members = {"front-end": (frontend, frontends.of(frontend).settings)}
    if system:  # nothing is trained, so no setting of a training can be given
        members["system"] = (system, systems.of(system).settings)
    else:
        owners |= {name: ("training", kind) for name, kind in kinds(TrainingSettings).items()}
        members["method"] = (method, methods.of(method).settings)
        members["network"] = (network, networks.of(network).settings)
    owners = {name: owner for name, owner in owners.items() if name not in _PARTS}
    owners["network"] = ("run", "str")
    for what, (name, settings) in members.items():
        own = {field.name: type(field.default).__name__ for field in dataclasses.fields(settings)}
        taken = sorted(set(own) & {*owners, *_PARTS})
        if taken:
            other, _ = owners.get(taken[0], ("all runs", ""))
            raise MerKitError(
                f"{what} {name} has a setting {taken[0]} of its own, a name that {other} "
                "already uses: rename it"
            )
        owners |= {setting: (what, kind) for setting, kind in own.items()}
    return owners


def _as_kind(name: str, value: Any, kind: str) -> Any:
    """Return a value in its declared type ("bool", "int", "float", …)."""
    if kind == "bool" and not isinstance(value, bool):
        raise MerKitError(f"{name} is {shortened(value)}, expected True or False: change {name}")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if kind.startswith("float") and abs(value) <= LARGEST:  # larger ones fail the checks
        return float(value)
    return int(value) if kind == "int" and value == value // 1 else value
