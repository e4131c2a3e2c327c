"""The rows of a plain table: identify columns, match paths to files, report faulty rows."""

from __future__ import annotations

import dataclasses
import itertools
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.corpora import audio_files, ids, ratings, tables, text
from mer_kit.corpora.labels import LABELS, align, label_named, overlaps, read_truth, wrong_label
from mer_kit.records import LABEL, Problem

Labels = dict[str, dict[str, int]]
#: Column → other names for it, accepted if the table has no column of the first name.
ALSO_NAMED = {
    "path": ("file", "file name", "file path", "audio", "audio file", "audio path"),
    "label": ("quadrant", "emotion", "class"),
    "valence": ("valence mean", "mean valence", "valence(mean)"),
    "arousal": ("arousal mean", "mean arousal", "arousal(mean)"),
}
OTHERS = ("clip_id", "group", "artist", "title")
#: What to do about a scale that does not fit.
_OTHER_SCALE = (
    "pass the right one with --option 'scale=[lowest,highest]', in a notebook as corpus_options"
)


def columns(path: Path) -> dict[str, str]:
    """Return our name of each known column → its name in the table.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "clips.csv")
    ...     _ = path.write_text("File Name;Emotion;Artist;Year\\n")
    ...     columns(path)
    {'artist': 'artist', 'path': 'file name', 'label': 'emotion'}
    """
    header = tables.header(path, [*ALSO_NAMED, *OTHERS, *itertools.chain(*ALSO_NAMED.values())])
    named = {name: name for name in (*ALSO_NAMED, *OTHERS) if name in header}
    rated = {"valence", "arousal"} <= set(named)
    for name, others in ALSO_NAMED.items():
        fits = [other for other in others if other in header]
        if name not in named and len(fits) == 1 and not (name == "label" and rated):
            named[name] = fits[0]
    return named


def read(path: Path, names: ids.Names, notes: list[Problem]) -> pd.DataFrame:
    """Return the table with all optional columns, indexed by clip id (which may repeat).

    The columns `match` and `file` give the existing file, one of `names`, that each path means.
    Columns and paths that are spelled differently are appended to `notes`.

    Raises
    ------
    MerKitError
        If the table cannot be read, or has no path column or neither labels nor ratings.
    """
    named = columns(path)
    kind = ["label"]
    if "label" not in named and {"valence", "arousal"} <= set(named):
        kind = ["valence", "arousal"]
    table = tables.read_table(
        path, [named[name] for name in ("path", *kind) if name in named], optional=OTHERS
    )
    if not {"path", *kind} <= set(named):
        raise MerKitError(
            f"{path.name} has the columns {tables.separated(table.columns)}, expected 'path' and "
            "'label', or 'path', 'valence' and 'arousal': add or rename columns"
        )
    notes += [
        audio_files.problem(
            "column", path.name, f"its column {named[name]!r} is read as {name!r}",
            "rename it if another is meant",
        )
        for name in ("path", *kind)
        if named[name] != name
    ]  # fmt: skip
    table = table.rename(columns={named[name]: name for name in ("path", *kind)})
    table = table.assign(**{name: "" for name in OTHERS[1:] if name not in table})
    matches = [_match(path.parent, text, names) for text in table["path"]]
    notes += ids.spelling_notes(path.name, dict(zip(table["path"], matches, strict=True)))
    table["match"] = pd.Series(matches, index=table.index, dtype=object)
    table["file"] = [match.name or "" for match in matches]
    if "clip_id" not in table:
        table["clip_id"] = list(map(_id_of, table["path"], matches))
    return table.set_index("clip_id", drop=False)


def _match(root: Path, text: str, names: ids.Names) -> ids.Match:
    """Return the file below `root` that a path means."""
    if text and audio_files.stays_inside(text) and audio_files.is_file(root / text):
        return ids.Match(Path(text).as_posix())
    return names.find(text)


def _id_of(text: str, match: ids.Match) -> str:
    """Return the id of a row without an id: its path without the ending."""
    if match.how and match.name is not None:
        return unicodedata.normalize("NFC", str(PurePosixPath(match.name).with_suffix("")))
    return str(Path(text).with_suffix("")) if Path(text).name else text


def labels_of(
    name: str,
    rows: pd.DataFrame,
    scale: ratings.Scale,
    ties: str,
    spare: ids.Names,
    notes: list[Problem],
    problems: list[Problem],
    own: Mapping[str, str] = MappingProxyType({}),
) -> Labels:
    """Return clip id → labels of every usable row; appends the others to `problems`.

    `spare` are the files that no row names, one of which a faulty row may mean; `own` is the result
    of `labels.own_names`.

    Examples
    --------
    >>> rows = pd.DataFrame({"clip_id": ["a", "b"], "label": ["Q1", "Q9"]}, index=["a", "b"])
    >>> rows = rows.assign(path="1.wav", match=ids.Match("1.wav"))
    >>> problems = []
    >>> labels_of("clips.csv", rows, ratings.Scale(0, 1), "high", ids.Names([]), [], problems)
    {'a': {'valence': 1, 'arousal': 1, 'quadrant': 0}}
    >>> problems[0].clip_id, problems[0].kind
    ('b', 'unknown_label')
    """
    classes = sorted(set(own.values()))
    if own:
        notes += _own_notes(name, own)
    elif "label" in rows:
        notes += _label_notes(name, rows["label"])
    else:
        ratings.check_scale(
            list(zip(rows["valence"], rows["arousal"], strict=True)), name, scale, _OTHER_SCALE,
            notes, problems,
        )  # fmt: skip
    labels: Labels = {}
    for _, of_clip in rows.groupby(level=0, sort=False):
        row = of_clip.iloc[0]
        clip_id = str(row["clip_id"])
        wrong = _wrong_place(name, row, len(of_clip), spare) or _wrong_value(
            name, clip_id, row, scale, own
        )
        if wrong is None and row["match"].name is None:
            wrong = ids.no_such_file(spare, row["match"], row["path"], clip_id, name)
        if wrong is not None:
            problems.append(wrong)
        elif own:
            labels[clip_id] = {LABEL: classes.index(own[row["label"]])}
        elif "label" in rows:
            labels[clip_id] = LABELS[label_named(row["label"]) or ""]
        else:
            rating = ratings.Rating(text.number(row["valence"]), text.number(row["arousal"]))
            labels[clip_id] = ratings.classes(rating, scale.middle, ties)
    return labels


