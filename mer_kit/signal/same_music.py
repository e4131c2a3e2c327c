"""Which clips of a store are one recording: equal files, and copies that were encoded, cut or mixed down anew.

Found once for each set of clips and remembered in the store's folder, where the folder takes files.

Notebook: 00_start_here
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections import defaultdict
from itertools import combinations
from pathlib import Path

from mer_kit.signal.fingerprint import VERSION, Pair, fingerprint, same_pairs
from mer_kit.signal.manifest import write_atomically
from mer_kit.signal.store import FeatureStore

#: A file of remembered pairs that is larger than this was not written by us.
LARGEST_FILE = 16 * 2**20


def same_music(store: FeatureStore) -> list[Pair]:
    """Return the pairs of clips that are one recording, ordered by position in the store, which must be of log-mels.

    Files with equal bytes are always a pair (similarity 1). Of several equal files the first stands for all when they
    are compared with others.
    """
    places: defaultdict[str, list[int]] = defaultdict(list)
    for position, digest in enumerate(store.digests):
        places[digest].append(position)
    pairs = [
        Pair(a, b, 1.0, 0.0, 1.0) for equal in places.values() for a, b in combinations(equal, 2)
    ]
    digests = sorted(places)
    for a, b, similarity, lag_s, score in _remembered(
        store, digests, {d: at[0] for d, at in places.items()}
    ):
        first, second = places[a][0], places[b][0]
        if first < second:
            pairs.append(Pair(first, second, similarity, lag_s, score))
        else:
            pairs.append(Pair(second, first, similarity, -lag_s, score))
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def _remembered(
    store: FeatureStore, digests: list[str], places: dict[str, int]
) -> list[tuple[str, str, float, float, float]]:
    """Return (digest, digest, similarity, lag, score) of each pair, from the store's folder or found anew."""
    mark = hashlib.blake2b("\n".join([str(VERSION), *digests]).encode(), digest_size=8).hexdigest()
    file = store.folder / f"same-music-{mark}.json"
    known = _read(file, set(digests))
    if known is not None:
        return known
    rate = store.frontend.frames_per_second
    prints = [
        fingerprint(store.values(places[digest]), frames_per_second=rate) for digest in digests
    ]
    found = [
        (digests[pair.first], digests[pair.second], pair.similarity, pair.lag_s, pair.score)
        for pair in same_pairs(prints, frames_per_second=rate)
    ]
    with contextlib.suppress(OSError):  # a store may be read-only
        write_atomically(file, json.dumps({"version": VERSION, "pairs": found}).encode())
    return found


def _read(file: Path, digests: set[str]) -> list[tuple[str, str, float, float, float]] | None:
    """Return the remembered pairs, or None where there are none or the file is not what we write."""
    try:
        if not file.is_file() or file.stat().st_size > LARGEST_FILE:
            return None
        pairs = []
        for a, b, *numbers in json.loads(file.read_text("utf-8"))["pairs"]:
            similarity, lag_s, score = (float(number) for number in numbers)
            if (
                not {a, b} <= digests
                or a == b
                or not all(map(math.isfinite, (similarity, lag_s, score)))
            ):
                return None
            pairs.append((str(a), str(b), similarity, lag_s, score))
        return pairs
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
