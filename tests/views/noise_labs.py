"""A small noise lab whose truth is known, for the tests of its Python and of its browser side."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from mer_kit.analysis.passes import Passes
from mer_kit.records import Clip, Corpus, EpochRecord
from mer_kit.training.partition import PartitionSettings
from mer_kit.views.noise_lab import NoiseLab
from tests.corpora import tiny

CLASSES = ("Q1", "Q2", "Q3", "Q4")


def record(epoch: int, phase: str) -> EpochRecord:
    return EpochRecord(
        epoch=epoch, phase=phase, loss=1.0, loss_mix=1.0, loss_kl=0.0, lambda_kl=0.0, learning_rate=1e-3,
        evaluation_loss=1.0, train_accuracy=0.5, n_labelled=1, n_unlabelled=0, separated=False, loss_gap=0.0,
        pseudo_agreement=0.0, pseudo_confidence=0.0, labelled_class_share=(0.25,) * 4, seconds=1.0,
    )  # fmt: skip


def make_passes(*, truth: bool = True, n: int = 600, songs: int = 10, **options: Any) -> Passes:
    """Four passes over n segments of four classes; a fifth of the labels is wrong, and each pass knows it better.

    Every twentieth segment's truth is unknown. Some p(label) are 0 and some 1 in float16, as in real archives.
    """
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, n)
    wrong = rng.random(n) < 0.2
    true = np.where(wrong, (labels + 1) % 4, labels)
    passes = []
    for knows in (0.2, 1.0, 2.0, 4.0):
        scores = rng.normal(0, 1, (n, 4))
        scores[np.arange(n), true] += knows * rng.gamma(2.0, 1.0, n)
        scores[:3, 0] += (-60.0, 60.0, 0.0)
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        passes.append(p / p.sum(axis=1, keepdims=True))
    each = -(-n // songs)
    start = np.tile(np.arange(each) * 0.5, songs)[:n]
    return Passes(
        probabilities=np.stack(passes).astype(np.float16),
        labels=labels,
        clip=np.repeat(np.arange(songs), each)[:n],
        start_s=start,
        end_s=start + 1.0,
        truth=np.where(np.arange(n) % 20 == 0, -1, true) if truth else None,
        history=[record(1, "warmup"), record(2, "warmup"), record(3, "ssl"), record(4, "ssl")],
        partition=PartitionSettings(**{**PLAIN, "max_unlabelled": 0.15, **options}),
        seed=5,
    )


#: Partitions as the paper makes them, so that the losses of single passes are divided.
PLAIN = {"loss_window": 1, "dip_test": False}


def make_lab(folder: Path, *, title: str = "Tones", **options: Any) -> NoiseLab:
    """A lab over ten songs of a plain chord each, segments of one second."""
    passes = make_passes(**options)
    seconds = float(passes.end_s.max()) + 0.1
    clips = tuple(
        Clip(
            f"song{i}",
            tiny.tone(folder / f"song{i}.wav", seconds, hertz=200 + 30 * i),
            {"quadrant": i % 4},
        )
        for i in range(10)
    )
    corpus = Corpus(name="table", root=folder, clips=clips)
    experiment = SimpleNamespace(
        corpus=SimpleNamespace(clips=clips, title=title, position=corpus.position),
        classes=CLASSES,
        config=SimpleNamespace(segment_seconds=1.0),
    )
    return NoiseLab(experiment, passes)  # type: ignore[arg-type]
