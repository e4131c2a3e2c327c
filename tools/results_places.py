"""What docs/results.md and README.md have between their marks: tables and sentences, made of the archives of answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from mer_kit.analysis import paper_fig2
from mer_kit.checks import MerKitError
from mer_kit.format import UNKNOWN, duration, percent, plural
from mer_kit.plots import noise_map, style
from mer_kit.records import labels_from_quadrant
from mer_kit.results import (
    archive,
    compare,
    costs,
    crossing,
    findings,
    runs_table,
    side_by_side,
    statistics,
)

sys.path.insert(0, str(Path(__file__).parent))
import readme_figures
import wrong_labels
from markdown_table import markdown

NOISE = ("noise", "noise_sssl", "noise_sssl_paper")
ABOUT = "about.json"


def systems(answers: Path) -> str:
    """Return the main table: every method and system against plain training."""
    found = _read(answers, ["methods", "whole_clips"])
    return _against_baseline(found)


def _read(answers: Path, names: Sequence[str]) -> archive.Archive:
    """Return those of the archives that exist as one."""
    there = [name for name in names if (answers / f"{name}.runs.csv").is_file()]
    if not there:
        raise MerKitError(f"none of {', '.join(names)} is in {answers.name}/: run `make results`")
    return archive.combine([archive.read(answers, name) for name in there])


def _against_baseline(found: archive.Archive) -> str:
    """Return a Markdown table with the baseline first and the systems by their difference from it."""
    compared = compare.comparisons(found.answers).sort_values("difference", ascending=False)
    first = found.answers[found.answers["name"] == compare.BASELINE]
    rows = [_row(compare.BASELINE, first, found.runs, {})]
    for row in compared.to_dict("records"):
        its = found.answers[_is(found.answers, row)]
        rows.append(_row(str(row["second"]), its, found.runs, {str(k): v for k, v in row.items()}))
    n = compared.iloc[0]
    note = (
        f"{plural(int(n['songs']), 'song')} of {plural(int(n['artists']), 'artist')}, {_seeds(found.answers)}, ten "
        "folds. Percent and points; brackets: 95 % bootstrap intervals over artists. Songs by `mean`, or a system's own "
        f"answer. {plural(len(compared), 'comparison')} with `{compare.BASELINE}`; p by random signs of artists, corrected "
        "with Holm's method. “2 points seen”: the probability that a true difference of two points would have been seen."
    )
    return f"{markdown(rows)}\n\n{note}"


def _is(answers: pd.DataFrame, row: dict[Any, Any]) -> pd.Series:
    """Return which answers are those of a row of `compare.comparisons`."""
    about = ["method", "segment_seconds", "frontend", "recipe", "preset"]
    same = (answers[about] == [row[name] for name in about]).all(axis=1)
    return same & answers["name"].eq(str(row["second"]).split(", ")[0])


def _row(
    name: str, answers: pd.DataFrame, runs: pd.DataFrame, against: dict[str, Any]
) -> dict[str, str]:
    own = runs[runs["folder"].isin(answers["folder"]) & runs["name"].isin(answers["name"])]
    number = own[["segment_accuracy_mean", "song_accuracy_mean", *costs.TITLES]].mean()
    network = answers["classifier"].iloc[0] == runs_table.COMPARED[0]
    by_seed = [one for _, one in answers.groupby("seed")]
    f1 = np.mean([f1_score(one["label"], one["answer"], average="macro") for one in by_seed])
    cells = {
        "system": f"`{name}`",
        "segments": percent(number["segment_accuracy_mean"]) if network else UNKNOWN,
        "songs, SVM": percent(number["song_accuracy_mean"]) if network else UNKNOWN,
        "songs": _with_interval(answers),
        "macro-F1": percent(float(f1)),
        "V, A": ", ".join(_dimension(answers, name) for name in ("valence", "arousal")),
    }
    if against:
        cells["against `ce`"] = _points(against)
        cells["p, Holm"] = f"{against['p_holm']:.2f}"
        cells["finding"] = findings.finding(against)
        cells["2 points seen"] = f"{float(compare.chance_to_see(against)):.2f}"
    return cells | {title: costs.texts(dict(number))[title] for title in costs.TITLES.values()}


def _with_interval(answers: pd.DataFrame) -> str:
    """Return the accuracy over songs of answers, averaged over seeds, with its interval over artists."""
    by_song = (
        answers.astype({"right": float}).groupby("clip_id").agg({"right": "mean", "group": "first"})
    )
    low, high = statistics.interval(by_song["right"].to_numpy(), by_song["group"].to_numpy())
    return f"{percent(by_song['right'].mean())} [{percent(low)}, {percent(high)}]"


def _dimension(answers: pd.DataFrame, name: str) -> str:
    """Return the accuracy of valence or arousal as the four-class answers imply it."""
    meant = {f"Q{k + 1}": labels_from_quadrant(k)[name] for k in range(4)}
    return percent(float((answers["answer"].map(meant) == answers["label"].map(meant)).mean()))


def whole_clips(answers: Path) -> str:
    """Return the sentence about segments against whole clips."""
    found = _read(answers, ["methods", "whole_clips"])
    rows = compare.comparisons(found.answers).to_dict("records")
    row = next((row for row in rows if str(row["second"]).startswith("whole_clip")), None)
    if row is None:
        raise MerKitError("whole_clips is not archived: run `make results`")
    return f"The same network on whole clips, against the same network on segments of 3 s: {findings.words(row)}."


def the_noise_map(answers: Path, figures: Path | None = None) -> str:
    """Return the noise map as a table and its crossings in sentences; draw it if there is a folder for figures."""
    found = _read(answers, NOISE)
    by_mean = found.answers["classifier"].isin(runs_table.COMPARED)  # not ce by another classifier
    found = archive.Archive(found.runs, found.answers[by_mean])
    table = side_by_side.noise_map(found.answers)
    table = table[table["kind"] != "none"]
    crossings = crossing.crossings(found.answers, table)
    if figures is not None:
        _draw(found.answers, table, crossings, figures / "noise_map_4q")
    rows = []
    for (kind, name), line in table.groupby(["kind", "name"]):
        cells = {"noise": str(kind), "method": f"`{name}`"}
        for row in line.sort_values("rate").to_dict("records"):
            text = f"{percent(row['accuracy'])} ({_points(row)})"
            cells[f"{100 * row['rate']:.0f} %"] = _bold(text, row)
        rows.append(cells)
    said = [f"- {kind} noise: {one.words(name)}" for (name, kind), one in crossings.items()]
    return "\n\n".join([markdown(rows), _about_noise(found), "\n".join(said)])


def _draw(answers: pd.DataFrame, table: pd.DataFrame, crossings: Any, path: Path) -> None:
    style.use()
    labels = answers.drop_duplicates("clip_id")["label"]
    majority = float(labels.value_counts(normalize=True).max())
    figure = noise_map.noise_figure(table, crossings=crossings, majority=majority)
    alt = "Accuracy of songs against the fraction of wrong labels, one panel per method and kind of noise."
    style.save_figure(figure, path, alt=alt, data=table)
    plt.close(figure)


def _about_noise(found: archive.Archive) -> str:
    """Return what the noise map's cells are, plain training's accuracies, and how often SSSL divides."""
    is_plain = found.answers["name"] == compare.BASELINE
    plain = found.answers[is_plain].groupby(["noise_kind", "noise_rate"])["right"].mean()
    told = ", ".join(
        f"{kind} {100 * rate:.0f} %: {percent(value)}" for (kind, rate), value in plain.items()
    )
    split = side_by_side.costs_alike(found.runs.drop_duplicates("folder"), found.answers)
    fractions = "; ".join(
        f"`{name}` {percent(its.min())}–{percent(its.max())} %"
        for name, its in split.dropna(subset="split").groupby("name")["split"]
    )
    return (
        f"{plural(found.answers['clip_id'].nunique(), 'song')}, {_seeds(found.answers)}. Accuracy of songs, and in parentheses "
        f"the difference from `{compare.BASELINE}` with the same wrong labels, in points, with its 95 % interval over artists; "
        f"bold: separable, also after Holm's correction for the methods at that rate. `{compare.BASELINE}` itself: {told}. "
        f"Epochs that split: {fractions}."
    )


def repairs(answers: Path) -> str:
    """Return what each repair of SSSL is worth: one switch at a time, against the repaired form."""
    found = _read(answers, ["repairs"])
    baseline = "sssl, repaired"
    seeds = found.answers.groupby(["name", "noise_kind"])["seed"].unique()
    shared = set.intersection(*map(set, seeds))  # else rows of other seeds would be compared
    its = found.answers[found.answers["seed"].isin(shared)]
    table = side_by_side.noise_map(its, baseline=baseline)
    split = found.runs[found.runs["seed"].isin(shared)].groupby(["name", "noise_kind"])["split"]
    accuracy = its.groupby(["name", "noise_kind"])["right"].mean()
    rows = []
    for name in [baseline, *dict.fromkeys(table.sort_values("name")["name"])]:
        cells = {"SSSL": name.removeprefix("sssl, ")}
        for kind, title in {"none": "as labelled", "song": "40 % of songs wrong"}.items():
            told = table[
                (table["name"] == name) & (table["rate"] == RATES[kind]) & (table["kind"] == "song")
            ]
            cells[f"songs, {title}"] = percent(accuracy[name, kind])
            cells[f"against repaired, {title}"] = "".join(
                _bold(_points(row), row) for row in told.to_dict("records")
            )
            cells[f"epochs split, {title}"] = f"{percent(split.mean()[name, kind])} %"
        rows.append(cells)
    note = (
        f"{plural(its['clip_id'].nunique(), 'song')}, {plural(len(shared), 'seed')}. Percent and points; 95 % intervals over "
        "artists. Bold: separable from the repaired form, also after Holm's correction for the switches of a column."
    )
    return f"{markdown(rows)}\n\n{note}\n\n{_dip_test(answers)}".rstrip()


def _dip_test(answers: Path) -> str:
    """Return the comparison that decides about the dip test's default, by the rule of docs/protocol.md; "" without its runs."""
    found = _read(answers, NOISE).answers
    chosen = {
        "as labelled": ("none", 0.0),
        "40 % symmetric": ("symmetric", 0.4),
        "40 % song": ("song", 0.4),
    }
    told = []
    for title, (kind, rate) in chosen.items():
        here = found[found["noise_kind"].eq(kind) & found["noise_rate"].eq(rate)]
        forms = [here[here["name"] == name] for name in ("sssl", "sssl, no dip test")]
        if all(map(len, forms)):
            row = compare.difference(*forms)
            told.append(
                f"{title} {_points(row)}, p {row['p']:.3f} ({plural(row['seeds'], 'seed')})"
            )
    return f"Without the dip test against with it, in points: {'; '.join(told)}." if told else ""


