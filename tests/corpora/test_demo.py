"""The demo corpus on disk: its plan, its bytes, its cache."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.corpora import demo, four_q
from mer_kit.corpora.demo import synth
from mer_kit.corpora.demo.plan import ELSEWHERE, make_plan
from mer_kit.records import Corpus

SMALL = {"clips": 16, "seconds": 8.0, "drift": 0.2}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Return a small demo corpus."""
    return demo.load(tmp_path_factory.mktemp("cache"), **SMALL)


def checksums(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


# ---- the plan


@settings(max_examples=60, deadline=None)
@given(
    clips=st.integers(1, 30).map(lambda quarter: 4 * quarter),
    seconds=st.sampled_from([8.0, 13.0, 20.0, 60.0]),
    drift=st.floats(0, 0.4),
    seed=st.integers(0, 2**40),
)
def test_plan_keeps_its_promises(clips: int, seconds: float, drift: float, seed: int) -> None:
    plan = make_plan(clips=clips, seconds=seconds, drift=drift, seed=seed)
    assert [clip.clip_id for clip in plan] == sorted({clip.clip_id for clip in plan})
    assert sorted(clip.quadrant for clip in plan) == sorted([*ELSEWHERE] * (clips // 4))
    for clip in plan:
        assert clip.kept_share > 0.5
        starts, ends = zip(
            *((section.start_s, section.end_s) for section in clip.sections), strict=True
        )
        assert starts == (0.0, *ends[:-1]) and ends[-1] == seconds
        assert all(start == int(start) for start in starts)
    leaving = sum((1 - clip.kept_share) * seconds for clip in plan)
    wanted = min(round(drift * clips * int(seconds)), clips * ((int(seconds) - 1) // 2))
    assert abs(leaving - wanted) < 2  # a remainder of one second makes no section


@pytest.mark.parametrize("drift", [0.0, 0.15, 0.4])
def test_realised_drift_is_the_wanted_one(drift: float) -> None:
    plan = make_plan(clips=80, seconds=20.0, drift=drift, seed=0)
    assert 1 - np.mean([clip.kept_share for clip in plan]) == pytest.approx(drift, abs=0.001)


def test_drifting_sections_prefer_neighbours_in_valence_or_arousal() -> None:
    plan = make_plan(clips=2000, seconds=20.0, drift=0.3, seed=1)
    goes = [
        ELSEWHERE[clip.quadrant].index(section.quadrant)
        for clip in plan
        for section in clip.sections
        if section.quadrant != clip.quadrant
    ]
    shares = np.bincount(goes, minlength=3) / len(goes)
    np.testing.assert_allclose(shares, [0.4, 0.4, 0.2], atol=4 * np.sqrt(0.24 / len(goes)))


def test_artists_cover_more_than_one_quadrant() -> None:
    plan = make_plan(clips=80, seconds=20.0, drift=0.15, seed=0)
    artists = {clip.artist for clip in plan}
    mixed = [
        artist
        for artist in artists
        if len({clip.quadrant for clip in plan if clip.artist == artist}) > 1
    ]
    assert len(artists) == 26 and len(mixed) > 20


# ---- on disk


def test_it_is_a_4q_dataset(corpus: Corpus) -> None:
    as_4q = four_q.load(corpus.root)
    assert as_4q.clips == corpus.clips and as_4q.problems == corpus.problems == ()
    with (corpus.root / four_q.METADATA).open(newline="", encoding="utf-8") as file:
        header = next(csv.reader(file))
    assert ",".join(header) == (
        "Song,Artist,Title,Quadrant,PQuad,MoodsTotal,Moods,MoodsFoundStr,MoodsStr,MoodsStrSplit,Genres,GenresStr,"
        "Sample,SampleURL"
    )


def test_truth_agrees_with_the_confidence_and_the_drift(corpus: Corpus) -> None:
    assert corpus.truth is not None
    truth = corpus.truth.assign(seconds=corpus.truth["end_s"] - corpus.truth["start_s"])
    labels = dict(
        zip([clip.clip_id for clip in corpus.clips], corpus.labels("quadrant"), strict=True)
    )
    own = truth["label"] == truth["clip_id"].map(lambda clip_id: f"Q{labels[clip_id] + 1}")
    kept = truth["seconds"].where(own, 0.0).groupby(truth["clip_id"]).sum() / 8.0
    for clip in corpus.clips:
        assert clip.confidence == pytest.approx(kept[clip.clip_id], abs=1e-4)
    assert 1 - kept.mean() == pytest.approx(0.2, abs=2 / (16 * 8))


def test_audio_is_sound_and_as_long_as_said(corpus: Corpus) -> None:
    formats = set()
    for clip in corpus.clips:
        with wave.open(str(clip.path), "rb") as file:
            rate, channels, width, frames = (
                file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()
            )  # fmt: skip
            samples = np.frombuffer(file.readframes(frames), "<i2").reshape(-1, channels) / 32768
        formats.add((rate, channels))
        assert width == 2 and frames == round(8.0 * rate)
        assert 0.05 < np.abs(samples).max() < 0.96  # never clipped
        assert -45 < 20 * np.log10(samples.std()) < -8
        assert np.abs(samples[[0, -1]]).max() < 1e-3
        by_second = samples[:, 0].reshape(8, -1).std(axis=1)
        assert by_second.min() > 1e-3 * by_second.max()  # no dead second
    assert formats == {(22050, 1), (44100, 2), (32000, 1), (16000, 1)}


def test_same_options_same_bytes_and_another_seed_another_corpus(
    corpus: Corpus, tmp_path: Path
) -> None:
    options = {"clips": 4, "seconds": 8.0}
    first = checksums(demo.generate(tmp_path / "a", **options, seed=3))
    assert checksums(demo.generate(tmp_path / "b", **options, seed=3)) == first
    other = checksums(demo.generate(tmp_path / "a", **options, seed=4))
    sounds = {name for name in first if name.endswith(".wav")}
    assert len(sounds) == 4
    assert not {first[name] for name in sounds} & {
        value for name, value in other.items() if name.endswith(".wav")
    }


def test_a_clip_depends_on_its_id_and_the_seed_alone(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(**SMALL, seed=0)[0]  # type: ignore[arg-type]
    twin = dataclasses.replace(plan, clip_id="MT9999999999")

    def made(clip: demo.ClipPlan, seed: int) -> bytes:
        (tmp_path / clip.quadrant).mkdir(exist_ok=True)
        demo._write_clip(tmp_path, clip, seed)
        return (tmp_path / clip.quadrant / f"{clip.clip_id}.wav").read_bytes()

    assert made(plan, 0) == corpus.clips[0].path.read_bytes()  # as it came out among all the others
    same_artist = synth.Production(0.0, 1000.0, 0.0, 0.3, 0.1, -60.0, 0.0)
    monkeypatch.setattr(synth.Production, "draw", lambda rng: same_artist)
    assert len({made(plan, 0), made(plan, 1), made(twin, 0)}) == 3


def test_second_load_reads_what_the_first_made(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_write", None)  # generating again would crash
    assert demo.load(corpus.root.parent, **SMALL).clips == corpus.clips
    assert (
        demo.load(corpus.root, **SMALL).clips == corpus.clips
    )  # the corpus' own folder is understood too
    assert demo.find(corpus.root.parent, **SMALL) == corpus.root
    assert demo.find(corpus.root.parent, **{**SMALL, "drift": 0.1}) is None


def test_half_made_corpus_is_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, done = demo._write_clip, []

    def failing(folder: Path, clip: demo.ClipPlan, seed: int) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(clip)
        real(folder, clip, seed)

    monkeypatch.setattr(demo, "_write_clip", failing)
    with pytest.raises(KeyboardInterrupt):
        demo.generate(tmp_path, clips=4, seconds=8.0)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(demo, "_write_clip", real)
    assert len(demo.load(tmp_path, clips=4, seconds=8.0).clips) == 4


def test_two_at_once_make_one_corpus(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(demo.generate, tmp_path, clips=4, seconds=8.0) for _ in range(2)]
        first, second = (future.result() for future in made)
    assert first == second
    assert list(tmp_path.iterdir()) == [first]
    assert json.loads((first / demo.RECIPE).read_text())["clips"] == 4


def test_eighty_clips_fit_into_thirty_seconds_of_two_cores(tmp_path: Path) -> None:
    started = time.process_time()
    demo.generate(tmp_path, clips=4, seconds=20.0)
    assert time.process_time() - started < 4 / 80 * 60


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"clips": 6}, "clips is 6, expected a multiple of 4"),
        ({"clips": 0}, "clips is 0, expected a whole number from 4"),
        ({"seconds": 3.0}, "seconds is 3.0, expected a whole number from 8 to 60"),
        ({"drift": 0.5}, "drift is 0.5, expected a number from 0 to 0.4"),
        ({"seed": 0.5}, "seed is 0.5, expected a whole number"),
        (
            {"drfit": 0.2},
            "option of corpus demo is 'drfit', expected one of .* did you mean 'drift'",
        ),
    ],
)
def test_wrong_option_gets_a_sentence(
    tmp_path: Path, options: dict[str, float], sentence: str
) -> None:
    with pytest.raises(MerKitError, match=sentence):
        corpora.load("demo", tmp_path, **options)
    assert list(tmp_path.iterdir()) == []
