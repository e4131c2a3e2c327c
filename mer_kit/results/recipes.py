"""What runs have in common: the recipe of their settings, and the songs and folds that they tested.

Notebook: 06_results
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mer_kit import systems
from mer_kit.later_settings import flat, without_absent
from mer_kit.runs.config import RunConfig
from mer_kit.training import METHODS, TrainingSettings, methods

#: What runs of one recipe may differ in, and what says where a run's numbers come from.
_FREE = {
    *("corpus", "task", "segment_seconds", "method", "preset", "seed", "on_bad_clip", "system"),
    *("fingerprint", "n_clips", "skipped", "versions", "python"),
}
_UNUSED_BY_SYSTEMS = {"training", "model", "network", "theta", "song_features"}
_DIVISION = {
    "corpus_checksum",
    "folds",
    "fold_seed",
    "divide_by",
    "group_by",
    "grouping",
    "classes",
}


def recipe(config: dict[str, Any]) -> str:
    """Return 8 hex digits of all settings but corpus, task, duration, method, preset and seed.

    The preset's settings count, only its name does not; the clips (the corpus' checksum) count.

    Examples
    --------
    >>> first = {"corpus": "demo", "seed": 0, "theta": 0.5}
    >>> [recipe(first) == recipe({**first, name: 1}) for name in ("seed", "theta")]
    [True, False]
    """
    system, method = config.get("system"), config.get("method")
    left_out = _FREE | (_UNUSED_BY_SYSTEMS if system else set())
    kept = without_absent({k: v for k, v in config.items() if k not in left_out}, RunConfig)
    if system in systems.SYSTEMS:
        if kept.get("system_settings") == flat(systems.of(system).settings()):
            del kept["system_settings"]
    elif isinstance(kept.get("training"), dict):
        training = kept["training"] = without_absent(kept["training"], TrainingSettings)
        # The method's name is free, and so are its own settings at their defaults.
        if method in METHODS and training.get("own") == flat(methods.of(method).settings()):
            del training["own"]
    return _digest(kept)


def division(config: dict[str, Any]) -> str:
    """Return 8 hex digits of what decides a run's songs, training labels and folds, but the seed.

    Runs that share it, corpus and task tested the same songs with the same seed, whatever they are.

    Examples
    --------
    >>> first = {"corpus_checksum": "0", "folds": 10, "preset": "demo", "tau": 0.5}
    >>> [division(first) == division({**first, name: 3}) for name in ("tau", "folds", "noise_rate")]
    [True, False, False]
    """
    training = without_absent(config.get("training", {}), TrainingSettings)
    settings = {**training, **without_absent(config, RunConfig)}
    return _digest({k: v for k, v in settings.items() if k in _DIVISION or k.startswith("noise")})


def with_songs(config: Mapping[str, Any], clips: Sequence[str]) -> dict[str, Any]:
    """Return a configuration that knows its corpus by the clips and the options of their labels.

    The checksum of a run covers the features too, so that systems with features of their own would
    share it with no other.

    Parameters
    ----------
    clips : ids; if there are none, the checksum stays

    Examples
    --------
    >>> runs = [with_songs({"corpus_checksum": mark}, ["a", "b"]) for mark in "01"]
    >>> runs[0] == runs[1] != with_songs({}, ["a", "c"])
    True
    """
    if not clips:
        return dict(config)
    songs = {"clips": sorted(clips), "options": dict(config.get("corpus_options") or {})}
    return {**config, "corpus_checksum": _digest(songs)}


def _digest(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=4).hexdigest()
