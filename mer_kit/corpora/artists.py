"""One artist under several spellings: "Bob Marley", "BOB MARLEY & The Wailers", "Marley feat. …", "Beatles, The".

Two songs of one artist sound alike, so folds keep them together, and must know them however a table spells the name.
A wrong join costs little (two artists share a fold), a missed one tests on a voice that was trained on. What is joined
is listed by `mer-kit data CORPUS --check`.

Notebook: 04_song_decisions
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator

#: Names that no rule can see to be one artist, each checked by hand: key → key.
ALIASES = {"sizzlakalonji": "sizzla"}
#: Letters that Unicode does not take apart into a letter and an accent.
_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "$": "s"}
)
_ACCENTS = re.compile("[\u0300-\u036f]")
#: Guests and whoever plays along: what follows is no part of the name. Little Feat keeps its name, and so does 6 ft.
_GUESTS = re.compile(
    r"(?<=[^\d\s])\s*[(\[]?(?<=[\s(\[])(?:feat|ft|featuring)\b\.?\s+(?!and\b|&)\S.*$"
)
_COMPANY = re.compile(
    r"\s+(?:and|with|y|et|und|mit|con)\s+(?:his|her|their|su|sus|son|ses|sein|seine|seinem|ihr)\s.*$"
)
_PLUS_NUMBER = re.compile(r"\s+and\s+\d+$")
_ARTICLE_BEHIND = re.compile(r"^(.+),\s*the$")
_ARTICLE = re.compile(r"^the\s+(?=\S)")
#: "A and the B", "A and B", "A, B": the first may be an artist of the corpus, and so may "the B".
_BAND = re.compile(r"^(.+?)\s+(?:and|with)\s+(the\s+.+)$")
_DUET = re.compile(r"^(.+?)(?:\s+(?:and|with|vs|x|y)\.?\s+|\s*[;,/]\s*)(.+)$")
_ENSEMBLE = re.compile(
    r"^(.+?)\s+(?:duo|trio|quartet|quintet|sextet|septet|octet|nonet|orchestra|big band|band|group|ensemble|singers)$"
)


def key(name: str) -> str:
    """Return what all plain spellings of an artist's name share: letters and digits without case, accents or "the".

    Guests (feat.), "and his orchestra" and "+ 2" are left out; a name of signs alone is its own key.

    Examples
    --------
    >>> [key(name) for name in ("The Beatles", "BEATLES, THE", "Beyoncé feat. Jay-Z", "Jay Z", "AC/DC", "!!!")]
    ['beatles', 'beatles', 'beyonce', 'jayz', 'acdc', '!!!']
    """
    return _compact(_head(_plain(name)))


def join(names: Iterable[str]) -> dict[str, str]:
    """Return for every name the name that its artist goes by: the shortest of those that are joined.

    Names with equal keys are joined. "A & B" is joined with "A" where A is also a name of its own here and has more
    than one word, "A & the B" with both "A" and "the B", "A Trio" with "A".

    Examples
    --------
    >>> joined = join(["bob marley & the wailers", "bob marley", "ziggy marley", "brooks & dunn", "brooks"])
    >>> {name: own for name, own in joined.items() if name != own}
    {'bob marley & the wailers': 'bob marley'}
    """
    spelled: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(set(names), key=lambda name: (len(name), name)):
        spelled[key(name)].append(name)
    leader = {one: one for one in spelled}

    def top(one: str) -> str:
        while leader[one] != one:
            one = leader[one]
        return one

    for one, several in spelled.items():
        for other in {other for name in several for other in _also(name)} & spelled.keys():
            leader[top(one)] = top(other)
    known: defaultdict[str, list[str]] = defaultdict(list)
    for one, several in spelled.items():
        known[top(one)] += several
    return {name: min(all_, key=lambda n: (len(n), n)) for all_ in known.values() for name in all_}


def _also(name: str) -> Iterator[str]:
    """Yield the keys of other artists that a name may speak of, where the corpus has them."""
    head = _head(_plain(name))
    own = _compact(head)
    if own in ALIASES:
        yield ALIASES[own]
    if found := _BAND.match(head):
        yield _compact(_ARTICLE.sub("", found[1]))
        yield _compact(_ARTICLE.sub("", found[2]))
    for pattern in (_DUET, _ENSEMBLE):
        if (found := pattern.match(head)) and " " in found[1].strip():
            yield _compact(_ARTICLE.sub("", found[1]))


def _plain(name: str) -> str:
    """Return a name in lower case without accents, "&", "+" and "n'" written "and"; other scripts stay whole."""
    folded = unicodedata.normalize("NFKD", name.casefold())
    text = unicodedata.normalize("NFC", _ACCENTS.sub("", folded)).casefold().translate(_PLAIN)
    text = re.sub(r"(?<=\w)!(?=\w)", "i", text)  # P!nk
    text = re.sub(r"\s*[&+]\s*|\s+['’]?n['’]?\s+", " and ", text)
    return " ".join(text.split())


def _head(plain: str) -> str:
    """Return a plain name without guests, company and article."""
    text = _PLUS_NUMBER.sub("", _COMPANY.sub("", _GUESTS.sub("", plain))).strip(" ([")
    return _ARTICLE.sub("", _ARTICLE_BEHIND.sub(r"\1", text)) or plain


def _compact(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum()) or text