def _wrong_place(name: str, row: pd.Series[Any], n_rows: int, spare: ids.Names) -> Problem | None:
    """Return the problem of a row's id or path, or None."""
    clip_id, path, match = str(row["clip_id"]), str(row["path"]), row["match"]
    if match.fits:
        return ids.no_such_file(spare, match, path, clip_id, name)
    where = f"{name}, id {clip_id!r}"
    wrong = ratings.wrong_id(name, clip_id, n_rows)
    if wrong is None and not path:
        return audio_files.problem(
            "empty_path", where, "no path, expected an audio file's", "fill in or delete", clip_id
        )
    if wrong is None and match.name is None and not audio_files.stays_inside(path):
        wrong = audio_files.problem(
            "leaves_root",
            where,
            f"path {path!r} leaves the table's folder, expected one below it",
            "move the file or the table",
            clip_id,
        )
    if wrong is not None and wrong.kind == "leaves_root" and (near := spare.nearest(path)):
        return dataclasses.replace(
            wrong, next_step=f"did you mean {near!r}? Otherwise {wrong.next_step}"
        )
    return wrong


def _wrong_value(
    name: str, clip_id: str, row: pd.Series[Any], scale: ratings.Scale, own: Mapping[str, str]
) -> Problem | None:
    """Return the problem of a row's label or ratings, or None."""
    if own and row["label"] not in own:
        return audio_files.problem(
            "empty_label",
            f"{name}, id {clip_id!r}",
            "no label, expected the name of its class",
            "fill in or delete the row",
            clip_id,
        )
    if own:
        return None
    if "label" not in row:
        return ratings.wrong_values(name, clip_id, (row["valence"], row["arousal"]), scale)
    return wrong_label(name, clip_id, row["label"])


def _label_notes(name: str, labels: pd.Series[str]) -> list[Problem]:
    """Return a note if labels are spelled differently from ours."""
    others = [text for text in labels if label_named(text) not in (None, text)]
    return [
        audio_files.problem(
            "label_spelling",
            name,
            f"{len(others)} labels are spelled differently, first {first!r}, "
            f"which is read as {label_named(first)!r}",
            "correct the table if another is meant",
        )
        for first in others[:1]
    ]


def _own_notes(name: str, own: Mapping[str, str]) -> list[Problem]:
    """Return a note if labels of one class are spelled differently."""
    others = [text for text, of_class in own.items() if text != of_class]
    return [
        audio_files.problem(
            "label_spelling",
            name,
            f"{len(others)} labels are spelled differently, first {first!r}, which is read as "
            f"{own[first]!r}",
            "correct the table if another is meant",
        )
        for first in others[:1]
    ]


def one_row_a_file(
    name: str, rows: pd.DataFrame, labels: Labels, problems: list[Problem]
) -> Labels:
    """Return the labels with at most one clip id per file; appends repeated files to `problems`.

    If several ids name one file, the first id keeps it if their labels agree; otherwise all are
    dropped.

    Examples
    --------
    >>> rows = pd.DataFrame({"file": ["1.wav", "1.wav", "2.wav"]}, index=["a", "b", "c"])
    >>> labels = {"a": {"valence": 1}, "b": {"valence": 1}, "c": {"valence": 0}}
    >>> one_row_a_file("clips.csv", rows, labels, problems := [])
    {'a': {'valence': 1}, 'c': {'valence': 0}}
    >>> problems[0].kind
    'duplicate_path'
    """
    left_out: set[str] = set()
    usable = rows[rows.index.isin(list(labels))]
    repeated = usable[usable["file"].duplicated(keep=False)]
    for file, same in repeated.groupby("file", sort=False).groups.items():
        agree = all(labels[clip_id] == labels[same[0]] for clip_id in same)
        left_out.update(same[1:] if agree else same)
        kept = f"kept once, as {same[0]!r}, since the labels agree"
        problems.append(
            audio_files.problem(
                "duplicate_path",
                f"{name}, file {file!r}",
                f"{len(same)} rows ({', '.join(map(repr, same[:3]))}) name this file, "
                f"expected one; it is {kept if agree else 'left out, the labels differ'}",
                "delete the wrong rows",
                same[1],
            )
        )
    return {clip_id: of_clip for clip_id, of_clip in labels.items() if clip_id not in left_out}


def truth_of(
    path: Path,
    rows: pd.DataFrame,
    labels: Labels,
    notes: list[Problem],
    problems: list[Problem],
    own: Mapping[str, str] = MappingProxyType({}),
) -> pd.DataFrame | None:
    """Return the segment-level ground truth under the clips' own ids, or None without its table.

    If all clips are labelled for one and the same task, the ground truth may use that task's
    classes; with classes of the table's `own`, it must.
    """
    if not audio_files.is_there(path):
        return None
    tasks = sorted({task for of_clip in labels.values() for task in of_clip})
    truth = read_truth(path, task=tasks[0] if len(tasks) == 1 else None, own=own)
    truth = align(path.name, truth, rows.index, notes, problems)
    problems += overlaps(path.name, truth)
    return truth
