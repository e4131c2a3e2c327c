"""How much memory does training take, and does it grow with the segments' duration?

For each duration a process of its own opens the store of 900 clips of 30 s (made up: random numbers in the store's own
files), and trains the `cpu` preset's network on all of them for a warm-up and a semi-supervised epoch: band
statistics, batches, evaluation passes, split, checkpoint. Each epoch draws one segment of each clip; that makes the run
short and leaves every batch as large as ever. The peak is the process's largest resident set.

A batch of longer segments is larger, and so is what the network keeps of it for the gradient. How much that is, the
same training on 180 clips tells: it has several whole batches of each kind and a fifth of the data. What 900 clips
take beyond that is due to the data, and must not grow with the duration by more than a batch of input does (512
segments, in the band statistics).

    python benchmarks/memory.py [--clips 900] [--durations 1 3 5] [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

CLIP_SECONDS, FEW_CLIPS, LIMIT_GB = 30.0, 180, 2.5
LARGEST_BATCH = 512  # training.evaluation.band_statistics


def main() -> None:
    """Write the store, train in one process per duration and number of clips, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=900, help="how many clips (default 900)")
    parser.add_argument("--durations", type=float, nargs="+", default=[1.0, 3.0, 5.0], help="seconds (default 1 3 5)")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads (default 1)")
    parser.add_argument("--worker", nargs=3, metavar=("FOLDER", "CLIPS", "SECONDS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        work(Path(chosen.worker[0]), int(chosen.worker[1]), float(chosen.worker[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_store(Path(folder), max(chosen.clips, FEW_CLIPS))
        print(f"peak memory of training at the cpu preset, {chosen.clips} clips of {CLIP_SECONDS:g} s; MB")
        print(f"{'segments of':<13}{'count':>7}{'in U':>7}{'peak':>9}{f'{FEW_CLIPS} clips':>10}{'due to data':>13}")
        rows = []
        for seconds in chosen.durations:
            many, few = (measure(Path(folder), n, seconds, chosen.threads) for n in (chosen.clips, FEW_CLIPS))
            rows.append((many["peak_mb"], many["peak_mb"] - few["peak_mb"]))
            counts = f"{many['segments']:>7}{many['unlabelled']:>7}"
            print(
                f"{seconds:>10g} s {counts}{rows[-1][0]:>10.0f}{few['peak_mb']:>10.0f}{rows[-1][1]:>13.0f}", flush=True
            )
    report(np.array(rows), chosen.durations)


def report(rows: np.ndarray, durations: list[float]) -> None:
    """Print the largest peak and how what is due to the data grows with the duration."""
    peak, growth = rows[:, 0].max(), rows[:, 1].max() - rows[np.argmin(durations), 1]
    batch = LARGEST_BATCH * 128 * round(max(durations) * 22050 / 512) * 4 / 2**20
    print(f"largest peak {peak / 1024:.2f} GB (aim: under {LIMIT_GB} GB), {peak / 1024 / LIMIT_GB:.2f} of it")
    print(
        f"from {min(durations):g} to {max(durations):g} s: the peak grows by a factor of "
        f"{rows[np.argmax(durations), 0] / rows[np.argmin(durations), 0]:.2f}; what is due to the data by {growth:.0f} MB "
        f"(aim: at most a batch, {batch:.0f} MB)"
    )


def clips_in(folder: Path, n_clips: int) -> list:  # type: ignore[type-arg]
    """Return the made-up clips; their files hold a few bytes, since the store already knows their log-mels."""
    from mer_kit.records import Clip

    return [Clip(f"{i:04d}", folder / "audio" / f"{i:04d}.mp3", {"quadrant": i % 4}) for i in range(n_clips)]


def write_store(folder: Path, n_clips: int) -> None:
    """Fill a store with random log-mels, each under the name that the store itself would give it."""
    import io
    import zlib

    from mer_kit.signal import builder, frontends
    from mer_kit.signal.frontends.logmel import MelSettings
    from mer_kit.signal.manifest import Entry, Manifest, features_path, write_atomically

    (folder / "audio").mkdir()
    (folder / "mel").mkdir()
    settings, manifest = MelSettings(), Manifest(folder / "mel" / "manifest.json")
    frames = 1 + round(CLIP_SECONDS * settings.sample_rate) // settings.hop_length
    generator = np.random.default_rng(0)
    for clip in clips_in(folder, n_clips):
        clip.path.write_bytes(clip.clip_id.encode())
        digest = builder._identify(clip, manifest, builder.Recipe(frontends.make()))
        buffer = io.BytesIO()
        np.save(buffer, generator.normal(-40, 12, (frames, settings.n_mels)).astype(np.float16))
        write_atomically(features_path(folder / "mel", str(digest)), buffer.getvalue())
        crc = zlib.crc32(buffer.getvalue())
        entry = Entry(str(digest), frames, CLIP_SECONDS, buffer.tell(), crc)
        manifest.entries[entry.digest] = entry
    manifest.write()


def measure(folder: Path, n_clips: int, seconds: float, threads: int) -> dict[str, float]:
    """Train in a fresh process and return what it reports."""
    command = [sys.executable, __file__, "--worker", str(folder), str(n_clips), str(seconds)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return dict(json.loads(done.stdout))


def work(folder: Path, n_clips: int, seconds: float) -> None:
    """Train on one segment of each clip per epoch and print segments, |U| and the peak in MB as JSON."""
    from mer_kit.later_settings import flat
    from mer_kit.runs.presets import resolve
    from mer_kit.signal import segments
    from mer_kit.signal.store import SegmentView, open_store
    from mer_kit.training import Trainer

    config = resolve(
        preset="cpu", segment_seconds=seconds, epochs=2, warmup_epochs=1, share=0.01, min_gap=0.0,
        ramp_epochs=0.0, ramp_fraction=0.0,  # R-Drop from the first step after the warm-up on
    )  # fmt: skip
    clips = clips_in(folder, n_clips)
    store = open_store(clips, folder / "mel")
    index = segments.index(store.durations_s, seconds, every_seconds=config.train_every_seconds)
    labels = np.array([clip.labels["quadrant"] for clip in clips])[index.clip]
    with tempfile.TemporaryDirectory() as place:
        trainer = Trainer(n_classes=4, checkpoint_file=Path(place) / "c", **flat(config.training))
        trainer.fit(SegmentView(store, index), labels, index.clip)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    found = {"segments": len(index), "unlabelled": trainer.history_[-1].n_unlabelled, "peak_mb": peak / 2**20}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
