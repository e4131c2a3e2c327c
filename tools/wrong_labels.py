"""Scores for wrong labels, archived in experiments/answers/, and what docs/results.md says of them.

    python tools/wrong_labels.py [RUNS]  # write the archives from finished runs (default: MER_RUNS, else runs/) and MER_DATA

`suspicions.csv.gz` has one row for each segment of VGMIDI and of the demo corpus, with every score that the kit offers;
`rejected_4q.csv.gz` the segments of 4Q that all runs of methods.yaml reject; `doubts_4q.csv` how much of each song is doubted.
A song's scores are those of one training: the fold after the one that tested the song.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from mer_kit import files
from mer_kit.analysis import ranking, suspicion
from mer_kit.analysis.passes import read_passes
from mer_kit.batch import grid, grid_file
from mer_kit.checks import MerKitError
from mer_kit.cli.options import report_errors
from mer_kit.corpora import truth
from mer_kit.format import UNKNOWN, percent, plural
from mer_kit.paths import default_runs_dir, project_root
from mer_kit.results import rejected
from mer_kit.runs.experiment import Experiment

sys.path.insert(0, str(Path(__file__).parent))
from markdown_table import markdown

CORPORA = ("vgmidi", "demo")
TITLES = {"vgmidi": "VGMIDI", "demo": "the demo corpus"}
#: Variant of wrong_labels_*.yaml → the scores of its passes that are kept.
KEPT = {
    "plain training": tuple(suspicion.OF_PASSES),
    "SSSL": ("mean loss", "1 − ω"),
    "SSSL, no dip test": ("mean loss", "1 − ω"),
    "SSSL, paper's form": ("mean loss", "1 − ω"),
    "SSSL, losses minus their song's median": ("1 − ω",),
}
PLAIN = "plain training"
#: Scores that no evaluation pass gives.
ONCE = {"out-of-fold loss": suspicion.without_the_song, "cleanlab": suspicion.by_cleanlab}
WARMUP, END = "after the warm-up", "after the last epoch"
SUSPICIONS, REJECTED, DOUBTS = "suspicions.csv.gz", "rejected_4q.csv.gz", "doubts_4q.csv"
#: The aim of docs/protocol.md.
WORKS = 0.70
#: Rejected segments that the page lists.
LISTED = 5


# ---- archives ----------------------------------------------------------------------------------------------------------


def suspicions(experiments: dict[str, Experiment]) -> pd.DataFrame:
    """Return the scores of every segment of a corpus whose truth is known, as the archive has them."""
    plain = experiments[PLAIN]
    parts = []
    for fold in plain.folds:
        number = (fold.number + 1) % len(plain.folds)
        columns: dict[str, np.ndarray] = {}
        for variant, kept in KEPT.items():
            passes = read_passes(experiments[variant], number)
            settings = experiments[variant].config.training
            for when, epoch in ((WARMUP, settings.warmup_epochs), (END, len(passes))):
                scores = suspicion.of_passes(passes, epoch)
                columns |= {f"{variant}|{name}|{when}": scores[name].to_numpy() for name in kept}
        passes = read_passes(plain, number)
        for name, score in ONCE.items():
            columns[f"|{name}|"] = score(plain, passes)
        about = {
            "clip_id": np.asarray(plain.clip_ids)[passes.clip],
            "start_s": passes.start_s,
            "wrong": (passes.truth != passes.labels).astype(int),
            "agreement": truth.agreement(plain.corpus, passes.clip, passes.start_s, passes.end_s),
        }
        its = np.isin(passes.clip, fold.test) & (passes.truth >= 0)
        parts.append(pd.DataFrame({**about, **columns})[its])
    return pd.concat(parts).sort_values(["clip_id", "start_s"]).reset_index(drop=True)


def doubts(experiment: Experiment) -> pd.DataFrame:
    """Return one row per song: its artist, its annotators' agreement, and how many of its segments are doubted."""
    rows, groups = [], experiment.grouping.groups
    for fold in experiment.folds:
        number = (fold.number + 1) % len(experiment.folds)
        passes = read_passes(experiment, number)
        omega = passes.partition_after(len(passes)).omega
        doubted = omega <= np.quantile(omega, ranking.LISTENED)
        table = pd.DataFrame({"clip": passes.clip, "doubted": doubted})
        share = table[table["clip"].isin(fold.test)].groupby("clip")["doubted"].mean()
        for clip, value in share.items():
            about = experiment.corpus.clips[int(str(clip))]
            group = about.clip_id if groups is None else str(groups[int(str(clip))])
            row = {"clip_id": about.clip_id, "group": group, "agreement": about.confidence}
            rows.append({**row, "doubted": value})
    return pd.DataFrame(rows).sort_values("clip_id").reset_index(drop=True)


