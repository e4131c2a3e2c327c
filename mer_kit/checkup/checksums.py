"""Is this copy of a corpus complete? An index of sizes, checksums and durations to compare with.

Notebook: 00_start_here
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pandas as pd

from mer_kit.checks import MerKitError, check_columns
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
    tables = [path for path in others if path.name != INDEX and path.is_file()]
    files = sorted({*ids, *tables})
    problems: list[Problem] = []
    rows = []
    reporter = reporting(len(files), progress, what="checking", unit="file")
    with ThreadPoolExecutor(workers or usable_processors()) as pool, reporter as report:
        futures = [pool.submit(_measure, path, corpus.root, ids.get(path)) for path in files]
        for done, future in enumerate(as_completed(futures), start=1):
            row, problem = future.result()
            rows.append(row)
            if problem:
                problems.append(problem)
            report(done, len(files))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("path", ignore_index=True)
    return table, sorted(problems, key=lambda problem: problem.clip_id or "")


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
        with audio.blocks(path) as (_, stream):
            n_samples = sum(len(block) for block in stream)
    except Unusable as error:
        problem = audio.problem(error, path)
        return row, Problem(problem.kind, where, problem.what, problem.next_step, clip_id)
    return row | {"duration_s": round(n_samples / audio.SAMPLE_RATE, 3)}, None


def write_index(table: pd.DataFrame, corpus: Corpus, path: str | Path | None = None) -> Path:
    """Write the index into the corpus' folder (or to `path`) and return its path.

    Raises
    ------
    MerKitError
        If the folder cannot be written.
    """
    target = Path(path) if path else corpus.root / INDEX
    try:
        write_table(target, table)
    except OSError as error:
        raise MerKitError(
            f"the index cannot be written to {str(target)!r} ({error.strerror}), expected a "
            "writable folder: name another file with --index-file"
        ) from error
    return target


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
    check_columns(path, list(table.columns), COLUMNS)
    table["size"] = pd.to_numeric(table["size"], errors="coerce")
    table["duration_s"] = pd.to_numeric(table["duration_s"], errors="coerce")
    return table[list(COLUMNS)]


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
    problems = []
    for row in both.to_dict("records"):
        difference = _difference({str(name): value for name, value in row.items()})
        if difference is not None:
            kind, what, next_step = difference
            problems.append(Problem(kind, str(row["path"]), what, next_step))
    return problems


def _difference(row: dict[str, object]) -> tuple[str, str, str] | None:
    """Return (kind, what, next step) for one file of both indices, None if it is the same."""
    if row["where"] == "left_only":
        return "gone", "is in the index, but not in the folder or no longer a clip", "restore it"
    if row["where"] == "right_only":
        return "new", "is not in the index", "write the index again if it belongs there"
    if row["size_was"] != row["size_is"]:
        what = f"has {row['size_is']:.0f} bytes, the index says {row['size_was']:.0f}"
        return "other_size", what, "copy it again"
    if row["md5_was"] != row["md5_is"]:
        return "other_content", "has the indexed size, but other content", "copy it again"
    was, now = float(str(row["duration_s_was"])), float(str(row["duration_s_is"]))
    if was == was and not abs(was - now) <= SAME_SECONDS:
        what = f"decodes to {now:.2f} s, the index says {was:.2f}"
        return "other_duration", what, "update librosa and soundfile"
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
