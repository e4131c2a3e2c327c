"""Make the model that comes with mer-kit from 4Q: the network, its card, and the card as a page.

    python tools/ready_model.py --runs RUNS           # writes mer_kit/analysis/ready/
    python tools/ready_model.py --runs RUNS --check   # trains again and compares with what is there

The accuracy on the card is that of a ten-fold run, which is trained in RUNS unless it is there. On the machine and
with the versions that the card names, the network comes out bit-equal; elsewhere no probability moves by more
than .02, which --check measures on all segments of the corpus.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mer_kit import __version__
from mer_kit.analysis import ready_model
from mer_kit.checks import MerKitError
from mer_kit.corpora import four_q
from mer_kit.files import writing
from mer_kit.later_settings import flat
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.signal.frontends import musicnn
from mer_kit.signal.store import SegmentView
from mer_kit.training import SegmentClassifier, Trainer, checkpoint

SETTINGS: dict[str, Any] = {
    "corpus": "4q", "task": "quadrant", "segment_seconds": 3.0, "method": "ce", "preset": "embedding", "folds": 10,
    "seed": 0, "small_output": False, "svm_folds": "songs",
}  # fmt: skip
#: No bytes beyond this, and no probability that differs by more than this on another machine.
MOST_BYTES, MOST_DIFFERENCE = 300_000, 0.02
NOT_FOR = (
    "reading its probabilities as certainty: they are not calibrated",
    "judging people: it says nothing about what a listener feels",
    "decisions about artists, royalties or what is played to whom",
    "speech, sound effects, or music far from the Western popular music of AllMusic's 30 s previews",
    "numbers on 4Q or on recordings that are in it: it has learned from all of them",
)
USE = "For research and teaching only."


def train(experiment: Experiment, path: Path) -> None:
    """Train on all clips, on one thread in float32, and write the network with weights in float16."""
    index = experiment.train_index
    trainer = Trainer(
        n_classes=len(experiment.classes),
        device="cpu",
        precision="float32",
        seed=experiment.config.seed,
        **flat(experiment.config.training),
    )
    trainer.fit(SegmentView(experiment.store, index), experiment.labels[index.clip], index.clip)
    with tempfile.TemporaryDirectory() as folder:
        trainer.save_model(Path(folder) / "model.safetensors")
        stored = checkpoint.load(Path(folder) / "model.safetensors")
    stored["network"] = {name: one.half() for name, one in stored["network"].items()}
    checkpoint.save(path, stored)


def accuracy(experiment: Experiment) -> dict[str, Any]:
    """Return how many songs the run gets right by the mean rule, with an interval.

    The interval is a bootstrap of artists, 10,000 draws: songs of one artist are not independent.
    """
    summary = experiment.run().summary
    songs = (
        pd.read_csv(experiment.folder.path / "songs.csv")
        .set_index("clip_id")
        .loc[experiment.clip_ids]
    )
    right = (songs["mean"] == songs["label"]).to_numpy(dtype=float)
    group, names = pd.factorize(np.asarray(experiment.grouping.groups))
    counts, rights = np.bincount(group), np.bincount(group, weights=right)
    drawn = np.random.default_rng(0).integers(len(names), size=(10_000, len(names)))
    low, high = np.quantile(rights[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
    tables = (
        experiment.folder.segments(fold.number).query("part == 'test'") for fold in experiment.folds
    )
    confidence = pd.concat(tables)[list(experiment.classes)].max(axis=1).mean()
    assert np.isclose(right.mean(), summary["pooled"]["mean"]["accuracy"])
    return {
        "songs": round(float(right.mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "interval": "95 %, bootstrap of artists, 10,000 draws",
        "macro_f1": round(float(summary["pooled"]["mean"]["macro_f1"]), 4),
        "segments": round(float(summary["segments"]["accuracy"]["mean"]), 4),
        "confidence": round(float(confidence), 4),
        "majority": round(float(summary["majority"]["accuracy"]["mean"]), 4),
        "folds": len(experiment.folds),
        "grouped_by": "artist",
        "n_songs": len(songs),
        "run": experiment.folder.path.name,
    }


def card(experiment: Experiment, path: Path) -> dict[str, Any]:
    """Return the card of the network in a file."""
    config = experiment.config
    return {
        "title": "Emotion of a three-second segment of music, four quadrants",
        "corpus": config.corpus,
        "task": config.task,
        "classes": list(experiment.classes),
        "clips": len(experiment.clip_ids),
        "data": f"{four_q.TITLE}: 900 clips of 30 s, 225 per quadrant, each segment with its clip's label. "
        f"{four_q.CITATION}",
        "segment_seconds": config.segment_seconds,
        "frontend": config.frontend,
        "frontend_settings": flat(config.frontend_settings),
        "network": config.network,
        "model": flat(config.model),
        "method": config.method,
        "preset": config.preset,
        "seed": config.seed,
        "song_rule": "mean",
        "accuracy": accuracy(experiment),
        "use": USE,
        "not_for": list(NOT_FOR),
        "licence": "MIT like mer-kit as far as the file goes; 4Q is for research only, so is what it teaches",
        "frontend_note": f"{musicnn.NOTE}, 4Q; the weights themselves are not in mer-kit",
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "made_with": {
            "mer_kit": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
        },
    }


def page(about: dict[str, Any]) -> str:
    """Return a card as Markdown."""
    right = about["accuracy"]
    settings = ", ".join(f"{name} {value}" for name, value in about["frontend_settings"].items())
    limits = "\n".join(f"- {one}" for one in about["not_for"])
    return f"""# {about["title"]}

