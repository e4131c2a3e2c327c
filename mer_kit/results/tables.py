"""The paper's tables 2 and 3 in their own shape, our runs beneath the paper's rows.

Notebook: 06_results
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.results.paper import paper_table
from mer_kit.systems import TITLES

#: What the tables call each method: those that mer-kit trains first, then other people's systems in the paper.
METHOD_TITLES: dict[str, str] = {
    **TITLES,
    "svm_yin2019": "SVM (Yin 2019)",
    "two_stage_he2022": "2-Stage (He 2022)",
    "audio_embedding_koh2021": "Audio Embedding (Koh 2021)",
    "svm_panda2018": "SVM (Panda 2018)",
}
NOTE = (
    "Percent. Ours: the SVM's answers for whole songs, mean ± sd over folds (n − 1; none for a single fold), F1 is "
    "macro-F1. The paper gives ten-fold means without spread and does not say which F1."
)


def table2(results: pd.DataFrame, *, every_run: bool = False) -> pd.DataFrame:
    """Return the paper's table 2 (accuracy and F1 by segment duration) as text, our runs beneath the paper's rows.

    One row a (corpus, duration, who); without `every_run` empty where no run is on a corpus and task of the paper's
    table. Runs that differ only in their seed are combined. `attrs["note"]` says what the numbers are.

    Parameters
    ----------
    results : from `results.runs_table.collect`
    every_run : all of the paper's rows, and ours also of corpora that the paper has not (the demo)

    Source: paper, table 2. Notebook: 06_results
    """
    paper = paper_table(2).assign(method="sssl")
    return _table(
        results,
        paper,
        ("valence", "arousal"),
        by=["corpus", "segment_seconds"],
        every_run=every_run,
    )


def table3(results: pd.DataFrame, *, every_run: bool = False) -> pd.DataFrame:
    """Return the paper's table 3 (accuracy and F1 by method) as text, our runs beneath the paper's rows; see `table2`.

    Source: paper, table 3. Notebook: 06_results
    """
    paper = paper_table(3).assign(
        segment_seconds=float("nan")
    )  # the paper does not say which duration
    return _table(
        results,
        paper,
        ("valence", "arousal", "quadrant"),
        by=["corpus", "method"],
        every_run=every_run,
    )


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown with its note beneath.

    Examples
    --------
    >>> print(markdown(pd.DataFrame({"corpus": ["4q"], "accuracy": ["76.5"]})))
    | corpus | accuracy |
    |---|---|
    | 4q | 76.5 |
    """
    lines = [list(map(str, table.columns)), *table.astype(str).to_numpy().tolist()]
    rows = ["| " + " | ".join(map(markdown_cell, line)) + " |" for line in lines]
    text = "\n".join([rows[0], "|" + "---|" * len(table.columns), *rows[1:]])
    return text + (f"\n\n{table.attrs['note']}" if table.attrs.get("note") else "")


def markdown_cell(text: str) -> str:
    r"""Return a text as one cell of a Markdown table: no HTML, no further column, no code, no line break.

    Examples
    --------
    >>> markdown_cell("a|b <i>c</i>\n`d`")
    'a\\|b &lt;i&gt;c&lt;/i&gt; \\`d\\`'
    """
    plain = html.escape(" ".join(text.split()), quote=False)
    return (
        re.sub(r"([\\|`\[\]*_])", r"\\\1", plain)
        if re.search(r"[|`<\[*]", text)
        else plain.replace("\\", "\\\\")
    )


def combine(
    means: Sequence[float], sds: Sequence[float], counts: Sequence[int]
) -> tuple[float, float, int]:
    """Return mean, sd (n − 1) and n of all values together, from the mean, sd and n of each part (seeds of one run).

    Examples
    --------
    >>> mean, sd, n = combine([0.5, 0.8], [float("nan"), float("nan")], [1, 1])
    >>> round(mean, 3), round(sd, 3), n
    (0.65, 0.212, 2)
    """
    m, n = np.asarray(means, dtype=float), np.asarray(counts, dtype=float)
    within = np.where(n > 1, np.nan_to_num(np.asarray(sds, dtype=float)), 0.0)
    total = float(n.sum())
    mean = float((n * m).sum() / total)
    squares = float(((n - 1) * within**2 + n * (m - mean) ** 2).sum())
    return mean, float(np.sqrt(squares / (total - 1))) if total > 1 else float("nan"), int(total)


