"""One contract for all corpora: to add a dataset, add a tiny copy of it here, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.corpora import labels
from mer_kit.records import TASKS, Corpus, Problem, labels_from_quadrant
from tests.corpora import tiny as tiny_copies


def tiny_4q(data_root: Path) -> dict[str, Any]:
    """Write a 4Q of seven listed clips with the quirks of real copies: Latin-1, CRLF, quotes, and bad clips."""
    root = data_root / "MER_audio_taffc_dataset"
    files = {
        "Q1/MT0000000009.mp3": b"one", "Q1/MT0000000001.MP3": b"one", "Q2/MT0000000002.mp3": b"two",
        "Q3/MT0000000003.mp3": b"three", "Q4/MT0000000004.mp3": b"four",
        "Q4/MT0000000005.mp3": b"in the wrong folder", "Q2/MT0000000077.mp3": b"an orphan", "Q2/Thumbs.db": b"no audio",
    }  # fmt: skip
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    songs = {"MT0000000009": "Q1", "MT0000000002": "Q2", "MT0000000001": "Q1", "MT0000000004": "Q4",
             "MT0000000003": "Q3", "MT0000000005": "Q1", "MT0000000006": "Q3"}  # fmt: skip
    rows = [f"{song},{quadrant}" for song, quadrant in songs.items()]
    (root / "panda_dataset_taffc_annotations.csv").write_bytes(
        "\r\n".join(["Song,Quadrant", *rows, ""]).encode()
    )
    artist = {
        "MT0000000009": "Einstürzende Neubauten",
        "MT0000000003": "EINSTÜRZENDE NEUBAUTEN",
        "MT0000000001": "",
    }
    rows = [
        f'"{song}","{artist.get(song, "Earth, Wind")}","He said ""no""","{quadrant}",{2 / 3},3'
        for song, quadrant in songs.items()
    ]
    header = '"Song","Artist","Title","Quadrant","PQuad","MoodsTotal"'
    table = root / "panda_dataset_taffc_metadata.csv"
    table.write_bytes("\r\n".join([header, *rows, ""]).encode("latin-1"))
    return {}


def tiny_demo(data_root: Path) -> dict[str, Any]:
    """Return options of a demo corpus that is generated quickly."""
    return {"clips": 4, "seconds": 8.0, "drift": 0.3}


#: corpus name → a function that puts a tiny copy below a data root and returns the options to load it with
TINY: dict[str, Callable[[Path], dict[str, Any]]] = {
    "demo": tiny_demo,
    "4q": tiny_4q,
    "pmemo": lambda data_root: tiny_copies.pmemo(data_root / "PMEmo2019") and {},
    "eim": lambda data_root: tiny_copies.eim(data_root / "emoMusic") and {},
    "deam": lambda data_root: tiny_copies.deam(data_root / "DEAM") and {},
    "vgmidi": lambda data_root: tiny_copies.vgmidi(data_root / "vgmidi") and {},
    "table": lambda data_root: tiny_copies.table(data_root / "my_music") and {},
}
NAMES = corpora.names()


@pytest.fixture(scope="module", params=NAMES)
def tiny(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, dict[str, Any]]:
    """Return each corpus' name, a data root that holds a tiny copy, and its options."""
    data_root = tmp_path_factory.mktemp("data")
    return request.param, data_root, TINY[request.param](data_root)


@pytest.fixture(scope="module")
def corpus(tiny: tuple[str, Path, dict[str, Any]]) -> Corpus:
    """Return each corpus, loaded from its tiny copy."""
    name, data_root, options = tiny
    return corpora.load(name, data_root, **options)


def test_every_corpus_has_a_tiny_copy() -> None:
    assert set(TINY) == set(NAMES) and len(NAMES) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_interface(name: str) -> None:
    module = corpora.module(name)
    assert name == module.NAME
    for constant in ("TITLE", "CITATION", "LICENCE", "LAYOUT", "REQUEST"):
        text = getattr(module, constant)
        assert isinstance(text, str) and text.strip() == text and len(text) > 3, constant
    assert all(isinstance(option, str) for option in module.OPTIONS)
    assert isinstance(module.GENERATED, bool)


def test_corpus_says_where_it_comes_from(
    tiny: tuple[str, Path, dict[str, Any]], corpus: Corpus
) -> None:
    module = corpora.module(tiny[0])
    assert (corpus.name, corpus.title) == (tiny[0], module.TITLE)
    assert (corpus.citation, corpus.licence) == (module.CITATION, module.LICENCE)
    assert corpus.root.is_dir() and corpus.root.is_absolute()


def test_clips_are_sorted_unique_and_on_disk(corpus: Corpus) -> None:
    ids = [clip.clip_id for clip in corpus.clips]
    assert len(ids) >= 4 and ids == sorted(set(ids))
    for clip in corpus.clips:
        assert clip.path.is_file() and clip.path.stat().st_size > 0
        assert clip.path.is_relative_to(corpus.root)
        assert clip.confidence is None or 0 <= clip.confidence <= 1
        assert clip.group is None or clip.group == clip.group.strip() != ""


