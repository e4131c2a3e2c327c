"""4Q: every kind of bad clip has its own problem, good clips stay, real counts hold."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.corpora import four_q, text
from mer_kit.records import Corpus

Build = Callable[..., Path]
GOOD_ROWS = "MT02,Q2\nMT01,Q1\n"
GOOD_FILES = {"Q1/MT01.mp3": b"x", "Q2/MT02.mp3": b"x"}


def ids(corpus: Corpus) -> list[str]:
    return [clip.clip_id for clip in corpus.clips]


def test_good_clips_are_sorted_labelled_and_without_problems(build: Build) -> None:
    corpus = four_q.load(build(GOOD_ROWS, GOOD_FILES))
    assert ids(corpus) == ["MT01", "MT02"]
    assert corpus.problems == ()
    assert [dict(clip.labels) for clip in corpus.clips] == [
        {"valence": 1, "arousal": 1, "quadrant": 0},
        {"valence": 0, "arousal": 1, "quadrant": 1},
    ]
    assert [clip.path.relative_to(corpus.root).as_posix() for clip in corpus.clips] == [
        "Q1/MT01.mp3",
        "Q2/MT02.mp3",
    ]
    assert corpus.truth is None and corpus.groups() is None


@pytest.mark.parametrize(
    ("rows", "files", "kind", "words"),
    [
        ("MT03,Q3\n", {}, "absent", "Q3/MT03: listed in"),
        ("", {"Q4/MT09.mp3": b"x"}, "not_listed", "Q4/MT09.mp3: not listed in"),
        (
            "MT03,Q3\n",
            {"Q4/MT03.mp3": b"x"},
            "wrong_folder",
            "Q4/MT03.mp3: is in folder Q4, but the table says Q3",
        ),
        (
            "MT03,Q5\n",
            {"Q3/MT03.mp3": b"x"},
            "unknown_label",
            "'Q5', expected one of Q1, Q2, Q3, Q4",
        ),
        ("MT03,\n", {"Q3/MT03.mp3": b"x"}, "unknown_label", "''"),
        (
            "MT03,Q3\nMT03,Q4\n",
            {"Q3/MT03.mp3": b"x"},
            "duplicate_id",
            "2 rows (Q3, Q4), expected one; left out",
        ),
        ("../Q1/MT01,Q1\n", {}, "leaves_root", "points outside the dataset"),
        ("/etc/passwd,Q1\n", {}, "leaves_root", "points outside the dataset"),
        ("MT03,Q3\n", {"Q3/MT03.mp3": b""}, "empty_file", "Q3/MT03.mp3: 0 bytes, expected audio"),
        (",Q3\n", {}, "empty_id", "1 rows without an id"),
    ],
)
def test_a_bad_clip_is_left_out_and_reported_once(
    build: Build, rows: str, files: dict[str, bytes], kind: str, words: str
) -> None:
    corpus = four_q.load(build(GOOD_ROWS + rows, GOOD_FILES | files))
    assert ids(corpus) == ["MT01", "MT02"]
    assert [problem.kind for problem in corpus.problems] == [kind]
    assert words in str(corpus.problems[0])
    assert corpus.problems[0].next_step


def test_a_repeated_row_with_the_same_label_keeps_the_clip(build: Build) -> None:
    corpus = four_q.load(build(GOOD_ROWS + "MT01,Q1\n", GOOD_FILES))
    assert ids(corpus) == ["MT01", "MT02"]
    assert [problem.kind for problem in corpus.problems] == ["duplicate_id"]
    assert "kept once" in str(corpus.problems[0])


def test_a_second_file_is_reported_and_the_right_one_used(build: Build) -> None:
    extra = {"Q1/MT01.WAV": b"y", "Q3/MT01.mp3": b"y"}
    corpus = four_q.load(build(GOOD_ROWS, GOOD_FILES | extra))
    assert corpus.clips[0].path.name == "MT01.mp3" and corpus.clips[0].path.parent.name == "Q1"
    assert Counter(problem.kind for problem in corpus.problems) == {
        "duplicate_file": 1,
        "wrong_folder": 1,
    }


def test_what_is_not_audio_is_ignored(build: Build) -> None:
    other = {"Q1/._MT01.mp3": b"x", "Q1/Thumbs.db": b"x", "Q1/readme.txt": b"x"}
    assert four_q.load(build(GOOD_ROWS, GOOD_FILES | other)).problems == ()


def test_undecodable_file_name_becomes_a_printable_problem(build: Build) -> None:
    root = build(GOOD_ROWS, GOOD_FILES)
    try:
        Path(os.fsdecode(os.fsencode(root / "Q1") + b"/MT\xe9.mp3")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system refuses names that are not UTF-8")
    (problem,) = four_q.load(root).problems
    assert problem.kind == "not_listed"
    str(problem).encode("utf-8")
    assert problem.clip_id == "MT\ufffd"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_metadata_in_every_encoding_gives_the_same_clips(
    build: Build, encoding: str, newline: str
) -> None:
    metadata = 'MT01," Björk, Guð ","A ""quoted"" title",Q1,0.75\nMT02,"björk, GUÐ",,Q2,1\n'
    root = build(
        GOOD_ROWS.replace("\n", newline), GOOD_FILES, metadata.replace("\n", newline), encoding
    )
    first, second = four_q.load(root).clips
    assert (first.artist, first.title, first.confidence) == ("Björk, Guð", 'A "quoted" title', 0.75)
    assert (second.artist, second.title, second.confidence) == ("björk, GUÐ", None, 1.0)
    assert first.group == second.group == "björk, guð"


def test_a_clip_without_artist_stands_alone(build: Build) -> None:
    corpus = four_q.load(build(GOOD_ROWS, GOOD_FILES, "MT01,,,Q1,0.5\nMT02,Someone,,Q2,0.5\n"))
    assert [clip.group for clip in corpus.clips] == [None, "someone"]
    groups = corpus.groups()
    assert groups is not None and groups.tolist() == ["clip:MT01", "someone"]


def test_metadata_off_scale_or_against_the_label_is_reported_and_the_clip_kept(
    build: Build,
) -> None:
    corpus = four_q.load(build(GOOD_ROWS, GOOD_FILES, "MT01,A,T,Q4,0.5\nMT02,B,T,Q2,1.5\n"))
    assert ids(corpus) == ["MT01", "MT02"]
    assert [(problem.kind, problem.clip_id) for problem in corpus.problems] == [
        ("metadata_label", "MT01"),
        ("off_scale", "MT02"),
    ]
    assert corpus.clips[0].labels["quadrant"] == 0 and corpus.clips[1].confidence is None


def test_missing_pieces_of_the_dataset_stop_with_one_sentence(build: Build, tmp_path: Path) -> None:
    with pytest.raises(MerKitError, match=r"missing, expected a folder: Request"):
        four_q.load(tmp_path / "nowhere")
    root = build(GOOD_ROWS, GOOD_FILES)
    (root / "Q3").rmdir()
    with pytest.raises(MerKitError, match="quadrant folder Q3 .* missing"):
        four_q.load(root)
    (root / "Q3").mkdir()
    (root / four_q.METADATA).write_text("Song,Artist\nMT01,A\n")
    with pytest.raises(MerKitError, match="lacks the column 'Title', 'Quadrant', 'PQuad'"):
        four_q.load(root)
    (root / four_q.ANNOTATIONS).write_text("Song,Label\nMT01,Q1\n")
    with pytest.raises(
        MerKitError, match=r"annotations.csv lacks the column 'Quadrant' \(it has Song, Label\)"
    ):
        four_q.load(root)
    (root / four_q.ANNOTATIONS).unlink()
    with pytest.raises(MerKitError, match="annotations.csv cannot be read"):
        four_q.load(root)


@pytest.mark.parametrize("name", [".", *four_q.FOLDERS])
def test_found_under_every_usual_name(build: Build, tmp_path: Path, name: str) -> None:
    root = build(GOOD_ROWS, GOOD_FILES)
    place = tmp_path / "data" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if name == ".":
        place.rmdir() if place.exists() else None
    root.rename(place)
    found = corpora.locate("4q", tmp_path / "data")
    assert found is not None and found.samefile(place)
    assert ids(corpora.load("4q", tmp_path / "data")) == ["MT01", "MT02"]


def test_real_label_table(build: Build) -> None:
    table = (
        Path(__file__).resolve().parents[3] / "shared" / "data" / "labels" / "4q_annotations.csv"
    )
    if not table.is_file():
        pytest.skip("the real label table is not next to this checkout")
    rows = text.decode(table.read_bytes()).split("\n", 1)[1]
    songs = [row.split(",") for row in rows.split()]
    corpus = four_q.load(build(rows, {f"{quadrant}/{song}.mp3": b"x" for song, quadrant in songs}))
    assert corpus.problems == ()
    assert Counter(corpus.labels("quadrant").tolist()) == {0: 225, 1: 225, 2: 225, 3: 225}
    assert corpus.labels("valence").sum() == corpus.labels("arousal").sum() == 450


@pytest.fixture(scope="module")
def real() -> Corpus:
    """Return the real 4Q, where MER_DATA leads to it."""
    if not os.environ.get("MER_DATA") or corpora.locate("4q") is None:
        pytest.skip("MER_DATA does not lead to the 4Q dataset")
    return corpora.load("4q")


def test_real_counts(real: Corpus) -> None:
    assert len(real.clips) == 900 and real.problems == ()
    assert Counter(real.labels("quadrant").tolist()) == {0: 225, 1: 225, 2: 225, 3: 225}
    assert all(clip.confidence is not None and 0 < clip.confidence <= 1 for clip in real.clips)


def test_real_artists(real: Corpus) -> None:
    # 662 different entries of the artist column and 368 clips that share one: three clips share the empty entry, which
    # is nobody, so they stand alone.
    clips_of = Counter(clip.group for clip in real.clips)
    assert clips_of.pop(None) == 3
    assert len(clips_of) + 1 == 662
    assert sum(count for count in clips_of.values() if count > 1) + 3 == 368
    groups = real.groups()
    assert groups is not None and len(set(groups)) == 661 + 3
    assert {clip.artist for clip in real.clips} >= {"Einstürzende Neubauten", "Motörhead"}
