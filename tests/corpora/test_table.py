"""Your own table: labels or ratings, ids from paths, every bad row reported, nothing else lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.corpora import table
from mer_kit.corpora.truth import segment_truth
from mer_kit.records import TASKS
from tests.corpora import tiny


def rows(root: Path, text: str, *files: str) -> Path:
    tiny.write(root / "clips.csv", text)
    for name in files:
        tiny.write(root / name, tiny.SOUND)
    return root


def test_labels_ids_artists_and_truth(tmp_path: Path) -> None:
    corpus = table.load(tiny.table(tmp_path))
    assert [clip.clip_id for clip in corpus.clips] == ["a/one", "a/two", "five", "four", "three"]
    assert [TASKS["quadrant"][clip.labels["quadrant"]] for clip in corpus.clips] == [
        "Q1",
        "Q2",
        "Q1",
        "Q4",
        "Q3",
    ]
    assert [clip.group for clip in corpus.clips] == ["ann", "bob", "cy", "ann", None]
    assert corpus.truth is not None and corpus.truth["label"].tolist() == ["Q1", "Q2", "Q3"]
    assert [(note.kind, note.where) for note in corpus.notes] == [("not_listed", "a/unlisted.wav")]


def test_ratings_on_any_scale_and_a_group_column(tmp_path: Path) -> None:
    text = (
        "clip_id,group,path,arousal,valence\nA,g,one.wav,5,9\nB,g,two.wav,2,4\nC,h,three.wav,8,1\n"
    )
    rows(tmp_path, text, "one.wav", "two.wav", "three.wav")
    corpus = corpora.load("table", tmp_path, scale=[1, 9])
    assert [dict(clip.labels) for clip in corpus.clips] == [
        {"valence": 1, "arousal": 1, "quadrant": 0}, {"valence": 0, "arousal": 0, "quadrant": 2},
        {"valence": 0, "arousal": 1, "quadrant": 1},
    ]  # fmt: skip
    assert [clip.group for clip in corpus.clips] == ["g", "g", "h"]
    assert [
        len(corpora.load("table", tmp_path, scale=[1, 9], ties="drop").with_task(task).clips)
        for task in TASKS
    ] == [3, 2, 2]


def test_a_table_of_one_task_has_no_other(tmp_path: Path) -> None:
    rows(tmp_path, "path,label\none.wav,V-\ntwo.wav,V+\n", "one.wav", "two.wav")
    corpus = table.load(tmp_path)
    assert corpus.labels("valence").tolist() == [0, 1]
    with pytest.raises(
        MerKitError,
        match="has no clip with a arousal label, expected some: choose the task valence",
    ):
        corpus.with_task("arousal")


def test_truth_may_be_in_the_classes_of_a_tables_only_task(tmp_path: Path) -> None:
    rows(tmp_path, "path,label\none.wav,V-\ntwo.wav,V+\n", "one.wav", "two.wav")
    tiny.write(
        tmp_path / "segment_truth.csv",
        "clip_id,start_s,end_s,label\none,0,2,V-\none,2,4,V+\ntwo,0,4,Q4\n",
    )
    corpus = table.load(tmp_path)
    at, start = np.array([0, 0, 1]), np.array([0.0, 2.0, 1.0])
    assert segment_truth(corpus, at, start, start + 2, task="valence").tolist() == [0, 1, 1]  # type: ignore[union-attr]
    tiny.write(tmp_path / "segment_truth.csv", "clip_id,start_s,end_s,label\none,0,2,A-\n")
    with pytest.raises(MerKitError, match="a label of Q1, Q2, Q3, Q4, V-, V\\+: correct the row"):
        table.load(tmp_path)


def test_the_table_itself_may_be_named(tmp_path: Path) -> None:
    rows(tmp_path, "path,label\none.wav,Q1\n", "one.wav")
    named = (tmp_path / "clips.csv").rename(tmp_path / "mine.csv")
    assert corpora.locate("table", tmp_path) is None and corpora.locate("table", named) == named
    assert (
        len(corpora.load("table", named).clips) == 1
        and corpora.load("table", named).root == tmp_path
    )


@pytest.mark.parametrize(
    ("row", "kind", "sentence"),
    [
        (
            "lost.wav,Q1",
            "absent",
            "lost.wav: listed in clips.csv, but there is no such audio file: restore it or delete its row",
        ),
        ("empty.wav,Q1", "empty_file", "empty.wav: 0 bytes, expected audio: copy the file again"),
        (
            "one.wav,Q1\none.wav,Q2",
            "duplicate_id",
            "clips.csv, id 'one': 2 rows, expected one; the clip is left out: delete the wrong rows",
        ),
        (
            "one.wav,Q5",
            "unknown_label",
            "clips.csv, id 'one': label 'Q5', expected one of Q1, Q2, Q3, Q4, V-, V+, A-, A+ or, in words, happy, "
            "angry, sad, calm, unpleasant, pleasant, quiet, energetic: correct the table",
        ),
        (
            "../one.wav,Q1",
            "leaves_root",
            "clips.csv, id '../one': the id points outside the dataset, expected a file name: did you mean 'one.wav'? "
            "Otherwise correct the id",
        ),
        (
            "/etc/passwd,Q1",
            "leaves_root",
            "clips.csv, id '/etc/passwd': the id points outside the dataset, expected a file name: correct the id",
        ),
        (
            ",Q1",
            "empty_id",
            "clips.csv: 1 rows without an id, expected one each: fill in or delete",
        ),
    ],
)
def test_a_bad_row_is_reported_and_the_others_stay(
    row: str, kind: str, sentence: str, tmp_path: Path
) -> None:
    rows(
        tmp_path,
        f"path,label\nfine.wav,Q1\n{row}\nalso.wav,Q3\n",
        "fine.wav",
        "also.wav",
        "one.wav",
    )
    tiny.write(tmp_path / "empty.wav", b"")
    corpus = table.load(tmp_path)
    assert [(problem.kind, str(problem)) for problem in corpus.problems] == [(kind, sentence)]
    assert [clip.clip_id for clip in corpus.clips] == ["also", "fine"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"scale": [9, 1]}, "expected the lowest rating first"),
        ({"scale": 9}, "scale is 9, expected two numbers"),
        ({"scale": "1-9"}, "scale is '1-9', expected two numbers"),
        ({"ties": "hgih"}, "did you mean 'high'"),
        ({"middle": 5}, "option of corpus table is 'middle'"),
    ],
)
def test_wrong_options_get_a_sentence(
    options: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    rows(tmp_path, "path,valence,arousal\none.wav,1,1\n", "one.wav")
    with pytest.raises(MerKitError, match=sentence):
        corpora.load("table", tmp_path, **options)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("path,mood", "expected 'path' and 'label', or 'path', 'valence' and 'arousal'"),
        ("path,valence", "expected 'path' and 'label', or"),
    ],
)
def test_missing_columns_are_named(header: str, sentence: str, tmp_path: Path) -> None:
    rows(tmp_path, f"{header}\none.wav,1\n", "one.wav")
    with pytest.raises(MerKitError, match=sentence):
        table.load(tmp_path)


def test_truth_of_a_clip_that_no_row_lists_is_reported(tmp_path: Path) -> None:
    tiny.table(tmp_path)
    with (tmp_path / "segment_truth.csv").open("a") as file:
        file.write("six,0,1,Q1\n")
    corpus = table.load(tmp_path)
    assert corpus.problems == () and len(corpus.clips) == 5
    assert "segment_truth.csv: 1 of 3 ids match no clip, first 'six'" in "\n".join(
        map(str, corpus.notes)
    )
    with (tmp_path / "segment_truth.csv").open("a") as file:
        file.write("three,9,8,Q1\n")
    with pytest.raises(
        MerKitError, match=r"segment_truth.csv line 6 has clip_id three, start_s 9.0, end_s 8.0"
    ):
        table.load(tmp_path)