def test_labels_of_all_tasks_agree_with_the_quadrant(corpus: Corpus) -> None:
    for clip in corpus.clips:
        assert dict(clip.labels) == labels_from_quadrant(clip.labels["quadrant"])
    for task, classes in TASKS.items():
        labels = corpus.labels(task)
        assert labels.dtype == np.int64 and set(labels) == set(range(len(classes)))


def test_groups_are_one_for_each_clip(corpus: Corpus) -> None:
    groups = corpus.groups()
    assert groups is None or len(groups) == len(corpus.clips)


def test_problems_are_whole_sentences(corpus: Corpus) -> None:
    for problem in (*corpus.problems, *corpus.notes):
        assert isinstance(problem, Problem)
        assert all(
            text.strip() for text in (problem.kind, problem.where, problem.what, problem.next_step)
        )
        assert "\n" not in str(problem)
        str(problem).encode("utf-8")


def test_truth_covers_each_clip_in_order(corpus: Corpus) -> None:
    if corpus.truth is None:
        pytest.skip("this corpus has no ground truth per second")
    assert tuple(corpus.truth.columns)[:4] == labels.TRUTH_COLUMNS
    assert set(corpus.truth["clip_id"]) <= {clip.clip_id for clip in corpus.clips} and len(
        corpus.truth
    )
    assert set(corpus.truth["label"]) <= set(TASKS["quadrant"])
    for _, rows in corpus.truth.groupby("clip_id"):
        assert (rows["start_s"].to_numpy() >= 0).all() and (rows["end_s"] > rows["start_s"]).all()
        assert (rows["start_s"].to_numpy()[1:] >= rows["end_s"].to_numpy()[:-1] - 1e-9).all()


def test_loading_twice_gives_the_same(
    tiny: tuple[str, Path, dict[str, Any]], corpus: Corpus
) -> None:
    name, data_root, options = tiny
    again = corpora.load(name, str(data_root), **options)
    assert (again.clips, again.problems, again.notes, again.root) == (
        corpus.clips, corpus.problems, corpus.notes, corpus.root
    )  # fmt: skip
    assert (again.truth is None) == (corpus.truth is None)
    if corpus.truth is not None:
        pd.testing.assert_frame_equal(again.truth, corpus.truth)


def test_located_by_its_data_root_its_own_folder_and_the_environment(
    tiny: tuple[str, Path, dict[str, Any]], corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, data_root, options = tiny
    assert corpora.locate(name, data_root, **options) == corpus.root
    assert corpora.locate(name, corpus.root, **options) == corpus.root
    monkeypatch.setenv(
        "MER_CACHE" if corpora.module(name).GENERATED else "MER_DATA", str(data_root)
    )
    assert corpora.locate(name, **options) == corpora.locate(name, "", **options) == corpus.root


@pytest.mark.parametrize("name", NAMES)
def test_missing_corpus_is_generated_or_says_where_to_get_it(name: str, tmp_path: Path) -> None:
    assert corpora.locate(name, tmp_path / "nowhere") is None
    assert list(tmp_path.iterdir()) == []
    module = corpora.module(name)
    if module.GENERATED:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(
            MerKitError, match=r"cannot be written to .*file.* set MER_CACHE or data_root"
        ):
            corpora.load(name, tmp_path / "file")
        return
    with pytest.raises(MerKitError) as caught:
        corpora.load(name, tmp_path / "nowhere")
    for part in (
        module.TITLE,
        str(tmp_path / "nowhere"),
        module.LAYOUT,
        module.REQUEST,
        "MER_DATA",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("call", [corpora.load, corpora.locate])
def test_unknown_option_is_refused(name: str, call: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(MerKitError, match="colour"):
        call(name, tmp_path, colour="red")


def test_unknown_corpus_is_named_with_the_nearest() -> None:
    with pytest.raises(
        MerKitError, match="corpus is 'demos', expected one of demo, 4q, .*: did you mean 'demo'"
    ):
        corpora.load("demos")


def test_the_quirks_of_the_tiny_4q_are_reported(tmp_path: Path) -> None:
    tiny_4q(tmp_path)
    corpus = corpora.load("4q", tmp_path)
    assert [clip.clip_id[-1] for clip in corpus.clips] == ["1", "2", "3", "4", "9"]
    assert sorted((problem.kind, problem.clip_id) for problem in corpus.problems) == [
        ("absent", "MT0000000006"),
        ("not_listed", "MT0000000077"),
        ("wrong_folder", "MT0000000005"),
    ]
    groups = corpus.groups()
    assert groups is not None
    assert groups.tolist() == [
        "clip:MT0000000001", "earth, wind", "einstürzende neubauten", "earth, wind", "einstürzende neubauten",
    ]  # fmt: skip
    assert (
        corpus.clips[4].artist == "Einstürzende Neubauten"
        and corpus.clips[4].title == 'He said "no"'
    )
