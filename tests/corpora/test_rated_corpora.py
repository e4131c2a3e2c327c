"""PMEmo, Emotion in Music and DEAM: their quirks, their truth, their splits, DEAM's swap, and the paper's counts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.corpora import deam, emotion_in_music, pmemo, ratings
from mer_kit.records import TASKS, Corpus
from mer_kit.results.paper import majority_table
from tests.corpora import tiny

LABELS = Path(__file__).parents[3] / "shared" / "data" / "labels"
needs_labels = pytest.mark.skipif(
    not LABELS.is_dir(), reason=f"the real label tables are not in {LABELS.name}/ here"
)


def kinds(problems: Any) -> list[tuple[str, str | None]]:
    return sorted((problem.kind, problem.clip_id) for problem in problems)


def quadrants(corpus: Corpus) -> dict[str, str]:
    return {
        c.clip_id: TASKS["quadrant"][c.labels["quadrant"]]
        for c in corpus.clips
        if "quadrant" in c.labels
    }


# ---- PMEmo -----------------------------------------------------------------------------------------------------------


def test_pmemo_reads_columns_by_name_artists_and_extra_choruses(tmp_path: Path) -> None:
    corpus = pmemo.load(tiny.pmemo(tmp_path))
    assert quadrants(corpus) == {"1": "Q4", "10": "Q2", "12": "Q4", "4": "Q3", "5": "Q1", "7": "Q1"}
    assert corpus.clips[0].artist == "Beyoncé" and corpus.clips[0].group == "beyoncé"
    assert corpus.clips[0].title == "Title, 1"
    assert corpus.problems == ()
    assert sorted((note.kind, str(note)[:60]) for note in corpus.notes) == [
        ("not_listed", "chorus/2.mp3: not listed in static_annotations.csv, so it ha"),
        ("unknown_clip", "dynamic_annotations.csv: 1 of 7 ids match no clip, first '99"),
    ]


@pytest.mark.parametrize(("ties", "label"), [("high", "Q1"), ("low", "Q2"), ("drop", None)])
def test_pmemo_ties_follow_the_option(ties: str, label: str | None, tmp_path: Path) -> None:
    corpus = pmemo.load(tiny.pmemo(tmp_path), ties=ties)
    assert quadrants(corpus).get("7") == label
    assert corpus.clips[-1].labels["arousal"] == 1  # arousal does not tie


def test_pmemo_can_be_divided_where_the_literature_does(tmp_path: Path) -> None:
    root = tiny.pmemo(tmp_path)
    ratings = pd.read_csv(root / pmemo.STATIC, dtype={"musicId": str}).set_index("musicId")
    ratings.columns = ratings.columns.str.strip()
    for middle, (valence, arousal) in (("published", (0.567, 0.586)), (0.5, (0.5, 0.5))):
        for clip in pmemo.load(root, middle=middle).clips:
            row = ratings.loc[clip.clip_id]
            assert clip.labels["valence"] == int(row["Valence(mean)"] >= valence)
            assert clip.labels["arousal"] == int(row["Arousal(mean)"] >= arousal)
    at = {m: pmemo.load(root, middle=m) for m in ("0.5", "published")}
    assert quadrants(at["0.5"]) != quadrants(at["published"])
    assert at["0.5"].truth["label"].tolist() != at["published"].truth["label"].tolist()  # type: ignore[index]
    with pytest.raises(MerKitError, match="middle is '0.6', expected one of 0.5, published"):
        pmemo.load(root, middle=0.6)


def test_pmemo_truth_covers_the_half_second_before_its_time(tmp_path: Path) -> None:
    truth = pmemo.load(tiny.pmemo(tmp_path)).truth
    assert truth is not None
    ten = truth[truth["clip_id"] == "10"]
    assert ten[["start_s", "end_s"]].to_numpy().tolist() == [
        [15.0, 15.5],
        [15.5, 16.0],
        [16.0, 16.5],
        [16.5, 17.0],
    ]
    assert ten["label"].tolist() == ["Q2", "Q2", "Q2", "Q1"] and "999" not in set(truth["clip_id"])
    assert pmemo.load(tmp_path, ties="drop").truth["label"].tolist().count("Q1") == 3  # type: ignore[index]


# ---- Emotion in Music ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flat", [False, True])
def test_eim_strips_tabs_and_has_its_official_split(flat: bool, tmp_path: Path) -> None:
    corpus = emotion_in_music.load(tiny.eim(tmp_path, flat=flat))
    assert quadrants(corpus) == {
        "10": "Q2",
        "12": "Q2",
        "2": "Q3",
        "3": "Q3",
        "4": "Q1",
        "5": "Q4",
        "7": "Q1",
        "8": "Q1",
    }
    assert [clip.artist for clip in corpus.clips][:3] == [
        "The  Band 3",
        "The  Band 3",
        "The  Band 0",
    ]
    assert Counter(clip.split for clip in corpus.clips) == {"development": 6, "evaluation": 2}
    assert corpus.problems == () and kinds(corpus.notes) == [("not_listed", "17")]


def test_eim_truth_begins_at_15_s_on_its_own_scale(tmp_path: Path) -> None:
    corpus = emotion_in_music.load(tiny.eim(tmp_path), ties="drop")
    assert corpus.truth is not None
    two = corpus.truth[corpus.truth["clip_id"] == "2"]
    assert two[["start_s", "end_s"]].to_numpy().tolist() == [
        [15.0, 15.5],
        [15.5, 16.0],
    ]  # the sample at 45 s is the end
    assert two["label"].tolist() == ["Q3", "Q1"] and two["valence"].tolist() == [-0.5, 0.25]
    assert "8" not in set(corpus.truth[corpus.truth["start_s"] == 15]["clip_id"])  # 0 ties


def test_without_its_optional_tables_a_corpus_still_loads(tmp_path: Path) -> None:
    tiny.eim(tmp_path)
    for name in ("songs_info", "valence_cont_average"):
        (tmp_path / "annotations" / f"{name}.csv").unlink()
    corpus = emotion_in_music.load(tmp_path)
    assert (
        corpus.truth is None
        and corpus.groups() is None
        and {clip.split for clip in corpus.clips} == {None}
    )


# ---- DEAM ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("underscores", [False, True])
def test_deam_alone_reads_its_headers_and_says_what_it_could_not_compare(
    underscores: bool, tmp_path: Path
) -> None:
    corpus = deam.load(tiny.deam(tmp_path / "deam", underscores=underscores))
    assert quadrants(corpus) == {
        "1001": "Q4",
        "2": "Q3",
        "2001": "Q1",
        "2002": "Q4",
        "3": "Q3",
        "4": "Q1",
        "5": "Q2",
    }
    assert {clip.clip_id: clip.split for clip in corpus.clips}["2001"] == "evaluation"
    assert [(c.artist, c.title) for c in corpus.clips[:2]] == [("Ann", "Three"), ("Ann", "One")]
    assert kinds(corpus.notes) == [("not_compared", None)] and corpus.problems == ()


def test_deam_takes_shared_songs_from_eim_where_the_columns_are_swapped(tmp_path: Path) -> None:
    tiny.eim(tmp_path / "eim")
    swapped = deam.load(tiny.deam(tmp_path / "deam"))  # its valence is eim's arousal
    assert (
        quadrants(swapped)["5"] == quadrants(emotion_in_music.load(tmp_path / "eim"))["5"] == "Q4"
    )
    (note,) = swapped.notes
    assert note.kind == "swapped" and "for 100.0% of the 4 shared songs" in str(note)
    same = {
        "2": ("3", "3.1"),
        "3": ("3.3", "3.5"),
        "4": ("5.5", "5.7"),
        "5": ("5.3", "4.4"),
        "1001": ("6", "3"),
    }
    straight = deam.load(tiny.deam(tmp_path / "straight" / "deam", same))
    assert kinds(straight.notes) == [("not_compared", None)]
    tiny.eim(tmp_path / "straight" / "eim")
    assert deam.load(tmp_path / "straight" / "deam").notes == ()


def test_deam_id_in_both_tables_is_kept_once_and_reported(tmp_path: Path) -> None:
    tiny.deam(tmp_path)
    level = tmp_path / "annotations" / "annotations averaged per song" / "song_level"
    with (level / "static_annotations_averaged_songs_2000_2058.csv").open("a") as file:
        file.write("2, 9, 0, 9, 0\n")
    corpus = deam.load(tmp_path)
    assert kinds(corpus.problems) == [("duplicate_id", "2")] and quadrants(corpus)["2"] == "Q3"


# ---- all three -------------------------------------------------------------------------------------------------------

BUILD = {
    "pmemo": (tiny.pmemo, "chorus"),
    "eim": (tiny.eim, "clips_45seconds"),
    "deam": (tiny.deam, "MEMD_audio"),
}


@pytest.mark.parametrize("name", BUILD)
def test_files_that_are_absent_empty_or_there_twice(name: str, tmp_path: Path) -> None:
    build, folder = BUILD[name]
    root = build(tmp_path / name)
    before = {clip.clip_id: clip for clip in corpora.load(name, root).clips}
    (root / folder / "2.mp3" if name != "pmemo" else root / folder / "1.mp3").unlink()
    tiny.write(root / folder / "4.mp3", b"")
    tiny.write(root / folder / "5.wav", b"a second one")
    gone = "1" if name == "pmemo" else "2"
    corpus = corpora.load(name, root)
    assert kinds(corpus.problems) == sorted(
        [("absent", gone), ("empty_file", "4"), ("duplicate_file", "5")]
    )
    assert {clip.clip_id: clip for clip in corpus.clips} == {
        i: c for i, c in before.items() if i not in (gone, "4")
    }
    assert all("\n" not in str(problem) for problem in corpus.problems)


@pytest.mark.parametrize("name", BUILD)
def test_a_missing_audio_folder_is_one_sentence(name: str, tmp_path: Path) -> None:
    build, folder = BUILD[name]
    root = build(tmp_path / name)
    (root / folder).rename(root / "elsewhere")
    with pytest.raises(
        MerKitError, match=rf"{folder} folder|chorus folder.*is missing, expected a folder"
    ):
        corpora.load(name, root)


@pytest.mark.parametrize("name", BUILD)
@pytest.mark.parametrize("other", BUILD)
def test_no_corpus_is_taken_for_another(name: str, other: str, tmp_path: Path) -> None:
    root = BUILD[name][0](tmp_path / "anything")
    assert (corpora.locate(other, root) is not None) == (name == other)


# ---- the real tables -------------------------------------------------------------------------------------------------


def real(name: str, tmp_path: Path) -> Path:
    """Lay out a corpus from its real label table, with a byte of audio for each row."""
    source, table, folder, column = {
        "pmemo": ("pmemo_static_annotations.csv", pmemo.STATIC, "chorus", "musicId"),
        "eim": (
            "eim_static_annotations.csv",
            emotion_in_music.STATIC[0],
            "clips_45seconds",
            "song_id",
        ),
    }[name]
    text = (LABELS / source).read_text("utf-8")
    tiny.write(tmp_path / table, text)
    assert text.startswith(column)
    (tmp_path / folder).mkdir()
    for line in text.splitlines()[1:]:
        (tmp_path / folder / f"{line.split(',')[0].strip()}.mp3").write_bytes(tiny.SOUND)
    return tmp_path


@needs_labels
@pytest.mark.parametrize(
    ("name", "ties", "clips", "high", "quadrants"),
    [
        ("pmemo", "high", 767, (562, 578), (505, 73, 132, 57)),
        ("pmemo", "low", 767, (553, 567), (491, 76, 138, 62)),
        ("eim", "high", 744, (385, 337), None),
        ("eim", "low", 744, (364, 324), None),
    ],
)
def test_counts_of_the_real_tables(
    name: str,
    ties: str,
    clips: int,
    high: tuple[int, int],
    quadrants: tuple[int, ...] | None,
    tmp_path: Path,
) -> None:
    corpus = corpora.load(name, real(name, tmp_path), ties=ties)
    assert len(corpus.clips) == clips and corpus.problems == () and corpus.notes == ()
    assert (corpus.labels("valence").sum(), corpus.labels("arousal").sum()) == high
    if quadrants:
        assert tuple(Counter(corpus.labels("quadrant").tolist())[k] for k in range(4)) == quadrants


@needs_labels
@pytest.mark.parametrize(
    ("name", "middle"), [("pmemo", "0.5"), ("pmemo", "published"), ("eim", "")]
)
def test_the_majority_rows_of_table_3_are_those_of_the_real_tables(
    name: str, middle: str, tmp_path: Path
) -> None:
    options = {"middle": middle} if middle else {}
    corpus = corpora.load(name, real(name, tmp_path), **options)
    rows = majority_table()
    rows = rows[(rows["corpus"] == name) & rows["options"].str.endswith(middle)]
    assert len(rows) == {"pmemo": 2, "eim": 1}[name]
    for row in rows.to_dict("records"):
        counts = Counter(corpus.labels(row["task"]).tolist())
        assert (row["songs"], row["majority"]) == (len(corpus.clips), max(counts.values()))


@needs_labels
@pytest.mark.parametrize(("name", "ties"), [("pmemo", (9, 11)), ("eim", (21, 13))])
def test_dropping_ties_drops_them_for_their_task_alone(
    name: str, ties: tuple[int, int], tmp_path: Path
) -> None:
    corpus = corpora.load(name, real(name, tmp_path), ties="drop")
    assert (
        tuple(len(corpus.clips) - len(corpus.with_task(t).clips) for t in ("valence", "arousal"))
        == ties
    )
    both = sum("valence" not in c.labels or "arousal" not in c.labels for c in corpus.clips)
    assert len(corpus.with_task("quadrant").clips) == len(corpus.clips) - both


@needs_labels
def test_the_real_eim_table_compared_with_a_swapped_deam(tmp_path: Path) -> None:
    table = real("eim", tmp_path) / emotion_in_music.STATIC[0]
    eim = ratings.read_ratings(table, emotion_in_music.COLUMNS, emotion_in_music.SCALE, [])
    ours = {i: ratings.Rating(r.arousal, r.valence) for i, r in eim.items()}
    notes: list[Any] = []
    swapped = deam.compare(ours, eim, notes)
    equal = sum(
        r.valence == r.arousal for r in eim.values()
    )  # where both are equal there is nothing to swap
    assert (
        swapped == pytest.approx(1 - equal / len(eim))
        and ours == eim
        and notes[0].kind == "swapped"
    )
    assert json.dumps([str(note) for note in notes])