def archive(runs_dir: Path, experiments: Path) -> list[str]:
    """Write all three archives from finished runs; return a line about each."""
    answers, lines = experiments / "answers", []
    cache = grid.CorpusCache(runs_dir)
    tables = []
    for corpus in CORPORA:
        cells = grid.cells(grid_file.read(experiments / f"wrong_labels_{corpus}.yaml"))
        opened = {cell.variant: cache.experiment(cell) for cell in cells}
        tables.append(suspicions(opened).assign(corpus=corpus))
        lines.append(f"{corpus}: {len(tables[-1])} segments")
    _write(answers / SUSPICIONS, pd.concat(tables), "%.4g")
    cells = grid.cells(grid_file.read(experiments / "methods.yaml"))
    runs = [cache.experiment(cell) for cell in cells]
    done = [run for run in runs if all(run.folder.fold_done(fold.number) for fold in run.folds)]
    plain = [run for run in done if run.config.method == "ce" and run.config.seed == 0]
    if not plain:
        raise MerKitError("ce of methods.yaml is not finished with seed 0: run `make results`")
    found = rejected.by_all([run.folder.path for run in done], n=None, per_song=None)
    if found.empty:
        raise MerKitError("no segment is rejected by all runs of methods.yaml, expected some")
    _write(answers / REJECTED, found, "%.3f")
    lines.append(f"{REJECTED}: {plural(len(done), 'run')}")
    files.write_table(answers / DOUBTS, doubts(plain[0]), float_format="%.4g")
    return lines


def _write(file: Path, table: pd.DataFrame, float_format: str) -> None:
    """Write a compressed CSV; equal tables give equal bytes."""
    text = table.to_csv(index=False, lineterminator="\n", float_format=float_format)
    with files.writing(file) as partial:
        partial.write_bytes(gzip.compress(text.encode(), mtime=0))


# ---- what the page has -------------------------------------------------------------------------------------------------


def human_truth(answers: Path) -> str:
    """Return how well every score finds the labels with which listeners disagree, and why not better."""
    table = pd.read_csv(answers / SUSPICIONS, keep_default_na=False, na_values=[""])
    parts = [_of_corpus(table[table["corpus"] == corpus], corpus) for corpus in CORPORA]
    return "\n\n".join(parts)


def _of_corpus(table: pd.DataFrame, corpus: str) -> str:
    wrong, songs = table["wrong"].to_numpy(bool), table["clip_id"].to_numpy()
    names = [name for name in table if "|" in name]
    ranked = ranking.ranking(table[names], wrong, songs).set_index("score")
    rows, works = [], []
    for name in dict.fromkeys(name.rpartition("|")[0] for name in names):
        training, score = name.split("|")
        first = ranked.loc[f"{name}|{WARMUP}"] if training else None
        last = ranked.loc[f"{name}|{END}" if training else f"{name}|"]
        rows.append(
            {
                "training": training or "without the song",
                "score": score,
                f"AUC {WARMUP}": UNKNOWN if first is None else _interval(first),
                f"AUC {END}": _interval(last),
                "within songs": f"{last['within_songs']:.2f}",
                "wrong in the first tenth, %": percent(last["precision"]),
            }
        )
        works += [f"{score} ({training or 'without the song'})"] if last["low"] > WORKS else []
    said = {0: "none", len(rows): "all"}.get(len(works), ", ".join(works))
    about = (
        f"**{TITLES[corpus][0].upper()}{TITLES[corpus][1:]}**: {len(table):,} segments of {plural(len(set(songs)), 'song')}; "
        f"{percent(wrong.mean())} % have another class than their song. Scores whose whole interval lies above {WORKS:.2f} after "
        f"the last epoch: {said}."
    )
    return "\n\n".join([about, markdown(rows), _why(table, wrong, songs)])


