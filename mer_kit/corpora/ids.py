"""What the tables of a corpus and its files call the same clip, brought together; what does not fit is told."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from mer_kit.corpora import audio_files
from mer_kit.corpora.matching import Match, Names
from mer_kit.records import Problem

T = TypeVar("T")
#: How a spelling differs (see `matching`), in words.
_WAYS = {
    "spelling": "case, slashes or accents",
    "ending": "the ending",
    "number": "how a number is written",
    "folder": "the folders before the name",
}
#: No sentence shows more of a name.
_SHOWN = 120
_WHOLE = re.compile(r"(\d+)\.0*")


def whole_number(clip_id: str) -> str:
    """Return an id as it was before a spreadsheet or pandas made it a float.

    Examples
    --------
    >>> whole_number("10.0"), whole_number("1.5"), whole_number("007")
    ('10', '1.5', '007')
    """
    found = _WHOLE.fullmatch(clip_id)
    return found.group(1) if found else clip_id


def settle(
    listed: Mapping[str, T],
    files: Mapping[str, list[Path]],
    table: str,
    *,
    notes: list[Problem],
    problems: list[Problem],
) -> tuple[dict[str, T], dict[str, list[Path]]]:
    """Return both mappings under the ids of the clips, where a table and the files spell them differently.

    An id that a file has for a name stays as it is; another takes the one file that fits, and loses the `.0` that made
    a float of it. Ids that fit several files, and several ids of one file, become problems and are left out.
    """
    names = Names(files)
    found = {clip_id: names.find(clip_id) for clip_id in listed}
    notes += spelling_notes(table, found)
    rows_of: defaultdict[str, list[str]] = defaultdict(list)
    for clip_id, match in found.items():
        if match.name is not None:
            rows_of[match.name].append(clip_id)
        if match.fits:
            problems.append(no_such_file(names, match, clip_id, clip_id, table))
    kept: dict[str, T] = {}
    renamed: dict[str, list[Path]] = {}
    for clip_id, match in found.items():
        rows = rows_of[match.name] if match.name is not None else []
        if match.fits or len(rows) > 1:
            continue
        final = whole_number(clip_id) if match.how else clip_id
        kept[final] = listed[clip_id]
        if match.name is not None:
            renamed[final] = files[match.name]
    for name, rows in rows_of.items():
        if len(rows) > 1:
            what = f"the rows {' and '.join(map(repr, rows))} mean one file, expected one row; the clip is left out"
            problems.append(
                audio_files.problem(
                    "duplicate_id", f"{table}, id {name!r}", what, "delete the wrong rows", name
                )
            )
    return kept, renamed | {
        name: paths
        for name, paths in files.items()
        if name not in rows_of or len(rows_of[name]) > 1
    }


def no_such_file(names: Names, match: Match, where: str, clip_id: str, table: str) -> Problem:
    """Return the problem of an id or path that names no file, or several."""
    shown = where if len(where) <= _SHOWN else f"{where[:_SHOWN]}…"
    if match.fits:
        what = f"listed in {table}, and {' and '.join(match.fits[:3])} fit, expected one file"
        return audio_files.problem("ambiguous", shown, what, "write its whole name", clip_id)
    what = f"listed in {table}, but there is no such audio file"
    step = "restore it or delete its row"
    near = names.nearest(where)
    if near is not None:
        step = f"did you mean {near!r}? Correct its row, or restore the file"
    return audio_files.problem("absent", shown, what, step, clip_id)


def spelling_notes(table: str, found: Mapping[str, Match]) -> list[Problem]:
    """Return one note for each way in which a table spells names otherwise than they are."""
    ways = Counter(match.how for match in found.values() if match.name is not None and match.how)
    notes = []
    for how, count in ways.items():
        first, match = next(
            (name, match) for name, match in found.items() if match.how == how and match.name
        )
        many = f"{count} names differ" if count > 1 else "one name differs"
        what = f"{many} in {_WAYS[how]} from what is there, first {first!r}, which is taken for {match.name!r}"
        notes.append(
            audio_files.problem("spelling", table, what, "correct the table if another is meant")
        )
    return notes


def align(
    table: str,
    ids: Iterable[str],
    known: Iterable[str],
    notes: list[Problem],
    problems: list[Problem],
    *,
    what: str,
) -> dict[str, str]:
    """Return id in a table → the clip's id that it means; ids of no clip are left out.

    None of many is a problem, some are a note. `what` names what is lost with them: "artists", "segment truth".
    """
    names = Names(known)
    wanted = [name for name in dict.fromkeys(ids) if name]
    found = {name: names.find(name) for name in wanted}
    notes += spelling_notes(table, found)
    aligned = {name: match.name for name, match in found.items() if match.name is not None}
    lost = [name for name in wanted if name not in aligned]
    if not lost or not names.names:
        return aligned
    first = f"first {lost[0]!r}"
    if aligned:
        some = f"{len(lost)} of {len(wanted)} ids are no clip's, {first}; their {what} are not used"
        notes.append(
            audio_files.problem("unknown_clip", table, some, "correct the ids if they should be")
        )
    else:
        none = f"none of its {len(wanted)} ids is a clip's ({first}; the clips' begin with {names.names[0]!r})"
        problems.append(
            audio_files.problem(
                "nothing_matches", table, f"{none}, so its {what} would be lost", "correct the ids"
            )
        )
    return aligned


def rekeyed(
    table: str,
    rows: Mapping[str, T],
    known: Iterable[str],
    notes: list[Problem],
    problems: list[Problem],
    *,
    what: str,
) -> dict[str, T]:
    """Return the rows of a table under the clips' own ids; see `align`."""
    aligned = align(table, rows, known, notes, problems, what=what)
    return {clip_id: rows[name] for name, clip_id in aligned.items()}
