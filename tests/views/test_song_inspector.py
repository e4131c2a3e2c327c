"""The song inspector without a browser: what it sends equals the fold's songs, its answers and its files."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import traitlets
from sklearn.metrics import confusion_matrix

from mer_kit.checks import MerKitError
from mer_kit.songs import features
from mer_kit.songs.classifiers import NAMES
from mer_kit.views.song_inspector import SongInspector
from tests.views import fold_stub


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fold_stub.songs(tmp_path_factory.mktemp("songs"), spread=1.0)


@pytest.fixture
def inspector(stand: Any) -> SongInspector:
    return SongInspector(stand, 0)


def test_the_first_song_is_the_first_wrong_one_or_the_one_named(
    inspector: SongInspector, stand: Any
) -> None:
    answers = inspector.space.svm.pipeline_.predict(inspector.space.test.x)
    wrong = np.flatnonzero(answers != stand.labels[16:])
    assert len(wrong) and inspector.song == wrong[0]
    assert SongInspector(stand, 0, song="s20").song == 4
    with pytest.raises(MerKitError, match="song is 's03', expected one of s16"):
        SongInspector(stand, 0, song="s03")  # a training song


def test_the_confusion_matrix_is_scikit_learns(inspector: SongInspector) -> None:
    for name in NAMES:
        answers = inspector.space.answers
        expected = confusion_matrix(answers["label"], answers[name], labels=list(inspector.classes))
        np.testing.assert_array_equal(inspector.confusion(name), expected)
        assert inspector.data()["confusion"][name] == expected.tolist()


def test_features_and_words_are_the_chosen_songs(inspector: SongInspector, stand: Any) -> None:
    inspector.song = 5
    table = stand.folder.segments(0).query("clip_id == 's21'")
    assert inspector.features().loc["Q2", "max"] == table["Q2"].max()
    assert inspector.features().loc["Q3", "mean"] == pytest.approx(table["Q3"].mean())
    answer = inspector.space.answers["svm"][5]
    assert inspector.sentence().startswith(f"s21, label Q2 angry: SVM (paper) says {answer} ")
    assert inspector.sentence().count("right") == sum(
        inspector.space.answers[name][5] == "Q2" for name in NAMES
    )


def test_the_arrays_hold_features_and_curves_song_after_song(
    inspector: SongInspector, stand: Any
) -> None:
    data, k = inspector.data(), len(inspector.classes)
    json.dumps({name: value for name, value in data.items() if name != "arrays"}, allow_nan=False)
    x = np.frombuffer(data["arrays"]["test_x"], "<f4").reshape(16, k, len(features.STATISTICS))
    np.testing.assert_allclose(x[inspector.song], inspector.features().to_numpy(), rtol=1e-6)
    p = np.frombuffer(data["arrays"]["train_p"], "<f2").reshape(16, 6, k)
    table = stand.folder.segments(0).query("clip_id == 's07'")
    np.testing.assert_allclose(p[7], table[list(inspector.classes)], atol=5e-4)
    centre = np.frombuffer(data["arrays"]["train_centre"], "<f4").reshape(16, 6)
    assert centre[7].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    assert (
        data["test"][0]["nearest"] == inspector.space.nearest(0, 5)
        and data["test"][0]["segments"] == 6
    )


def test_songs_are_played_and_bad_messages_get_a_sentence(
    inspector: SongInspector, stand: Any
) -> None:
    reply, (sound,) = inspector.answer({"kind": "play", "part": "train", "song": 3})
    assert (reply["kind"], reply["part"], reply["song"], reply["mime"]) == (
        "play",
        "train",
        3,
        "audio/wav",
    )
    assert sound == (stand.corpus.root / "s03.wav").read_bytes(), "a small file is sent as it is"
    bad = [
        7, {}, {"kind": "stop"}, {"kind": "play", "part": "all", "song": 0}, {"kind": "play", "part": "test"},
        {"kind": "play", "part": "test", "song": 16}, {"kind": "play", "part": "test", "song": "0"},
        {"kind": "play", "part": "clip", "song": 0},
    ]  # fmt: skip
    for message in bad:
        reply, buffers = inspector.answer(message)
        assert reply["kind"] == "sorry" and reply["text"] and buffers == [], message


def test_view_player_and_inspector_show_the_same_song(inspector: SongInspector) -> None:
    view, below = inspector.widget().children
    inspector.song = 2
    assert view.song == 2 and below.children[0].data["title"] == "s18"
    view.song = 9
    assert inspector.song == 9 and below.children[0].data["title"] == "s25"
    shown = np.array(below.children[0].data["curves"][0]["probabilities"])
    np.testing.assert_allclose(
        shown, inspector.space.test.segments[9][list(inspector.classes)], atol=1e-5
    )
    with pytest.raises((MerKitError, traitlets.TraitError)):
        view.song = 16
    assert inspector.song == 9


def test_many_views_share_one_player_that_follows_once(
    inspector: SongInspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (inspector.widget().children for _ in range(2))
    made: list[int] = []
    real = SongInspector.player
    monkeypatch.setattr(SongInspector, "player", lambda self: made.append(self.song) or real(self))
    before = one[1].children[0]
    one[0].song = 7
    assert (inspector.song, two[0].song, made) == (7, 7, [7]), "each view made a player of its own"
    assert before.comm is None, "the player before stayed open"
    assert one[1].children[0].data["title"] == two[1].children[0].data["title"] == "s23"
    two[1].close()
    inspector.song = 8
    assert inspector.widget().children[1].children[0].data["title"] == "s24", (
        "a closed player is made anew"
    )


def test_a_page_carries_the_sounds_named_or_the_songs_and_its_neighbours(
    inspector: SongInspector, tmp_path: Path
) -> None:
    page = inspector.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == page
    data = json.loads(re.search(r"data-mer-data>(.*?)</script>", page, re.DOTALL)[1])  # type: ignore[index]
    near = {f"train {at}" for at, _ in inspector.space.nearest(inspector.song, 5)}
    assert set(data["sounds"]) == near | {f"test {inspector.song}"}
    assert base64.b64decode(data["arrays"]["test_z"]) == inspector.data()["arrays"]["test_z"]
    still = page[page.index('<div class="mer ') : page.index("<script")]
    assert "says" in still and "alt=" in still and "Ann & <Bob>" not in page
    named = json.loads(
        re.search(r"data-mer-data>(.*?)</script>", inspector.fragment(["s02"]), re.DOTALL)[1]
    )  # type: ignore[index]
    assert set(named["sounds"]) == {"train 2"}
    with pytest.raises(MerKitError, match="song is 'x'"):
        inspector.fragment(["x"])
    with pytest.raises(MerKitError, match="13 songs were named, expected at most 12"):
        inspector.fragment([f"s{at:02d}" for at in range(13)])


def test_a_page_leaves_out_a_song_whose_file_is_gone_or_that_is_too_long(tmp_path: Path) -> None:
    stand = fold_stub.songs(tmp_path, spread=1.0)
    inspector = SongInspector(stand, 0)
    (tmp_path / "s02.wav").unlink()
    soundfile.write(
        tmp_path / "s03.wav", np.random.default_rng(0).normal(0, 0.1, 100 * 22050), 22050
    )
    page = inspector.to_html(sounds=["s01", "s02", "s03", "s20"])
    data = json.loads(re.search(r"data-mer-data>(.*?)</script>", page, re.DOTALL)[1])  # type: ignore[index]
    assert set(data["sounds"]) == {"train 1", "test 4"} and str(tmp_path) not in page
    reply, _ = inspector.answer({"kind": "play", "part": "train", "song": 2})
    assert reply["kind"] == "sorry" and reply["text"].startswith(
        "s02.wav: the audio file is missing"
    )
