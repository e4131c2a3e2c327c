"""What one run is told, and what it found: the configuration with the origin of every default, and the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mer_kit.later_settings import later
from mer_kit.records import FoldResult

#: How groups that stay together in a fold are made; runs that do not name it were made with "exact".
GROUPINGS = ("exact", "normalised")


@dataclass(frozen=True)
class RunConfig:
    """Every setting of a run, presets resolved. Only `runs` sees it; lower rooms take explicit arguments.

    The fields up to `seed` are what people type; the rest comes from the preset (`runs.presets`) and can be
    overridden one by one. Origin of each default: P the paper, D our decision (see the comment beside it).
    """

    corpus: str = "demo"
    task: str = "quadrant"
    segment_seconds: float = 3.0  # P: 1–5
    method: str = "sssl"
    preset: str = "demo"
    folds: int = 10  # P: ten-fold cross-validation
    seed: int = 0
    group_by: str = "auto"  # D: artist where known, "song" to ignore artists
    grouping: str = later(default="exact", absent_means="exact")  # presets choose "normalised": runs.grouping
    max_seconds: float | None = 30.0  # D: table 1 only fits clips cut to 30 s
    on_bad_clip: str = "stop"  # D: or "skip"
    divide_by: str = later(
        default="folds", absent_means="folds"
    )  # P: cross-validation; "official": the corpus' own two sets
    song_features: str = "in_sample"  # D: or "oof"
    theta: float = 0.5  # D: the paper leaves θ open
    model: Mapping[str, Any] = field(default_factory=dict)  # sssl.network.VGG16 keywords
    training: Mapping[str, Any] = field(default_factory=dict)  # sssl.trainer.Trainer keywords
    train_every_seconds: float = 1.0  # P: neighbours start 1 s apart; D: cpu preset thins the training segments
    corpus_options: Mapping[str, Any] = field(default_factory=dict)  # corpora.load keywords (demo: drift, clips)


@dataclass(frozen=True)
class RunResult:
    """A finished run: its configuration, fingerprint, fold results, pooled scores and the majority baseline."""

    config: RunConfig
    fingerprint: str
    folds: tuple[FoldResult, ...]
    summary: Mapping[str, Any]
