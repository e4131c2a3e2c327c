"""What the settings of a run may be, and which of them go together."""

import math

from mer_kit import systems
from mer_kit.checks import MerKitError, check_choice, check_range, shortened
from mer_kit.records import LABEL
from mer_kit.runs.config import GROUPINGS, RunConfig
from mer_kit.runs.data import pooling_step
from mer_kit.signal import frontends, segments
from mer_kit.training import networks

#: Seconds between two segments; less than a frame of the log-mel (0.023 s) would only repeat them.
SHORTEST_STEP = 0.02
_CHOICES: dict[str, tuple[str, ...]] = {
    "group_by": ("auto", "song"),
    "grouping": GROUPINGS,
    "on_bad_clip": ("stop", "skip"),
    "song_features": ("in_sample", "oof"),
    "svm_folds": ("artists", "songs"),
    "divide_by": ("folds", "official"),
    "padding": tuple(segments.PADDINGS),
}


def check_config(config: RunConfig) -> None:
    """Check what a configuration's settings allow each other.

    Raises
    ------
    MerKitError
        If a value is not known, or two settings do not go together.

    Examples
    --------
    >>> check_config(RunConfig(theta=2.0))
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: theta is 2.0, expected a number from 0 to 1: change theta
    """
    pools = frontends.of(config.frontend).pool is not None
    if pools:
        pooling_step(config.train_every_seconds)
    if config.system:
        accepted = systems.of(config.system).accepts or (config.frontend,)
        check_choice(f"front-end of system {config.system}", config.frontend, accepted)
    else:
        networks.check_pair(config.network, pools=pools, frontend=config.frontend)
    for name, choices in _CHOICES.items():
        check_choice(name, getattr(config, name), choices)
    if not math.isnan(config.theta) or config.task != LABEL:
        check_range("theta", config.theta, 0, 1)
    check_range("train_every_seconds", config.train_every_seconds, SHORTEST_STEP)
    if config.fold_seed is not None:
        check_range("fold_seed", config.fold_seed, 0, whole=True)
    if config.max_seconds is not None:
        least = config.segment_seconds
        if least == segments.WHOLE:
            least = segments.TOLERANCE_SECONDS
        check_range("max_seconds", config.max_seconds, least)
    _check_whole(config)
    options = config.corpus_options
    if not isinstance(options, dict) or not all(isinstance(name, str) for name in options):
        raise MerKitError(
            f"corpus_options is {shortened(options)}, expected names and values such as "
            "{'drift': 0.4}: pass a dict"
        )


def _check_whole(config: RunConfig) -> None:
    """Raise a MerKitError for settings that whole clips do not allow, or only they."""
    whole = config.segment_seconds == segments.WHOLE
    if config.padding != "none" and (not whole or config.max_seconds is None):
        raise MerKitError(
            f"padding is {config.padding!r}, expected none unless whole clips are filled up to "
            "max_seconds: set segment_seconds to clip and max_seconds to a number"
        )
    if whole and config.system:
        raise MerKitError(
            f"segment_seconds is clip, expected seconds for system {config.system}, which sees "
            "whole songs in any case: leave segment_seconds out"
        )
