"""Front-ends side by side: columns, values, settings, stores, and what cannot be joined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mer_kit.checks import MerKitError
from mer_kit.records import Clip
from mer_kit.runs import data
from mer_kit.runs.presets import resolve
from mer_kit.signal import builder, frontends, segments
from mer_kit.signal.builder import Recipe
from mer_kit.signal.frontend import BaseFrontend
from mer_kit.signal.store import FeatureStore, FileStore, JoinedStore, SegmentView, open_store

NAMES = "logmel_stats+descriptors"
SETTINGS = {"n_mels": 8, "sample_rate": 16000}


def stores(clips: list[Clip], folder: Path, frontend: BaseFrontend) -> list[FeatureStore]:
    return [
        open_store(clips, folder / str(number), frontend=part, segment_seconds=2.0)
        for number, part in enumerate(frontend.parts)
    ]


def test_columns_are_those_of_the_parts_by_name() -> None:
    joined = frontends.make(NAMES, **SETTINGS)
    parts = [frontends.make("logmel_stats", **SETTINGS), frontends.make("descriptors")]
    expected = [
        f"{name}: {column}"
        for name, part in zip(NAMES.split("+"), parts, strict=True)
        for column in part.columns
    ]
    assert list(joined.columns) == expected and len(set(expected)) == len(expected)
    assert frontends.name_of(joined) == NAMES
    assert type(joined) is frontends.of(NAMES)


def test_settings_reach_their_part() -> None:
    joined = frontends.make(NAMES, **SETTINGS)
    mel, described = joined.parts
    assert (mel.s.n_mels, mel.s.sample_rate, mel.s.n_fft) == (8, 16000, 1024)
    assert (mel.sample_rate, described.sample_rate) == (16000, 22050)
    alone = frontends.make("logmel_stats", **SETTINGS)
    assert frontends.identity(mel) == frontends.identity(alone)
    assert frontends.identity(joined)["parts"] == [
        frontends.identity(mel),
        frontends.identity(described),
    ]
    config = resolve(preset="embedding", frontend=NAMES, n_mels=8)
    assert config.frontend_settings.n_mels == 8 and config.network == "mlp"


def test_values_are_those_of_the_parts_side_by_side(
    make_clips: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    """Sample rates and frame rates differ; a clip has the segments that all parts have."""
    clips, joined = make_clips(3), frontends.make(NAMES, **SETTINGS)
    parts = stores(clips, tmp_path, joined)
    store = JoinedStore(Recipe(joined, 2.0), parts)
    assert store.table.dtype == np.float32 and store.n_features == store.table.shape[1]
    assert store.table.shape[1] == sum(part.n_features for part in parts)
    for clip in range(3):
        n = min(part.frames[clip] for part in parts)
        expected = np.concatenate([part.values(clip)[:n] for part in parts], axis=1)
        np.testing.assert_array_equal(store.values(clip), expected)
    index = segments.index(
        store.durations_s, 2.0, frames_per_second=store.frontend.frames_per_second
    )
    view = SegmentView(store, index)
    assert len(view) == store.frames.sum()
    np.testing.assert_array_equal(view.gather(np.arange(len(view))), store.table)


def test_digests_follow_every_part(make_clips: Callable[..., list[Clip]], tmp_path: Path) -> None:
    clips = make_clips(2)
    digests = []
    for n_mels in (8, 9):
        joined = frontends.make(NAMES, n_mels=n_mels)
        store = JoinedStore(Recipe(joined, 2.0), stores(clips, tmp_path, joined))
        digests.append(store.digests)
    assert len({*digests[0], *digests[1]}) == 4


def test_stores_of_different_clips_are_refused(
    make_clips: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    clips, joined = make_clips(2), frontends.make(NAMES)
    first, _ = stores(clips, tmp_path, joined)
    _, second = stores(clips[:1], tmp_path, joined)
    with pytest.raises(MerKitError, match="stores hold different clips, expected the same"):
        JoinedStore(Recipe(joined, 2.0), [first, second])


def test_a_file_has_the_values_of_the_store(
    make_clips: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    """What `mer-kit predict` computes of a file is what training read."""
    clips, joined = make_clips(2), frontends.make(NAMES, **SETTINGS)
    recipe = Recipe(joined, 2.0)
    store = JoinedStore(recipe, stores(clips, tmp_path, joined))
    for position, clip in enumerate(clips):
        alone = FileStore(clip.path, recipe)
        np.testing.assert_array_equal(alone.values(0), store.values(position))
        assert alone.durations_s[0] == pytest.approx(store.durations_s[position], abs=1e-4)


def test_a_run_opens_one_store_for_each_part(
    make_clips: Callable[..., list[Clip]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MER_CACHE", str(tmp_path))
    clips = tuple(make_clips(2))
    config = resolve(preset="embedding", frontend=NAMES, segment_seconds=2.0)

    class Small:
        """A corpus, as far as a store needs one."""

    Small.clips = clips
    store = data.open_features(Small, config)
    assert isinstance(store, JoinedStore) and store.clips == clips
    assert {"logmel_stats", "descriptors"} <= {path.name for path in tmp_path.iterdir()}
    pictures = data.open_logmel(Small, config, store)  # also compares recordings of real corpora
    assert pictures.frontend.columns[0] == "mel 0" and pictures.clips == clips
    again = builder.file_features(clips[0].path, Recipe(store.frontend.parts[1], 2.0))
    np.testing.assert_array_equal(store.values(0)[:, 2 * 128 :], again[0][: store.frames[0]])


@pytest.mark.parametrize("names", ["logmel+descriptors", "descriptors+logmel"])
def test_a_part_that_does_not_pool_is_one_sentence(names: str) -> None:
    with pytest.raises(MerKitError, match="front-end logmel has frames, expected front-ends that"):
        frontends.make(names)


def test_an_unknown_part_is_one_sentence() -> None:
    for names in ("descriptors+nothing", "descriptors+", "+"):
        with pytest.raises(MerKitError, match="front-end is '.*', expected one of"):
            frontends.make(names)


def test_settings_of_one_name_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(frontends.of("logmel_stats")):
        """Has the same settings."""

    with pytest.raises(MerKitError, match="two of the front-ends mine, other have a setting"):
        frontends.join({"mine": frontends.of("logmel_stats"), "other": Other})


def test_a_joined_front_end_has_no_frames_of_its_own() -> None:
    joined = frontends.make(NAMES)
    for call in (joined.frames, joined.pool):
        with pytest.raises(NotImplementedError, match="each part of a joined front-end"):
            call(np.zeros(22050))


def test_settings_are_checked_and_unknown_ones_named() -> None:
    with pytest.raises(MerKitError, match="n_mels is 0, expected a whole number of at least 1"):
        frontends.make(NAMES, n_mels=0)
    with pytest.raises(
        MerKitError, match="setting of front-end logmel_stats.descriptors is 'mels'"
    ):
        frontends.make(NAMES, mels=8)


def test_a_part_named_twice_is_one_sentence():
    with pytest.raises(MerKitError, match="expected each part once: remove the repeated one"):
        frontends.of("logmel_stats+logmel_stats")
