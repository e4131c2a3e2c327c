"""The missing runs of a grid, trained in this process: for grids of runs that take seconds each.

Notebook: 08_compare
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mer_kit.batch.grid import CorpusCache, cells
from mer_kit.batch.grid_file import Grid
from mer_kit.systems import SYSTEMS, frontend_of


def comparison_grids(
    base: Mapping[str, Any],
    *,
    methods: str,
    seeds: Sequence[int],
    noise_kinds: str,
    noise_rates: str,
) -> list[Grid]:
    """Return the grids of a comparison: without noise for every seed, with noise for the first.

    Systems with features of their own are trained without noise and with the first seed only.

    Parameters
    ----------
    base : names and values as in `Grid.of`, with "corpus", "seconds" and "overrides"
    methods, noise_kinds, noise_rates : names or numbers with commas between

    Examples
    --------
    >>> base = {"corpus": "demo", "seconds": 3.0, "overrides": {"frontend": "logmel_stats"}}
    >>> more = {"noise_kinds": "song", "noise_rates": "0.4"}
    >>> grids = comparison_grids(base, methods="ce,two_stage", seeds=[0, 1], **more)
    >>> [(grid.method, grid.seeds, [*grid.overrides]) for grid in grids[:2]]
    [(('ce',), (0, 1), ['frontend']), (('ce',), (0,), ['frontend', 'noise_kind', 'noise_rate'])]
    >>> grids[2].method, grids[2].seeds, grids[2].overrides
    (('two_stage',), (0,), {})
    """
    names = [name.strip() for name in methods.split(",")]
    where = {"corpus": base["corpus"], "segment_seconds": base["seconds"]}
    own = [name for name in names if name in SYSTEMS and frontend_of(name, {}, **where)[0]]
    shared = [name for name in names if name not in own]
    noise = {
        "noise_kind": [kind.strip() for kind in noise_kinds.split(",")],
        "noise_rate": [float(rate) for rate in noise_rates.split(",")],
    }
    wanted: list[dict[str, Any]] = [
        {"method": shared, "seeds": list(seeds)},
        {"method": shared, "overrides": {**base["overrides"], **noise}},
        {
            "method": own,
            "overrides": {k: v for k, v in base["overrides"].items() if k != "frontend"},
        },
    ]
    plans = [{**base, "seeds": [seeds[0]], **more} for more in wanted]
    return [Grid.of(plan) for plan in plans if plan["method"]]


def train_missing(
    grids: Iterable[Grid], cache: CorpusCache, *, say: Callable[[str], None] = print
) -> int:
    """Train and decide what is missing of some grids; return the number of runs that were trained.

    Parameters
    ----------
    cache : holds the folder of the runs, and opens each corpus once
    say : is given one line per run that is trained

    Raises
    ------
    MerKitError
        If a name or value of a grid is unknown; nothing is trained then.

    Examples
    --------
    >>> from mer_kit import files
    >>> with files.scratch() as folder:
    ...     train_missing([], CorpusCache(folder))
    0
    """
    planned = [cell for grid in grids for cell in cells(grid)]
    trained = 0
    for number, cell in enumerate(planned, start=1):
        experiment = cache.experiment(cell)
        decided = (experiment.folder.path / "metrics.json").exists()
        if decided and set(cell.folds) <= set(experiment.folder.folds_done()):
            continue
        started = time.perf_counter()
        experiment.run(cell.folds)
        trained += 1
        seconds = time.perf_counter() - started
        say(f"{number} of {len(planned)}: {cell.title}, {seconds:.0f} s")
    return trained