#: Rates of the wrong labels of repairs.yaml.
RATES = {"none": 0.0, "song": 0.4}


def _seeds(answers: pd.DataFrame) -> str:
    """Return how many seeds each system has, or the fewest and the most."""
    seeds = answers.groupby(["name", "noise_kind", "noise_rate"])["seed"].nunique()
    few, most = int(seeds.min()), int(seeds.max())
    return plural(few, "seed") if few == most else f"{few} to {most} seeds"


def _points(row: dict[Any, Any]) -> str:
    """Return a difference with its interval in points."""
    return f"{100 * row['difference']:+.1f} [{percent(row['low'])}, {percent(row['high'])}]"


def _bold(text: str, row: dict[Any, Any]) -> str:
    """Return a text in bold if a row's difference is separable, also after the correction."""
    return f"**{text}**" if findings.finding(row) in ("better", "worse") else text


def joined(answers: Path) -> str:
    """Return the joined front-ends against plain training, and what each part brings."""
    found = _read(answers, ["methods", "joined"])
    whole = "stacking, all parts"
    parts = found.answers[found.answers["name"].str.startswith("stacking")]
    everything = parts[parts["name"] == whole]
    if everything.empty:
        raise MerKitError(f"{whole} is not archived: run `make results`")
    rows = []
    for name, its in parts.groupby("name"):
        cells = {"stacking": str(name).removeprefix("stacking, ")}
        cells["songs"] = _with_interval(its)
        if name != whole:
            cells["against all parts"] = _points(compare.difference(everything, its))
        rows.append(cells)
    plain = found.answers[found.answers["name"] == compare.BASELINE]
    shared = compare.difference(plain[plain["seed"].isin(everything["seed"])], everything)
    told = findings.words({**shared, "p_holm": shared["p"], "comparisons": 1})
    note = f"All parts against `{compare.BASELINE}`: {told}. The intervals of the other rows are not corrected."
    return f"{markdown(rows)}\n\n{note}"


