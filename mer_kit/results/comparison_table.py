"""The comparisons with plain training as a table of text, with majority and cost.

Notebook: 06_results
"""

import pandas as pd

from mer_kit.format import percent, short, with_noise
from mer_kit.results import compare, costs, findings

NOTE = (
    "Percent and points; answers by the mean of a song's segment probabilities, or a system's own, "
    "averaged over seeds on the songs that both tested. Differences with 95 % bootstrap intervals "
    "over artists, and, fold by fold, with those of the corrected t-test (Nadeau and Bengio 2003), "
    "which is conservative. p: signs of artists flipped at random; Holm: corrected for all rows on "
    "the same songs; McNemar: exact, for a single seed. Not separable: the interval over artists "
    "contains 0; “2 points seen” is the probability that a true difference of two points would "
    "have been seen with these songs and seeds."
)
COLUMNS = (
    *("corpus", "task", "system", "against", "accuracy", "difference", "finding", "p", "Holm"),
    *("McNemar", "fold by fold", "2 points seen", "songs", "artists", "seeds", "majority"),
    *costs.TITLES.values(),
)
_SAME = ["corpus", "task", "division", "segment_seconds", "method", "preset", "recipe"]


def comparison_table(comparisons: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """Return `results.compare.comparisons` as text; `attrs["note"]` explains the numbers.

    Parameters
    ----------
    results : from `results.runs_table.collect`, for majority and cost

    Examples
    --------
    >>> from mer_kit.results.runs_table import collect
    >>> empty = pd.DataFrame(columns=list(compare.COLUMNS))
    >>> comparison_table(empty, collect([])).columns[:3].tolist()
    ['corpus', 'task', 'system']
    """
    rows = []
    for row in comparisons.to_dict("records"):
        its_runs = results[results[_SAME].eq(pd.Series(row)[_SAME]).all(axis=1)]
        rows.append(
            {
                "corpus": row["corpus"],
                "task": row["task"],
                "system": with_noise(str(row["second"]), row),
                "against": row["first"],
                "accuracy": f"{percent(row['second_accuracy'])} − {percent(row['first_accuracy'])}",
                "difference": _points(row["difference"], row["low"], row["high"]),
                "finding": findings.finding(row),
                "p": short(row["p"]),
                "Holm": short(row["p_holm"]),
                "McNemar": short(row["p_mcnemar"]),
                "fold by fold": _points(row["difference"], row["t_low"], row["t_high"]),
                "2 points seen": percent(float(compare.chance_to_see(row))),
                **{name: str(row[name]) for name in ("songs", "artists", "seeds")},
                "majority": percent(its_runs["majority_accuracy_mean"].mean()),
                **costs.texts(dict(its_runs[[*costs.TITLES]].mean())),
            }
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    table.attrs["note"] = f"{NOTE} {costs.NOTE}"
    return table


def _points(difference: float, low: float, high: float) -> str:
    """Return a difference and its interval in points.

    Examples
    --------
    >>> _points(0.013, -0.004, 0.03), _points(0.01, float("nan"), float("nan"))
    ('+1.3 [-0.4, 3.0]', '+1.0 [–, –]')
    """
    return f"{100 * difference:+.1f} [{percent(low)}, {percent(high)}]"
