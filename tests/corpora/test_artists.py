"""One artist under several spellings is one; other artists are not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_kit.corpora.artists import join, key

SAME = [
    ("The Beatles", "Beatles", "BEATLES, THE", "beatles  "),
    (
        "Beyoncé",
        "Beyonce",
        unicodedata.normalize("NFD", "BEYONCÉ"),
        "Beyoncé feat. Jay-Z",
        "Beyoncé (ft. X)",
    ),
    ("Sigur Rós", "sigur ros", "Sigur Rós featuring Ann"),
    ("AC/DC", "ACDC", "AC-DC", "Ac Dc"),
    ("D.R.I.", "DRI"),
    ("Earth, Wind & Fire", "Earth; Wind and Fire", "earth wind + fire"),
    ("Guns N' Roses", "Guns n Roses", "Guns and Roses"),
    ("Xavier Cugat & His Orchestra", "Xavier Cugat and his orchestra", "Xavier Cugat"),
    ("Mitchell Ayres and his Fashions in Music", "mitchell ayres"),
    ("Motörhead", "MOTORHEAD"),
    ("Mø", "mo"),
    ("P!nk", "Pink"),
    ("The Sir Douglas Quintet + 2", "Sir Douglas Quintet"),
]


@pytest.mark.parametrize("names", SAME, ids=lambda names: names[0])
def test_plain_spellings_have_one_key(names: tuple[str, ...]) -> None:
    assert len({key(name) for name in names}) == 1


def test_names_of_different_artists_keep_different_keys() -> None:
    """Among them those that a rule could cut: Little Feat, 6 ft, The The, signs alone, kana with and without a mark."""
    names = ["Little Feat", "Little", "Little Feat & Friends", "6 ft Deep", "The The", "!!!", "+/-", "がく", "かく", "Air",
             "Fair", "방탄소년단", "Nirvana", "Nirvana (2)", "Faith", "Faith Evans", "with", "The"]  # fmt: skip
    keys = {name: key(name) for name in names}
    assert keys.pop("The") == keys["The The"], "the article alone is its own name"
    assert len(set(keys.values())) == len(keys) and all(keys.values())


@pytest.mark.parametrize(
    ("names", "joined"),
    [
        (["bob marley", "bob marley & the wailers", "ziggy marley"], [{"bob marley", "bob marley & the wailers"}]),
        (["the chipmunks", "alvin & the chipmunks", "alvin"], [{"the chipmunks", "alvin & the chipmunks", "alvin"}]),
        (["dave brubeck", "The Dave Brubeck Quartet", "david murray octet"], [{"dave brubeck", "The Dave Brubeck Quartet"}]),
        (["willie nelson", "willie nelson & ray price", "ray price"], [{"willie nelson", "willie nelson & ray price"}]),
        (["brooks", "brooks & dunn", "faith", "faith evans", "lloyd", "lloyd price"], []),
        (["paul simon", "simon & garfunkel", "lester flatt", "flatt & scruggs"], []),
        (["sizzla", "sizzla kalonji"], [{"sizzla", "sizzla kalonji"}]),
        (["Prince", "Prince and the Revolution"], [{"Prince", "Prince and the Revolution"}]),
        (["bob marley & the wailers", "gladys knight & the pips"], []),
    ],
)  # fmt: skip
def test_bands_are_joined_with_their_leader_where_the_corpus_has_both(
    names: list[str], joined: list[set[str]]
) -> None:
    own = join(names)
    found = [{name for name in names if own[name] == one} for one in set(own.values())]
    assert sorted(map(sorted, (group for group in found if len(group) > 1))) == sorted(
        map(sorted, joined)
    )


@given(st.lists(st.text(max_size=12), max_size=8), st.randoms())
def test_any_text_is_a_name_and_the_order_of_names_does_not_matter(
    names: list[str], random: object
) -> None:
    own = join(names)
    assert set(own) == set(names) and set(own.values()) <= set(names)
    assert all(own[one] == one for one in own.values())
    random.shuffle(names)  # type: ignore[attr-defined]
    assert join(names) == own
