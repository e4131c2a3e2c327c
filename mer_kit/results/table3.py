"""The paper's table 3 rebuilt: every system on every corpus and task, printed and measured.

Notebook: 06_results
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from mer_kit import corpora, records
from mer_kit.format import UNKNOWN, duration, percent
from mer_kit.results import costs, runs_table, statistics
from mer_kit.results.answers import SYSTEM, song_answers
from mer_kit.results.paper import majority_table, paper_table, systems_table
from mer_kit.systems import ALIASES, CHAINS, TITLES

NOTE = (
    "Percent. Paper: as printed, ten-fold means without spread. In brackets the kind of F1 that "
    "the numbers point to: positive, the F1 of the high class; micro, which equals accuracy; ?, "
    "not stated. Ours: whole songs, each tested once per seed, averaged over seeds, with 95 % "
    "bootstrap intervals over artists; next to the paper the SVM's answers (or a system's own), "
    "then those of the mean, by which methods are compared; F1 is macro-F1. Numbers of other "
    "papers were measured on other folds."
)
NO_AUDIO, NOT_RUN, UNREADABLE = "no audio here", "not run", "answers unreadable"
MAJORITY = "majority"
_KEY = ["corpus", "task", "key"]
COLUMNS = (
    *("corpus", "task", "system", "paper acc.", "paper F1 (kind)"),
    *("ours acc.", "ours by mean", "ours macro-F1", "majority", "songs", "seeds", "folds"),
    *(*costs.TITLES.values(), "settings", "run"),
)


def table3(
    results: pd.DataFrame, *, every_run: bool = False, data_root: str | Path | None = None
) -> pd.DataFrame:
    """Return the paper's table 3 as text, one row per corpus, task and system, with our runs.

    A system that was not run says so, and so does a corpus whose audio is not here. `attrs["note"]`
    explains the numbers and holds the footnotes. Without `every_run` the table is empty if no run
    is on a corpus and task of the paper's table. Runs with injected noise are not in it.

    Parameters
    ----------
    results : from `results.runs_table.collect`
    every_run : the paper's rows in any case, and our runs on other corpora after them (the demo)
    data_root : where datasets are, see `corpora.locate`

    Source: paper, table 3. Notebook: 06_results
    """
    printed, classes = _printed(), majority_table()
    decided = results[(results["folds_done"] > 0) & results["task"].isin(records.TASKS)]
    runs = decided[decided["noise_rate"].fillna(0).eq(0)]
    if not every_run:
        known = pd.MultiIndex.from_frame(classes[["corpus", "task"]])
        runs = runs[pd.MultiIndex.from_frame(runs[["corpus", "task"]]).isin(known)]
        if runs.empty:
            printed, classes = printed[:0], classes[:0]
    rows = [*_majority_rows(classes), *_our_rows(runs)]
    measured = {tuple(row[name] for name in _KEY) for row in rows}
    here = {
        corpus: corpus in set(results["corpus"]) or corpora.locate(corpus, data_root) is not None
        for corpus in dict.fromkeys(printed["corpus"])
    }
    for row in printed.to_dict("records"):
        if tuple(row[name] for name in _KEY) not in measured:
            why = _why_not(row, runs) if here[row["corpus"]] else NO_AUDIO
            rows.append({**{name: row[name] for name in _KEY}, "ours acc.": why})
    places = _places()
    rows.sort(key=lambda row: _order(row, places))
    notes = _add_printed(rows, printed)
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object).fillna(UNKNOWN)
    footnotes = [f"({letter}) {note}." for note, letter in notes.items()]
    table.attrs["note"] = " ".join([NOTE, costs.NOTE, *footnotes, *runs_table.frontend_notes(runs)])
    return table


def _printed() -> pd.DataFrame:
    """Return the paper's rows with "key", our name of the system if we have one, else printed."""
    names = systems_table().query("printed != ''").set_index("printed")["system"]
    table = paper_table(3)
    return table.assign(key=table["method"].map(names).replace("", pd.NA).fillna(table["method"]))


def _why_not(row: Mapping[Any, Any], runs: pd.DataFrame) -> str:
    """Return why a printed row has no answers of ours: not run, or they cannot be read."""
    alias = ALIASES.get(row["key"])
    method = row["key"] if alias is None else alias.method
    its = (runs[["corpus", "task", "method"]] == [row["corpus"], row["task"], method]).all(axis=1)
    return UNREADABLE if its.any() else NOT_RUN


