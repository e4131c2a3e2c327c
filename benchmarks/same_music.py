"""How long finding the same music takes, what it finds, and how many planted copies it knows again.

    python benchmarks/same_music.py                         # 2,000 fingerprints of noise, 30 s each: time alone
    python benchmarks/same_music.py 4q --copies 100         # a corpus: its pairs, the best of the others, planted copies

The first line needs no music: the time does not depend on what the fingerprints say. Copies are made of clips drawn
from the corpus, one change each, and compared with their own clip; what is counted is whether the pair is found.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable

import numpy as np
import soundfile
from scipy import signal

from mer_kit import corpora
from mer_kit.paths import cache_root
from mer_kit.signal import audio, fingerprint
from mer_kit.signal.frontends.logmel import log_mel
from mer_kit.signal.store import open_store

RATE = audio.SAMPLE_RATE
FINGERPRINTS_PER_SECOND = RATE / 512 / fingerprint.POOLED_FRAMES


def mp3(y: np.ndarray, level: float, channels: int = 1) -> np.ndarray:
    """Return what an MP3 of constant bit rate leaves; libsndfile takes a level, here of 1 for the lowest rate."""
    file = io.BytesIO()
    both = np.stack([np.clip(y, -1, 1), 0.6 * np.clip(y, -1, 1)][:channels], axis=1)
    soundfile.write(file, both, RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=level,
                    bitrate_mode="CONSTANT")  # fmt: skip
    mp3.kbps = len(file.getvalue()) * 8 / (len(y) / RATE) / 1000  # type: ignore[attr-defined]
    file.seek(0)
    return np.asarray(soundfile.read(file, dtype="float32", always_2d=True)[0].mean(axis=1))


def filtered(y: np.ndarray, kind: str, hertz: float | list[float]) -> np.ndarray:
    """Return `y` through a Butterworth filter of order 8."""
    return np.asarray(signal.sosfilt(signal.butter(8, hertz, kind, fs=RATE, output="sos"), y), dtype=np.float32)


def faster(y: np.ndarray, factor: float) -> np.ndarray:
    """Return `y` played faster, as by another turntable."""
    return np.interp(np.arange(0, len(y) - 1, factor), np.arange(len(y)), y).astype(np.float32)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "12 dB quieter": lambda y: 0.25 * y,
    "10 dB louder, clipped": lambda y: np.clip(3.2 * y, -1, 1),
    "MP3, 64 kbit/s": lambda y: mp3(y, 0.64),
    "MP3, 40 kbit/s": lambda y: mp3(y, 0.8),
    "MP3, 32 kbit/s": lambda y: mp3(y, 0.84),
    "MP3, 16 kbit/s": lambda y: mp3(y, 0.95),
    "8 kHz": lambda y: signal.resample_poly(signal.resample_poly(y, 160, 441), 441, 160).astype(np.float32),
    "below 4 kHz": lambda y: filtered(y, "low", 4000),
    "telephone": lambda y: filtered(y, "band", [300, 3400]),
    "noise, 20 dB": lambda y: y + np.random.default_rng(1).normal(0, 0.1 * y.std(), len(y)),
    "1 s later": lambda y: y[round(1.013 * RATE) :],
    "5 s later": lambda y: y[round(5.03 * RATE) :],
    "10 s later": lambda y: y[round(10.02 * RATE) :],
    "half a frame later": lambda y: y[2 * 512 :],
    "5 s later, telephone, MP3 40 kbit/s": lambda y: mp3(filtered(y[5 * RATE :], "band", [300, 3400]), 0.8),
    "1 % faster": lambda y: faster(y, 1.01),
    "2 % faster": lambda y: faster(y, 1.02),
}


def time_pairs(n_clips: int, seconds: float) -> None:
    """Print how long all pairs of made-up fingerprints take."""
    rng = np.random.default_rng(0)
    shape = round(seconds * FINGERPRINTS_PER_SECOND), fingerprint.BANDS
    prints = [rng.normal(size=shape).astype(np.float32) for _ in range(n_clips)]
    started, processor = time.perf_counter(), time.process_time()
    found = fingerprint.same_pairs(prints)
    print(
        f"{n_clips} made-up fingerprints of {seconds:g} s, {n_clips * (n_clips - 1) // 2} pairs: "
        f"{time.perf_counter() - started:.1f} s ({time.process_time() - processor:.1f} s of processor), {len(found)} found"
    )


def examine(name: str, n_copies: int) -> None:
    """Print a corpus' pairs, the best scores of all others, and how many planted copies are found."""
    corpus = corpora.load(name)
    store = open_store(corpus.clips, cache_root() / "mel", on_bad_clip="skip")
    started = time.perf_counter()
    prints = [fingerprint.fingerprint(store.values(k)) for k in range(len(store))]
    made = time.perf_counter()
    candidates = list(fingerprint._candidates(prints))
    pairs = [fingerprint._closely(prints[i], prints[j], i, j, FINGERPRINTS_PER_SECOND) for i, j in candidates]
    ended = time.perf_counter()
    pairs.sort(key=lambda pair: -pair.score)
    n = len(prints)
    print(f"{name}: {n} fingerprints in {made - started:.1f} s, {n * (n - 1) // 2} pairs in {ended - made:.1f} s")
    print(f"  {len(candidates)} looked at closely, {sum(p.score >= fingerprint.SAME for p in pairs)} found; the best:")
    for pair in pairs[:8]:
        first, second = store.clips[pair.first].clip_id, store.clips[pair.second].clip_id
        print(f"  score {pair.score:.3f}  similarity {pair.similarity:.3f}  lag {pair.lag_s:+6.2f} s  {first} {second}")
    chosen = np.random.default_rng(0).choice(n, min(n, n_copies), replace=False)
    sounds = [audio.load(store.clips[k].path) for k in chosen]
    for change, make in CHANGES.items() if n_copies else ():
        scores = []
        for k, y in zip(chosen, sounds, strict=True):
            copy = fingerprint.fingerprint(log_mel(make(y)).astype(np.float16))
            pair = fingerprint.same_pairs([prints[k], copy])
            scores.append(pair[0].score if pair else 0.0)
        rate = f" ({mp3.kbps:.0f} kbit/s measured)" if "MP3" in change else ""  # type: ignore[attr-defined]
        print(f"  {change:<36} {sum(score > 0 for score in scores)} of {len(chosen)} found{rate}")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="?", choices=corpora.names())
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--copies", type=int, default=0)
    given = parser.parse_args()
    if given.corpus is None:
        time_pairs(given.clips, given.seconds)
    else:
        examine(given.corpus, given.copies)


if __name__ == "__main__":
    main()
