"""The overview of corpora: what is found, missing or broken is told as it is, and nothing is made or opened."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import soundfile

from mer_kit import corpora
from mer_kit.checkup import datasets
from mer_kit.corpora import demo, four_q
from mer_kit.records import Clip, Corpus, labels_from_quadrant
from tests.corpora import tiny


@pytest.fixture(autouse=True)
def empty_homes(tmp_path, monkeypatch):
    """No corpus is on this machine."""
    monkeypatch.setenv("MER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MER_CACHE", str(tmp_path / "cache"))
    return tmp_path


def _four_q(root, quadrants="1124", *, absent=()):
    """Write a small 4Q: one clip per digit, in that quadrant; `absent` clips lack their file."""
    rows = ["Song,Quadrant"]
    for quadrant in four_q.QUADRANTS:
        (root / quadrant).mkdir(parents=True)
    for number, digit in enumerate(quadrants):
        rows.append(f"MT{number},Q{digit}")
        if number not in absent:
            soundfile.write(root / f"Q{digit}" / f"MT{number}.wav", np.zeros(10), 22050)
    (root / four_q.ANNOTATIONS).write_text("\n".join(rows) + "\n", "utf-8")


def _row(table: pd.DataFrame, corpus: str) -> pd.Series:
    return table.set_index("corpus").loc[corpus]


def test_what_is_missing_says_whom_to_ask_and_nothing_is_made(empty_homes):
    table = datasets.overview()
    assert table["corpus"].tolist() == corpora.names()
    four = _row(table, "4q")
    assert four["state"] == "missing" and four["next_step"] == four_q.REQUEST
    assert pd.isna(four["clips"]) and pd.isna(four["majority_quadrant"])
    assert _row(table, "demo")["state"] == "made on first use"
    assert list(empty_homes.iterdir()) == [], "looking made something"


def test_counts_and_majorities_by_hand(empty_homes):
    _four_q(empty_homes / "data" / "4q", "11124433", absent=(7,))
    row = _row(datasets.overview(), "4q")
    assert (row["state"], row["clips"], row["problems"]) == ("found", 7, 1)
    assert row["quadrant"] == "Q1 3 · Q2 1 · Q3 1 · Q4 2"
    assert row["valence"] == "V- 2 · V+ 5"
    assert row["arousal"] == "A- 3 · A+ 4"
    assert [
        row[f"majority_{task}"] for task in ("quadrant", "valence", "arousal")
    ] == pytest.approx([3 / 7, 5 / 7, 4 / 7])
    assert row["next_step"].startswith(
        "Fix 1 problem or leave these clips out with on_bad_clip='skip'; the first: "
    )
    assert "MT7" in row["next_step"]


def test_a_class_without_clips_counts_zero(empty_homes):
    _four_q(empty_homes / "data" / "4q", "11")
    row = _row(datasets.overview(), "4q")
    assert row["quadrant"] == "Q1 2 · Q2 0 · Q3 0 · Q4 0" and row["majority_quadrant"] == 1.0
    assert (
        row["problems"] == 1
        and "quadrant: all 2 clips are Q1 (happy), expected two classes" in row["next_step"]
    )


def test_data_root_is_looked_at_and_the_demo_found_in_its_cache(empty_homes, monkeypatch):
    _four_q(empty_homes / "elsewhere" / "4Q")
    monkeypatch.setattr(
        demo, "generate", lambda *a, **k: pytest.fail("the overview generated the demo")
    )
    table = datasets.overview(empty_homes / "elsewhere")
    assert _row(table, "4q")["folder"] == str(empty_homes / "elsewhere" / "4Q")
    assert _row(table, "demo")["state"] == "made on first use"


def test_a_generated_demo_is_found(empty_homes):
    folder = demo._folder(empty_homes / "cache", demo._recipe())
    _four_q(folder, "12")
    (folder / demo.TRUTH).write_text("clip_id,start_s,end_s,label\nMT0,0,1,Q1\n", "utf-8")
    (folder / demo.RECIPE).write_text("{}\n", "utf-8")
    for root in (None, empty_homes / "nothing here"):
        row = _row(datasets.overview(root), "demo")
        assert (row["state"], row["folder"], row["clips"]) == ("found", str(folder), 2)


def test_a_broken_corpus_does_not_hide_the_others(empty_homes):
    _four_q(empty_homes / "data" / "4q")
    (empty_homes / "data" / "4q" / four_q.ANNOTATIONS).write_text("Song,Mood\nMT0,Q1\n", "utf-8")
    table = datasets.overview()
    row = _row(table, "4q")
    assert row["state"] == "broken" and "lacks the column 'Quadrant'" in row["next_step"]
    assert _row(table, "demo")["state"] == "made on first use"


def _corpus(*rows: tuple[int, float | None]) -> Corpus:
    clips = [
        Clip(f"c{n}", None, labels_from_quadrant(q), confidence=c) for n, (q, c) in enumerate(rows)
    ]
    return Corpus("made-up", None, tuple(clips))


def test_the_typical_clip_is_the_most_confident_of_its_class():
    corpus = _corpus((0, 0.2), (1, 0.9), (0, 0.8), (3, None), (0, 0.5), (3, 0.1))
    assert datasets.typical(corpus, "quadrant") == [2, 1, -1, 5]
    assert datasets.typical(corpus, "valence") == [1, 2]
    assert datasets.typical(_corpus((2, None), (2, None)), "quadrant") == [-1, -1, 0, -1]


def test_a_row_as_text(empty_homes):
    _four_q(empty_homes / "data" / "4q", "1114")
    demo_text, four_text, *_ = (
        datasets.as_text(row) for row in datasets.overview().to_dict("records")
    )
    assert demo_text.splitlines()[0] == f"demo   made on first use: {demo.TITLE}"
    assert demo.REQUEST in demo_text
    assert four_text.splitlines() == [
        f"4q     found: {four_q.TITLE}",
        f"       4 clips (0.0 h), 0 problems, in {empty_homes / 'data' / '4q'}",
        "       4 labels, 0 missing, 0 extra, 0 unreadable",
        "       valence: V- 0 · V+ 4 (majority 100.0%)",
        "       arousal: A- 1 · A+ 3 (majority 75.0%)",
        "       quadrant: Q1 3 · Q2 0 · Q3 0 · Q4 1 (majority 75.0%)",
        "       Ready to use, but note valence: all 4 clips are V+ (pleasant), expected two classes or more: check the "
        "labels, or the scale of the ratings.",
    ]


def test_a_corpus_without_a_usable_clip_has_a_text_too(empty_homes):
    _four_q(empty_homes / "data" / "4q", "1", absent=(0,))
    text = datasets.as_text(datasets.overview().to_dict("records")[1])
    assert (
        "0 clips (0.0 h), 1 problems" in text
        and "1 labels, 1 missing" in text
        and "quadrant: Q1 0 · Q2 0 · Q3 0 · Q4 0\n" in text
    )


def test_files_are_counted_and_hours_come_from_their_headers(empty_homes):
    root = empty_homes / "data" / "4q"
    _four_q(root, "12344", absent=(1,))
    for quadrant, number in (("Q1", 0), ("Q4", 3)):
        soundfile.write(root / quadrant / f"MT{number}.wav", np.zeros(1800 * 1000), 1000)
    (root / "Q3" / "MT2.wav").write_bytes(b"")
    (root / "Q4" / "MT4.wav").write_bytes(b"no sound")
    soundfile.write(root / "Q4" / "MT9.wav", np.zeros(10), 22050)
    row = _row(datasets.overview(), "4q")
    assert row[["clips", "labels", "missing", "extra", "unreadable", "problems"]].tolist() == [
        3,
        5,
        1,
        1,
        2,
        3,
    ]
    assert row["hours"] == pytest.approx(1.0)
    line = next(
        line for line in datasets.summary(datasets.overview()).splitlines() if " 4q " in f" {line} "
    )
    assert line.split() == ["4q", "found", "3", "5", "1", "1", "2", "3", "0", "1.0"]


def test_every_corpus_with_its_options(empty_homes):
    tiny.eim(empty_homes / "data" / "eim")
    high, low = (
        _row(datasets.overview(only="eim", options={"ties": ties}), "eim")
        for ties in ("high", "low")
    )
    assert (high["valence"], low["valence"]) == ("V- 4 · V+ 4", "V- 5 · V+ 3")
    dropped = _row(datasets.overview(only="eim", options={"ties": "drop"}), "eim")
    assert dropped["valence"] == "V- 4 · V+ 3" and dropped["extra"] == 1 and dropped["notes"] == 1


def test_notes_are_one_line_a_kind(empty_homes):
    corpus = corpora.load("vgmidi", tiny.vgmidi(empty_homes / "data" / "vgmidi"))
    lines = datasets.notes(corpus)
    assert len(lines) == 3 and lines[0].endswith("(and 1 more)") and "Orphan.mid" in lines[2]


@pytest.mark.parametrize(
    "error", [OSError(36, "File name too long"), RuntimeError("odd"), RecursionError()]
)
@pytest.mark.parametrize("where", ["load", "find"])
def test_whatever_one_corpus_raises_the_others_are_shown(where, error, empty_homes, monkeypatch):
    _four_q(empty_homes / "data" / "4q")
    tiny.eim(empty_homes / "data" / "eim")

    def failing(*arguments, **options):
        raise error

    monkeypatch.setattr(four_q, where, failing)
    table = datasets.overview()
    row = _row(table, "4q")
    said = str(error) or type(error).__name__
    assert row["state"] == "broken" and said in row["next_step"] and "\n" not in row["next_step"]
    assert _row(table, "eim")["state"] == "found"


def test_a_row_that_is_no_file_name_ends_nothing(empty_homes):
    tiny.write(
        empty_homes / "data" / "clips.csv",
        f"path,label\n.,Q1\n{'x' * 300},Q2\na/../..,Q2\n/dev/null,Q3\n",
    )
    table = datasets.overview()
    assert _row(table, "table")["problems"] == 4 and len(table) == len(corpora.names())
