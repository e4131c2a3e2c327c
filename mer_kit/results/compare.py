"""Every method against plain training, song by song: differences, intervals and tests.

Two methods are compared on the songs that both tested with the same seeds, in the same folds. The
answers compared are those of `mean`, which fits nothing: C and γ of the SVM, chosen on in-sample
probabilities, are decided by chance (D). `results.fold_pairs` compares fold by fold.

Notebook: 06_results
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.format import duration, short
from mer_kit.results import answers, statistics
from mer_kit.results.runs_table import NOISE

#: Plain training, with which all others are compared.
BASELINE = "ce"
#: Runs are compared if these agree: then they tested the same songs.
BLOCK = ("corpus", "task", "division")
#: Of several runs of the baseline, the one that agrees in most of these is taken, first ones first.
_NEAR = ("recipe", "frontend", "segment_seconds", "preset", "song_features")
#: What tells systems of one name apart.
_TELLING = ("segment_seconds", "preset", "frontend", "song_features", "recipe")
#: Two systems tested the same if these agree; a label may have been corrected between two runs.
TESTED = ("seed", "fold", "clip_id", "label")
#: The difference whose chance to be seen is reported where none was: a fraction.
POINTS = 0.02
#: Columns of `comparisons`; "first" is the baseline, and differences are second minus first.
COLUMNS = (
    *("corpus", "task", "division", *NOISE, "segment_seconds", "method", "preset", "frontend"),
    "recipe",
    *("first", "second", "seeds", "seeds_per_song", "folds", "fold_numbers"),
    *("songs", "artists", "answers"),
    *("first_accuracy", "second_accuracy"),
    *("difference", "low", "high", "p", "p_holm", "comparisons"),
    *("only_first", "only_second", "p_mcnemar", "t_low", "t_high", "p_t"),
    *("variance_songs", "variance_seed"),
)


def comparisons(table: pd.DataFrame, *, baseline: str = BASELINE) -> pd.DataFrame:
    """Return one row for every system that can be compared with the baseline.

    Of several baselines, each system is compared with the one that shares most settings. The
    family of Holm's correction is all comparisons on the same songs, folds and labels.

    Parameters
    ----------
    table : from `results.answers.song_answers`
    baseline : a system's name

    Returns
    -------
    DataFrame
        `COLUMNS`: settings of the second system; see `difference` for the rest. "p_holm" is "p"
        corrected for that many "comparisons". Empty where nothing can be compared

    Examples
    --------
    >>> comparisons(pd.DataFrame(columns=list(answers.COLUMNS))).empty
    True
    """
    rows: list[dict[str, Any]] = []
    for _, block in table.groupby([*BLOCK], sort=False, dropna=False):
        found = [*_of_block(block, baseline)]
        corrected = statistics.holm(np.array([row["p"] for row in found]))
        rows += [
            {**row, "p_holm": p, "comparisons": len(found)}
            for row, p in zip(found, corrected.tolist(), strict=True)
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def difference(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Any]:
    """Return how the second system compares with the first on the songs that both tested.

    Parameters
    ----------
    first, second : rows of `results.answers.song_answers`, each of one system

    Returns
    -------
    dict
        numbers of seeds, folds (of all seeds; those that seeds share count once), different folds
        ("fold_numbers"), songs, artists and answers of each system (songs times seeds, if every
        seed tested them all); "seeds_per_song", the harmonic mean of the seeds that tested a song;
        accuracies and "difference", each averaged over seeds and then over songs, with the
        bootstrap interval ("low", "high") and the sign-flip "p" over artists;
        "only_first" and "only_second", how often only one is right (songs times seeds); for a
        single seed McNemar's exact "p_mcnemar"; the corrected t-test over folds ("t_low",
        "t_high", "p_t"); and the variances of `statistics.Spread`

    Raises
    ------
    MerKitError
        If they share no song, fold and seed.

    Examples
    --------
    >>> songs = pd.DataFrame({"seed": 0, "fold": 0, "folds": 3, "clip_id": list("abcd"),
    ...                       "group": list("abcd"), "label": "Q1",
    ...                       "right": [True, False, True, False]})
    >>> found = difference(songs, songs)
    >>> found["difference"], found["low"], found["high"], found["p"], found["p_mcnemar"]
    (0.0, 0.0, 0.0, 1.0, 1.0)
    """
    both = first.merge(second, on=[*TESTED], suffixes=("_first", "_second"))
    if both.empty:
        raise MerKitError(
            "the two systems share no tested song, fold, seed and label, expected some: "
            "run both with the same corpus, folds and seeds"
        )
    both["d"] = both["right_second"].astype(int) - both["right_first"].astype(int)
    d = both.pivot_table(index="clip_id", columns="seed", values="d")  # [songs, seeds], NaN
    by_song = both.groupby("clip_id")[["right_first", "right_second"]].mean()
    artist = both.groupby("clip_id")["group_first"].first().to_numpy()
    same_folds = both.groupby("clip_id")["fold"].nunique().eq(1).all()  # see fold_seed
    folds = ["fold"] if same_folds else ["seed", "fold"]
    mean, by_fold = d.mean(axis=1).to_numpy(), both.groupby(folds)["d"].mean()
    low, high = statistics.interval(mean, artist)
    only_first, only_second = int((both["d"] < 0).sum()), int((both["d"] > 0).sum())
    exact = float("nan")
    if d.shape[1] == 1:
        exact = statistics.mcnemar(only_first, only_second)
    ratio = 1 / max(int(first["folds"].iloc[0]) - 1, 1)
    t = statistics.corrected_t(by_fold.to_numpy(), test_to_train=ratio)
    spread = statistics.spread(d.to_numpy(), artist)
    return {
        **{"seeds": d.shape[1], "seeds_per_song": float(1 / (1 / d.count(axis=1)).mean())},
        **{"folds": len(by_fold), "fold_numbers": both["fold"].nunique()},
        **{"songs": len(d), "artists": len(set(artist)), "answers": len(both)},
        "first_accuracy": float(by_song["right_first"].mean()),
        "second_accuracy": float(by_song["right_second"].mean()),
        **{"difference": float(mean.mean()), "low": low, "high": high},
        "p": statistics.sign_flip(mean, artist),
        **{"only_first": only_first, "only_second": only_second, "p_mcnemar": exact},
        **{"t_low": t.low, "t_high": t.high, "p_t": t.p},
        **{"variance_songs": spread.songs, "variance_seed": spread.seed},
    }


def chance_to_see(
    row: Mapping[Any, Any], difference: float = POINTS, *, seeds: int | np.ndarray | None = None
) -> np.ndarray:
    """Return the probability that a true difference of this size would have been seen.

    It follows from how often the two systems disagreed; NaN if they never did, which tells nothing
    of other songs. With one seed run, the probability for more seeds is a lower bound.

    Parameters
    ----------
    row : of `comparisons`
    difference : a fraction
    seeds : number or numbers of seeds; by default as many as were run

    Examples
    --------
    >>> row = {"variance_songs": 0.0, "variance_seed": 0.0129**2, "seeds_per_song": 1}
    >>> chance_to_see(row, 0.02, seeds=np.array([1, 4])).round(2).tolist()
    [0.34, 0.87]
    """
    spread = statistics.Spread(float(row["variance_songs"]), float(row["variance_seed"]))
    error = spread.standard_error(row["seeds_per_song"] if seeds is None else seeds)
    return np.where(error > 0, statistics.power(difference, error), np.nan)


def without_partner(table: pd.DataFrame, *, baseline: str = BASELINE) -> list[str]:
    """Return one sentence for every corpus and task with systems that `comparisons` leaves out.

    They share no song, seed and fold with any run of the baseline on the same songs. Where the
    baseline was not run at all, there is nothing to compare, and nothing is said.

    Parameters
    ----------
    table, baseline : see `comparisons`

    Examples
    --------
    >>> without_partner(pd.DataFrame(columns=list(answers.COLUMNS)))
    []
    """
    lines: list[str] = []
    if not table["name"].eq(baseline).any():
        return lines
    for (corpus, task, _), block in table.groupby([*BLOCK], sort=False, dropna=False):
        alone = [pair.label for pair in _pairs(block, baseline) if pair.first is None]
        if alone:
            lines.append(
                f"{corpus}, {task}: {', '.join(alone)} shares no tested song with {baseline}, "
                f"expected the same songs, folds and seeds: run {baseline} with them"
            )
    return lines


class _Pair(NamedTuple):
    """A system, its answers, and those of the baseline that it is compared with, if any."""

    system: pd.Series
    label: str
    second: pd.DataFrame
    first_label: str
    first: pd.DataFrame | None


def _of_block(block: pd.DataFrame, baseline: str) -> list[dict[str, Any]]:
    """Return the comparisons among the systems that tested the same songs, without correction."""
    about = COLUMNS[: COLUMNS.index("first")]
    return [
        {
            **{name: pair.system[name] for name in about},
            **{"first": pair.first_label, "second": pair.label},
            **difference(pair.first, pair.second),
        }
        for pair in _pairs(block, baseline)
        if pair.first is not None
    ]


def _pairs(block: pd.DataFrame, baseline: str) -> list[_Pair]:
    """Return every system but the baseline, with the nearest baseline that shares songs with it."""
    key = [*answers.SYSTEM, "name"]
    songs = [rows for _, rows in block.groupby(key, sort=False, dropna=False)]
    systems = pd.DataFrame([rows.iloc[0][key] for rows in songs]).reset_index(drop=True)
    systems = systems.assign(size=list(map(len, songs)), label=labels(systems))
    tested = [pd.MultiIndex.from_frame(rows[[*TESTED]]) for rows in songs]
    plain = systems[systems["name"] == baseline]
    pairs = []
    for number in np.flatnonzero(systems["name"] != baseline):
        system = pd.Series(systems.loc[number])
        agreement = plain[[*_NEAR]].eq(system[[*_NEAR]]).assign(size=plain["size"])
        pair = _Pair(system, str(system["label"]), songs[number], "", None)
        for at in agreement.sort_values([*agreement]).index:  # the nearest last
            if tested[at].isin(tested[number]).any():
                pair = pair._replace(first_label=systems["label"][at], first=songs[at])
        pairs.append(pair)
    return pairs


def labels(systems: pd.DataFrame) -> pd.Series:
    """Return a short label for each system: its name, and settings while names are not enough.

    Examples
    --------
    >>> about = {"preset": "cpu", "frontend": "logmel", "song_features": "oof", "recipe": "1"}
    >>> table = pd.DataFrame({"name": ["ce", "ce", "mil"], "segment_seconds": [3.0, 5.0, 3.0]})
    >>> labels(table.assign(**about)).tolist()
    ['ce, 3 s', 'ce, 5 s', 'mil, 3 s']
    """
    label = systems["name"].astype(str)
    for column in _TELLING:
        if label.duplicated().any() and systems[column].nunique() > 1:
            text = systems[column].map({"segment_seconds": duration}.get(column, short))
            label = label + ", " + text
    return label
