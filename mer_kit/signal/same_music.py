"""Find clips of a store that are one recording: equal files, and copies encoded or cut differently.

The result is computed once for each set of clips and kept in the store's folder if it is writable.

Notebook: 00_start_here
"""

import contextlib
import hashlib
import json
import math
from collections import defaultdict
from itertools import combinations
from pathlib import Path

from mer_kit.checks import MerKitError
from mer_kit.files import read_bytes
from mer_kit.signal.fingerprint import VERSION, Pair, fingerprint, same_pairs
from mer_kit.signal.manifest import write_atomically
from mer_kit.signal.store import FeatureStore

#: A file of stored pairs larger than this was not written by mer-kit.
LARGEST_FILE = 16 * 2**20


def same_music(store: FeatureStore) -> list[Pair]:
    """Return the pairs of clips that are one recording, ordered by position in the store.

    The store must contain log-mels. Files with equal bytes are always a pair (similarity 1); of
    several equal files, only the first is compared with other files.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from mer_kit.records import Clip
    >>> from mer_kit.signal.store import open_store
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clips = [Clip(name, Path(folder, f"{name}.wav"), {}) for name in "ab"]
    ...     for clip in clips:  # two files with the same content
    ...         soundfile.write(clip.path, np.sin(np.arange(22050) / 10), 22050)
    ...     store = open_store(clips, folder, progress=lambda done, total: None)
    ...     [(pair.first, pair.second, pair.similarity) for pair in same_music(store)]
    [(0, 1, 1.0)]
    """
    places: defaultdict[str, list[int]] = defaultdict(list)
    for position, digest in enumerate(store.digests):
        places[digest].append(position)
    pairs = [
        Pair(a, b, 1.0, 0.0, 1.0) for equal in places.values() for a, b in combinations(equal, 2)
    ]
    text = "\n".join([str(VERSION), *sorted(places)]).encode()
    file = store.folder / f"same-music-{hashlib.blake2b(text, digest_size=8).hexdigest()}.json"
    found = _read(file, set(places))
    if found is None:
        rate, digests = store.frontend.frames_per_second, sorted(places)
        mels = (store.values(places[digest][0]) for digest in digests)
        prints = [fingerprint(mel, frames_per_second=rate) for mel in mels]
        found = [
            (digests[pair.first], digests[pair.second], pair.similarity, pair.lag_s, pair.score)
            for pair in same_pairs(prints, frames_per_second=rate)
        ]
        with contextlib.suppress(OSError):  # a store may be read-only
            write_atomically(file, json.dumps({"version": VERSION, "pairs": found}).encode())
    for a, b, similarity, lag_s, score in found:
        first, second = places[a][0], places[b][0]
        if first > second:
            first, second, lag_s = second, first, -lag_s
        pairs.append(Pair(first, second, similarity, lag_s, score))
    return sorted(pairs)


def _read(file: Path, digests: set[str]) -> list[tuple[str, str, float, float, float]] | None:
    """Return the stored pairs, or None if there is no file or it is not valid."""
    try:
        rows = json.loads(read_bytes(file, most=LARGEST_FILE))["pairs"]
        pairs = [
            (str(a), str(b), float(similarity), float(lag_s), float(score))
            for a, b, similarity, lag_s, score in rows
        ]
    except (MerKitError, OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    sound = all(a != b and {a, b} <= digests and all(map(math.isfinite, n)) for a, b, *n in pairs)
    return pairs if sound else None