def _majority_rows(classes: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in classes.to_dict("records"):
        share = percent(row["majority"] / row["songs"])
        about = {"corpus": row["corpus"], "task": row["task"], "key": MAJORITY}
        yield about | {
            "ours acc.": share, "majority": share, "songs": str(row["songs"]),
            "settings": row["options"],
        }  # fmt: skip


def _our_rows(runs: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield one row for each system that was run: seeds are averaged."""
    key, compared = [*SYSTEM, "name"], song_answers(runs)
    by_svm = song_answers(runs, classifier=runs_table.HEADLINES[0])
    beside = {tuple(at): songs for at, songs in by_svm.groupby(key, dropna=False)}
    for at, songs in compared.groupby(key, dropna=False):
        system = dict(zip(key, at, strict=True))
        row = {"corpus": system["corpus"], "task": system["task"], "key": system["name"]}
        headline: pd.DataFrame | None = songs
        # Rows by another classifier on ce's network, and systems, have one answer only.
        if songs["classifier"].iloc[0] == runs_table.COMPARED[0]:
            row["ours by mean"] = _with_interval(songs)
            headline = beside.get(tuple(at))  # a run without the SVM has no such answer
        if headline is not None:
            songs = headline
            f1 = [
                f1_score(o["label"], o["answer"], average="macro") for _, o in songs.groupby("seed")
            ]
            row["ours acc."] = _with_interval(songs)
            row["ours macro-F1"] = percent(float(np.mean(f1)))
        its_runs = runs[runs["folder"].isin(songs["folder"])]
        by_seed = songs.groupby("seed")
        folds = sorted(set(by_seed["fold"].nunique()))
        yield row | {
            "majority": percent(its_runs["majority_accuracy_mean"].mean()),
            "songs": str(songs["clip_id"].nunique()),
            "seeds": ", ".join(str(seed) for seed in sorted(set(songs["seed"]))),
            "folds": f"{' or '.join(map(str, folds))} of {system['folds']}",
            **costs.texts(dict(its_runs[[*costs.TITLES]].mean())),
            "settings": _settings(system),
            "run": ", ".join(its_runs["fingerprint"]),
        }


def _with_interval(songs: pd.DataFrame) -> str:
    """Return the accuracy over songs, seeds averaged, with its interval over artists."""
    by_song = songs.groupby("clip_id").agg({"right": "mean", "group": "first"})
    right = by_song["right"].to_numpy(dtype=float)
    low, high = statistics.interval(right, by_song["group"].to_numpy())
    return f"{percent(right.mean())} [{percent(low)}, {percent(high)}]"


def _settings(system: Mapping[str, Any]) -> str:
    seconds = duration(system["segment_seconds"])
    chosen = [seconds, system["preset"], system["frontend"], system["options"]]
    chosen += ["oof"] * (system["song_features"] == "oof")
    return ", ".join(str(one) for one in chosen if one)


def _places() -> dict[str, list[str]]:
    """Return the order of corpora and tasks as printed, and of systems: majority, theirs, ours."""
    systems = systems_table()
    other = [*systems["printed"], *systems["system"]]
    theirs = [name for name in dict.fromkeys(other) if name not in (*CHAINS, MAJORITY)]
    return {
        "corpus": list(dict.fromkeys(paper_table(3)["corpus"])),
        "task": [*records.TASKS],
        "key": [MAJORITY, *theirs, *CHAINS],
    }


def _order(row: Mapping[str, Any], places: Mapping[str, list[str]]) -> tuple[Any, ...]:
    at = [([*names, row[name]].index(row[name]), row[name]) for name, names in places.items()]
    return *at, str(row.get("settings"))


def _add_printed(rows: list[dict[str, Any]], printed: pd.DataFrame) -> dict[str, str]:
    """Add titles and the paper's numbers to sorted rows; return the letter of each footnote."""
    systems = systems_table()
    titles = TITLES | dict(zip(systems["system"], systems["title"], strict=True))
    titles |= dict(zip(systems["printed"], systems["title"], strict=True))
    cells = {tuple(row[name] for name in _KEY): row for row in printed.to_dict("records")}
    letters: dict[str, str] = {}
    for row in rows:
        row["system"] = titles.get(row["key"]) or TITLES.get(row["key"], row["key"])
        paper = cells.get(tuple(row[name] for name in _KEY))
        if paper is None:
            continue
        notes = [note for note in str(paper["note"]).split(" | ") if note != "nan"]
        for note in notes:
            letters.setdefault(note, ascii_lowercase[len(letters)])
        marks = f" ({', '.join(letters[note] for note in notes)})" * bool(notes)
        row["paper acc."] = _printed_number(paper["accuracy_percent"]) + marks
        kind = f" ({paper['f1_kind']})" * (paper["f1_percent"] == paper["f1_percent"])
        row["paper F1 (kind)"] = _printed_number(paper["f1_percent"]) + kind
    return letters


def _printed_number(value: float) -> str:
    """Return a number as the paper prints it, with two digits."""
    return f"{value:.2f}".replace("nan", UNKNOWN)
