"""What the views ask of an Experiment, in small: clips that sound, and a fold of songs whose SVM has learned."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from mer_kit import files
from mer_kit.records import TASKS, Clip, Corpus, Fold, labels_from_quadrant
from mer_kit.runs import decisions, run_folder
from mer_kit.runs.config import as_dictionary
from mer_kit.runs.presets import resolve
from mer_kit.signal.store import open_store


def segments(folder: Path, *, truth: bool = True, max_seconds: float = 30.0) -> Any:
    """Return three clips of 4, 6 and 2.4 s with rising loudness; the second is Q2 from its third second on."""
    rng, clips = np.random.default_rng(0), []
    for number, (seconds, quadrant) in enumerate([(4.0, 0), (6.0, 2), (2.4, 3)]):
        n = round(seconds * 22050)
        y = rng.normal(size=n) * np.linspace(0.001, 0.2, n)
        soundfile.write(folder / f"c{number}.wav", y, 22050, subtype="FLOAT")
        labels = labels_from_quadrant(quadrant)
        clips.append(
            Clip(
                f"c{number}",
                folder / f"c{number}.wav",
                labels,
                artist="<A>",
                title=f"Song {number}",
            )
        )
    rows = [("c1", 0.0, 3.0, "Q3"), ("c1", 3.0, 6.0, "Q2"), ("c2", 0.0, 2.4, "Q4")]
    table = pd.DataFrame(rows, columns=["clip_id", "start_s", "end_s", "label"]) if truth else None
    corpus = Corpus("made-up", folder, tuple(clips), truth=table, title="Made-up clips")
    store = open_store(clips, folder / "mel")
    return SimpleNamespace(
        config=resolve(segment_seconds=2.0, max_seconds=max_seconds),
        corpus=corpus,
        classes=TASKS["quadrant"],
        labels=corpus.labels("quadrant"),
        store=store,
        logmel=store,
    )


def songs(folder: Path, *, task: str = "quadrant", n: int = 32, spread: float = 2.0) -> Any:
    """Return n songs of six segments in one finished fold, the first half of each class for training, as on disk.

    The smaller `spread`, the more alike are the songs of all classes, so that some are answered wrongly.
    """
    rng, classes = np.random.default_rng(1), TASKS[task]
    k, labels = len(classes), np.arange(n) % len(classes)
    clips, rows = [], []
    for at, label in enumerate(labels):
        path = folder / f"s{at:02d}.wav"
        soundfile.write(
            path, 0.2 * np.sin(np.arange(8 * 4000) * (0.05 + 0.01 * at)), 4000, subtype="PCM_16"
        )
        clips.append(Clip(f"s{at:02d}", path, {task: int(label)}, artist="Ann & <Bob>"))
        part = "train" if at < n // 2 else "test"
        for second, p in enumerate(rng.dirichlet(1 + spread * np.eye(k)[label], size=6)):
            rows.append((f"s{at:02d}", float(second), second + 3.0, part, classes[label], *p))
    config = resolve(task=task)
    run = run_folder.RunFolder(folder / "run")
    run_folder.write_json(run.path / "config.json", as_dictionary(config))
    table = pd.DataFrame(rows, columns=["clip_id", "start_s", "end_s", "part", "label", *classes])
    files.write_table(run.fold(0) / "segments.csv", table, float_format="%.6g")
    fold = Fold(0, np.arange(n // 2), np.arange(n // 2, n))

    def decide(number: int) -> Any:
        return decisions.decide_fold(
            run.segments(number), fold, labels, clip_ids=[clip.clip_id for clip in clips], config=config, seconds=1.0,
            folder=run.fold(number),
        )  # fmt: skip

    corpus = Corpus("made-up", folder, tuple(clips), title="Made-up songs")
    return SimpleNamespace(
        config=config,
        corpus=corpus,
        clip_ids=[clip.clip_id for clip in clips],
        classes=classes,
        labels=labels,
        folds=[fold],
        folder=run,
        decide=decide,
    )
