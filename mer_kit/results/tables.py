"""The paper's tables 2 and 3 with our runs beneath the paper's rows.

Notebook: 06_results
"""

import html
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.format import UNKNOWN, percent
from mer_kit.results.paper import paper_table
from mer_kit.systems import TITLES

#: Title of each method: first those that mer-kit trains, then the other systems in the paper.
METHOD_TITLES: dict[str, str] = {
    **TITLES,
    "svm_yin2019": "SVM (Yin 2019)",
    "two_stage_he2022": "2-Stage (He 2022)",
    "audio_embedding_koh2021": "Audio Embedding (Koh 2021)",
    "svm_panda2018": "SVM (Panda 2018)",
}
NOTE = (
    "Percent. Ours: the SVM's answers for whole songs, mean ± sd over folds (n − 1; none for a "
    "single fold), F1 is macro-F1. The paper gives ten-fold means without spread and does not say "
    "which F1."
)


def table2(results: pd.DataFrame, *, every_run: bool = False) -> pd.DataFrame:
    """Return the paper's table 2 (accuracy and F1 by segment duration) as text, with our runs.

    One row per corpus, duration and source ("who"), ours beneath the paper's. Runs that differ
    only in their seed are combined. `attrs["note"]` explains the numbers. Without `every_run` the
    table is empty if no run is on a corpus and task of the paper's table.

    Parameters
    ----------
    results : from `results.runs_table.collect`
    every_run : all of the paper's rows, and our runs on other corpora too (the demo)

    Source: paper, table 2. Notebook: 06_results
    """
    paper = paper_table(2).assign(method="sssl")
    by = ["corpus", "segment_seconds"]
    return _table(results, paper, ("valence", "arousal"), by=by, every_run=every_run)


def table3(results: pd.DataFrame, *, every_run: bool = False) -> pd.DataFrame:
    """Return the paper's table 3 (accuracy and F1 by method) as text, with our runs; see `table2`.

    Source: paper, table 3. Notebook: 06_results
    """
    paper = paper_table(3).assign(segment_seconds=float("nan"))  # the paper does not say which
    tasks = ("valence", "arousal", "quadrant")
    return _table(results, paper, tasks, by=["corpus", "method"], every_run=every_run)


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown with its note beneath.

    Examples
    --------
    >>> print(markdown(pd.DataFrame({"corpus": ["4q"], "accuracy": ["76.5"]})))
    | corpus   | accuracy   |
    |:---------|:-----------|
    | 4q       | 76.5       |
    """
    safe = (
        table.astype(str).map(markdown_cell).rename(columns=lambda name: markdown_cell(str(name)))
    )
    text: str = safe.to_markdown(index=False, disable_numparse=True)
    note = table.attrs.get("note")
    return f"{text}\n\n{note}" if note else text


def markdown_cell(text: str) -> str:
    r"""Return a text as one cell of a Markdown table: no HTML, further column, code or line break.

    Examples
    --------
    >>> markdown_cell("a|b <i>c</i>\n`d`")
    'a\\|b &lt;i&gt;c&lt;/i&gt; \\`d\\`'
    """
    plain = html.escape(" ".join(text.split()), quote=False)
    if re.search(r"[|`<\[*]", text):
        return re.sub(r"([\\|`\[\]*_])", r"\\\1", plain)
    return plain.replace("\\", "\\\\")


def combine(
    means: Sequence[float], sds: Sequence[float], counts: Sequence[int]
) -> tuple[float, float, int]:
    """Return mean, sd (n − 1) and n of all values, from those of each subset (seeds of one run).

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
    if total <= 1:
        return mean, float("nan"), int(total)
    squares = float(((n - 1) * within**2 + n * (m - mean) ** 2).sum())
    return mean, float(np.sqrt(squares / (total - 1))), int(total)


