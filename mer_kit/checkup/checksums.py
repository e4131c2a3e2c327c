"""Is this copy of a corpus complete? An index of sizes, checksums and durations to compare with.

Notebook: 00_start_here
"""

import hashlib
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.corpora.audio_files import place
from mer_kit.corpora.tables import read_table
from mer_kit.files import write_table
from mer_kit.records import Corpus, Problem
from mer_kit.signal import audio
from mer_kit.signal.builder import Progress, reporting, usable_processors
from mer_kit.signal.sound import Unusable

#: File name of the index in a corpus' folder, and its columns; tables have no duration.
INDEX = "mer-kit-index.csv"
COLUMNS = ("path", "size", "md5", "duration_s")
#: Files next to the audio that define a corpus.
TABLES = (".csv", ".json")
#: Durations differ by less than this between decoders of one file.
SAME_SECONDS = 0.1


def measure(
    corpus: Corpus, *, workers: int | None = None, progress: Progress | None = None
) -> tuple[pd.DataFrame, list[Problem]]:
    """Decode every clip and hash every file; return the index and the clips that cannot be decoded.

    One row per file, sorted by path: path below the corpus' folder, size in bytes, md5, duration_s
    (NaN for tables and for files that cannot be decoded).

    Parameters
    ----------
    workers : threads (default: one per usable processor)
    progress : called with (files done, files to do); by default a bar in an interactive session
    """
    ids = {clip.path: clip.clip_id for clip in corpus.clips}
    others = [path for path in corpus.root.rglob("*") if path.suffix.lower() in TABLES]
    files = sorted({*ids, *(path for path in others if path.name != INDEX and path.is_file())})
    measured = []
    reporter = reporting(len(files), progress, what="checking", unit="file")
    with ThreadPoolExecutor(workers or usable_processors()) as pool, reporter as report:
        results = pool.map(lambda path: _measure(path, corpus.root, ids.get(path)), files)
        for done, result in enumerate(results, start=1):
            measured.append(result)
            report(done, len(files))
    table = pd.DataFrame([row for row, _ in measured], columns=list(COLUMNS))
    problems = [problem for _, problem in measured if problem]
    return table.sort_values("path", ignore_index=True), sorted(
        problems, key=lambda problem: problem.clip_id or ""
    )


def _measure(
    path: Path, root: Path, clip_id: str | None
) -> tuple[dict[str, object], Problem | None]:
    where = place(root, path)
    row: dict[str, object] = {"path": where, "size": None, "md5": None, "duration_s": float("nan")}
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        row |= {"size": path.stat().st_size, "md5": digest.hexdigest()}
    except OSError as error:
        what = f"cannot be read ({error.strerror or type(error).__name__})"
        return row, Problem("unreadable_file", where, what, "check its permissions", clip_id)
    if clip_id is None:
        return row, None
    try:
        with audio.blocks(path) as stream:
            n_samples = sum(len(block) for block in stream)
    except Unusable as error:
        problem = audio.problem(error, path)
        return row, Problem(problem.kind, where, problem.what, problem.next_step, clip_id)
    return row | {"duration_s": round(n_samples / audio.SAMPLE_RATE, 3)}, None


def write_index(table: pd.DataFrame, path: Path) -> None:
    """Write the index.

    Raises
    ------
    MerKitError
        If the folder cannot be written.
    """
    try:
        write_table(path, table)
    except OSError as error:
        raise MerKitError(
            f"the index cannot be written to {str(path)!r} ({error.strerror}), expected a "
            "writable folder: name another file with --index-file"
        ) from error


def read_index(path: str | Path) -> pd.DataFrame:
    """Return an index as `measure` makes it.

    Raises
    ------
    MerKitError
        If there is no such file, or it is not an index.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / INDEX
    ...     write_table(file, pd.DataFrame([["a.wav", 9, "0f", 3.0]], columns=list(COLUMNS)))
    ...     read_index(file).to_dict("list")
    {'path': ['a.wav'], 'size': [9], 'md5': ['0f'], 'duration_s': [3.0]}
    """
    if not Path(path).is_file():
        raise MerKitError(
            f"there is no index at {str(path)!r}, expected one to compare with: write it from a "
            "copy that you trust, with `mer-kit data CORPUS --index`"
        )
    table = read_table(path, COLUMNS)
    numbers = table[["size", "duration_s"]].apply(pd.to_numeric, errors="coerce")
    return table[list(COLUMNS)].assign(**numbers)


def compare(found: pd.DataFrame, index: pd.DataFrame) -> list[Problem]:
    """Return one problem for each file that is gone, new, or not the one in the index.

    Examples
    --------
    >>> index = pd.DataFrame([["a.wav", 9, "0f", 3.0]], columns=list(COLUMNS))
    >>> [str(problem) for problem in compare(index.assign(size=8), index)]
    ['a.wav: has 8 bytes, the index says 9: copy it again']
    """
    both = index.merge(
        found, on="path", how="outer", suffixes=("_was", "_is"), indicator="where"
    ).sort_values("path")
    problems = [_difference(str(row["path"]), row) for row in both.to_dict("records")]
    return [problem for problem in problems if problem]


def _difference(path: str, row: Mapping[Hashable, Any]) -> Problem | None:
    """Return how a file differs between both indices, None if it is the same."""
    if row["where"] == "left_only":
        what = "is in the index, but not in the folder or no longer a clip"
        return Problem("gone", path, what, "restore it")
    if row["where"] == "right_only":
        what, next_step = "is not in the index", "write the index again if it belongs there"
        return Problem("new", path, what, next_step)
    if row["size_was"] != row["size_is"]:
        what = f"has {row['size_is']:.0f} bytes, the index says {row['size_was']:.0f}"
        return Problem("other_size", path, what, "copy it again")
    if row["md5_was"] != row["md5_is"]:
        what = "has the indexed size, but other content"
        return Problem("other_content", path, what, "copy it again")
    was, now = float(row["duration_s_was"]), float(row["duration_s_is"])
    if was == was and not abs(was - now) <= SAME_SECONDS:
        what = f"decodes to {now:.2f} s, the index says {was:.2f}"
        return Problem("other_duration", path, what, "update librosa and soundfile")
    return None


def counted(problems: Sequence[Problem]) -> str:
    """Return how many problems of each kind there are, as text.

    Examples
    --------
    >>> counted([Problem("gone", name, "is gone", "restore it") for name in "ab"])
    '2 gone'
    """
    counts = Counter(problem.kind for problem in problems)
    return ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in counts.items())
