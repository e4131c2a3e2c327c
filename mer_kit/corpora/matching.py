"""Match ids and paths from tables to existing names despite differences in spelling.

Unicode form, case, slashes, file ending and the way a number is written may differ.
"""

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

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
