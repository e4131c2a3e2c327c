"""A run's configuration, with the origin of every default, and its result."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from mer_kit import systems
from mer_kit.checks import check_choice
from mer_kit.extensions import settings_of, source_mark
from mer_kit.later_settings import flat, hashed, kinds, later
from mer_kit.records import LABEL, Corpus, FoldResult, classes_of
from mer_kit.signal import frontends
from mer_kit.signal.segments import CLIP, WHOLE
from mer_kit.training import networks
from mer_kit.training.settings import TrainingSettings

#: How the groups that stay together in a fold are made; a run without this setting used "exact".
GROUPINGS = ("exact", "normalised")

#: Front-end settings of every run without any.
LOGMEL = {"sample_rate": 22050, "n_fft": 1024, "hop_length": 512, "n_mels": 128}


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Every setting of a run, presets resolved. Only `runs` and the rooms above use this record.

    People type the fields up to `seed` and the training's method; the rest comes from the preset
    (`runs.presets`) and can be overridden one by one. Origin of each default: P the paper, D our
    decision.
    """

    corpus: str = "demo"
    task: str = "quadrant"
    segment_seconds: float = 3.0  # P: 1–5; infinite: the clip as one piece, typed "clip"
    preset: str = "demo"
    folds: int = 10  # P: ten-fold cross-validation
    seed: int = 0
    #: D: seed of the division into folds; None: `seed`. With one, seeds of training share folds
    fold_seed: int | None = later(default=None, absent_means=None)
    #: D: by artist where known; "song" ignores artists
    group_by: str = "auto"
    #: presets choose "normalised", see `runs.grouping`
    grouping: str = later(default="exact", absent_means="exact")
    max_seconds: float | None = 30.0  # D: table 1 fits only clips that are cut to 30 s
    on_bad_clip: str = "stop"  # D: or "skip"
    #: P: cross-validation; "official" uses the corpus' own two sets
    divide_by: str = later(default="folds", absent_means="folds")
    song_features: str = "in_sample"  # D: or "oof"
    #: D: inner folds of the SVM keep artists together; earlier runs divided songs
    svm_folds: str = later(default="artists", absent_means="songs")
    theta: float = 0.5  # D: the paper leaves θ open; task label: NaN until its classes are known
    #: P: log-mel; see `signal.frontends`
    frontend: str = later(default=frontends.DEFAULT, absent_means="logmel")
    #: a mapping becomes the front-end's record
    frontend_settings: Any = later(default_factory=dict, absent_means=dict(LOGMEL))
    #: method, network and their settings
    training: TrainingSettings = dataclasses.field(default_factory=TrainingSettings)
    #: D: a system instead of a segment network, see `mer_kit.systems`
    system: str = later(default="", absent_means="")
    #: a mapping becomes the system's record
    system_settings: Any = later(default_factory=dict, absent_means={})
    #: P: neighbours start 1 s apart; D: the preset cpu thins the training segments
    train_every_seconds: float = 1.0
    #: keywords of `corpora.load` (demo: drift, clips)
    corpus_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    #: D: what fills whole clips up to max_seconds, see `signal.segments.PADDINGS`
    padding: str = later(default="none", absent_means="none")
    #: D: wrong labels injected into the training songs, see `training.noise` and `label_noise`
    noise_kind: str = later(default="none", absent_means="none")
    #: fraction of the training segments that they affect
    noise_rate: float = later(default=0.0, absent_means=0.0)
    #: class names of the task `label`, from the corpus; see `with_classes`
    classes: tuple[str, ...] = later(default=(), absent_means=())

    def __post_init__(self) -> None:
        self._adopt("frontend", f"front-end {self.frontend}", frontends.of(self.frontend).settings)
        if self.system:
            self._adopt("system", f"system {self.system}", systems.of(self.system).settings)

    def _adopt(self, field: str, owner: str, kind: type) -> None:
        """Turn the mapping in `<field>_settings` into its owner's settings record."""
        given = settings_of(owner, kind, getattr(self, f"{field}_settings"))
        object.__setattr__(self, f"{field}_settings", given)

    @property
    def method(self) -> str:
        """The value of `--method`: the system, else the training's method."""
        return self.system or self.training.method

    @property
    def divides_by(self) -> int:
        """Seed of the division into folds."""
        return self.seed if self.fold_seed is None else self.fold_seed

    @property
    def network(self) -> str:
        """The training's network."""
        return self.training.network

    @property
    def model(self) -> Any:
        """The network's settings."""
        return self.training.model

    @property
    def trains_in_seconds(self) -> bool:
        """Whether a fold trains in seconds: its network is given vectors, not frames.

        Examples
        --------
        >>> RunConfig().trains_in_seconds
        False
        """
        return networks.takes_vectors(self.network)


