"""Which songs a run kept together in its folds, as it stored them.

Notebook: 06_results
"""

import pandas as pd

from mer_kit.runs import schema, stored_tables
from mer_kit.runs.grouping import FOLDS_FILE
from mer_kit.runs.run_folder import RunFolder

_FOLDS: dict[str, schema.Field] = {
    "clips": schema.Field("a list of names", schema.listing),
    "groups": schema.Field("a list of names or null", schema.or_null(schema.listing)),
}


def artists(run: RunFolder) -> dict[str, str]:
    """Return the group of every clip as a run stored it; {} if it stored none.

    Examples
    --------
    >>> artists(RunFolder("no such run"))
    {}
    """
    file = run.path / FOLDS_FILE
    if not file.exists():
        return {}
    content = schema.read_json(file, _FOLDS, inside=run.path)
    clips, groups = content["clips"], content["groups"] or []
    table = pd.DataFrame(list(zip(clips, groups, strict=False)), columns=["clip", "group"])
    safe = stored_tables.without_formulae(table.astype(str))
    return dict(zip(safe["clip"], table["group"].astype(str), strict=True))
