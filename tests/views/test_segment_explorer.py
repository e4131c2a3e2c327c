"""The segment explorer without a browser: what it sends equals the store, the cuts and the files."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile

from mer_kit.checks import MerKitError
from mer_kit.views.segment_explorer import SegmentExplorer
from tests.views import fold_stub


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fold_stub.segments(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def explorer(stand: Any) -> SegmentExplorer:
    return SegmentExplorer(stand, clip=1)


def test_the_pixels_are_the_stores_decibels(explorer: SegmentExplorer) -> None:
    pixels, decibels = explorer.pixels(1), explorer.store.values(1)
    assert pixels.shape == decibels.shape and pixels.dtype == np.uint8
    for t, b in [(0, 0), (100, 5), (200, 64), (len(pixels) - 1, 127)]:
        share = (float(decibels[t, b]) + 60) / 90
        assert abs(int(pixels[t, b]) - 255 * min(max(share, 0), 1)) <= 0.51


def test_a_clips_sound_is_the_whole_clip(explorer: SegmentExplorer) -> None:
    told, (pixels, sound) = explorer.open_clip(1)
    assert len(pixels) == told["frames"] * 128 and told["silence"] == ""
    samples, rate = soundfile.read(io.BytesIO(sound))
    assert len(samples) / rate == pytest.approx(6.0, abs=0.1)
    assert [span["leader"] for span in told["truth"]] == ["Q3", "Q2"]


def test_a_clip_whose_sound_is_gone_is_still_shown(tmp_path: Path) -> None:
    explorer = SegmentExplorer(fold_stub.segments(tmp_path, truth=False))
    (tmp_path / "c0.wav").unlink()
    told, (pixels, sound) = explorer.open_clip(0)
    assert (
        told["silence"].startswith("No sound here: ")
        and sound == b""
        and told["mime"] == ""
        and pixels
    )
    assert told["truth"] is None


def test_a_cut_has_the_segments_of_its_duration_and_both_tolls(explorer: SegmentExplorer) -> None:
    cut = explorer.cut(1, 2.5)
    assert cut["start_s"] == [0, 1, 2, 3] and cut["n_frames"] == round(2.5 * 22050 / 512)
    assert cut["start_frame"] == [round(s * 22050 / 512) for s in range(4)]
    assert [explorer.experiment.classes[k] for k in cut["truth"]] == ["Q3", "Q3", "Q2", "Q2"]
    assert cut["of_clip"] == {
        "segments": 4, "too_short": 0, "known": 4, "wrong_percent": 50.0, "mixed_percent": 50.0,
    }  # fmt: skip
    assert (cut["of_corpus"]["segments"], cut["of_corpus"]["too_short"]) == (2 + 4 + 0, 1)
    assert explorer.cut(2, 3.0)["start_s"] == [], "a clip that is too short has no segment"


def test_durations_stay_within_what_is_used_of_a_clip(tmp_path: Path) -> None:
    explorer = SegmentExplorer(fold_stub.segments(tmp_path, max_seconds=3.0))
    assert explorer.range_s == (1.0, 3.0) and explorer.data()["range"][:2] == [1.0, 3.0]
    assert explorer.cut(1, 2.0)["start_s"] == [0, 1]
    with pytest.raises(MerKitError, match="seconds is 4, expected a number from 1.0 to 3.0"):
        explorer.cut(0, 4)


def test_messages_are_answered_and_bad_ones_get_a_sentence(explorer: SegmentExplorer) -> None:
    reply, buffers = explorer.answer({"kind": "clip", "clip": 0})
    assert (reply["kind"], reply["clip"], len(buffers)) == ("clip", 0, 2)
    reply, buffers = explorer.answer({"kind": "cut", "clip": 1, "seconds": 3.3})
    assert (reply["kind"], reply["seconds"], buffers) == ("cut", 3.3, [])
    bad = [
        None, [], {"kind": "open"}, {"kind": "clip"}, {"kind": "clip", "clip": 3}, {"kind": "cut", "clip": 0},
        {"kind": "cut", "clip": 0, "seconds": "3"}, {"kind": "cut", "clip": 0, "seconds": float("nan")},
        {"kind": "cut", "clip": 0, "seconds": 1e9}, {"kind": "clip", "clip": "../c0"},
        {"kind": "clip", "clip": 1.5}, {"kind": "clip", "clip": True}, {"kind": "clip", "clip": -1},
    ]  # fmt: skip
    for message in bad:
        reply, buffers = explorer.answer(message)
        assert (
            reply["kind"] == "sorry" and reply["text"] and buffers == [] and reply["to"] == message
        ), message


def test_a_clips_number_may_come_as_a_float(explorer: SegmentExplorer) -> None:
    reply, (pixels, _) = explorer.answer({"kind": "clip", "clip": 1.0})
    assert (reply["kind"], reply["clip"]) == ("clip", 1) and pixels == explorer.pixels(1).tobytes()
    assert explorer.answer({"kind": "cut", "clip": 1.0, "seconds": 2})[0] == {
        "kind": "cut",
        **explorer.cut(1, 2.0),
    }


@pytest.mark.parametrize("own", [4 / 3, 2 / 3, 17 / 3, 1 / 3])
def test_a_duration_in_thirds_is_asked_for_as_it_is_answered(stand: Any, own: float) -> None:
    values = vars(stand) | {
        "config": SimpleNamespace(**(vars(stand.config) | {"segment_seconds": own}))
    }
    explorer = SegmentExplorer(SimpleNamespace(**values))  # type: ignore[arg-type]
    data = explorer.data()
    reply, _ = explorer.answer({"kind": "cut", "clip": 1, "seconds": data["seconds"]})
    assert reply["kind"] == "cut" and reply["seconds"] == data["seconds"] == pytest.approx(
        own, abs=5e-4
    )
    assert explorer.cut(1, own) == explorer.cut(1, data["seconds"]), "unrounded it is the same"
    assert explorer.range_s[0] <= data["seconds"] <= explorer.range_s[1]
    fragment = explorer.fragment([1])
    carried = json.loads(re.search(r"data-mer-data>(.*?)</script>", fragment, re.DOTALL)[1])[
        "carried"
    ]  # type: ignore[index]
    assert f"1 {data['seconds']:g}" in carried["cuts"]


def test_the_widget_answers_its_view(explorer: SegmentExplorer) -> None:
    widget, sent = explorer.widget(), []
    json.dumps(widget.data, allow_nan=False)
    assert widget.data["clips"][1]["who"] == "<A> – Song 1" and widget.data["clip"] == 1
    widget.send = lambda content, buffers=None: sent.append((content, buffers))
    widget._handle_custom_msg({"kind": "cut", "clip": 0, "seconds": 1.5}, [])
    ((reply, buffers),) = sent
    assert reply["start_s"] == [0, 1, 2] and buffers == []


def test_a_page_carries_its_clips_and_half_second_durations(
    explorer: SegmentExplorer, tmp_path: Path
) -> None:
    plt.close("all")
    page = explorer.to_html(tmp_path / "page.html", clips=[1, 0])
    assert (tmp_path / "page.html").read_text("utf-8") == page and plt.get_fignums() == []
    data = json.loads(re.search(r"data-mer-data>(.*?)</script>", page, re.DOTALL)[1])  # type: ignore[index]
    assert sorted(data["carried"]["clips"]) == ["0", "1"]
    assert {key for key in data["carried"]["cuts"] if key.startswith("0 ")} == {
        f"0 {seconds:g}" for seconds in (1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5)
    }
    pixels = base64.b64decode(data["carried"]["clips"]["0"]["buffers"][0])
    assert pixels == explorer.pixels(0).tobytes()
    still = page[page.index('<div class="mer ') : page.index("<script")]
    assert (
        "c1: 5 segments of 2 s, 40 % of them with a wrong label." in still
        and 'alt="Log-mel of clip c1' in still
    )


def test_a_page_takes_few_clips(explorer: SegmentExplorer) -> None:
    with pytest.raises(MerKitError, match="clip is 9"):
        explorer.fragment([9])
    with pytest.raises(MerKitError, match="7 clips were named, expected at most 6"):
        explorer.fragment(range(7))
    with pytest.raises(MerKitError, match="clip is 3"):
        SegmentExplorer(explorer.experiment, clip=3)
