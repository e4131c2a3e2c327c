"""Match the ids and paths of tables to existing names, and report those that do not match.

Unicode form, case, slashes, file ending and the way a number is written may differ.
"""

import difflib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from mer_kit.corpora import audio_files
from mer_kit.records import Problem

T = TypeVar("T")
#: How a spelling differs (see `Match`), in words.
_IN_WORDS = {
    "spelling": "case, slashes or accents",
    "ending": "the ending",
    "number": "how a number is written",
    "folder": "the folders before the name",
}
#: Messages show at most this many characters of a name.
_SHOWN = 120
_WHOLE = re.compile(r"^(\d+)\.0*\Z")
#: Endings that an id may carry or lack.
_ENDING = re.compile(r"\.(?:mp3|wav|wave|flac|ogg|oga|opus|m4a|mp4|aac|aiff?|au|mid|midi)$")
_NUMBER = re.compile(r"^0*(\d+?)(?:\.0*)?\Z")
_ABSOLUTE = re.compile(r"/|[a-z]:|file:")


@dataclass(frozen=True)
class Match:
    """The result of a search.

    Attributes
    ----------
    name : the existing name that a table means, or None
    how : how the spelling differs: "", "spelling", "ending", "number" or "folder"
    fits : all names that fit, if there are several (then `name` is None)
    """

    name: str | None
    how: str = ""
    fits: tuple[str, ...] = ()


def plain(name: str) -> str:
    """Return a name in one Unicode form and case, with forward slashes, without `./` and blanks.

    Examples
    --------
    >>> plain(".\\\\Q1\\\\A.MP3 "), plain("e\\u0301") == plain("\\u00c9")
    ('q1/a.mp3', True)
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    text = re.sub(r"/+", "/", text.strip().lstrip("'").replace("\\", "/"))
    return re.sub(r"(?:^|(?<=/))\./", "", text)


def without_ending(name: str) -> str:
    """Return a plain name without the ending of an audio file.

    Examples
    --------
    >>> without_ending("q1/a.mp3"), without_ending("no. 5")
    ('q1/a', 'no. 5')
    """
    return _ENDING.sub("", name)


def by_number(name: str) -> str:
    """Return a plain name whose last part, if it is a whole number, has no padding zeros.

    Examples
    --------
    >>> by_number("001"), by_number("1.0"), by_number("chorus/10.0.mp3"), by_number("1.5")
    ('1', '1', 'chorus/10', '1.5')
    """
    folder, slash, last = without_ending(name).rpartition("/")
    return folder + slash + _NUMBER.sub(r"\1", last)


#: What is compared in turn, each with its name.
_WAYS: tuple[tuple[Callable[[str], str], str], ...] = (
    (plain, "spelling"),
    (lambda name: without_ending(plain(name)), "ending"),
    (lambda name: by_number(plain(name)), "number"),
)


class Names:
    """The existing names, among which a name from a table is found.

    Examples
    --------
    >>> Names(["Q1/Ä.mp3", "7.mp3"]).find("q1\\\\A\\u0308")
    Match(name='Q1/Ä.mp3', how='ending', fits=())
    >>> Names(["007.wav"]).find("7.0")
    Match(name='007.wav', how='number', fits=())
    >>> Names(["a.mp3", "a.wav"]).find("a")
    Match(name=None, how='ending', fits=('a.mp3', 'a.wav'))
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = dict.fromkeys(names)
        self._keys: list[defaultdict[str, list[str]]] = [defaultdict(list) for _ in _WAYS]
        for (key, _), by_key in zip(_WAYS, self._keys, strict=True):
            for name in self.names:
                by_key[key(name)].append(name)

    def find(self, wanted: str) -> Match:
        """Return the name that `wanted` means; an absolute path is matched by its last parts."""
        if wanted in self.names:
            return Match(wanted)
        for tail, shortened in _tails(wanted):
            for (key, how), names in zip(_WAYS, self._keys, strict=True):
                fits = names.get(key(tail), [])
                if len(fits) == 1:
                    return Match(fits[0], shortened or how)
                if fits:
                    return Match(None, how, tuple(fits))
        return Match(None)

    def nearest(self, wanted: str) -> str | None:
        """Return the name that was probably meant, or None."""
        if len(wanted) > 200:
            return None
        plainly = {without_ending(plain(name)): name for name in self.names}
        lasts = {PurePosixPath(key).name: name for key, name in plainly.items()} | plainly
        last = PurePosixPath(without_ending(plain(wanted))).name
        if last in lasts:
            return lasts[last]
        near = difflib.get_close_matches(without_ending(plain(wanted)), lasts, n=1, cutoff=0.75)
        return next((lasts[name] for name in near), None)


