"""VGMIDI: labels from all bars, truth per bar with the listeners' agreement, oddities noted, MIDI rendered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.corpora import vgmidi
from mer_kit.records import TASKS
from mer_kit.signal import audio, midi
from tests.corpora import tiny

needs_fluidsynth = pytest.mark.skipif(
    shutil.which("fluidsynth") is None or midi.sound_font() is None,
    reason="fluidsynth or a sound font is not here",
)


def test_clips_take_the_mean_of_all_bars_and_are_grouped_by_game(tmp_path: Path) -> None:
    corpus = vgmidi.load(tiny.vgmidi(tmp_path))
    assert [clip.clip_id for clip in corpus.clips] == [
        f"{n}-piece{k}" for n in (1, 2) for k in range(4)
    ]
    assert [TASKS["quadrant"][clip.labels["quadrant"]] for clip in corpus.clips[:4]] == [
        "Q1",
        "Q2",
        "Q3",
        "Q4",
    ]
    assert {clip.group for clip in corpus.clips} == {"game 0", "game 1"} and corpus.problems == ()


def test_truth_is_one_row_a_bar_with_mean_and_agreement(tmp_path: Path) -> None:
    truth = vgmidi.load(tiny.vgmidi(tmp_path)).truth
    assert truth is not None
    first = truth[truth["clip_id"] == "1-piece0"]
    assert first[["start_s", "end_s"]].to_numpy().tolist() == [[0, 2], [2, 4], [4, 6]]
    assert first["label"].tolist() == ["Q1", "Q1", "Q2"]  # valence .5, .2, −.3; arousal .6
    np.testing.assert_allclose(first["valence"], [0.5, 0.2, -0.3])
    np.testing.assert_allclose(first["agreement"], [1, 2 / 3, 1])
    assert first["listeners"].tolist() == [3, 3, 3]


def test_bars_on_which_too_few_agree_have_no_truth(tmp_path: Path) -> None:
    tiny.vgmidi(tmp_path)
    all_bars, sure = (vgmidi.load(tmp_path, min_agreement=least).truth for least in (0.0, 0.7))
    assert all_bars is not None and sure is not None
    assert len(sure) == len(all_bars) * 2 // 3 and sure["agreement"].min() == 1
    with pytest.raises(MerKitError, match="min_agreement is 2"):
        vgmidi.load(tmp_path, min_agreement=2)


def test_oddities_of_the_real_copy_are_noted_and_stop_nothing(tmp_path: Path) -> None:
    corpus = vgmidi.load(tiny.vgmidi(tmp_path))
    notes = [(note.kind, note.where) for note in corpus.notes]
    assert notes == [
        ("wrong_length", "vgmidi_raw_1.json, piece0_9"),
        ("orphan", "vgmidi_raw_1.json, piece7"),
        ("wrong_length", "vgmidi_raw_2.json, piece0_9"),
        ("orphan", "vgmidi_raw_2.json, piece7"),
        ("not_listed", "labelled/midi/Saga_NES_Game 1_Orphan.mid"),
    ]
    assert "4 valence ratings, expected 3, one per bar" in str(corpus.notes[0])


def test_a_midi_file_that_is_gone_and_one_without_ratings(tmp_path: Path) -> None:
    tiny.vgmidi(tmp_path)
    (tmp_path / "labelled" / "midi" / "Saga_NES_Game 0_Tune 10.mid").unlink()
    path = tmp_path / "labelled" / "annotations" / "vgmidi_raw_2.json"
    content = json.loads(path.read_text())
    content["annotations"] = {
        k: v for k, v in content["annotations"].items() if not k.startswith("piece1_")
    }
    path.write_text(json.dumps(content))
    corpus = vgmidi.load(tmp_path)
    assert [problem.kind for problem in corpus.problems] == ["absent"] and corpus.problems[
        0
    ].clip_id == "1-piece0"
    assert "no_ratings" in {note.kind for note in corpus.notes} and len(corpus.clips) == 6
    assert corpus.truth is not None and set(corpus.truth["clip_id"]) == {
        clip.clip_id for clip in corpus.clips
    }


@pytest.mark.parametrize("content", ["{torn", "[]", '{"pieces": {}}'])
def test_annotations_that_are_none_get_a_sentence(content: str, tmp_path: Path) -> None:
    tiny.vgmidi(tmp_path)
    (tmp_path / "labelled" / "annotations" / "vgmidi_raw_1.json").write_text(content)
    with pytest.raises(
        MerKitError,
        match=r"vgmidi_raw_1.json (cannot be read|lacks).*: restore it from the repository",
    ):
        vgmidi.load(tmp_path)


@needs_fluidsynth
def test_a_piece_is_heard_for_as_long_as_its_notes_last(tmp_path: Path) -> None:
    path = tiny.midi_notes(tmp_path / "tune.mid", seconds=5.0)
    samples = audio.load(path)
    assert (
        len(samples) == round(audio.duration(path) * 22050) and abs(len(samples) / 22050 - 5) < 0.01
    )
    assert samples.dtype == np.float32 and 0.01 < np.abs(samples).max() <= 1
    assert np.abs(samples[-11025:]).max() > 0.003, "the tail was cut, the music was not"
    np.testing.assert_array_equal(audio.load(path), samples)


@needs_fluidsynth
def test_another_sound_font_is_other_audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = midi.identity()
    font = midi.sound_font()
    assert font is not None
    monkeypatch.setenv(
        "MER_SOUNDFONT", str(tiny.write(tmp_path / "other.sf2", font.read_bytes()[:-2] + b"xx"))
    )
    assert midi.identity() != before


def test_without_a_synthesiser_the_two_packages_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny.midi_notes(tmp_path / "tune.mid")
    monkeypatch.setenv("MER_SOUNDFONT", str(tmp_path / "none.sf2"))
    with pytest.raises(MerKitError) as caught:
        audio.load(path)
    assert str(caught.value) == (
        f"{path}: is MIDI, and fluidsynth or a sound font was not found here: install the Debian packages fluidsynth and "
        "timgm6mb-soundfont, or set MER_SOUNDFONT to an .sf2 file"
    )


@pytest.mark.parametrize(
    "content", [b"no MIDI at all", b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\x7f"]
)
def test_a_file_that_is_no_midi_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "tune.mid", content)
    with pytest.raises(MerKitError, match=r"tune.mid: is not MIDI that can be rendered"):
        audio.duration(path)
    if shutil.which("fluidsynth") and midi.sound_font():
        with pytest.raises(MerKitError, match=r"tune.mid: is not MIDI that can be rendered"):
            audio.load(path)


def test_the_corpus_is_found_by_its_annotations(tmp_path: Path) -> None:
    tiny.vgmidi(tmp_path / "vgmidi")
    assert corpora.locate("vgmidi", tmp_path) == tmp_path / "vgmidi"
    assert corpora.locate("vgmidi", tmp_path / "vgmidi") == tmp_path / "vgmidi"
