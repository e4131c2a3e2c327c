"""The clip as one piece: its index, what fills short clips up, and a run beside one of segments."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mer_kit.analysis import predict
from mer_kit.batch import planning
from mer_kit.checks import MerKitError
from mer_kit.records import Clip
from mer_kit.results import answers, runs_table, tables
from mer_kit.runs.config import hashed_config
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.signal import frontends, segments
from mer_kit.signal.store import SegmentView, open_store

WHOLE = segments.WHOLE


def test_each_clip_is_one_segment_up_to_the_limit() -> None:
    index = segments.index([4.0, 12.5], WHOLE, max_seconds=10.0, frames_per_second=10.0)
    assert index.clip.tolist() == [0, 1] and index.end_s.tolist() == [4.0, 10.0]
    assert index.n_frames == 100 and index.take(np.array([1])).end_s.tolist() == [10.0]
    short = segments.index([4.0], WHOLE, max_seconds=10.0, frames_per_second=10.0, padding="zero")
    assert short.n_frames == 100 and short.end_s.tolist() == [4.0]
    assert segments.too_short([0.2], WHOLE, max_seconds=10.0) == ()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for name, seconds in (("short", 3), ("long", 8)):
        soundfile.write(folder / f"{name}.wav", rng.normal(0, 0.1, 22050 * seconds), 22050)
    return [Clip(name, folder / f"{name}.wav", {}) for name in ("short", "long")]


@pytest.mark.parametrize("padding", ["zero", "repeat"])
def test_frames_are_filled_up_with_silence_or_the_clip_again(
    clips: list[Clip], padding: str, tmp_path: Path
) -> None:
    store = open_store(clips, tmp_path, max_seconds=7.0)
    index = segments.index(store.durations_s, WHOLE, max_seconds=7.0, padding=padding)
    view = SegmentView(store, index)
    batch = view.gather(np.array([0, 1]))
    own = store.values(0)
    assert batch.shape == (2, *view.shape) == (2, 1, 128, index.n_frames)
    np.testing.assert_array_equal(batch[0, 0, :, : len(own)].T, own)
    np.testing.assert_array_equal(batch[1, 0].T, store.values(1)[: index.n_frames])
    filled = batch[0, 0, :, len(own) :].T
    if padding == "zero":
        assert (filled == -100).all(), "silence is the floor of the scale in dB, not 0 dB"
    else:
        np.testing.assert_array_equal(filled[: len(own)], own)
    with pytest.raises(MerKitError, match="choose padding zero or repeat"):
        SegmentView(store, segments.index(store.durations_s, WHOLE, max_seconds=7.0))


def test_a_front_end_that_pools_pools_the_filled_clip(clips: list[Clip], tmp_path: Path) -> None:
    pooled, frames = {}, {}
    frontend = frontends.make("logmel_stats")
    assert frontend.pool is not None
    for padding in segments.PADDINGS:
        options = {"segment_seconds": WHOLE, "padding": padding, "max_seconds": 7.0}
        store = open_store(clips, tmp_path, frontend=frontend, **options)  # type: ignore[arg-type]
        index = segments.index(
            store.durations_s, WHOLE, max_seconds=7.0, padding=padding,
            frames_per_second=frontend.frames_per_second,
        )  # fmt: skip
        pooled[padding] = SegmentView(store, index).gather(np.array([0, 1]))
        length = {"none": round(3 * frontend.frames_per_second)}.get(padding, index.n_frames)
        samples, _ = soundfile.read(clips[0].path, dtype="float32")
        frames[padding] = segments.pad(frontend.frames(samples), length, padding, frontend.silence)
        np.testing.assert_allclose(pooled[padding][0], frontend.pool(frames[padding]), atol=2e-3)
    assert len(frames["none"]) < len(frames["zero"]) == len(frames["repeat"])
    for other in ("zero", "repeat"):
        np.testing.assert_array_equal(pooled[other][1], pooled["none"][1])
        assert (pooled[other][0] != pooled["none"][0]).any()


def test_settings_that_do_not_fit_get_a_sentence() -> None:
    whole = resolve(method="ce", segment_seconds="clip", padding="repeat")
    assert whole.segment_seconds == WHOLE and resolve(method="whole_clip") == whole
    assert resolve(method="whole_clip", padding="zero").padding == "zero"
    assert "padding" not in hashed_config(resolve(method="ce"))
    for given, sentence in (
        ({"padding": "zero"}, "padding is 'zero', expected none unless whole clips"),
        ({"segment_seconds": "clips"}, "segment_seconds is 'clips', expected a number"),
        ({"segment_seconds": "clip", "padding": "mirror"}, "expected one of none, zero, repeat"),
        ({"segment_seconds": "clip", "padding": "zero", "max_seconds": None}, "max_seconds"),
        ({"segment_seconds": "clip", "method": "embedding_svm"}, "expected seconds for system"),
    ):
        with pytest.raises(MerKitError, match=sentence):
            resolve(**given)  # type: ignore[arg-type]


def test_a_run_of_whole_clips_is_paired_with_one_of_segments(tmp_path: Path) -> None:
    small = {"corpus_options": {"clips": 24, "seconds": 8.0}, "frontend": "logmel_stats"}
    for method in ("ce", "whole_clip"):
        config = resolve(method=method, preset="smoke", folds=2, **small)  # type: ignore[arg-type]
        run = Experiment(config, runs_dir=tmp_path, precision="float32", device="cpu")
        run.run([0])
    assert run.folder.path.name.startswith("demo-quadrant-clip-ce-")
    assert json.loads((run.folder.path / "config.json").read_text())["segment_seconds"] == "clip"
    assert run.folder.config["segment_seconds"] == WHOLE
    table = run.folder.segments(0)
    assert len(table) == 24 and table["end_s"].tolist() == [8.0] * 24
    songs = run.decide(0)[1]
    assert (songs["mean"] == songs["vote"]).all() and (songs["mean"] == songs["run_length"]).all()
    found = runs_table.collect(tmp_path)
    assert sorted(tables.run_table(found)["s"]) == ["3", "clip"]
    assert "clip" in runs_table.write_results_csv(tmp_path).read_text()
    assert {"ce", "whole_clip"} <= set(answers.song_answers(found)["name"])
    names = [job.name[:2] for job in planning.plan(run.folder, {}, [0], config=run.config)]
    assert names == ["03", "04", "06"]
    curve = predict.predict_curve(
        run.corpus.clips[0].path, run.folder.path, fold=0, precision="float32"
    )
    stored = table.set_index("clip_id").loc[run.corpus.clips[0].clip_id]
    np.testing.assert_allclose(
        curve[["Q1", "Q2"]].iloc[0], stored[["Q1", "Q2"]].astype(float), atol=1e-4
    )
