"""Tiny tables of own classes, whose songs differ in pitch by class."""

from __future__ import annotations

from pathlib import Path

from mer_kit.runs.config import RunConfig
from mer_kit.runs.presets import resolve
from tests.corpora import tiny

#: Emotify's nine; the first K are the classes of a table of K.
NAMES = (
    "tense", "happy", "sad", "power", "calmness", "joyful activation", "amazement", "nostalgia",
    "tenderness",
)  # fmt: skip


def collection(root: Path, k: int, *, songs: int = 4, seconds: float = 5.0) -> Path:
    """Write a table of `songs` songs for each of K classes, and the truth of the first song."""
    rows = ["path,label,artist"]
    for number in range(k * songs):
        name, place = NAMES[number % k], number // k
        tiny.tone(
            root / f"s{number:02}.wav", seconds, hertz=110.0 * 1.3 ** (number % k) + 7 * place
        )
        rows.append(f"s{number:02}.wav,{name},artist {number}")
    tiny.write(root / "clips.csv", "\n".join([*rows, ""]))
    truth = f"clip_id,start_s,end_s,label\ns00,0,3,{NAMES[0]}\ns00,3,5,{NAMES[1].upper()}\n"
    tiny.write(root / "segment_truth.csv", truth)
    return root


def config(**more: object) -> RunConfig:
    """Return a smoke configuration of the task `label` whose front-end needs no network."""
    settings = {
        "corpus": "table",
        "task": "label",
        "preset": "smoke",
        "folds": 2,
        "frontend": "logmel_stats",
        "method": "ce",
        "segment_seconds": 2.0,
    }
    return resolve(**{**settings, **more})  # type: ignore[arg-type]