def _table(
    results: pd.DataFrame,
    paper: pd.DataFrame,
    tasks: tuple[str, ...],
    *,
    by: list[str],
    every_run: bool,
) -> pd.DataFrame:
    ours = results[results["song_accuracy_mean"].notna() & results["task"].isin(tasks)]
    if not every_run:
        known = set(zip(paper["corpus"], paper["task"], strict=True))
        pairs = zip(ours["corpus"], ours["task"], strict=True)
        ours = ours[np.array([pair in known for pair in pairs], dtype=bool)]
        paper = paper[paper["corpus"].isin(set(ours["corpus"]))]
    corpora = list(paper["corpus"].unique())
    rows = [*_paper_rows(paper, tasks), *_our_rows(ours, tasks)]
    rows.sort(key=lambda row: _order(row, by, corpora))
    scores = [f"{task} {score}" for task in tasks for score in ("acc.", "F1")]
    names = ["corpus", "segment (s)", "method", "who", *scores, "folds", "run"]
    table = pd.DataFrame(rows, columns=names).fillna(UNKNOWN)
    table.attrs["note"] = NOTE
    return table


def _order(row: dict[str, Any], by: list[str], corpora: list[str]) -> tuple[Any, ...]:
    method = (row["key_method"] in TITLES, _place(row["key_method"], list(METHOD_TITLES)))
    key: Any = method
    if "segment_seconds" in by:
        key = row["key_seconds"]
    of_corpus = (_place(row["corpus"], corpora), row["corpus"])
    return *of_corpus, key, row["who"] != "paper", method, row["key_seconds"], row["who"]


def _place(name: str, names: list[str]) -> int:
    """Return the position of a name among others, at the end if it is not there."""
    return [*names, name].index(name)


def _paper_rows(paper: pd.DataFrame, tasks: Sequence[str]) -> Iterator[dict[str, Any]]:
    keys = ["corpus", "segment_seconds", "method"]
    for (corpus, seconds, method), cells in paper.groupby(keys, dropna=False):
        row = _head(corpus, seconds, method, "paper")
        for _, cell in cells.iterrows():
            row[f"{cell['task']} acc."] = percent(cell["accuracy_percent"] / 100)
            row[f"{cell['task']} F1"] = percent(cell["f1_percent"] / 100)
        yield row


def _our_rows(ours: pd.DataFrame, tasks: Sequence[str]) -> Iterator[dict[str, Any]]:
    keys = ["corpus", "segment_seconds", "method", "preset", "song_features", "folds", "recipe"]
    # A second run with the same settings and seed (other clips, an older method) has its own row.
    again = ours.groupby([*keys, "task", "seed"]).cumcount().rename("again")
    for (corpus, seconds, method, preset, features, *_), group in ours.groupby([*keys, again]):
        seeds = sorted({int(seed) for seed in group["seed"]})
        noun = "seed" if len(seeds) == 1 else "seeds"
        who = [f"ours: {preset}", f"{noun} {', '.join(map(str, seeds))}"]
        if features == "oof":
            who.append("oof")
        row = _head(corpus, seconds, method, ", ".join(who))
        for task, runs in group.groupby("task"):
            for score, title in (("accuracy", "acc."), ("macro_f1", "F1")):
                means, sds = runs[f"song_{score}_mean"].tolist(), runs[f"song_{score}_sd"].tolist()
                mean, sd, _ = combine(means, sds, runs["folds_done"].tolist())
                row[f"{task} {title}"] = percent(mean, sd)
        done = sorted({int(n) for n in group["folds_done"]})
        row["folds"] = f"{' or '.join(map(str, done))} of {int(group['folds'].iloc[0])}"
        row["run"] = ", ".join(group["fingerprint"].astype(str))
        yield row


def _head(corpus: Any, seconds: Any, method: Any, who: str) -> dict[str, Any]:
    row = {
        "corpus": corpus,
        "segment (s)": UNKNOWN,
        "method": METHOD_TITLES.get(method, method),
        "who": who,
        "key_method": method,
        "key_seconds": -1.0,
    }
    if np.isfinite(seconds):
        row |= {"segment (s)": f"{seconds:g}", "key_seconds": float(seconds)}
    return row
