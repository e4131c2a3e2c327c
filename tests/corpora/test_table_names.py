"""Your own table with inexact paths, ids, labels or scale: matched with a note, or reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from mer_kit import corpora
from mer_kit.corpora import table
from mer_kit.records import TASKS, Corpus
from tests.corpora import tiny

FILES = ("Q1/one.WAV", "Q2/two.flac", "caf\u00e9 3.mp3", "4.wav")
ROWS = ("Q1/one.wav", "Q2/two.flac", "caf\u00e9 3.mp3", "4.wav")
IDS = ["4", "Q1/one", "Q2/two", "caf\u00e9 3"]


def load(
    root: Path, rows: list[str], *, header: str = "path,label", files: tuple[str, ...] = FILES
) -> Corpus:
    for name in files:
        tiny.write(root / name, tiny.SOUND)
    tiny.write(root / "clips.csv", "\n".join([header, *rows, ""]))
    return corpora.load("table", root)


@pytest.mark.parametrize(
    "spell",
    [
        lambda name, root: name,
        lambda name, root: name.replace("/", "\\"),
        lambda name, root: name.upper(),
        lambda name, root: f"./{name.rsplit('.', 1)[0]}",
        lambda name, root: f"{name.rsplit('.', 1)[0]}.ogg",
        lambda name, root: f"C:\\Users\\me\\music\\{name}".replace("/", "\\"),
        lambda name, root: str(root / name),
        lambda name, root: name.replace("\u00e9", "e\u0301"),
        lambda name, root: f" {name}  ",
    ],
)
def test_the_same_clips_however_the_paths_are_spelled(spell: object, tmp_path: Path) -> None:
    rows = [f"{spell(name, tmp_path)},Q{k}" for k, name in enumerate(ROWS, start=1)]  # type: ignore[operator]
    corpus = load(tmp_path, rows)
    assert [clip.clip_id for clip in corpus.clips] == IDS and corpus.problems == ()
    assert [TASKS["quadrant"][clip.labels["quadrant"]] for clip in corpus.clips] == [
        "Q4",
        "Q1",
        "Q2",
        "Q3",
    ]
    assert {clip.path for clip in corpus.clips} == {tmp_path / name for name in FILES}
    assert {note.kind for note in corpus.notes} == {"spelling"}


def test_a_path_that_is_right_needs_no_note_and_keeps_its_id(tmp_path: Path) -> None:
    corpus = load(
        tmp_path,
        ["./Q1/one.WAV,Q1", "4.wav,Q2", "a.b.wav,Q3"],
        files=("Q1/one.WAV", "4.wav", "a.b.wav"),
    )
    assert [clip.clip_id for clip in corpus.clips] == ["4", "Q1/one", "a.b"] and corpus.notes == ()


@pytest.mark.parametrize(
    ("row", "kind", "sentence"),
    [
        (".,Q1", "absent", ".: listed in clips.csv, but there is no such audio file"),
        ("/,Q1", "leaves_root", "the id points outside the dataset"),
        (
            f"{'x' * 300}.wav,Q1",
            "absent",
            f"{'x' * 120}…: listed in clips.csv, but there is no such audio file",
        ),
        ("a\0b.wav,Q1", "absent", "there is no such audio file"),
        ("Q1,Q1", "absent", "there is no such audio file"),
        (
            "sumertime.wav,Q1",
            "absent",
            "no such audio file: did you mean 'live/Summertime.wav'? Correct its row",
        ),
        (
            "TWIN.wav,Q1",
            "ambiguous",
            "TWIN.wav: listed in clips.csv, and Twin.wav and twin.wav fit, expected one file",
        ),
        ("D:\\m\\twin.wav,Q1", "ambiguous", "Twin.wav and twin.wav fit"),
        ("C:\\m\\nowhere.wav,Q1", "leaves_root", "the id points outside the dataset"),
    ],
)
def test_a_row_that_means_no_file_is_reported_and_the_others_stay(
    row: str, kind: str, sentence: str, tmp_path: Path
) -> None:
    files = ("fine.wav", "also.wav", "Q1/x.wav", "live/Summertime.wav", "Twin.wav", "twin.wav")
    corpus = load(tmp_path, ["fine.wav,Q1", row, "also.wav,Q3"], files=files)
    assert [(problem.kind, sentence in str(problem)) for problem in corpus.problems] == [
        (kind, True)
    ]
    assert [clip.clip_id for clip in corpus.clips] == ["also", "fine"]


def test_two_rows_of_one_file(tmp_path: Path) -> None:
    header = "clip_id,path,label"
    rows = ["a,one.wav,Q1", "b,ONE.wav,Q1", "c,two.wav,Q1", "d,two.wav,Q2", "e,three.wav,Q4"]
    corpus = load(tmp_path, rows, header=header, files=("one.wav", "two.wav", "three.wav"))
    assert [clip.clip_id for clip in corpus.clips] == ["a", "e"]
    one, two = (str(problem) for problem in corpus.problems)
    assert (
        "2 rows ('a', 'b') name this file" in one
        and "it is kept once, as 'a', since the labels agree" in one
    )
    assert "2 rows ('c', 'd') name this file" in two and "the labels differ" in two


def test_what_a_mac_leaves_is_no_file(tmp_path: Path) -> None:
    corpus = load(
        tmp_path,
        ["one.wav,Q1"],
        files=("one.wav", "._one.wav", "__MACOSX/._one.wav", ".trash/two.wav"),
    )
    assert len(corpus.clips) == 1 and corpus.notes == ()


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (
            "File Name;Quadrant;VALENCE",
            ["'file name' is read as 'path'", "'quadrant' is read as 'label'"],
        ),
        ("PATH ;label;Emotion", []),
    ],
)
def test_columns_under_other_names(header: str, names: list[str], tmp_path: Path) -> None:
    corpus = load(tmp_path, ["4.wav;Q2;1", "caf\u00e9 3.mp3;q1;1"], header=header)
    assert len(corpus.clips) == 2 and corpus.problems == ()
    notes = [str(note) for note in corpus.notes if note.kind == "column"]
    assert len(notes) == len(names) and all(
        name in note for name, note in zip(names, notes, strict=True)
    )


def test_labels_written_in_another_way_are_accepted_with_a_note(tmp_path: Path) -> None:
    corpus = load(tmp_path, ["4.wav,happy", "Q2/two.flac,q2", "Q1/one.WAV,relaxed"])
    assert {clip.clip_id: clip.labels["quadrant"] for clip in corpus.clips} == {"4": 0, "Q2/two": 1}
    assert "label 'relaxed', expected one of Q1, Q2" in str(corpus.problems[0])
    assert "2 labels are spelled differently, first 'happy', which is read as 'Q1'" in "".join(
        map(str, corpus.notes)
    )


def test_a_scale_that_cannot_be_right_is_reported(tmp_path: Path) -> None:
    header, files = "path,valence,arousal", tuple(f"{k}.wav" for k in range(6))
    ratings = [(1, 9), (2, 8), (7, 3), (6, 2), (4, 5), (8, 1)]
    load(
        tmp_path,
        [f"{k}.wav,{v},{a}" for k, (v, a) in enumerate(ratings)],
        header=header,
        files=files,
    )
    right = corpora.load("table", tmp_path, scale=[1, 9])
    assert right.problems == () and right.notes == ()
    wide = corpora.load("table", tmp_path, scale=[0, 100])
    assert [problem.kind for problem in wide.problems] == ["scale"] and "in one quarter" in str(
        wide.problems[0]
    )
    narrow = corpora.load("table", tmp_path, scale=[0, 5])
    assert (
        "valence ranges from 1 to 8 and arousal from 1 to 9, 5 of 6 rows are outside the scale of 0 to 5"
        in str(narrow.problems[0])
    )
    low = corpora.load("table", tmp_path, scale=[0, 17])  # the middle is 8.5, and valence ends at 8
    assert low.problems == () and "valence ranges from 1 to 8, all in one half of the scale" in str(
        low.notes[0]
    )


def test_decimal_commas_are_numbers_where_they_cannot_be_anything_else(tmp_path: Path) -> None:
    rows = ["4.wav;0,1;0,9", "caf\u00e9 3.mp3;0,9;\u22120,0", "Q2/two.flac;,6;0,7"]
    corpus = load(tmp_path, rows, header="path;valence;arousal")
    assert [clip.labels["quadrant"] for clip in corpus.clips] == [1, 0, 3] and corpus.problems == ()


def test_truth_finds_its_clips_or_says_so(tmp_path: Path) -> None:
    truth = "clip_id,start_s,end_s,label\n1.0,0,1,Q1\n002.wav,0,1,Q2\nnone,0,1,Q3\n"
    tiny.write(tmp_path / "segment_truth.csv", truth)
    rows, files = ["a.wav,Q1,1", "b.wav,Q2,2"], ("a.wav", "b.wav")
    corpus = load(tmp_path, rows, header="path,label,clip_id", files=files)
    assert (
        corpus.truth is not None
        and corpus.truth["clip_id"].tolist() == ["1", "2"]
        and corpus.problems == ()
    )
    assert [note.kind for note in corpus.notes] == ["spelling", "unknown_clip"]
    tiny.write(tmp_path / "segment_truth.csv", "clip_id,start_s,end_s,label\nx,0,1,Q1\ny,0,1,Q2\n")
    assert [problem.kind for problem in corpora.load("table", tmp_path).problems] == [
        "nothing_matches"
    ]
    tiny.write(tmp_path / "segment_truth.csv", "clip_id,start_s,end_s,label\n1,0,2,Q1\n1,1,3,Q2\n")
    assert [problem.kind for problem in corpora.load("table", tmp_path).problems] == ["overlap"]


def test_a_table_that_is_there_is_never_missing(tmp_path: Path) -> None:
    tiny.write(tmp_path / "Clips.CSV", "song;mood\na;b\n")
    assert table.find(tmp_path) == tmp_path
    (tmp_path / "Clips.CSV").rename(tmp_path / "clips.xlsx")
    assert table.find(tmp_path) == tmp_path and table.find_table(tmp_path).name == "clips.xlsx"
    (tmp_path / "clips.xlsx").rename(tmp_path / "labels.csv")
    assert table.find(tmp_path) is None  # another dataset's