def durations(answers: Path) -> str:
    """Return accuracy by duration and task, and how every other duration compares with 3 s."""
    found = _read(answers, ["durations"]).answers
    rows, said = [], []
    for seconds, its in found.groupby("segment_seconds"):
        tasks = {str(task): _with_interval(one) for task, one in its.groupby("task")}
        rows.append(
            {
                "duration": duration(float(str(seconds))),
                **{task: tasks.get(task, UNKNOWN) for task in _TASKS},
            }
        )
    for task in _TASKS:
        of_task = found[found["task"] == task]
        parts = {float(str(seconds)): one for seconds, one in of_task.groupby("segment_seconds")}
        for seconds in sorted(set(parts) - {3.0}):
            if 3.0 in parts:
                row = compare.difference(parts[3.0], parts[seconds])
                said.append(f"{task} {duration(seconds)} {_points(row)}")
    n = found["clip_id"].nunique()
    note = f"`ce`, {plural(n, 'song')}, seed {found['seed'].iloc[0]}; percent. Against 3 s, in points: {'; '.join(said)}."
    return f"{markdown(rows)}\n\n{note}"


_TASKS = ("quadrant", "valence", "arousal")


def in_short(answers: Path) -> str:
    """Return the README's table: a few systems, as labelled and where most songs are labelled wrongly."""
    clean = _read(answers, ["methods", "whole_clips", "joined"]).answers
    noisy = _read(answers, NOISE).answers
    without = noisy[noisy["noise_kind"].eq("none") & ~noisy["name"].isin(clean["name"])]
    most = noisy[noisy["noise_kind"].eq("song") & noisy["noise_rate"].eq(0.6)]
    columns = {
        "songs right, %": pd.concat([clean, without]),
        "with 60 % of the training songs labelled wrongly": most,
    }
    rows = []
    for name, title in SHORT.items():
        cells = {"system": title}
        for told, table in columns.items():
            its = table[(table["name"] == name) & table["classifier"].isin(runs_table.COMPARED)]
            if len(its):
                seeds = plural(its["seed"].nunique(), "seed")
                cells[told] = f"{_with_interval(its)}, {seeds}"
            else:
                cells[told] = UNKNOWN
        rows.append(cells)
    n = clean["clip_id"].nunique()
    note = (
        f"{plural(n, 'song')} of 4Q, four quadrants, ten folds that share no artist, features of a frozen tagger (musicnn); "
        "brackets: 95 % bootstrap intervals over artists."
    )
    return f"{markdown(rows)}\n\n{note}"


