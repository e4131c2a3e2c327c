"""What one run is told, and what it found: the configuration with the origin of every default, and the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mer_kit import systems
from mer_kit.checks import check_choice
from mer_kit.extensions import settings_of, source_mark
from mer_kit.later_settings import flat, hashed, kinds, later
from mer_kit.records import FoldResult
from mer_kit.signal import frontends
from mer_kit.training.settings import TrainingSettings

#: How groups that stay together in a fold are made; runs that do not name it were made with "exact".
GROUPINGS = ("exact", "normalised")

#: The front-end's settings of every run that names none.
LOGMEL = {"sample_rate": 22050, "n_fft": 1024, "hop_length": 512, "n_mels": 128}


@dataclass(frozen=True)
class RunConfig:
    """Every setting of a run, presets resolved. Only `runs` and what lies above it know this record.

    The fields up to `seed` and the training's method are what people type; the rest comes from the preset (`runs.presets`)
    and can be overridden one by one. Origin of each default: P the paper, D our decision (see the comment beside it).
    """

    corpus: str = "demo"
    task: str = "quadrant"
    segment_seconds: float = 3.0  # P: 1–5
    preset: str = "demo"
    folds: int = 10  # P: ten-fold cross-validation
    seed: int = 0
    group_by: str = "auto"  # D: artist where known, "song" to ignore artists
    grouping: str = later(
        default="exact", absent_means="exact"
    )  # presets choose "normalised": runs.grouping
    max_seconds: float | None = 30.0  # D: table 1 only fits clips cut to 30 s
    on_bad_clip: str = "stop"  # D: or "skip"
    divide_by: str = later(
        default="folds", absent_means="folds"
    )  # P: cross-validation; "official": the corpus' own two sets
    song_features: str = "in_sample"  # D: or "oof"
    theta: float = 0.5  # D: the paper leaves θ open
    frontend: str = later(
        default=frontends.DEFAULT, absent_means="logmel"
    )  # P: log-mel; signal.frontends
    frontend_settings: Any = later(
        default_factory=dict, absent_means=dict(LOGMEL)
    )  # a mapping becomes its record
    training: TrainingSettings = field(
        default_factory=TrainingSettings
    )  # method, network and their settings
    system: str = later(
        default="", absent_means=""
    )  # D: a system in place of a segment network; mer_kit.systems
    system_settings: Any = later(
        default_factory=dict, absent_means={}
    )  # the system's own; a mapping becomes its record
    train_every_seconds: float = (
        1.0  # P: neighbours start 1 s apart; D: cpu preset thins the training segments
    )
    corpus_options: Mapping[str, Any] = field(
        default_factory=dict
    )  # corpora.load keywords (demo: drift, clips)

    def __post_init__(self) -> None:
        kind = frontends.of(self.frontend).settings
        given = settings_of(f"front-end {self.frontend}", kind, self.frontend_settings)
        object.__setattr__(self, "frontend_settings", given)
        if self.system:
            own = settings_of(
                f"system {self.system}", systems.of(self.system).settings, self.system_settings
            )
            object.__setattr__(self, "system_settings", own)

    @property
    def method(self) -> str:
        """What `--method` named: the system, else the training's method."""
        return self.system or self.training.method

    @property
    def network(self) -> str:
        """The training's network."""
        return self.training.network

    @property
    def model(self) -> Any:
        """The network's settings."""
        return self.training.model


def as_dictionary(config: RunConfig) -> dict[str, Any]:
    """Return a configuration as config.json has it: method, network and the network's settings beside the training's.

    Examples
    --------
    >>> sorted(set(as_dictionary(RunConfig())) - {field.name for field in dataclasses.fields(RunConfig)})
    ['method', 'model', 'network']
    """
    return _apart(flat(config))


def hashed_config(config: RunConfig) -> dict[str, Any]:
    """Return what a fingerprint hashes of a configuration: names as the first version hashed them, idle settings left out.

    Settings that the method has no use for cannot change a number; the preset's name and the choice to stop at bad clips
    have their effects in the settings and the clips.
    """
    values = {**hashed(config), "training": config.training.effective()}
    values = _apart(
        {name: value for name, value in values.items() if name not in ("preset", "on_bad_clip")}
    )
    if (
        config.system
    ):  # no network is trained: neither its settings nor those of the song-level classifiers count
        mark = source_mark(systems.MODULES[config.system])
        idle = {
            "training": {},
            "model": {},
            "theta": 0.0,
            "song_features": "",
            "method": config.system,
        }
        return {**values, **idle, **({"system_source": mark} if mark else {})}
    # The first version built the training's part with the method and an empty network.
    return {**values, "training": {**values["training"], "method": config.method, "model": {}}}


def _apart(values: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration's values with those of the training that a run names itself taken out of it."""
    training = dict(values["training"])
    own = {name: training.pop(name) for name in ("method", "network", "model") if name in training}
    if values.get("system"):
        own["method"] = values["system"]
    return {**values, **own, "training": training}


def changed(config: RunConfig, **settings: Any) -> RunConfig:
    """Return the configuration with some settings changed, of the run, its training or its network, by their own names.

    Another method starts with that method's own settings at their defaults, another network likewise.

    Raises
    ------
    MerKitError
        If a setting is unknown or wrong.

    Examples
    --------
    >>> other = changed(RunConfig(), method="ce", tau=0.3, width=8, theta=0.4)
    >>> other.method, other.training.partition.tau, other.model.width, other.theta
    ('ce', 0.3, 8, 0.4)
    """
    run = {
        name: settings.pop(name)
        for name in kinds(RunConfig)
        if name in settings and name != "training"
    }
    training = {
        field.name: getattr(config.training, field.name)
        for field in dataclasses.fields(config.training)
    }
    for name in ("method", "network"):
        if settings.get(name, training[name]) != training[name]:
            training |= {"own" if name == "method" else "model": {}}
    training |= {name: settings.pop(name) for name in training if name in settings}
    for part in ("partition", "model", "own"):
        known = {} if isinstance(training[part], dict) else kinds(type(training[part]))
        mine = {name: settings.pop(name) for name in list(settings) if name in known}
        if mine:
            training[part] = dataclasses.replace(training[part], **mine)
    for name in settings:
        check_choice("setting", name, sorted({*kinds(RunConfig), *kinds(TrainingSettings)}))
    return dataclasses.replace(config, training=type(config.training)(**training), **run)


@dataclass(frozen=True)
class RunResult:
    """A finished run: its configuration, fingerprint, fold results, pooled scores and the majority baseline."""

    config: RunConfig
    fingerprint: str
    folds: tuple[FoldResult, ...]
    summary: Mapping[str, Any]