def _tails(wanted: str) -> list[tuple[str, str]]:
    """Return `wanted`, and for an absolute path also its last parts, the longest first.

    Each has "folder" if leading folders were dropped, else "".
    """
    parts = plain(wanted).split("/")
    absolute = _ABSOLUTE.match(plain(wanted)) and ".." not in parts
    starts = [i for i in range(1, len(parts)) if absolute and parts[i]]
    return [(wanted, ""), *(("/".join(parts[i:]), "folder") for i in starts)]


def whole_number(clip_id: str) -> str:
    """Return an id as it was before a spreadsheet or pandas converted it to a float.

    Examples
    --------
    >>> whole_number("10.0"), whole_number("1.5"), whole_number("007")
    ('10', '1.5', '007')
    """
    return _WHOLE.sub(r"\1", clip_id)


def settle(
    listed: Mapping[str, T],
    files: Mapping[str, list[Path]],
    table: str,
    *,
    notes: list[Problem],
    problems: list[Problem],
) -> tuple[dict[str, T], dict[str, list[Path]]]:
    """Return both mappings under the same ids, where a table and the files spell them differently.

    An id that equals a file's name stays as it is. Any other id is matched to the one file that
    fits, and loses the `.0` of a float. Ids that fit several files, and several ids of one file,
    are left out and appended to `problems`; differences in spelling are appended to `notes`.

    Examples
    --------
    >>> listed, files = {"1.0": "Q1", "2": "Q2"}, {"001": [Path("001.mp3")], "2": [Path("2.mp3")]}
    >>> labels, files = settle(listed, files, "t.csv", notes=[], problems=[])
    >>> labels
    {'1': 'Q1', '2': 'Q2'}
    >>> {clip_id: paths[0].name for clip_id, paths in files.items()}
    {'1': '001.mp3', '2': '2.mp3'}
    """
    names = Names(files)
    matches = {clip_id: names.find(clip_id) for clip_id in listed}
    notes += spelling_notes(table, matches)
    problems += [
        no_such_file(names, match, clip_id, clip_id, table)
        for clip_id, match in matches.items()
        if match.fits
    ]
    counts = Counter(match.name for match in matches.values() if match.name is not None)
    rows = {
        name: [repr(clip_id) for clip_id, match in matches.items() if match.name == name]
        for name, count in counts.items()
        if count > 1
    }
    problems += [
        audio_files.problem(
            "duplicate_id",
            f"{table}, id {name!r}",
            f"the rows {' and '.join(own)} mean one file, expected one row; the clip is left out",
            "delete the wrong rows",
            name,
        )
        for name, own in rows.items()
    ]
    own = {
        clip_id: whole_number(clip_id) if match.how else clip_id
        for clip_id, match in matches.items()
        if not match.fits and (match.name is None or counts[match.name] < 2)
    }
    renamed = {
        own[clip_id]: files[match.name]
        for clip_id, match in matches.items()
        if clip_id in own and match.name is not None
    }
    kept = {name: paths for name, paths in files.items() if counts[name] != 1}
    return {final: listed[clip_id] for clip_id, final in own.items()}, renamed | kept


def no_such_file(names: Names, match: Match, where: str, clip_id: str, table: str) -> Problem:
    """Return the problem of an id or path that matches no file, or several.

    Examples
    --------
    >>> names = Names(["live/Summertime.wav"])
    >>> print(no_such_file(names, Match(None), "sumertime.wav", "7", "t.csv").next_step)
    did you mean 'live/Summertime.wav'? Correct its row, or restore the file
    """
    shown = where if len(where) <= _SHOWN else f"{where[:_SHOWN]}…"
    if match.fits:
        return audio_files.problem(
            "ambiguous",
            shown,
            f"listed in {table}, and {' and '.join(match.fits[:3])} fit, expected one file",
            "write its whole name",
            clip_id,
        )
    near = names.nearest(where)
    return audio_files.problem(
        "absent",
        shown,
        f"listed in {table}, but there is no such audio file",
        f"did you mean {near!r}? Correct its row, or restore the file"
        if near
        else "restore it or delete its row",
        clip_id,
    )


