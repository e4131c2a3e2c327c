"""The clips of a run and which of them its folds kept together, as it stored them.

Notebook: 06_results
"""

import contextlib
import os
from typing import Any

import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.runs import schema, stored_tables
from mer_kit.runs.grouping import FOLDS_FILE
from mer_kit.runs.run_folder import RunFolder

_FOLDS: dict[str, schema.Field] = {
    "clips": schema.Field("a list of names", schema.listing),
    "groups": schema.Field("a list of names or null", schema.or_null(schema.listing)),
}


def clips(run: RunFolder) -> list[str]:
    """Return the ids of the clips that a run has stored with its folds; [] without any.

    Examples
    --------
    >>> clips(RunFolder("no such run"))
    []
    """
    with contextlib.suppress(MerKitError):
        return list(_read(run)["clips"])
    return []


def artists(run: RunFolder) -> dict[str, str]:
    """Return the group of every clip as a run stored it; {} if it stored none.

    Examples
    --------
    >>> artists(RunFolder("no such run"))
    {}
    """
    content = _read(run)
    pairs = zip(content["clips"], content["groups"] or [], strict=False)
    table = pd.DataFrame(list(pairs), columns=["clip", "group"])
    safe = stored_tables.without_formulae(table.astype(str))
    return dict(zip(safe["clip"], table["group"].astype(str), strict=True))


def _read(run: RunFolder) -> dict[str, Any]:
    """Return clips and groups; both are empty where nothing is stored."""
    file = run.path / FOLDS_FILE
    if not os.path.lexists(file):
        return {"clips": [], "groups": []}
    return schema.read_json(file, _FOLDS, inside=run.path)
