"""Folds never part an artist from another spelling or a recording from its copy, and older runs keep their groups."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.cli import main
from mer_kit.records import Clip, Corpus, Fold
from mer_kit.results import recipes
from mer_kit.runs import fold_training, grouping, run_folder
from mer_kit.runs.config import as_dictionary
from mer_kit.runs.data import checksum
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import FOLD_FILES, RunFolder
from mer_kit.signal.fingerprint import Pair
from mer_kit.songs import folds
from tests.music import RATE, song

SMALL: dict[str, Any] = {"preset": "smoke", "folds": 2, "corpus": "table", "segment_seconds": 1.0}
HEADER = "path,label,artist"


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight songs; `copy` is song 0, cut 2 s later and quieter; `same` has the bytes of song 1."""
    root = tmp_path_factory.mktemp("sounds")
    for k in range(8):
        soundfile.write(root / f"s{k}.wav", song(100 + k, 14.0), RATE)
    soundfile.write(root / "copy.wav", 0.3 * song(100, 14.0)[2 * RATE :], RATE)
    shutil.copy(root / "s1.wav", root / "same.wav")
    return root


@pytest.fixture
def table(sounds: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a table over the sounds, artist by file, and returns its folder."""

    def write(**artists: str) -> Path:
        root = tmp_path / "mine"
        shutil.copytree(sounds, root, dirs_exist_ok=True)
        names = [*(f"s{k}" for k in range(8)), "copy", "same"]
        rows = [
            f'{name}.wav,{"A+" if at % 2 else "A-"},"{artists.get(name, "")}"'
            for at, name in enumerate(names)
        ]
        (root / "clips.csv").write_text("\n".join([HEADER, *rows, ""]))
        return root

    return write


def opened(root: Path, runs: Path, **more: Any) -> Experiment:
    config = resolve(**{**SMALL, "task": "arousal", **more})
    return Experiment(config, data_root=root, runs_dir=runs, device="cpu", precision="float32")


def parted(experiment: Experiment, *ids: str) -> bool:
    """Tell whether some fold has these clips on both sides."""
    at = [experiment.clip_ids.index(one) for one in ids]
    return any(set(at) & set(fold.train) and set(at) & set(fold.test) for fold in experiment.folds)


# ---- what is joined --------------------------------------------------------------------------------------------------


def test_copies_share_a_fold_whatever_the_seed_and_with_the_artists_of_both(
    table: Callable[..., Path], tmp_path: Path
) -> None:
    root = table(
        s0="Ann", copy="Bob", s5="Bob and his Band", s2="Ann feat. Zoe", s3="Eve", same="Dan"
    )
    for seed in range(6):
        experiment = opened(root, tmp_path / "runs", seed=seed)
        assert not parted(experiment, "s0", "copy", "s5", "s2") and not parted(
            experiment, "s1", "same"
        )
    assert experiment.grouping.artists == (("ann", "ann feat. zoe"), ("bob", "bob and his band"))
    assert (
        len(
            set(
                experiment.grouping.groups[
                    [experiment.clip_ids.index(i) for i in ("s3", "s4", "s6")]
                ]
            )
        )
        == 3
    )


def test_copies_stay_together_without_artists_and_where_artists_are_ignored(
    table: Callable[..., Path], tmp_path: Path
) -> None:
    for names, more in (({}, {}), ({"s2": "Ann", "s4": "Ann"}, {"group_by": "song"})):
        root, groups = table(**names), []
        for seed in range(6):
            experiment = opened(root, tmp_path / "runs", seed=seed, **more)
            assert not parted(experiment, "s0", "copy") and not parted(experiment, "s1", "same")
            groups.append(experiment.grouping.groups)
        assert len(set(groups[0])) == 8, "nothing but the copies is joined"


def test_exact_groups_are_the_corpus_own_and_a_parted_copy_is_warned_of(
    table: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = table(s0="Ann", copy="Bob")
    with caplog.at_level(logging.WARNING, "mer_kit"):
        seeds = [
            seed
            for seed in range(12)
            if parted(opened(root, tmp_path / "runs", seed=seed, grouping="exact"), "s0", "copy")
        ]
    assert seeds, "no seed parts them: the test shows nothing"
    exact = opened(root, tmp_path / "runs", seed=seeds[0], grouping="exact")
    corpus = exact.corpus
    expected = folds.make(
        corpus.labels("arousal"), groups=corpus.groups(), n_folds=2, seed=seeds[0]
    )
    assert all((a.test == b.test).all() for a, b in zip(exact.folds, expected, strict=True))
    assert (
        "the same music on both sides of a fold, first" in caplog.text
        and "grouping='normalised'" in caplog.text
    )


def test_a_column_of_groups_is_taken_as_it_is(sounds: Path, tmp_path: Path) -> None:
    shutil.copytree(sounds, tmp_path / "mine")
    groups = ["The A", "A", "A & the B", "b", "x", "x", "y", "z"]
    rows = [f"s{k}.wav,{'A+' if k % 2 else 'A-'},someone,{name}" for k, name in enumerate(groups)]
    (tmp_path / "mine" / "clips.csv").write_text("\n".join(["path,label,artist,group", *rows]))
    made = opened(tmp_path / "mine", tmp_path / "runs").grouping
    assert made.artists == () and made.groups is not None
    assert made.groups.tolist() == [name.casefold() for name in groups]


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_groups_are_the_connected_parts_of_the_pairs_and_artists(data: st.DataObject) -> None:
    """Oracle: reachability by repeated squaring of the adjacency matrix."""
    n = data.draw(st.integers(2, 12))
    artists = data.draw(
        st.lists(
            st.sampled_from(["", "Ann", "The Ann", "Bob", "BOB feat. Eve", "Eve"]),
            min_size=n,
            max_size=n,
        )
    )
    edges = data.draw(
        st.lists(
            st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] < e[1]),
            max_size=6,
        )
    )
    clips = tuple(
        Clip(f"c{k}", Path(f"c{k}"), {}, group=a.casefold() or None, artist=a or None)
        for k, a in enumerate(artists)
    )
    names = {"": None, "Ann": 1, "The Ann": 1, "Bob": 2, "BOB feat. Eve": 2, "Eve": 3}
    near = np.eye(n, dtype=bool)
    for i, j in edges:
        near[i, j] = near[j, i] = True
    for i in range(n):
        for j in range(n):
            near[i, j] |= names[artists[i]] is not None and names[artists[i]] == names[artists[j]]
    for _ in range(5):
        near = near @ near
    pairs = [Pair(i, j, 1.0, 0.0, 1.0) for i, j in edges]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "same_music", lambda _: pairs)
        made = grouping.joined(Corpus("x", Path(), clips), None, resolve(preset="smoke"))  # type: ignore[arg-type]
    if made.groups is None:
        assert not edges and not any(artists)
    else:
        assert ((made.groups[:, None] == made.groups[None]) == near).all()


# ---- marks of older runs ---------------------------------------------------------------------------------------------


def test_marks_of_runs_from_before_the_setting_are_kept() -> None:
    """The two marks were printed by the version that did not have it; a config.json without it reads as exact."""
    then = {"svm_folds": "songs", "small_output": False}
    for more, mark in (
        ({"preset": "cpu", "epochs": 16, "warmup_epochs": 12, "variant": "paper"}, "9980aaceec"),
        ({"preset": "paper", "method": "ce"}, "405684b6c0"),
    ):
        more |= then
        config = resolve(**more, grouping="exact")
        assert run_folder.fingerprint(config, corpus_checksum="c", code_version="1") == mark
        assert (
            run_folder.fingerprint(resolve(**more), corpus_checksum="c", code_version="1") != mark
        )
        stored = as_dictionary(config)
        del stored["grouping"]
        assert recipes.recipe(stored) == recipes.recipe(as_dictionary(config))
        assert recipes.recipe(stored) != recipes.recipe(as_dictionary(resolve(**more)))


def test_the_checksum_counts_groups_before_they_are_joined(
    table: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = table(s0="Ann", copy="Bob")
    before = opened(root, tmp_path / "runs")
    monkeypatch.setattr(grouping, "same_music", lambda _: [])
    after = opened(root, tmp_path / "runs")
    assert after.grouping.music != before.grouping.music and after.fingerprint == before.fingerprint
    assert before.checksum == checksum(before.corpus, before.store, with_split=False)


def test_an_older_run_with_these_settings_is_pointed_to(
    table: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = table()
    exact = opened(root, tmp_path / "runs", grouping="exact")
    exact.write_config()
    with caplog.at_level(logging.WARNING, "mer_kit"):
        opened(root, tmp_path / "runs")
    assert f"{exact.folder.path.name} has these settings with exact groups" in caplog.text


# ---- stored folds ----------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(table: Callable[..., Path], tmp_path: Path) -> tuple[Path, Experiment]:
    root = table()
    experiment = opened(root, tmp_path / "runs", method="ce")
    experiment.train(0)
    return root, experiment


def other_folds(labels: np.ndarray, **_: Any) -> list[Fold]:
    """What a library could make of the same songs one day."""
    even, odd = np.arange(0, len(labels), 2), np.arange(1, len(labels), 2)
    return [Fold(0, even, odd), Fold(1, odd, even)]


def same(one: list[Fold], other: list[Fold]) -> bool:
    return all(
        (a.train == b.train).all() and (a.test == b.test).all()
        for a, b in zip(one, other, strict=True)
    )


def test_a_run_keeps_its_folds_whatever_divides_songs_later(
    trained: tuple[Path, Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, experiment = trained
    monkeypatch.setattr(folds, "make", other_folds)
    monkeypatch.setattr(grouping, "same_music", lambda _: [])
    again = opened(root, tmp_path / "runs", method="ce")
    assert again.folder.path == experiment.folder.path and same(again.folds, experiment.folds)
    assert not same(opened(root, tmp_path / "elsewhere", method="ce").folds, experiment.folds)
    stored = json.loads((experiment.folder.path / "folds.json").read_text())
    assert {tuple(pair["clips"]) for pair in stored["same_music"]} == {
        ("copy", "s0"),
        ("s1", "same"),
    } or stored["same_music"]


def test_an_older_run_gets_its_folds_stored_and_other_ones_are_refused(
    trained: tuple[Path, Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, experiment = trained
    file = experiment.folder.path / "folds.json"
    file.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(folds, "make", other_folds)
        with pytest.raises(
            MerKitError,
            match="fold 0 of .* tested .* songs that are not those of today's fold 0: install",
        ):
            opened(root, tmp_path / "runs", method="ce")
    again = opened(root, tmp_path / "runs", method="ce")
    assert same(again.folds, experiment.folds) and not file.exists(), "opening writes nothing"
    again.train(0)
    assert file.exists() and same(
        grouping.read_folds(again.folder, again.clip_ids, n_folds=2) or [], experiment.folds
    )


def test_a_finished_run_that_takes_no_files_is_used_all_the_same(
    trained: tuple[Path, Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, experiment = trained
    (experiment.folder.path / "folds.json").unlink()

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(grouping, "write_json", refuse)
    again = opened(root, tmp_path / "runs", method="ce")
    assert again.train(0).fold_done(0) and not (experiment.folder.path / "folds.json").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c["clips"].pop(), "divides 9 clips, and the corpus has 10, of which 1 differ, first 's7'"),
        (lambda c: c["clips"].__setitem__(0, "zz"), "of which 2 differ"),
        (lambda c: c["clips"].__setitem__(0, 3), "not what a run writes .the clips must be a list of names"),
        (lambda c: c["folds"].pop(), "expected 2 folds"),
        (lambda c: c.pop("folds"), "not what a run writes .KeyError"),
        (lambda c: c["folds"][1]["train"].__setitem__(0, 99), "fold 1 must list different train clips"),
        (lambda c: c["folds"][1]["train"].__setitem__(0, True), "fold 1 must list different train clips"),
        (lambda c: c["folds"][0].update(test=[]), "fold 0 must list different test clips"),
        (lambda c: c["folds"][0].update(test=c["folds"][0]["train"]), "fold 0 tests a clip that it trains on"),
        (lambda c: c.update(more="x" * 2_000_000), "folds.json in .* has 2[0-9,]* bytes, expected at most"),
    ],
)  # fmt: skip
def test_stored_folds_that_do_not_fit_get_a_sentence(
    change: Callable[[dict[str, Any]], Any], sentence: str, tmp_path: Path
) -> None:
    folder, ids = RunFolder(tmp_path), ["copy", *(f"s{k}" for k in range(8)), "same"]
    divided = [Fold(0, np.arange(5), np.arange(5, 10)), Fold(1, np.arange(5, 10), np.arange(5))]
    grouping.keep_folds(folder, divided, ids, grouping.Grouping(None))
    assert same(grouping.read_folds(folder, ids, n_folds=2) or [], divided)
    turned = grouping.read_folds(folder, ids[::-1], n_folds=2)
    assert turned is not None and turned[0].test.tolist() == [0, 1, 2, 3, 4], (
        "clips are known by id, not by place"
    )
    content = json.loads((tmp_path / "folds.json").read_text())
    if "first 's7'" in sentence:
        content["clips"].remove("s7")
    else:
        change(content)
    (tmp_path / "folds.json").write_text(json.dumps(content))
    with pytest.raises(MerKitError, match=sentence):
        grouping.read_folds(folder, ids, n_folds=2)


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000, "\x00"])
def test_stored_folds_that_are_no_json_get_a_sentence(content: str, tmp_path: Path) -> None:
    (tmp_path / "folds.json").write_text(content)
    with pytest.raises(MerKitError, match="folds.json in .* is not what a run writes"):
        grouping.read_folds(RunFolder(tmp_path), ["a"], n_folds=2)


def test_inner_folds_keep_together_what_the_outer_ones_do(
    table: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = opened(table(), tmp_path / "runs", song_features="oof", method="ce")
    seen: list[np.ndarray] = []
    whole = experiment.grouping.groups
    assert whole is not None

    def spy(labels: np.ndarray, *, groups: np.ndarray, **_: Any) -> list[Fold]:
        seen.append(groups)
        return []

    monkeypatch.setattr(folds, "make", spy)
    with pytest.raises(ValueError, match="No objects to concatenate"):
        fold_training.out_of_fold(experiment, experiment.folds[0], 0)
    assert (seen[0] == whole[experiment.folds[0].train]).all()


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_check_lists_pairs_with_labels_and_artists_with_names(
    table: Callable[..., Path],
) -> None:
    root = table(s0="Ann", copy="Bob", s5="Bob & his Band")
    shown = CliRunner().invoke(main, ["data", "table", "--data", str(root), "--check"])
    assert shown.exit_code == 0, shown.output
    assert "note: one artist under 2 names: bob, bob & his band" in shown.output
    assert "(equal files): s1.wav [A+] and same.wav [A+]" in shown.output
    assert ", 2.0 s apart): copy.wav [A-] Bob and s0.wav [A-] Ann" in shown.output
    assert "2 pairs of clips are the same music, 1 artists have several names" in shown.output
    plain = CliRunner().invoke(main, ["data", "table", "--data", str(root)])
    assert "same music" not in plain.output and corpora.load("table", root).problems == ()


def test_files_of_a_finished_fold_are_the_same_as_before() -> None:
    assert "folds.json" not in FOLD_FILES, (
        "a run without stored folds is as finished as one with them"
    )


def test_copies_are_divided_where_a_class_has_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two files of one recording are all that each class has: two folds part them, and it is said."""
    rows = [HEADER]
    for k, name in enumerate(("A-", "A+")):
        soundfile.write(tmp_path / f"a{k}.wav", song(k, 14.0), RATE)
        shutil.copy(tmp_path / f"a{k}.wav", tmp_path / f"b{k}.wav")
        rows += [f"a{k}.wav,{name},", f"b{k}.wav,{name},"]
    (tmp_path / "clips.csv").write_text("\n".join([*rows, ""]))
    config = resolve(**SMALL, task="arousal")
    experiment = Experiment(config, data_root=tmp_path, runs_dir=tmp_path / "runs")
    assert len(experiment.grouping.music) == 2
    assert len(grouping.divided(experiment.folds, experiment.grouping.music)) == 2
    assert "a class has too few recordings to keep them together" in caplog.text
