"""The noise lab's Python side: what it sends is what the training had, and it answers only what can be asked."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.views.noise_labs import make_lab

from mer_kit.checks import MerKitError
from mer_kit.training import diagnostics
from mer_kit.views import noise_lab_data


def test_the_arrays_are_the_archived_numbers(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    passes, sent = lab.passes, lab.arrays
    n, e = len(passes.labels), len(passes)
    p = np.frombuffer(sent["p"], "<f2").reshape(e, n)
    np.testing.assert_array_equal(-np.log(np.maximum(p.astype(float), 2.0**-24)), passes.losses)
    np.testing.assert_array_equal(
        np.frombuffer(sent["model"], np.uint8).reshape(e, n), passes.probabilities.argmax(axis=2)
    )
    np.testing.assert_array_equal(np.frombuffer(sent["truth"], np.int8), passes.truth)
    np.testing.assert_allclose(np.frombuffer(sent["start"], "<f4"), passes.start_s)
    table = diagnostics.data_map(passes.probabilities, passes.labels)
    np.testing.assert_allclose(np.frombuffer(sent["confidence"], "<f4"), table["confidence"], rtol=1e-6)


def test_only_divisions_that_the_training_used_count_as_in_u(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    bits = np.unpackbits(np.frombuffer(lab.arrays["in_u"], np.uint8), bitorder="little")
    in_u = bits[: 4 * 600].reshape(4, 600).astype(bool)
    assert not in_u[0].any() and not in_u[3].any(), "epoch 2 was warm-up, and no epoch follows the last"
    np.testing.assert_array_equal(in_u[2], ~lab.passes.partition_after(3).clean)
    assert in_u[2].sum() == 90, "the cap: 15 % of 600"


def test_mixtures_are_the_trainings_own_or_what_the_other_way_would_give(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    passes = lab.passes
    (own,) = lab.fit(3, per_class=False)
    mixture = passes.partitions[2].mixtures[0]
    assert own is not None and mixture is not None
    assert (own["means"], own["sds"], own["low"]) == (mixture.means, mixture.sds, mixture.low)
    other = diagnostics.replay(
        passes.probabilities[2],
        passes.labels,
        settings=dataclasses.replace(passes.partition, per_class=True),
        seed=passes.seed,
    )
    assert [one and one["weights"] for one in lab.fit(3, per_class=True)] == [
        one and one.weights for one in other.mixtures
    ]
    assert lab.fit(3, per_class=True) is lab.fit(3, per_class=True), "fitted once"
    with pytest.raises(MerKitError, match="after_epoch is 5"):
        lab.fit(5, per_class=True)


def test_plain_data_can_be_json_and_holds_what_the_training_had(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    data = lab.data()
    json.dumps({name: value for name, value in data.items() if name != "arrays"}, allow_nan=False)
    assert [row["n_unlabelled"] for row in data["training"]] == [
        int((~one.clean).sum()) for one in lab.passes.partitions
    ]
    assert data["rules"] == {
        "max_unlabelled": 0.15, "min_gap": 0.1, "clean_share": (0.05, 0.98), "min_per_class": 8,
    }  # fmt: skip
    assert data["clips"]["3"] == ["song3", ""] and data["after"] == lab.passes.last_separating_epoch


def test_a_row_is_answered_with_its_own_second(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    reply, (data,) = lab.answer({"kind": "play", "row": 125})
    assert reply == {"kind": "play", "row": 125, "mime": "audio/wav"}
    heard, rate = soundfile.read(io.BytesIO(data))
    song, first = divmod(125, 60)
    y, _ = soundfile.read(tmp_path / f"song{song}.wav")
    wanted = y[round(first * 0.5 * rate) :][:rate]
    np.testing.assert_allclose(heard, wanted, atol=2e-4)


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "play", "row": -1}, {"kind": "play", "row": 600}, {"kind": "play", "row": True},
        {"kind": "play", "row": "3"}, {"kind": "play", "row": 1.5}, {"kind": "play"}, {"kind": "trace", "row": 600},
        {"kind": "fit", "after": 0, "per_class": True}, {"kind": "fit", "after": 1, "per_class": "yes"},
        {"kind": "pass", "after": [1]}, {"kind": "data"}, {"kind": None}, "play", None,
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_in_words(message: object, tmp_path: Path) -> None:
    reply, buffers = make_lab(tmp_path, n=100).answer(message)
    row = isinstance(message, dict) and message.get("row") == 600
    assert reply["kind"] == "sorry" and buffers == [] and reply["to"] == message
    assert "expected" in reply["text"] and (not row or "600" in reply["text"])


def test_a_file_that_is_gone_is_refused_in_words(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    (tmp_path / "song9.wav").unlink()
    reply, _ = lab.answer({"kind": "play", "row": 599})
    assert reply["kind"] == "sorry" and "song9.wav" in reply["text"]


def test_the_most_doubtful_come_one_song_after_the_other(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    rows, loss = lab.doubtful(15), lab.passes.losses[lab.after_epoch - 1]
    songs = lab.passes.clip[rows]
    assert sorted(songs[:10]) == list(range(10))
    for row, song in zip(rows[:10], songs[:10], strict=True):
        assert loss[row] == loss[lab.passes.clip == song].max()
    assert (np.diff(loss[rows[:10]]) <= 0).all() and len(set(rows)) == 15
    with pytest.raises(MerKitError, match="n is 41"):
        lab.doubtful(41)


def test_large_runs_travel_pass_by_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise_lab_data, "AT_ONCE_BYTES", 3 * 600 * 4 - 1)
    lab = make_lab(tmp_path)
    assert "p" not in lab.data()["arrays"]
    reply, (p, model) = lab.answer({"kind": "pass", "after": 2})
    assert reply == {"kind": "pass", "after": 2} and len(model) == 600
    np.testing.assert_array_equal(
        np.frombuffer(p, "<f2"), lab.passes.probabilities[1][np.arange(600), lab.passes.labels]
    )
    reply, (trace,) = lab.answer({"kind": "trace", "row": 7})
    np.testing.assert_array_equal(np.frombuffer(trace, "<f2"), lab.passes.probabilities[:, 7, lab.passes.labels[7]])
    with pytest.raises(MerKitError, match="too much for one page"):
        lab.fragment()


def test_the_page_is_complete_and_asks_for_nothing(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, title="</script><b>Tones</b>")
    page = lab.to_html(tmp_path / "lab.html", sounds=4)
    assert (tmp_path / "lab.html").read_text("utf-8") == page
    addresses = {text for text in re.findall(r"https?://[^\s\"'`<]+", page) if "w3.org" not in text}
    assert addresses == set() and page.count("</script>") == 2 and "<b>Tones" not in page
    assert 'alt="Losses after epoch' in page, "a picture for those without scripts"
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert sorted(map(int, data["sounds"])) == sorted(lab.doubtful(4))
    assert [len(fits) for fits in data["fits"].values()] == [4, 4]
    assert lab.to_html(sounds=4) == page, "the same lab gives the same bytes"


def test_the_widget_answers_its_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = make_lab(tmp_path)
    view = lab.widget()
    sent = []
    monkeypatch.setattr(view, "send", lambda content, buffers=None: sent.append((content, buffers)))
    view._handle_custom_msg({"kind": "play", "row": 5}, [])
    view._handle_custom_msg({"kind": "play", "row": 6000}, [])
    assert sent[0][0]["row"] == 5 and sent[0][1][0][:4] == b"RIFF"
    assert sent[1][0]["kind"] == "sorry" and view.data["segments"] == 600
    assert "export default" in view._esm and view._css