def not_listed(
    root: Path,
    listed: Iterable[str],
    files: Mapping[str, list[Path]],
    table: str,
    next_step: str = "add a row or leave it",
) -> list[Problem]:
    """Return one note per audio file whose id is not `listed`: it has no label and is not used.

    Ids of problems, which are printable (see `audio_files.printable`), count as listed too.

    Examples
    --------
    >>> files = {"1": [Path("data/1.mp3")], "2": [Path("data/2.mp3")]}
    >>> (note,) = not_listed(Path("data"), ["1"], files, "t.csv")
    >>> print(note)
    2.mp3: not listed in t.csv, so it has no label and is not used: add a row or leave it
    """
    known = set(listed)
    return [
        audio_files.problem(
            "not_listed",
            audio_files.place(root, path),
            f"not listed in {table}, so it has no label and is not used",
            next_step,
            path.stem,
        )
        for stem, paths in sorted(files.items())
        if not known & {stem, audio_files.printable(stem)}
        for path in paths
    ]


def spelling_notes(table: str, found: Mapping[str, Match]) -> list[Problem]:
    """Return one note per way in which names in a table differ from the existing ones.

    Examples
    --------
    >>> names = Names(["001", "002"])
    >>> (note,) = spelling_notes("t.csv", {"1": names.find("1"), "2": names.find("2")})
    >>> print(note.what)
    2 names differ in how a number is written from the files, first '1', which is read as '001'
    """
    hows = {name: match.how for name, match in found.items() if match.name is not None}
    ways = {way: [name for name, how in hows.items() if how == way] for way in hows.values() if way}
    return [
        audio_files.problem(
            "spelling", table,
            f"{f'{len(names)} names differ' if len(names) > 1 else 'one name differs'} in "
            f"{_IN_WORDS[how]} from the files, first {names[0]!r}, "
            f"which is read as {found[names[0]].name!r}",
            "correct the table if another is meant",
        )
        for how, names in ways.items()
    ]  # fmt: skip


def align(
    table: str,
    ids: Iterable[str],
    known: Iterable[str],
    notes: list[Problem],
    problems: list[Problem],
    *,
    what: str,
) -> dict[str, str]:
    """Return id in a table → the id of its clip; ids without a clip are left out.

    If no id has a clip, that is a problem; if some have none, it is a note. `what` is what the
    table contains and would be lost: "artists", "ground truth".

    Examples
    --------
    >>> align("metadata.csv", ["1.0", "2"], ["1", "2", "3"], [], [], what="artists")
    {'1.0': '1', '2': '2'}
    >>> align("metadata.csv", ["x1", "x2"], ["1", "2"], [], problems := [], what="artists")
    {}
    >>> problems[0].kind
    'nothing_matches'
    """
    names = Names(known)
    wanted = [name for name in dict.fromkeys(ids) if name]
    matches = {name: names.find(name) for name in wanted}
    notes += spelling_notes(table, matches)
    aligned = {name: match.name for name, match in matches.items() if match.name is not None}
    lost = [name for name in wanted if name not in aligned]
    if lost and aligned:
        notes.append(
            audio_files.problem(
                "unknown_clip",
                table,
                f"{len(lost)} of {len(wanted)} ids match no clip, first {lost[0]!r}; "
                f"their {what} cannot be used",
                "correct the ids if they should match",
            )
        )
    elif lost and names.names:
        problems.append(
            audio_files.problem(
                "nothing_matches",
                table,
                f"none of its {len(wanted)} ids matches a clip "
                f"(first {lost[0]!r}; the first clip's id is "
                f"{next(iter(names.names))!r}), so its {what} would be lost",
                "correct the ids",
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
    """Return the rows of a table under the clips' own ids; see `align`.

    Examples
    --------
    >>> rekeyed("metadata.csv", {"1.0": "Ann", "9": "Bob"}, ["1"], [], [], what="artists")
    {'1': 'Ann'}
    """
    return {
        clip_id: rows[name]
        for name, clip_id in align(table, rows, known, notes, problems, what=what).items()
    }