def _table(
    results: pd.DataFrame,
    paper: pd.DataFrame,
    tasks: tuple[str, ...],
    *,
    by: list[str],
    every_run: bool,
) -> pd.DataFrame:
    ours = results[results["song_accuracy_mean"].notna() & results["task"].isin(tasks)]
    known = {(corpus, task) for corpus, task in zip(paper["corpus"], paper["task"], strict=True)}
    counterpart = np.array(
        [pair in known for pair in zip(ours["corpus"], ours["task"], strict=True)], dtype=bool
    )
    if not every_run:
        ours = ours[counterpart]
    shown = paper if every_run else paper[paper["corpus"].isin(set(ours["corpus"]))]
    rows = [*_paper_rows(shown, tasks), *_our_rows(ours, tasks)]
    rows.sort(key=lambda row: _order(row, by, list(paper["corpus"].unique())))
    names = ["corpus", "segment (s)", "method", "who", *_columns(tasks), "folds", "run"]
    table = pd.DataFrame(
        [{name: row.get(name, "–") for name in names} for row in rows], columns=names
    )
    table.attrs["note"] = NOTE
    return table


def _columns(tasks: Sequence[str]) -> list[str]:
    return [f"{task} {score}" for task in tasks for score in ("acc.", "F1")]


def _order(row: dict[str, Any], by: list[str], corpora: list[str]) -> tuple[Any, ...]:
    corpus = corpora.index(row["corpus"]) if row["corpus"] in corpora else len(corpora)
    order = list(METHOD_TITLES)
    own = row["key_method"] in TITLES
    method = (own, order.index(row["key_method"]) if row["key_method"] in order else len(order))
    key = row["key_seconds"] if "segment_seconds" in by else method
    return corpus, row["corpus"], key, row["who"] != "paper", method, row["key_seconds"], row["who"]


def _paper_rows(paper: pd.DataFrame, tasks: Sequence[str]) -> Iterator[dict[str, Any]]:
    for (corpus, seconds, method), part in paper.groupby(
        ["corpus", "segment_seconds", "method"], dropna=False
    ):
        row = _head(corpus, seconds, method, "paper")
        for _, cell in part.iterrows():
            row[f"{cell['task']} acc."] = percent(cell["accuracy_percent"] / 100)
            row[f"{cell['task']} F1"] = percent(cell["f1_percent"] / 100)
        yield row


def _our_rows(ours: pd.DataFrame, tasks: Sequence[str]) -> Iterator[dict[str, Any]]:
    keys = ["corpus", "segment_seconds", "method", "preset", "song_features", "folds", "recipe"]
    # A second run with the same settings and seed (of other clips or an older method) is no further seed: a row of its own.
    again = ours.groupby([*keys, "task", "seed"]).cumcount().rename("again")
    for (corpus, seconds, method, preset, features, *_), part in ours.groupby([*keys, again]):
        seeds = sorted({int(seed) for seed in part["seed"]})
        who = [
            f"ours: {preset}",
            f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}",
        ]
        row = _head(
            corpus, seconds, method, ", ".join(who + (["oof"] if features == "oof" else []))
        )
        for task, runs in part.groupby("task"):
            for score, title in (("accuracy", "acc."), ("macro_f1", "F1")):
                means, sds = runs[f"song_{score}_mean"].tolist(), runs[f"song_{score}_sd"].tolist()
                mean, sd, _ = combine(means, sds, runs["folds_done"].tolist())
                row[f"{task} {title}"] = percent(mean, sd)
        done = sorted({int(n) for n in part["folds_done"]})
        row["folds"] = f"{' or '.join(map(str, done))} of {int(part['folds'].iloc[0])}"
        row["run"] = ", ".join(part["fingerprint"].astype(str))
        yield row


def _head(corpus: Any, seconds: Any, method: Any, who: str) -> dict[str, Any]:
    known = bool(np.isfinite(seconds))
    return {
        "corpus": corpus, "segment (s)": f"{seconds:g}" if known else "–", "method": METHOD_TITLES.get(method, method),
        "who": who, "key_method": method, "key_seconds": float(seconds) if known else -1.0,
    }  # fmt: skip


def percent(mean: float, sd: float = float("nan")) -> str:
    """Return a share and its spread in percent, "–" where it is not known.

    Examples
    --------
    >>> percent(0.7312, 0.021), percent(0.5), percent(float("nan"))
    ('73.1 ± 2.1', '50.0', '–')
    """
    if not np.isfinite(mean):
        return "–"
    return f"{100 * mean:.1f} ± {100 * sd:.1f}" if np.isfinite(sd) else f"{100 * mean:.1f}"
