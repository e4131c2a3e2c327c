"""How often are losses of one kind called two, and how much noise does it take to find it?

    python benchmarks/bimodality.py [--draws 200]

Prints √n times the dip that a share of uniform samples exceeds (`training.bimodality.CRITICAL` is the one of 1 %), the
share of draws of one distribution that are separated, and the share of planted mixtures that are. Clean losses of the
mixtures are exponential (mean 0.3 nat), noisy ones normal (mean 2.5, standard deviation 0.8 nat or 0.4 nat); in the
last rows songs of 25 segments share a part of their loss.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from mer_kit.training.bimodality import dip, dip_test

SIZES = (5000, 20000)
ONE_KIND: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "exponential": lambda rng, n: rng.exponential(size=n),
    "gamma": lambda rng, n: rng.gamma(2.0, size=n),
    "uniform": lambda rng, n: rng.uniform(size=n),
    "normal": lambda rng, n: rng.normal(size=n),
}
RATES = (0.05, 0.1, 0.2, 0.4)
PER_SONG = 25


def planted(rng: np.random.Generator, n: int, rate: float, spread: float = 0.8) -> np.ndarray:
    """Return losses [n] of which a fraction belongs to wrong labels."""
    n_noisy = round(rate * n)
    return np.r_[rng.exponential(0.3, n - n_noisy), rng.normal(2.5, spread, n_noisy)]


def of_songs(rng: np.random.Generator, n: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Return losses [n] and their songs; half of a loss is its song's, whose labels are all right or all wrong."""
    songs = np.arange(n) // PER_SONG
    song_loss = rng.permutation(planted(rng, n // PER_SONG, rate))
    own = rng.exponential(0.3, n)
    return song_loss[songs] + own, songs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    draws = parser.parse_args().draws
    rng = np.random.default_rng(0)
    scaled = [np.sqrt(2000) * dip(rng.uniform(size=2000)) for _ in range(10 * draws)]
    for share in (0.05, 0.01, 0.001):
        print(
            f"√n · dip that {share:.1%} of {len(scaled)} uniform samples of 2,000 exceed: {np.quantile(scaled, 1 - share):.3f}"
        )
    for n in SIZES:
        for kind, draw in ONE_KIND.items():
            share = np.mean([dip_test(draw(rng, n)).bimodal for _ in range(draws)])
            print(f"n = {n:6,}  {kind:12} separated in {share:.1%} of {draws} draws")
        for rate in RATES:
            for spread in (0.8, 0.4):
                found = [dip_test(planted(rng, n, rate, spread)).bimodal for _ in range(draws)]
                print(f"n = {n:6,}  {rate:4.0%} wrong labels, spread {spread}: found in {np.mean(found):.1%}")
        for rate in (0.0, *RATES):
            share = np.mean([dip_test(*of_songs(rng, n, rate)).bimodal for _ in range(draws)])
            print(f"n = {n:6,}  songs of {PER_SONG}, {rate:4.0%} wrong: found in {share:.1%}")


if __name__ == "__main__":
    main()
