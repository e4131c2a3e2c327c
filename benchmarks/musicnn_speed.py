"""How much of the machine's speed does musicnn reach? Feature maps of a 30 s clip against a large matrix product.

Both run on one thread in this process, turn by turn, so that other work on the machine slows both. The multiply-adds
of the network are counted from its layers, as a direct convolution needs them: what the implementation computes beside
them (kernels shifted by a frame each have zeros at their ends) counts as time, not as work.

    python benchmarks/musicnn_speed.py [--repeats 7]

Weights are random: their values change nothing about the time.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mer_kit.signal.musicnn_network import N_BANDS, TAPS, TEMPORAL_TAPS, Musicnn

#: Frames of a 30 s clip: 62.5 a second, and one at its end.
FRAMES = 1876
#: Side of the square matrices of the product that stands for the machine's speed.
SIDE = 2048
#: Aim: this much of the machine's speed.
AIM = 0.6
#: Name, taps in time, bands, channels in and out of the convolutions over time and bands.
TIMBRAL = (("conv2d", 38, 204), ("conv2d_1", 67, 204))
TEMPORAL = tuple((f"conv2d_{n}", taps, 51) for n, taps in zip((2, 3, 4), TEMPORAL_TAPS, strict=True))
MIDDLE = (("conv2d_5", 561, 64), ("conv2d_6", 64, 64), ("conv2d_7", 64, 64))


def main() -> None:
    """Time both, turn by turn, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, help="how often both are timed (default 7)")
    repeats = parser.parse_args().repeats
    network = Musicnn(random_tensors())
    mel = np.random.default_rng(1).uniform(0, 4, (FRAMES, N_BANDS)).astype(np.float32)
    left, right = np.random.default_rng(2).normal(size=(2, SIDE, SIDE)).astype(np.float32)
    work = multiply_adds(FRAMES)
    with threadpool_limits(1):
        network.maps(mel), left @ right  # memory and caches are warm
        rates = np.array(
            [(work / seconds(network.maps, mel), SIDE**3 / seconds(np.matmul, left, right)) for _ in range(repeats)]
        )
    print(f"{work / 1e9:.2f} G multiply-adds for {FRAMES} frames (30 s), one thread, {repeats} repeats")
    print(f"{'':<24}{'best':>8}{'median':>8}  G multiply-adds per second")
    for name, of_one in zip(("musicnn's maps", f"matmul {SIDE} × {SIDE}"), rates.T, strict=True):
        print(f"{name:<24}{of_one.max() / 1e9:>8.1f}{np.median(of_one) / 1e9:>8.1f}")
    ratio = rates[:, 0] / rates[:, 1]
    best = rates[:, 0].max() / rates[:, 1].max()
    print(f"ratio of the best {best:.2f}, median of the turns {np.median(ratio):.2f} (aim: {AIM:.2f})")
    print(f"seconds for a clip: {work / rates[:, 0].max():.2f}")


def seconds(function: object, *given: np.ndarray) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    function(*given)  # type: ignore[operator]
    return time.perf_counter() - started


def multiply_adds(frames: int) -> int:
    """Return the multiply-adds of all convolutions for this many frames."""
    timbral = sum(TAPS * bands * channels * (N_BANDS - bands + 1) for _, bands, channels in TIMBRAL)
    temporal = sum(taps * channels * N_BANDS for _, taps, channels in TEMPORAL)
    middle = sum(TAPS * channels_in * channels for _, channels_in, channels in MIDDLE)
    return frames * (timbral + temporal + middle)


def random_tensors() -> dict[str, np.ndarray]:
    """Return weights of musicnn's shapes."""
    shapes = {name: (TAPS, bands, 1, channels) for name, bands, channels in TIMBRAL}
    shapes |= {name: (taps, 1, 1, channels) for name, taps, channels in TEMPORAL}
    shapes |= {name: (TAPS, channels_in, 1, channels) for name, channels_in, channels in MIDDLE}
    made: dict[str, np.ndarray] = {"dense/kernel": np.zeros((1506, 200)), "dense/bias": np.zeros(200)}
    made |= {"dense_1/kernel": np.zeros((200, 50)), "dense_1/bias": np.zeros(50)}
    rng = np.random.default_rng(0)
    for name, shape in shapes.items():
        made[f"{name}/kernel"] = rng.normal(0, np.prod(shape[:-1]) ** -0.5, shape).astype(np.float32)
        made[f"{name}/bias"] = np.zeros(shape[-1], dtype=np.float32)
    widths = (1, *(channels for _, _, channels in (*TIMBRAL, *TEMPORAL, *MIDDLE)), 1506, 200)
    for number, width in enumerate(widths):
        name = f"batch_normalization_{number}" if number else "batch_normalization"
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            made[f"{name}/{part}"] = rng.uniform(0.5, 1.5, width).astype(np.float32)
    return made


if __name__ == "__main__":
    main()
