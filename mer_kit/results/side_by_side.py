"""Every system on the same songs and folds: differences from plain training at every noise.

Notebook: 08_compare
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.later_settings import without_absent
from mer_kit.results import answers, compare, costs
from mer_kit.results.recipes import division, recipe, with_songs
from mer_kit.results.runs_table import NOISE
from mer_kit.runs import stored_folds
from mer_kit.runs.config import RunConfig, as_dictionary
from mer_kit.runs.run_folder import RunFolder
from mer_kit.training.methods import sssl

#: Settings in which runs agree with the chosen one; a system without such a run keeps its own.
OWN = ("segment_seconds", "preset", "frontend", "song_features")
#: Columns of `noise_map`; differences are those from the baseline, as fractions.
MAP = (
    *("name", "kind", "rate", "accuracy", "baseline", "difference", "low", "high"),
    *("p_holm", "songs", "seeds"),
)


def answers_alike(results: pd.DataFrame, config: RunConfig, clips: Sequence[str]) -> pd.DataFrame:
    """Return the answers of all systems that tested the songs of a run in its folds.

    The run's own noise, method and seed do not matter. Of a system that was run with several
    segment durations, presets, front-ends or song features, the run's own are taken. If it still
    has several variants, their names tell them apart, the same at every noise.

    Parameters
    ----------
    results : from `results.runs_table.collect`
    config : of the run
    clips : `Experiment.clip_ids`

    Returns
    -------
    DataFrame
        as `results.answers.song_answers`; "recipe" and "division" leave noise out

    Examples
    --------
    >>> from mer_kit.results.runs_table import collect
    >>> answers_alike(collect([]), RunConfig(), ["a"]).empty
    True
    """
    # Lists, as stored configurations have them.
    own_config = json.loads(json.dumps(as_dictionary(config)))
    wanted = division(_quiet(with_songs(own_config, clips)))
    same = results["corpus"].eq(config.corpus) & results["task"].eq(config.task)
    runs = results[same & results["folds_done"].gt(0)]
    folders = map(RunFolder, runs["path"])
    stored = [_quiet(with_songs(run.config, stored_folds.clips(run))) for run in folders]
    runs = runs.assign(recipe=[*map(recipe, stored)], division=[*map(division, stored)])
    table = answers.song_answers(runs[runs["division"] == wanted])
    own = np.logical_and.reduce([table[name].eq(getattr(config, name)) for name in OWN])
    has_own = table["name"].isin(set(table["name"][own]))
    table = table[own | ~has_own].reset_index(drop=True)
    about = ["name", *OWN, "recipe"]
    systems = table.groupby(about, as_index=False, sort=False).size()
    paper = {mark for mark, one in zip(runs["recipe"], stored, strict=True) if _is_paper_form(one)}
    systems["title"] = _titles(systems, paper)
    named = table[about].merge(systems, how="left")
    return pd.DataFrame(table.assign(name=named["title"].to_numpy()))


def _titles(systems: pd.DataFrame, paper: set[str]) -> pd.Series:
    """Return a name for each system that no other has; that of the usual variant stays.

    Usual are the settings of a baseline, and of several such the ones with most answers.
    """
    usual = set(systems["recipe"][systems["name"] == compare.BASELINE])
    form = systems["recipe"].isin(paper) & systems["name"].isin(_WITH_FORMS)
    titles = systems["name"].mask(form, systems["name"] + ", paper's form").astype(object)
    rank = systems.assign(title=titles, usual=systems["recipe"].isin(usual))
    for title, same in rank.sort_values(["usual", "size"]).groupby("title"):
        others = same.index[:-1]
        titles[others] = [f"{title}, {recipe}" for recipe in systems["recipe"][others]]
        told = titles[others].duplicated(keep=False)
        titles[told.index[told]] = compare.labels(same)[told.index[told]]
    return titles


#: Methods that have a paper's form, see `training.methods.sssl.VARIANTS`.
_WITH_FORMS = ("sssl", "sssl_no_kl")


def _is_paper_form(config: dict[str, Any]) -> bool:
    """Return whether a run's settings are the paper's; those of runs before the repairs are."""
    training = config.get("training") or {}
    given = {**training, **(training.get("own") or {}), **(config.get("model") or {})}
    return all(given.get(name, value) == value for name, value in sssl.PAPER_FORM.items())


def _quiet(config: dict[str, Any]) -> dict[str, Any]:
    """Return a stored configuration as it would be without injected noise."""
    kept = without_absent(config, RunConfig)
    return {name: value for name, value in kept.items() if name not in NOISE}


def plain_name(name: str) -> str:
    """Return a system's own name, without what tells its variants apart.

    Examples
    --------
    >>> plain_name("sssl, paper's form")
    'sssl'
    """
    return name.partition(",")[0]


def row_of(comparisons: pd.DataFrame, name: str) -> dict[str, Any]:
    """Return the row of a system, or of the first one that was compared.

    Parameters
    ----------
    comparisons : from `results.compare.comparisons`, not empty

    Examples
    --------
    >>> table = pd.DataFrame({"second": ["elr", "sssl, paper's form"], "songs": [80, 60]})
    >>> row_of(table, "sssl")["songs"], row_of(table, "mil")["songs"]
    (60, 80)
    """
    rows = comparisons.to_dict("records")
    named = [row for row in rows if plain_name(row["second"]) == name]
    return {str(key): value for key, value in [*named, *rows][0].items()}


def noise_map(table: pd.DataFrame, *, baseline: str = compare.BASELINE) -> pd.DataFrame:
    """Return one row for each system, kind and rate of noise; each kind begins without noise.

    Parameters
    ----------
    table : from `answers_alike`
    baseline : a name in it

    Returns
    -------
    DataFrame
        `MAP`: accuracies over songs, averaged over seeds, and the difference from the baseline
        with its 95 % interval over artists. Kind "none" has the runs without noise only

    Examples
    --------
    >>> noise_map(pd.DataFrame(columns=list(answers.COLUMNS))).columns.tolist() == list(MAP)
    True
    """
    found = [compare.comparisons(songs, baseline=baseline) for _, songs in table.groupby([*NOISE])]
    names = {
        "second": "name", "noise_kind": "kind", "noise_rate": "rate",
        "second_accuracy": "accuracy", "first_accuracy": "baseline",
    }  # fmt: skip
    rows = pd.concat(found or [compare.comparisons(table)]).rename(columns=names)[[*MAP]]
    clean = rows[rows["kind"] == "none"]
    parts = [
        clean[clean["name"].isin(of_kind["name"])].assign(kind=kind)
        for kind, of_kind in rows.groupby("kind")
        if kind != "none"
    ]
    order = ["kind", "name", "rate"]
    return pd.concat([rows, *parts]).sort_values(order, kind="stable").reset_index(drop=True)


def costs_alike(results: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return what each system costs at each noise, averaged over its runs.

    Parameters
    ----------
    results : from `results.runs_table.collect`
    table : from `answers_alike`

    Returns
    -------
    DataFrame
        name, kind, rate, and the columns `results.costs.TITLES`; NaN for what is not known

    Examples
    --------
    >>> from mer_kit.results.runs_table import collect
    >>> len(costs_alike(collect([]), pd.DataFrame(columns=list(answers.COLUMNS))))
    0
    """
    about = ["name", *NOISE]
    runs = table[[*about, "folder"]].drop_duplicates()
    known = runs.merge(results[["folder", *costs.TITLES]], on="folder", how="left")
    means = known.groupby(about, as_index=False)[[*costs.TITLES]].mean()
    return means.rename(columns={"noise_kind": "kind", "noise_rate": "rate"})
