"""Recognise one artist under several spellings: "Bob Marley", "BOB MARLEY & The Wailers".

Two songs of one artist sound alike, so folds keep them together, whichever way a table spells the
name. A wrong match costs little (two artists share a fold); a missed one puts the same voice into
training and test. `mer-kit data CORPUS --check` lists the names that are joined.

Notebook: 04_song_decisions
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator

#: Names of one artist that no rule can match, each checked by hand: key → key.
ALIASES = {"sizzlakalonji": "sizzla"}
#: Letters that Unicode does not decompose into a letter and an accent.
_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "$": "s"}
)
_ACCENTS = re.compile("[\u0300-\u036f]")
#: Guests and accompanists are not part of the name. Little Feat keeps its name, and so does 6 ft.
_GUESTS = re.compile(
    r"(?<=[^\d\s])\s*[(\[]?(?<=[\s(\[])(?:feat|ft|featuring)\b\.?\s+(?!and\b|&)\S.*$"
)
_COMPANY = re.compile(
    r"\s+(?:and|with|y|et|und|mit|con)"
    r"\s+(?:his|her|their|su|sus|son|ses|sein|seine|seinem|ihr)\s.*$"
)
_PLUS_NUMBER = re.compile(r"\s+and\s+\d+$")
_ARTICLE_BEHIND = re.compile(r"^(.+),\s*the$")
_ARTICLE = re.compile(r"^the\s+(?=\S)")
#: "A and the B", "A and B", "A, B": A may be an artist of the corpus, and so may "the B".
_BAND = re.compile(r"^(.+?)\s+(?:and|with)\s+(the\s+.+)$")
_DUET = re.compile(r"^(.+?)(?:\s+(?:and|with|vs|x|y)\.?\s+|\s*[;,/]\s*)(.+)$")
_ENSEMBLE = re.compile(
    r"^(.+?)\s+(?:duo|trio|quartet|quintet|sextet|septet|octet|nonet"
    r"|orchestra|big band|band|group|ensemble|singers)$"
)


def key(name: str) -> str:
    """Return the key of an artist: the name's letters and digits without case, accents or "the".

    All plain spellings of a name have the same key. Guests (feat.), "and his orchestra" and "+ 2"
    are dropped; a name without letters or digits is its own key.

    Examples
    --------
    >>> names = "The Beatles", "BEATLES, THE", "Beyoncé feat. Jay-Z", "Jay Z", "AC/DC", "!!!"
    >>> [key(name) for name in names]
    ['beatles', 'beatles', 'beyonce', 'jayz', 'acdc', '!!!']
    """
    return _compact(_head(_plain(name)))


def join(names: Iterable[str]) -> dict[str, str]:
    """Return each name with the shortest name of the same artist.

    Names with equal keys are joined. "A & B" is joined with "A" if A is also listed on its own and
    has more than one word, "A & the B" with both "A" and "the B", and "A Trio" with "A".

    Examples
    --------
    >>> names = ["bob marley & the wailers", "bob marley", "ziggy marley", "brooks & dunn"]
    >>> {name: own for name, own in join(names).items() if name != own}
    {'bob marley & the wailers': 'bob marley'}
    """
    names = sorted(set(names))
    artists: defaultdict[str, set[str]] = defaultdict(set)  # key → all names of its artist
    for name in names:
        artists[key(name)].add(name)
    for name in names:
        for other in set(_also(name)) & artists.keys():
            joined = artists[key(name)] | artists[other]
            artists.update({key(one): joined for one in joined})
    return {name: min(artists[key(name)], key=lambda n: (len(n), n)) for name in names}


def _also(name: str) -> Iterator[str]:
    """Yield the keys of other artists that a name may refer to, if the corpus has them."""
    head = _head(_plain(name))
    own = _compact(head)
    yield ALIASES.get(own, own)
    if match := _BAND.match(head):
        yield from (_compact(_ARTICLE.sub("", one)) for one in match.groups())
    for pattern in (_DUET, _ENSEMBLE):
        if (match := pattern.match(head)) and " " in match[1].strip():
            yield _compact(_ARTICLE.sub("", match[1]))


def _plain(name: str) -> str:
    """Return a name in lower case without accents; "&", "+" and "n'" become "and"."""
    folded = unicodedata.normalize("NFKD", name.casefold())
    text = unicodedata.normalize("NFC", _ACCENTS.sub("", folded)).casefold().translate(_PLAIN)
    text = re.sub(r"(?<=\w)!(?=\w)", "i", text)  # P!nk
    text = re.sub(r"\s*[&+]\s*|\s+['’]?n['’]?\s+", " and ", text)
    return " ".join(text.split())


def _head(plain: str) -> str:
    """Return a plain name without guests, accompanists and article."""
    text = _PLUS_NUMBER.sub("", _COMPANY.sub("", _GUESTS.sub("", plain))).strip(" ([")
    return _ARTICLE.sub("", _ARTICLE_BEHIND.sub(r"\1", text)) or plain


def _compact(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum()) or text
