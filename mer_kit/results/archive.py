"""Per-song answers of runs as two small tables: their statistics can be rebuilt from them anywhere.

`NAME.answers.csv.gz` has one row per task and song (clip, artist, label, test fold) and one column
of answers for each system and seed. `NAME.runs.csv` says what each column is, with what its run
cost. There is no audio in them and no probability. All runs of an archive with the same task share
one division into folds.

Notebook: 08_compare
"""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mer_kit import files
from mer_kit.checks import MerKitError
from mer_kit.results import costs
from mer_kit.results.answers import COLUMNS, SYSTEM, song_answers

#: What one column of answers is: a run's folder and the system that it is read as.
_WHO = ["folder", "name"]
#: Numbers of a run that are kept; see `results.runs_table.collect`.
NUMBERS = (
    *("folds_done", "n_songs", "segment_accuracy_mean", "song_accuracy_mean"),
    *("compared_accuracy_mean", "majority_accuracy_mean", "seconds", *costs.TITLES),
)
_SONG = ["task", "clip_id", "group", "label", "fold"]
_TEXT = (
    *("folder", "name", "classifier", "corpus", "task", "method", "preset", "song_features"),
    *("noise_kind", "frontend", "options", "recipe", "division", "column"),
)


@dataclass(frozen=True)
class Archive:
    """Stored answers.

    Attributes
    ----------
    runs : one row for each run and system: its settings, and `NUMBERS`
    answers : as `results.answers.song_answers` returns them
    """

    runs: pd.DataFrame
    answers: pd.DataFrame


def write(
    results: pd.DataFrame,
    folder: str | Path,
    name: str,
    *,
    variants: Mapping[str, str] | None = None,
) -> tuple[Path, Path]:
    """Write the answers of runs; return the paths of both files. Equal runs give equal bytes.

    Parameters
    ----------
    results : from `results.runs_table.collect`
    name : of the archive, the beginning of both files' names
    variants : run folder's name → what tells it from other runs of its system, added to its name

    Raises
    ------
    MerKitError
        If there are no answers, or two runs of one task tested a song in different folds or with
        different labels.
    """
    table = song_answers(results)
    if table.empty:
        raise MerKitError(
            f"archive {name}: none of {len(results)} runs has stored answers, expected one at "
            "least: run its grid first"
        )
    told = table["folder"].map(lambda run: (variants or {}).get(run, ""))
    table["name"] = table["name"].where(told == "", table["name"] + ", " + told)
    songs = table[_SONG].drop_duplicates()
    again = songs[["task", "clip_id"]].duplicated()
    if again.any():
        clip = songs["clip_id"][again].iloc[0]
        raise MerKitError(
            f"archive {name}: clip {clip} has several labels, artists or test folds, expected one "
            "division for all runs: run them with the same fold_seed, or archive them apart"
        )
    order = ["name", *SYSTEM, "seed", "folder"]
    about = [*dict.fromkeys([*SYSTEM, "seed", *_WHO, "classifier"])]
    runs = table[about].drop_duplicates().sort_values(order, kind="stable").reset_index(drop=True)
    runs["column"] = [f"{number:03d}" for number in range(len(runs))]
    named = table.merge(runs[[*_WHO, "column"]], on=_WHO)
    wide = named.pivot(index=_SONG, columns="column", values="answer").reset_index()
    numbers = results[["folder", *NUMBERS]].drop_duplicates("folder")
    folder = Path(folder)
    paths = _paths(folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    text = wide.sort_values(["task", "clip_id"]).to_csv(index=False, lineterminator="\n")
    with files.writing(paths[0]) as partial:
        partial.write_bytes(gzip.compress(text.encode(), mtime=0))
    files.write_table(paths[1], runs.merge(numbers, on="folder", how="left"), float_format="%.6g")
    return paths


def read(folder: str | Path, name: str) -> Archive:
    """Return a stored archive.

    Raises
    ------
    MerKitError
        If a file is missing, or is not what `write` writes.

    Examples
    --------
    >>> read("no such folder", "methods")
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: no archive methods in no such folder: write it with archive.write
    """
    songs_file, runs_file = _paths(Path(folder), name)
    if not (songs_file.is_file() and runs_file.is_file()):
        raise MerKitError(f"no archive {name} in {Path(folder).name}: write it with archive.write")
    try:
        kinds = dict.fromkeys(_TEXT, str)
        runs = pd.read_csv(runs_file, dtype=kinds, keep_default_na=False, na_values={
            number: [""] for number in NUMBERS
        })  # fmt: skip
        wide = pd.read_csv(songs_file, dtype=str, keep_default_na=False)
        if set(wide) != {*_SONG, *runs["column"]}:
            raise ValueError("its two files do not have the same runs")
        long = wide.melt(_SONG, var_name="column", value_name="answer")
        long = long[long["answer"] != ""].astype({"fold": int})
        about = runs.drop(columns="task")
        answers = long.merge(about, on="column", validate="many_to_one")
        answers["right"] = answers["answer"] == answers["label"]
        return Archive(runs, answers[list(dict.fromkeys(COLUMNS))])
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise MerKitError(
            f"archive {name} in {Path(folder).name} cannot be read ({error}), expected the two "
            "files that archive.write writes: write it again from its runs"
        ) from error


def combine(archives: Sequence[Archive]) -> Archive:
    """Return several archives as one.

    Examples
    --------
    >>> empty = Archive(pd.DataFrame({"name": []}), pd.DataFrame({"name": ["ce"]}))
    >>> len(combine([empty, empty]).answers)
    2
    """
    return Archive(
        pd.concat([one.runs for one in archives], ignore_index=True),
        pd.concat([one.answers for one in archives], ignore_index=True),
    )


def _paths(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.answers.csv.gz", folder / f"{name}.runs.csv"