Written by tools/ready_model.py from quadrant.json; do not edit.

**Data.** {about["data"]}

**Method.** musicnn ({settings}) on segments of {about["segment_seconds"]:g} s, then a network
`{about["network"]}`, trained with `{about["method"]}` and the preset `{about["preset"]}` on all {about["clips"]} clips. A song's
class is that with the highest mean probability over its segments.

**Accuracy.** {right["songs"]:.1%} of the songs (interval {right["low"]:.1%} to {right["high"]:.1%}: {right["interval"]}),
macro-F1 {right["macro_f1"]:.1%}, {right["segments"]:.1%} of the segments (where the leading class has a mean probability
of {right["confidence"]:.1%}), in {right["folds"]} folds that share no {right["grouped_by"]}; always the majority class:
{right["majority"]:.1%}. The network in this folder was trained on all clips, so it cannot be tested on them.

**Must not be used for**

{limits}

**Licence.** {about["use"]} {about["licence"]}. {about["frontend_note"]}.

{about["file"]}: {about["bytes"]:,} bytes, weights in float16, SHA-256 `{about["sha256"]}`.
"""


def largest_difference(experiment: Experiment, first: Path, second: Path) -> float:
    """Return the largest difference between two networks' probabilities, over all segments of the corpus."""
    view = SegmentView(experiment.store, experiment.index)
    p, q = (
        SegmentClassifier(one, device="cpu", precision="float32").predict_proba(view)
        for one in (first, second)
    )
    return float(np.abs(p - q).max())


def main() -> int:
    """Write the three files, or compare; exit 1 with one sentence if something is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", help="folder of the corpora (default: MER_DATA, else data/)")
    parser.add_argument(
        "--runs", required=True, help="folder for the ten-fold run, outside the repository"
    )
    parser.add_argument(
        "--check", action="store_true", help="compare with the network that is there; write nothing"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)  # sums in one order
    path = ready_model.MODEL
    try:
        experiment = Experiment(
            resolve(**SETTINGS),
            data_root=options.data,
            runs_dir=options.runs,
            device="cpu",
            precision="float32",
        )
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / path.name
            train(experiment, made)
            if options.check:
                equal = made.read_bytes() == path.read_bytes()
                difference = largest_difference(experiment, made, path)
                print(f"bit-equal: {equal}; largest difference of a probability: {difference:.4f}")
                return int(difference > MOST_DIFFERENCE)
            if made.stat().st_size > MOST_BYTES:
                raise MerKitError(
                    f"{path.name} has {made.stat().st_size:,} bytes, expected at most {MOST_BYTES:,}"
                )
            about = card(experiment, made)
            path.parent.mkdir(exist_ok=True)
            for target, content in (
                (path, made.read_bytes()),
                (
                    path.with_suffix(".json"),
                    (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode(),
                ),
                (path.with_name("README.md"), page(about).encode()),
            ):
                with writing(target) as partial:
                    partial.write_bytes(content)
                print(f"wrote {target.name}: {len(content):,} bytes")
    except MerKitError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
