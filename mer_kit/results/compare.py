"""Every method against plain training, song by song: differences, intervals, tests, and words.

Two methods are compared on the songs that both tested with the same seeds, in the same folds. The
answers compared are those of `mean`, which fits nothing: C and γ of the SVM, chosen on in-sample
probabilities, are decided by chance (D). `results.fold_pairs` compares fold by fold.

Notebook: 06_results
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.format import duration, percent, plural, short, with_noise
from mer_kit.results import answers, statistics
from mer_kit.results.runs_table import COMPARED, NOISE

#: Plain training, with which all others are compared.
BASELINE = "ce"
#: Runs are compared if these agree: then they tested the same songs.
BLOCK = ("corpus", "task", "division")
#: Of several runs of the baseline, the one that agrees in most of these is taken, first ones first.
_NEAR = ("recipe", "frontend", "segment_seconds", "preset", "song_features")
#: What tells systems of one name apart.
_TELLING = ("segment_seconds", "preset", "frontend", "song_features", "recipe")
#: The difference whose chance to be seen is reported where none was: a fraction.
POINTS = 0.02
NOT_SEPARABLE = "not separable"
#: Columns of `comparisons`; "first" is the baseline, and differences are second minus first.
COLUMNS = (
    *("corpus", "task", "division", *NOISE, "segment_seconds", "method", "preset", "frontend"),
    "recipe",
    *("first", "second", "seeds", "folds", "songs", "artists", "first_accuracy", "second_accuracy"),
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
        numbers of seeds, folds (of all seeds), songs and artists; accuracies and "difference", each
        averaged over seeds and then over songs, with the bootstrap interval ("low", "high") and
        the sign-flip "p" over artists; "only_first" and "only_second", how often only one is right
        (songs times seeds); for a single seed McNemar's exact "p_mcnemar"; the corrected t-test
        over folds ("t_low", "t_high", "p_t"); and the variances of `statistics.Spread`

    Raises
    ------
    MerKitError
        If they share no song, fold and seed.

    Examples
    --------
    >>> songs = pd.DataFrame({"seed": 0, "fold": 0, "folds": 3, "clip_id": list("abcd"),
    ...                       "group": list("abcd"), "right": [True, False, True, False]})
    >>> found = difference(songs, songs)
    >>> found["difference"], found["low"], found["high"], found["p"], found["p_mcnemar"]
    (0.0, 0.0, 0.0, 1.0, 1.0)
    """
    shared = ["seed", "fold", "clip_id"]
    both = first.merge(second, on=shared, suffixes=("_first", "_second"))
    if both.empty:
        raise MerKitError(
            "the two systems share no tested song, fold and seed, expected some: "
            "run both with the same corpus, folds and seeds"
        )
    both["d"] = both["right_second"].astype(int) - both["right_first"].astype(int)
    d = both.pivot_table(index="clip_id", columns="seed", values="d")  # [songs, seeds], NaN
    by_song = both.groupby("clip_id")[["right_first", "right_second"]].mean()
    artist = both.groupby("clip_id")["group_first"].first().to_numpy()
    mean, by_fold = d.mean(axis=1).to_numpy(), both.groupby(["seed", "fold"])["d"].mean()
    low, high = statistics.interval(mean, artist)
    only_first, only_second = int((both["d"] < 0).sum()), int((both["d"] > 0).sum())
    exact = float("nan")
    if d.shape[1] == 1:
        exact = statistics.mcnemar(only_first, only_second)
    ratio = 1 / max(int(first["folds"].iloc[0]) - 1, 1)
    t = statistics.corrected_t(by_fold.to_numpy(), test_to_train=ratio)
    spread = statistics.spread(d.to_numpy(), artist)
    return {
        **{"seeds": d.shape[1], "folds": len(by_fold)},
        **{"songs": len(d), "artists": len(set(artist))},
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
    >>> row = {"variance_songs": 0.0, "variance_seed": 0.0129**2, "seeds": 1}
    >>> chance_to_see(row, 0.02, seeds=np.array([1, 4])).round(2).tolist()
    [0.34, 0.87]
    """
    spread = statistics.Spread(float(row["variance_songs"]), float(row["variance_seed"]))
    error = spread.standard_error(row["seeds"] if seeds is None else seeds)
    return np.where(error > 0, statistics.power(difference, error), np.nan)


def words(row: Mapping[Any, Any]) -> str:
    """Return a row of `comparisons` in words: effect, interval, and whether it is separable.

    It is not separable where the 95 % interval contains 0.

    Examples
    --------
    >>> row = {"difference": 0.013, "low": -0.004, "high": 0.03, "songs": 900, "artists": 661,
    ...        "seeds": 5, "variance_songs": 0.0, "variance_seed": 4e-4}
    >>> print(words(row).replace(": ", ":\\n"))
    +1.3 points [-0.4, 3.0] over 900 songs of 661 artists, 5 seeds:
    not separable (a true difference of 2 points would be seen with probability 0.61)
    """
    bounds = f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
    found = (
        f"{100 * row['difference']:+.1f} points {bounds} over {plural(row['songs'], 'song')} of "
        f"{plural(row['artists'], 'artist')}, {plural(row['seeds'], 'seed')}"
    )
    said = finding(row)
    if said == NOT_SEPARABLE:
        chance = float(chance_to_see(row))
        if np.isnan(chance):
            return f"{found}: {said} (too little differs to tell what would be seen)"
        return (
            f"{found}: {said} (a true difference of {100 * POINTS:g} points would be seen "
            f"with probability {chance:.2f})"
        )
    corrected = f"{row['p_holm']:.2g} corrected for {plural(row['comparisons'], 'comparison')}"
    return f"{found}: {said}, p = {row['p']:.2g}, {corrected}"


def finding(row: Mapping[Any, Any]) -> str:
    """Return what a row of `comparisons` shows: better, worse, or not separable.

    Examples
    --------
    >>> row = {"difference": 0.03, "low": 0.01, "high": 0.05, "p_holm": 0.01}
    >>> [finding(row | {"low": low}) for low in (0.01, 0.0)]
    ['better', 'not separable']
    >>> finding(row | {"p_holm": 0.06})
    'better, but not after the correction'
    """
    if not (row["low"] > 0 or row["high"] < 0):
        return NOT_SEPARABLE
    way: str = ("worse", "better")[int(row["difference"] > 0)]
    return way + ", but not after the correction" * int(row["p_holm"] > 0.05)


def _of_block(block: pd.DataFrame, baseline: str) -> list[dict[str, Any]]:
    """Return the comparisons among the systems that tested the same songs, without correction."""
    key = [*answers.SYSTEM, "name"]
    songs = [rows for _, rows in block.groupby(key, sort=False, dropna=False)]
    systems = pd.DataFrame([rows.iloc[0][key] for rows in songs]).reset_index(drop=True)
    systems = systems.assign(size=list(map(len, songs)), label=labels(systems))
    plain = systems[systems["name"] == baseline]
    found = []
    for number in np.flatnonzero(systems["name"] != baseline):
        system = systems.loc[number]
        agreement = plain[[*_NEAR]].eq(system[[*_NEAR]]).assign(size=plain["size"])
        if agreement.empty:
            continue
        nearest = agreement.sort_values([*agreement]).index[-1]
        about = {name: system[name] for name in COLUMNS[: COLUMNS.index("first")]}
        names = {"first": systems["label"][nearest], "second": system["label"]}
        try:
            found.append({**about, **names, **difference(songs[int(nearest)], songs[number])})
        except MerKitError:  # other seeds or folds: nothing to compare
            continue
    return found


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


def sentences(results: pd.DataFrame, folds: pd.DataFrame) -> list[str]:
    """Return what the runs show: their states, songs against the majority, methods against ce.

    Parameters
    ----------
    results, folds : from `results.runs_table.collect` and `fold_scores`
    """
    counts = results["status"].value_counts().items()
    states = ", ".join(f"{count} {state}" for state, count in counts)
    lines = [f"{plural(len(results), 'run')}: {states or 'none'}."]
    broken = results[results["status"].isin(["failed", "unreadable"])]
    lines += [f"{run.folder} is {run.status}: {run.reason}." for run in broken.itertuples()]
    lines += [  # with the fingerprint, since one title can have several settings
        f"{title(rows.iloc[0])} ({str(folder).rpartition('-')[2]}): {_against_majority(rows)}."
        for folder, rows in folds.groupby("folder", sort=False)
    ]
    for row in comparisons(answers.song_answers(results)).to_dict("records"):
        pair = f"{row['second']} against {row['first']}"
        where = with_noise(f"{row['corpus']}, {row['task']}", row)
        lines.append(f"{where}: {pair}: {words(row)}.")
    return lines


def title(row: Any) -> str:
    """Return a run's name for people from any row with its settings.

    Examples
    --------
    >>> title({"corpus": "4q", "task": "valence", "segment_seconds": 3.0, "method": "ce",
    ...        "preset": "cpu", "seed": 1})
    '4q, valence, 3 s, ce, cpu, seed 1'
    """
    name = (
        f"{row['corpus']}, {row['task']}, {duration(row['segment_seconds'])}, {row['method']}, "
        f"{row['preset']}, seed {int(row['seed'])}"
    )
    return with_noise(name, row)


def _against_majority(run: pd.DataFrame) -> str:
    """Return one run's song accuracy compared with always answering the majority class."""
    songs = run[run["classifier"].isin(COMPARED)].set_index("fold")["accuracy"]
    guess = run[run["classifier"] == "majority"].set_index("fold")["accuracy"].reindex(songs.index)
    n, above = len(songs), int((songs > guess).sum())
    return (
        f"{percent(songs.mean(), songs.std(ddof=1))} % of the songs right over {n} of "
        f"{int(run['folds'].iloc[0])} folds, always answering the majority class "
        f"{100 * guess.mean():.1f} %; above it in {above} of {n}"
    )