def class_names(config: RunConfig | Mapping[str, Any]) -> tuple[str, ...]:
    """Return the class names of a configuration or of the content of config.json.

    Examples
    --------
    >>> class_names(RunConfig(task="valence"))
    ('V-', 'V+')
    >>> class_names({"task": "label", "classes": ["happy", "sad", "tense"]})
    ('happy', 'sad', 'tense')
    """
    if isinstance(config, RunConfig):
        return classes_of(config.task, config.classes)
    return classes_of(config["task"], config.get("classes", ()))


def with_classes(config: RunConfig, corpus: Corpus) -> RunConfig:
    """Return the configuration with the corpus' own classes and their θ, if its task is `label`.

    Where θ is not given, it is 0.5 for up to four classes, as for quadrants, and 1/K for more (D):
    few segments reach 0.5 there.

    Examples
    --------
    >>> from pathlib import Path
    >>> corpus = Corpus("mine", Path(), (), label_names=("blues", "folk", "pop", "rock", "ska"))
    >>> config = with_classes(RunConfig(task="label", theta=math.nan), corpus)
    >>> config.classes[:2], config.theta
    (('blues', 'folk'), 0.2)
    """
    if config.task != LABEL:
        return config
    theta, names = config.theta, corpus.label_names
    if math.isnan(theta):
        theta = RunConfig.theta
        if len(names) > 4:
            theta = 1 / len(names)
    return dataclasses.replace(config, classes=names, theta=theta)


def as_dictionary(config: RunConfig) -> dict[str, Any]:
    """Return a configuration as in config.json: method, network and its settings at the top level.

    Examples
    --------
    >>> fields = {field.name for field in dataclasses.fields(RunConfig)}
    >>> sorted(set(as_dictionary(RunConfig())) - fields)
    ['method', 'model', 'network']
    """
    values = _apart(flat(config))
    if config.segment_seconds == WHOLE:  # JSON has no infinite numbers
        values["segment_seconds"] = CLIP
    return values


def hashed_config(config: RunConfig) -> dict[str, Any]:
    """Return what a fingerprint hashes of a configuration, under the first version's names.

    Settings that the method does not use cannot change a number and are left out. So are the
    preset's name and `on_bad_clip`, whose effects are in the settings and the clips.

    Examples
    --------
    >>> config = RunConfig(preset="cpu", on_bad_clip="skip")
    >>> hashed_config(config) == hashed_config(RunConfig())
    True
    """
    values = _apart({**hashed(config), "training": config.training.effective()})
    del values["preset"], values["on_bad_clip"]
    if not config.system:
        # The first version built the training's part with the method and an empty network.
        return values | {"training": values["training"] | {"method": config.method, "model": {}}}
    # No network is trained: neither its settings nor those of the song-level classifiers count.
    values |= {"training": {}, "model": {}, "theta": 0.0, "song_features": ""}
    for name in systems.of(config.system).files:  # the corpus' checksum has their content
        del values["system_settings"][name]
    values.pop("svm_folds", None)
    source = source_mark(systems.MODULES[config.system])
    if source:
        values["system_source"] = source
    return values


def _apart(values: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration's values with method, network and model taken out of the training."""
    training = dict(values["training"])
    own = {name: training.pop(name) for name in ("method", "network", "model") if name in training}
    if values.get("system"):
        own["method"] = values["system"]
    return {**values, **own, "training": training}


def changed(config: RunConfig, **settings: Any) -> RunConfig:
    """Return the configuration with settings of the run, its training or its network changed.

    Another method starts with its own settings at their defaults, and so does another network.

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
    names = [name for name in kinds(RunConfig) if name in settings and name != "training"]
    run = {name: settings.pop(name) for name in names}
    training = dict(vars(config.training))
    for name, owned in (("method", "own"), ("network", "model")):
        if settings.get(name, training[name]) != training[name]:
            training[owned] = {}
    training |= {name: settings.pop(name) for name in training if name in settings}
    for part in ("partition", "model", "own"):
        record = training[part]
        if dataclasses.is_dataclass(record) and not isinstance(record, type):
            names = [name for name in kinds(type(record)) if name in settings]
            own = {name: settings.pop(name) for name in names}
            training[part] = dataclasses.replace(record, **own)
    for name in settings:
        check_choice("setting", name, sorted({*kinds(RunConfig), *kinds(TrainingSettings)}))
    return dataclasses.replace(config, training=type(config.training)(**training), **run)


@dataclasses.dataclass(frozen=True)
class RunResult:
    """A finished run: configuration, fingerprint, fold results, and the summary of metrics.json."""

    config: RunConfig
    fingerprint: str
    folds: tuple[FoldResult, ...]
    summary: Mapping[str, Any]
