"""Every song's stored answers, right or wrong, and its artist: what comparisons are made of.

Notebook: 06_results
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.results.runs_table import COMPARED, NOISE, SETTINGS
from mer_kit.runs import stored_tables
from mer_kit.runs.run_folder import RunFolder
from mer_kit.runs.stored_folds import artists
from mer_kit.signal.segments import WHOLE
from mer_kit.systems import ALIASES

#: What one system is: runs that agree in these and in `name` differ only in their seed.
SYSTEM = (
    *(name for name in SETTINGS if name != "seed"),
    *NOISE,
    "frontend",
    "options",
    "recipe",
    "division",
)
COLUMNS: tuple[str, ...] = (*SYSTEM, "seed", "folder", "name", "classifier", "fold")
COLUMNS += ("clip_id", "group", "label", "answer", "right")


def song_answers(results: pd.DataFrame, *, classifier: str = "") -> pd.DataFrame:
    """Return one row for each run, test song and answer: whether it is right, and its artist.

    By default the answers are those that methods are compared by: `mean` of a method's run, which
    fits nothing, and a system's own. A `ce` run has further rows for the systems that are another
    song-level classifier on the same network, such as `inherit_vote`; "name" is the system's. Of
    several runs with the same settings and seed, the one with most songs counts. Runs without
    stored answers have no rows.

    Parameters
    ----------
    results : from `results.runs_table.collect`
    classifier : take this song-level classifier's answers instead, of every method

    Returns
    -------
    DataFrame
        the settings, "folder", "name", "classifier", "fold", "clip_id", "group" (the artist, or the
        clip where artists are unknown), "label" and "answer" (class names) and "right" (bool)

    Examples
    --------
    >>> from mer_kit.results.runs_table import collect
    >>> song_answers(collect("no such folder")).columns[-3:].tolist()
    ['label', 'answer', 'right']
    """
    parts = [
        part
        for run in results[results["folds_done"] > 0].to_dict("records")
        for part in _of_run({str(name): value for name, value in run.items()}, classifier)
    ]
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.concat(parts, ignore_index=True)[list(COLUMNS)]
    return _one_of_each(table)


def _of_run(run: Mapping[str, Any], classifier: str) -> Iterator[pd.DataFrame]:
    """Yield a run's answers, one table for each name; none if they cannot be read."""
    folder = RunFolder(run["path"])
    try:
        songs = stored_tables.read_table(
            folder.path / "songs.csv", {"clip_id": str, "fold": int, "label": str},
            inside=folder.path, others=True,
        )  # fmt: skip
        groups = artists(folder)
    except MerKitError:
        return
    about = {name: run[name] for name in (*SYSTEM, "seed", "folder")}
    its_artist = [groups.get(clip, f"clip:{clip}") for clip in songs["clip_id"]]
    shared = songs[["fold", "clip_id", "label"]].assign(group=its_artist)
    for name, column in _names(run, classifier, songs.columns).items():
        answer = {"answer": songs[column], "right": songs[column] == songs["label"]}
        yield shared.assign(**about, name=name, classifier=column, **answer)


def _names(run: Mapping[str, Any], classifier: str, columns: pd.Index) -> dict[str, str]:
    """Return the systems that a run is, and the column of each one's answers."""
    method = name = str(run["method"])
    if method == "ce" and run["segment_seconds"] == WHOLE:
        name = "whole_clip"
    wanted = [(name, one) for one in ([classifier] if classifier else COMPARED)]
    if not classifier and name == method:
        wanted += [(one, v.classifier) for one, v in ALIASES.items() if v.method == method]
    return {name: column for name, column in wanted if column in columns}


def _one_of_each(table: pd.DataFrame) -> pd.DataFrame:
    """Return the answers of one run for each system and seed: the one with most songs."""
    key = [*SYSTEM, "name", "seed"]
    sizes = table.groupby([*key, "folder"], as_index=False, dropna=False).size()
    best = sizes.sort_values(["size", "folder"]).drop_duplicates(key, keep="last")
    return table.merge(best[[*key, "folder"]], on=[*key, "folder"])
