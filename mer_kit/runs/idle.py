"""Settings of a run that have no effect, given the others, although its name contains them.

A method leaves the settings that it never uses out of a run's name (`BaseMethod.unused`). The ones
here cannot be left out, since that would rename finished runs. `presets.resolve` ignores them
instead, so that both spellings are one run.
"""

from __future__ import annotations

from mer_kit import systems
from mer_kit.runs.config import RunConfig
from mer_kit.runs.data import pooling_step
from mer_kit.signal import frontends
from mer_kit.signal.segments import WHOLE
from mer_kit.training import methods


def without_effect(config: RunConfig) -> frozenset[str]:
    """Return the names of settings that cannot change a number of this run.

    Examples
    --------
    >>> sorted(without_effect(RunConfig(segment_seconds=WHOLE)))
    ['ramp_epochs', 'renew_batch_norm', 'share', 'train_every_seconds']
    """
    idle: frozenset[str] = frozenset()
    if config.divide_by == "official":
        idle |= {"fold_seed"}
    if config.segment_seconds == WHOLE:  # each clip is one segment, which every epoch draws
        idle |= {"train_every_seconds", "share"}
    if not config.system:
        return idle | methods.of(config.method).without_effect(config.training)
    idle |= systems.of(config.system).without_effect(config.system_settings)
    if config.noise_kind != "song":  # the labels of whole songs, all that a system sees, stay
        idle |= {"noise_kind", "noise_rate"}
    if frontends.of(config.frontend).pool is None or pooling_step(config.train_every_seconds) == 1:
        idle |= {"train_every_seconds"}  # a system reads all frames, or a vector per second
    return idle
