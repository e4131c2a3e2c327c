"""Names from tables are matched to existing names, or reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_kit.corpora import ids
from mer_kit.corpora.ids import Match, Names
from mer_kit.records import Problem

NFC, NFD = "caf\u00e9", "cafe\u0301"
THERE = [
    "Q1/Song.mp3",
    "Q2/Song two.wav",
    f"{NFC}.flac",
    f"live/{NFD} 2.flac",
    "007.wav",
    "a.b.wav",
    "Straße.wav",
]


@pytest.mark.parametrize(
    ("wanted", "name", "how"),
    [
        ("Q1/Song.mp3", "Q1/Song.mp3", ""),
        ("q1\\SONG.MP3", "Q1/Song.mp3", "spelling"),
        (".//Q1/./Song.mp3 ", "Q1/Song.mp3", "spelling"),
        (f"{NFD}.flac", f"{NFC}.flac", "spelling"),
        (f"live/{NFC} 2.FLAC", f"live/{NFD} 2.flac", "spelling"),
        ("strasse.wav", "Straße.wav", "spelling"),
        ("Q2/Song two", "Q2/Song two.wav", "ending"),
        ("Q2/Song two.flac", "Q2/Song two.wav", "ending"),
        ("a.b", "a.b.wav", "ending"),
        ("7", "007.wav", "number"),
        ("7.0", "007.wav", "number"),
        ("'007", "007.wav", "ending"),
        ("C:\\Users\\me\\Q1\\Song.mp3", "Q1/Song.mp3", "folder"),
        ("/data/old/q2/song two", "Q2/Song two.wav", "folder"),
        ("file:///me/7.mp3", "007.wav", "folder"),
        ("Song.mp3", None, ""),
        ("old/a.b.wav", None, ""),
        ("Q3/Song.mp3", None, ""),
        ("/data/Q3/Song.mp3", None, ""),
        ("../Q1/Song.mp3", None, ""),
        ("/x/../Q1/Song.mp3", None, ""),
        ("7.5", None, ""),
        ("", None, ""),
        (".", None, ""),
        ("/", None, ""),
        ("x" * 500, None, ""),
        ("a\0b", None, ""),
    ],
)
def test_a_name_is_found_where_one_fits(wanted: str, name: str | None, how: str) -> None:
    assert Names(THERE).find(wanted) == Match(name, how)


@given(st.lists(st.text(max_size=8), max_size=6), st.text(max_size=10))
def test_a_name_that_is_there_is_always_itself_and_no_text_is_too_odd(
    there: list[str], wanted: str
) -> None:
    names = Names(there)
    assert all(names.find(name) == Match(name) for name in there)
    found = names.find(wanted)
    assert found.name is None or found.name in there
    names.nearest(wanted)


def test_two_that_fit_are_both_named_and_the_likeliest_is_guessed() -> None:
    assert Names(["A.wav", "a.wav"]).find("A.WAV").fits == ("A.wav", "a.wav")
    assert Names(["A.wav", "a.wav"]).find("a.wav") == Match("a.wav")
    assert Names(["1.wav", "01.wav"]).find("1.0").fits == ("1.wav", "01.wav")
    names = Names(["live/Summertime.wav", "Blue Moon.mp3"])
    assert (names.nearest("summertime.wav"), names.nearest("Blue Mon.mp3")) == (
        "live/Summertime.wav",
        "Blue Moon.mp3",
    )
    assert names.nearest("something else") is None and names.nearest("x" * 10_000) is None


def test_tables_and_files_settle_on_the_tables_ids() -> None:
    files = {name: [Path(f"{name}.mp3")] for name in ("001", "2", "3", "03", "x")}
    notes: list[Problem] = []
    problems: list[Problem] = []
    listed = {"1.0": "a", "2": "b", "3.0": "c", "X": "d", "x ": "e", "9": "f"}
    kept, renamed = ids.settle(listed, files, "t.csv", notes=notes, problems=problems)
    assert kept == {"1": "a", "2": "b", "9": "f"}
    assert {name: paths[0].stem for name, paths in renamed.items()} == {
        "1": "001",
        "2": "2",
        "3": "3",
        "03": "03",
        "x": "x",
    }
    assert [problem.kind for problem in problems] == ["ambiguous", "duplicate_id"]
    assert "3 and 03 fit, expected one file" in str(
        problems[0]
    ) and "'X' and 'x ' mean one file" in str(problems[1])
    assert len(notes) == 2 and "first '1.0', which is read as '001'" in str(notes[0])


def test_nothing_that_matches_is_a_problem_and_something_is_a_note() -> None:
    notes: list[Problem] = []
    problems: list[Problem] = []
    found = ids.align("m.csv", ["1.0", "2", "77", ""], ["1", "2"], notes, problems, what="artists")
    assert found == {"1.0": "1", "2": "2"} and problems == []
    assert [note.kind for note in notes] == ["spelling", "unknown_clip"] and "1 of 3 ids" in str(
        notes[1]
    )
    assert ids.align("m.csv", ["a", "b"], ["1", "2"], notes, problems, what="artists") == {}
    assert "none of its 2 ids matches a clip (first 'a'" in str(
        problems[0]
    ) and "artists would be lost" in str(problems[0])
    assert (
        ids.align("m.csv", [], ["1"], notes, problems, what="artists") == {} and len(problems) == 1
    )