#: System → its title in the README's table.
SHORT = {
    "ce": "plain training (`ce`)",
    "whole_clip": "the same on whole clips (`whole_clip`)",
    "sssl": "SSSL, repaired (`sssl`)",
    "sssl, no dip test": "SSSL without its dip test",
    "elr": "early-learning regularisation (`elr`)",
    "stacking, all parts": "four front-ends joined (`stacking`)",
}


def demo_corpus(answers: Path) -> str:
    """Return the table of the demo corpus, from figures/demo_results.csv."""
    return readme_figures.as_markdown(pd.read_csv(_figures(answers) / readme_figures.RESULTS))


def fig2(answers: Path) -> str:
    """Return the paper's statements about its clip beside the curve of figures/fig2_4q."""
    table = paper_fig2.beside_paper(pd.read_csv(_figures(answers) / "fig2_4q.csv"))
    rows = [
        {"the paper says": row.paper, "seconds": f"{row.from_s:g}–{row.to_s:g}", "expected": row.expected,
         "highest mean": row.led_by, "segments led": f"{100 * row.share_led:.0f} %",
         "agrees": "yes" if row.agrees else "no"}
        for row in table.itertuples()
    ]  # fmt: skip
    return markdown(rows)


def _figures(answers: Path) -> Path:
    return answers.parents[1] / "figures"


def origin(answers: Path) -> str:
    """Return where the numbers come from, one row per archive."""
    known = json.loads((answers / ABOUT).read_text("utf-8"))
    rows = [
        {"archive": f"`{name}`", "archived at": f"`{one['commit']}`", "last run": one["finished"],
         "hours of training": f"{one['hours']:.1f}", "machine": one["machine"]}
        for name, one in sorted(known.items())
    ]  # fmt: skip
    return markdown(rows)


#: Name of a place in docs/results.md → what is written there.
PLACES: dict[str, Callable[[Path], str]] = {
    "systems": systems, "whole clips": whole_clips, "repairs": repairs, "noise map": the_noise_map, "durations": durations,
    "joined": joined, "human truth": wrong_labels.human_truth, "mistakes": wrong_labels.mistakes, "fig 2": fig2,
    "demo corpus": demo_corpus, "in short": in_short, "origin": origin,
}  # fmt: skip