def _interval(row: pd.Series) -> str:
    return f"{row['auc']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def _why(table: pd.DataFrame, wrong: np.ndarray, songs: np.ndarray) -> str:
    """Return how much of it all is shared by a song, and where the loss ranks better and worse."""
    loss = table[f"{PLAIN}|mean loss|{END}"].to_numpy()
    share = [ranking.shared_by_song(one, songs) for one in (wrong, loss)]
    by_song = pd.Series(wrong).groupby(songs).mean()
    mostly = pd.Series(songs).map(by_song).to_numpy() > 0.5
    text = (
        f"Intraclass correlation within songs: {share[0]:.2f} for being wrong, {share[1]:.2f} for the mean loss. "
        f"{percent((by_song == 0).mean())} % of the songs have no wrong segment, and {percent((by_song > 0.5).mean())} % "
        "more wrong than right ones."
    )
    if mostly.any():
        text += f" Without the latter, the AUC of the mean loss is {_part(loss, wrong, songs, ~mostly)}."
    if table["agreement"].notna().any():
        agree = (table["agreement"] >= 0.5).to_numpy()
        told = [
            f"{_part(loss, wrong, songs, rows)} where {title} ({percent(rows.mean())} % of the segments, of which "
            f"{percent(wrong[rows].mean())} % are wrong)"
            for title, rows in (
                ("at least half of the listeners agree", agree),
                ("fewer agree", ~agree),
            )
        ]
        low, high = ranking.difference_interval(wrong, loss, songs, agree)
        text += f" It is {' and '.join(told)}; the difference has the interval [{low:+.2f}, {high:+.2f}]."
    return text


def _part(loss: np.ndarray, wrong: np.ndarray, songs: np.ndarray, rows: np.ndarray) -> str:
    """Return the AUC of the loss among some segments, with its interval."""
    table = pd.DataFrame({"loss": loss[rows]})
    return _interval(ranking.ranking(table, wrong[rows], songs[rows]).iloc[0])


def mistakes(answers: Path) -> str:
    """Return the segments of 4Q that all runs reject, and what its annotators' agreement says of doubted songs."""
    found = pd.read_csv(answers / REJECTED, dtype={"clip_id": str})
    rows = [
        {"clip": f"`{row.clip_id}`", "seconds": f"{row.start_s:g}–{row.end_s:g}", "label": row.label,
         "the networks say": f"{row.answer} ({percent(row.agree)} %)", "p of the label": f"{row.p_label:.3f}",
         "p of the answer": f"{row.p_answer:.2f}"}
        for row in found.drop_duplicates("clip_id").head(LISTED).itertuples()
    ]  # fmt: skip
    doubted = pd.read_csv(answers / DOUBTS, dtype={"clip_id": str}).dropna(subset=["agreement"])
    rho = float(stats.spearmanr(doubted["agreement"], doubted["doubted"]).statistic)
    low, high = _spearman_interval(doubted)
    return (
        f"All of {plural(int(found['runs'].max()), 'run')} with different predictions reject "
        f"{plural(len(found), 'segment')} of {plural(found['clip_id'].nunique(), 'song')}, each by networks that never heard "
        f"the song. The first {LISTED}, one per clip:\n\n{markdown(rows)}\n\n"
        "4Q's PQuad, the fraction of a song's mood words that lie in its quadrant, against the fraction of its seconds among "
        f"the tenth that plain training doubts most: Spearman's ρ {rho:+.2f} [{low:+.2f}, {high:+.2f}] over {len(doubted)} songs."
    )


def _spearman_interval(table: pd.DataFrame, *, draws: int = 1000) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of Spearman's ρ, drawing artists."""
    rng = np.random.default_rng(0)
    number = pd.factorize(table["group"])[0]
    rows = [np.flatnonzero(number == one) for one in range(number.max() + 1)]
    x, y = table["agreement"].to_numpy(), table["doubted"].to_numpy()
    found = []
    for _ in range(draws):
        drawn = np.concatenate([rows[one] for one in rng.integers(len(rows), size=len(rows))])
        found.append(stats.spearmanr(x[drawn], y[drawn]).statistic)
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return float(low), float(high)


@report_errors
def main() -> None:
    """Write the archives."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="?", help="the folder of the runs")
    runs = parser.parse_args().runs or default_runs_dir()
    print("\n".join(archive(runs, (project_root() or Path.cwd()) / "experiments")))


if __name__ == "__main__":
    main()
