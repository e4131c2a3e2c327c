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

from mer_kit.checks import MerKitError
from mer_kit.training import diagnostics
from mer_kit.views import noise_lab, noise_lab_data
from tests.views.noise_labs import make_lab


def test_the_arrays_are_the_archived_numbers(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    passes, sent = lab.passes, lab.data()["arrays"]
    n, e = len(passes.labels), len(passes)
    p = np.frombuffer(sent["p"], "<f2").reshape(e, n)
    np.testing.assert_array_equal(-np.log(np.maximum(p.astype(float), 2.0**-24)), passes.losses)
    np.testing.assert_array_equal(
        np.frombuffer(sent["model"], np.uint8).reshape(e, n), passes.probabilities.argmax(axis=2)
    )
    np.testing.assert_array_equal(np.frombuffer(sent["truth"], np.int8), passes.truth)
    np.testing.assert_allclose(np.frombuffer(sent["start"], "<f4"), passes.start_s)
    bits = np.frombuffer(sent["p"], "<u2").reshape(e, n)
    loss = np.frombuffer(sent["loss_of_half"], "<f4")
    np.testing.assert_allclose(loss[bits], passes.losses, rtol=1e-6)
    table = diagnostics.data_map(passes.probabilities, passes.labels)
    np.testing.assert_allclose(
        np.frombuffer(sent["confidence"], "<f4"), table["confidence"], rtol=1e-6
    )


def test_only_divisions_that_the_training_used_count_as_in_u(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    bits = np.unpackbits(np.frombuffer(lab.arrays.segments["in_u"], np.uint8), bitorder="little")
    in_u = bits[: 4 * 600].reshape(4, 600).astype(bool)
    assert not in_u[0].any() and not in_u[3].any(), (
        "epoch 2 was warm-up, and no epoch follows the last"
    )
    np.testing.assert_array_equal(in_u[2], ~lab.passes.partition_after(3).clean)
    assert in_u[2].sum() == 90, "the cap: 15 % of 600"


def test_tables_are_of_the_trainings_own_mixtures_or_of_the_other_kind(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    passes = lab.passes
    own = lab.arrays.tables(3, per_class=False)
    assert own.partition is passes.partitions[2]
    mixture = own.partition.mixtures[0]
    assert mixture is not None and own.tables["groups"][0]["axis"] == [mixture.low, mixture.high]
    settings = dataclasses.replace(passes.partition, per_class=True)
    other = diagnostics.replay(
        passes.probabilities[:3],
        passes.labels,
        songs=passes.clip,
        settings=settings,
        seed=passes.seed,
    )
    found = lab.arrays.tables(3, per_class=True)
    assert [one and one.weights for one in found.partition.mixtures] == [
        one and one.weights for one in other.mixtures
    ]
    np.testing.assert_allclose(found.omega, other.omega, atol=1e-3)
    assert lab.arrays.tables(3, per_class=True) is found, "fitted once"
    assert (
        "after_epoch is 5" in lab.answer({"kind": "fit", "after": 5, "per_class": True})[0]["text"]
    )


@pytest.mark.parametrize("options", [{}, {"max_unlabelled": 1.0}, {"min_gap": 1.5}])
def test_every_cut_is_what_the_training_would_make_of_it(
    options: dict[str, float], tmp_path: Path
) -> None:
    lab = make_lab(tmp_path, **options)
    passes, taus = lab.passes, lab.arrays.taus
    one = lab.arrays.tables(3, per_class=False)
    cuts, known = one.tables["cuts"], passes.truth >= 0  # type: ignore[operator]
    for i in range(0, len(taus), 7):
        split = passes.partition_after(3, tau=taus[i])
        assert cuts["in_u"][i] == (split.omega <= taus[i]).sum() == (one.omega <= taus[i]).sum()
        assert cuts["in_u_training"][i] == (~split.clean).sum()
        assert cuts["refusal"][i] == split.note.removeprefix("no separation: ")
        right = (passes.truth == passes.labels)[known]
        quality = diagnostics.partition_quality(
            (split.omega > taus[i])[known], split.omega[known], right
        )
        for name in ("precision", "recall", "noise_recall"):
            value = np.nan if cuts[name][i] is None else cuts[name][i]
            assert value == pytest.approx(quality[name], nan_ok=True)


def test_curves_are_the_mixtures_own(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    one = lab.arrays.tables(3, per_class=True)
    for mixture, curves in zip(one.partition.mixtures, one.curves, strict=True):
        assert mixture is not None
        nats = mixture.low + noise_lab_data.GRID * (mixture.high - mixture.low)
        np.testing.assert_allclose(
            curves[:2], mixture.densities(noise_lab_data.GRID), rtol=2e-3, atol=1e-6
        )
        np.testing.assert_allclose(curves[2], mixture.posterior(nats), atol=1e-3)
        np.testing.assert_allclose(curves[3], mixture.posterior(nats, clamp=False), atol=1e-3)


def test_equal_losses_have_no_mixture_and_keep_every_label(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    equal = np.full_like(lab.passes.probabilities, 0.25)
    lab = noise_lab.NoiseLab(lab.experiment, dataclasses.replace(lab.passes, probabilities=equal))
    one = lab.arrays.tables(1, per_class=False)
    assert not one.tables["groups"][0]["fitted"] and not one.curves.any() and (one.omega == 1).all()
    assert set(one.tables["cuts"]["refusal"]) == {"all losses are equal"}


def test_plain_data_can_be_json_and_holds_what_the_training_had(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    data = lab.data()
    json.dumps({name: value for name, value in data.items() if name != "arrays"}, allow_nan=False)
    assert [row["n_unlabelled"] for row in data["training"]] == [
        int((~one.clean).sum()) for one in lab.passes.partitions
    ]
    assert data["max_unlabelled"] == 0.15 and len(data["taus"]) == 101
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
        {"kind": "play", "row": "3"}, {"kind": "play", "row": 1.5}, {"kind": "play"},
        {"kind": "trace", "row": 6}, {"kind": "fit", "after": 1},
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
    monkeypatch.setattr(noise_lab, "AT_ONCE_BYTES", 7 * 600 * 4 - 1)
    lab = make_lab(tmp_path)
    assert "p" not in lab.data()["arrays"] and lab.data()["tables"] == {"all": [], "class": []}
    reply, (p, model) = lab.answer({"kind": "pass", "after": 2})
    assert reply == {"kind": "pass", "after": 2} and len(model) == 600
    np.testing.assert_array_equal(
        np.frombuffer(p, "<f2"), lab.passes.probabilities[1][np.arange(600), lab.passes.labels]
    )
    reply, (omega, curves) = lab.answer({"kind": "fit", "after": 2, "per_class": False})
    assert (
        reply["tables"] == lab.arrays.tables(2, per_class=False).tables
        and len(curves) == 2 * 4 * 401
    )
    np.testing.assert_allclose(
        np.frombuffer(omega, "<f2"), lab.passes.partitions[1].omega, atol=1e-3
    )
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
    assert [len(tables) for tables in data["tables"].values()] == [4, 4]
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
