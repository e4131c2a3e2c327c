"""The player without a browser: what it hands over, what it embeds, how Python and a view share the selection."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
import soundfile
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from traitlets import TraitError

from mer_kit.checks import MerKitError
from mer_kit.pages import export
from mer_kit.plots.style import LOOK
from mer_kit.signal.audio import SAMPLE_RATE
from mer_kit.views import html_fragments, js, sound
from mer_kit.views.curve_player import CurvePlayer

CLASSES = ["Q1", "Q2", "Q3", "Q4"]
TRUTH = pd.DataFrame({"start_s": [0.0, 4.0], "end_s": [4.0, 10.0], "leader": ["Q4", "Q1"]})
DOUBTED = pd.DataFrame({"start_s": [2.5], "end_s": [4.0], "omega": [0.1]})


def curve(seed: int = 0, *, n: int = 8) -> pd.DataFrame:
    start = np.arange(float(n))
    table = pd.DataFrame({"start_s": start, "end_s": start + 3, "centre_s": start + 1.5})
    table[CLASSES] = np.random.default_rng(seed).dirichlet(np.ones(4), size=n)
    table.attrs["song"] = "song.wav"
    return table


def music(seconds: float) -> np.ndarray:
    """Chords under noise that comes and goes: as hard to compress as music."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tones = sum(
        0.08 * np.sin(2 * np.pi * hertz * t) for hertz in (110, 220, 277, 330, 880, 1760, 3520)
    )
    return tones + np.random.default_rng(0).normal(0, 0.1, len(t)) * (1 + np.sin(4 * np.pi * t))


@pytest.fixture
def song(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "song.wav", music(45), SAMPLE_RATE)
    return tmp_path / "song.wav"


# ---- what is handed over -------------------------------------------------------------------------------------------


def test_the_data_are_those_of_the_table() -> None:
    first, second = curve(0), curve(1)
    player = CurvePlayer(
        {"sssl": first, "ce": second}, truth=TRUTH, rejected=DOUBTED, label="Q4", title="T"
    )
    data = json.loads(json.dumps(player.data(), allow_nan=False))
    assert [one["name"] for one in data["curves"]] == ["sssl", "ce"]
    for given, sent in zip((first, second), data["curves"], strict=True):
        np.testing.assert_allclose(sent["probabilities"], given[CLASSES], atol=5.1e-6)
        leader = given[CLASSES].idxmax(axis=1)
        for span in sent["leaders"]:
            inside = (given["centre_s"] > span["start_s"]) & (given["centre_s"] < span["end_s"])
            assert set(leader[inside]) == {span["leader"]}
        assert (sent["leaders"][0]["start_s"], sent["leaders"][-1]["end_s"]) == (0, 10)
    assert (data["start_s"], data["end_s"]) == (first["start_s"].tolist(), first["end_s"].tolist())
    assert data["truth"] == TRUTH.to_dict("records")
    assert data["rejected"] == [{"start_s": 2.5, "end_s": 4.0}]
    assert data["label"] == "label Q4 calm" and data["title"] == "T"
    assert [(one["name"], one["colour"]) for one in data["classes"]] == [
        (name, LOOK[name][0]) for name in CLASSES
    ]
    assert len({one["dash"] for one in data["classes"]}) == 4


def test_nothing_known_is_none_and_no_band() -> None:
    data = CurvePlayer(curve()).data()
    assert data["truth"] is None and data["rejected"] is None and data["label"] == ""
    assert data["title"] == "song.wav" and len(data["curves"]) == 1


def test_the_sentence_tells_shares_truth_and_doubt() -> None:
    table = curve()
    table.loc[2, CLASSES] = [0.1, 0.614, 0.036, 0.25]
    other = curve(1)
    other.loc[2, CLASSES] = [0.7, 0.1, 0.1, 0.1]
    player = CurvePlayer({"a": table, "b": other}, truth=TRUTH, rejected=DOUBTED)
    player.selected = 2
    assert player.sentence() == (
        "2 to 5 s: Q2 angry leads, 61 %; Q4 calm 25 %, Q1 happy 10 %, Q3 sad 4 %. By b Q1 happy leads, 70 %. "
        "Truth: Q4, Q1. Label rejected for 1.5 of 3 s."
    )
    assert player.segment == {
        "start_s": 2.0,
        "end_s": 5.0,
        "leader": "Q2",
        "probabilities": dict(zip(CLASSES, [0.1, 0.614, 0.036, 0.25], strict=True)),
    }


# ---- the selection -------------------------------------------------------------------------------------------------


def test_the_selection_is_one_for_python_and_every_view() -> None:
    player = CurvePlayer(curve())
    heard: list[int] = []
    player.observe(lambda change: heard.append(change["new"]), "selected")
    one, two = player.widget(), player.widget()
    one.selected = 5  # as the browser's message sets it
    assert (player.selected, two.selected, player.segment["start_s"]) == (5, 5, 5.0)
    player.selected = 2
    assert (one.selected, two.selected, heard) == (2, 2, [5, 2])


@pytest.mark.parametrize("wrong", [-1, 8])
def test_a_segment_that_is_not_there_is_refused_on_both_sides(wrong: int) -> None:
    player = CurvePlayer(curve())
    view = player.widget()
    player.selected = 3
    for holder in (player, view):
        with pytest.raises(MerKitError, match=f"selected is {wrong}, expected .*0.*7"):
            holder.selected = wrong
        assert (player.selected, view.selected) == (3, 3)
    with pytest.raises(TraitError, match="expected an int"):
        view.selected = "3; drop"


def test_the_widget_gets_the_sound_as_bytes_once(song: Path) -> None:
    player = CurvePlayer(curve(), song)
    view = player.widget()
    assert view.sound == player.sound.data and view.mime == "audio/mpeg"
    assert view.data["audio"] is None and len(json.dumps(view.data)) < 10_000
    assert js.module("player") in view._esm and "@container" in view._css


# ---- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("curves", "sentence"),
    [
        ({}, "0 curves were given, expected one or two by name"),
        ({name: curve() for name in "abc"}, "3 curves were given"),
        ({"a": curve().iloc[:0]}, "the curve has no segment"),
        ({"a": curve(), "b": curve(n=7)}, "curve 'b' has other segments or classes than 'a'"),
        (
            {"a": curve(), "b": curve().assign(end_s=lambda t: t["end_s"] + 1)},
            "predict both from the same file",
        ),
    ],
)
def test_curves_that_do_not_fit_get_a_sentence(
    curves: dict[str, pd.DataFrame], sentence: str
) -> None:
    with pytest.raises(MerKitError, match=sentence):
        CurvePlayer(curves)


# ---- pages ---------------------------------------------------------------------------------------------------------


def test_a_page_of_45_seconds_is_under_a_megabyte_and_needs_nothing(
    song: Path, tmp_path: Path
) -> None:
    two = {"sssl": curve(n=43), "ce": curve(1, n=43)}
    player = CurvePlayer(two, song, truth=TRUTH, rejected=DOUBTED, label="Q1")
    page = player.save(tmp_path / "page.html", note="First.\n\nSecond <b>.").read_text("utf-8")
    assert 400_000 < len(page.encode()) < 1_000_000
    assert plt.get_fignums() == []
    assert set(re.findall(r"https?://[^\"' )]+", page)) == {"http://www.w3.org/2000/svg"}, (
        "a name, not an address"
    )
    assert not re.search(
        r"(?:src|href)=[\"'](?!data:|#)|url\((?!#)|@import|\bimport\b|\bfetch\(", page
    )
    assert "<p>First.</p><p>Second &lt;b&gt;.</p>" in page and str(tmp_path) not in page
    assert page == player.to_html(note="First.\n\nSecond <b>."), (
        "the same page gives the same bytes"
    )
    embedded = re.search(r'<audio [^>]*src="data:audio/mpeg;base64,([^"]+)"', page)
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(embedded[1])))
    assert rate == SAMPLE_RATE and abs(len(samples) / rate - 45) < 0.06


def test_hostile_titles_leave_the_page_whole() -> None:
    title = "</script><script>bad()</script>\"'&<img onerror=bad()>$x_{"
    page = CurvePlayer({title: curve(), "b": curve(1)}, title=title).to_html(note=title)
    assert "<script>bad" not in page and "<img onerror" not in page
    data = re.search(r"data-mer-data>(.*?)</script>", page)
    assert json.loads(data[1])["title"] == title


# ---- sound ---------------------------------------------------------------------------------------------------------


def test_a_small_playable_file_is_embedded_as_it_is(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", music(2), SAMPLE_RATE)
    found = sound.song_bytes(tmp_path / "a.flac")
    assert (found.data, found.mime) == ((tmp_path / "a.flac").read_bytes(), "audio/flac")
    soundfile.write(tmp_path / "a.aiff", music(2), SAMPLE_RATE)
    assert sound.song_bytes(tmp_path / "a.aiff").mime == "audio/mpeg", (
        "no browser but Safari plays AIFF"
    )


@pytest.mark.parametrize(
    ("missing", "mime"),
    [((), "audio/mpeg"), (("MP3",), "audio/ogg"), (("MP3", "OGG"), "audio/wav")],
)
def test_what_is_encoded_sounds_like_the_song_second_by_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], mime: str
) -> None:
    real = soundfile.available_subtypes
    monkeypatch.setattr(
        soundfile, "available_subtypes", lambda kind: {} if kind in missing else real(kind)
    )
    t = np.arange(30 * SAMPLE_RATE) / SAMPLE_RATE
    y = 0.5 * np.sin(2 * np.pi * (300 + 100 * np.floor(t)) * t)
    soundfile.write(tmp_path / "scale.wav", y, SAMPLE_RATE)
    found = sound.song_bytes(tmp_path / "scale.wav")
    assert found.mime == mime
    heard, rate = soundfile.read(io.BytesIO(found.data))
    assert rate == SAMPLE_RATE
    for second in range(30):
        part = heard[second * rate + 2000 : (second + 1) * rate - 2000]
        peak = np.abs(np.fft.rfft(part)).argmax() * rate / len(part)
        assert peak == pytest.approx(300 + 100 * second, abs=5)


def test_a_longer_song_gets_fewer_bits_and_too_long_a_one_a_sentence(song: Path) -> None:
    sizes = [
        len(sound.song_bytes(song, max_bytes=limit).data) for limit in (400_000, 250_000, 140_000)
    ]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 3
    with pytest.raises(
        MerKitError,
        match=r"song.wav lasts 45 s and takes 0\.14 MB at least, expected at most 0\.1 MB",
    ):
        sound.song_bytes(song, max_bytes=100_000)
    player = CurvePlayer(curve(), song, max_bytes=100_000)
    assert player.sound is None and "song.wav lasts 45 s" in player.to_html()


def test_no_page_tells_where_the_song_lay(tmp_path: Path) -> None:
    page = CurvePlayer(curve(), tmp_path / "gone.wav").to_html()
    assert "gone.wav: the audio file is missing" in page and str(tmp_path) not in page
    (tmp_path / "torn.aiff").write_bytes(b"no sound")
    with pytest.raises(MerKitError, match=r"^torn\.aiff: is not audio"):
        sound.song_bytes(tmp_path / "torn.aiff")


def test_two_minutes_of_ogg_are_written_without_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = soundfile.available_subtypes
    monkeypatch.setattr(
        soundfile, "available_subtypes", lambda kind: {} if kind == "MP3" else real(kind)
    )
    soundfile.write(tmp_path / "long.wav", music(130), SAMPLE_RATE)
    found = sound.song_bytes(tmp_path / "long.wav")
    assert (
        found.mime == "audio/ogg"
        and soundfile.info(io.BytesIO(found.data)).frames == 130 * SAMPLE_RATE
    )


# ---- exports -------------------------------------------------------------------------------------------------------

FOREIGN = [
    '<script src="https://example.org/x.js"></script>',
    "<script>bad()</script>",
    '<script type="module" data-mer-script="player-0123456789abcdef" src="https://example.org/x.js"></script>',
    '<script type="module" data-mer-script="nothing-0123456789abcdef">bad()</script>',
    '<script type="application/json" data-mer-data>not JSON</script>',
    '<script type="text/javascript" data-mer-data>bad()</script>',
    "<script>bad()</script >",
    "<SCRIPT>bad()</script\n/>",
]
#: Runs without a script element; it stays in the page, and the page's policy keeps it still.
HANDLER = '<img alt="" src="data:," onerror="bad()">'


@pytest.mark.parametrize("element", [*FOREIGN, HANDLER])
def test_no_other_script_is_trusted(element: str) -> None:
    assert html_fragments.trusted(element) == ""
    if element != HANDLER:
        assert export._without_scripts(f"a{element}b<script>bad()</script>c") == "abc"


def test_an_export_keeps_the_player_with_its_own_code_and_nothing_else(
    song: Path, tmp_path: Path
) -> None:
    fragment = CurvePlayer(curve(n=43), song).fragment()
    changed = fragment.replace("function createPlayer(", "bad(); function createPlayer(")
    assert changed != fragment
    torn = "<scr<script></script>ipt>torn()</script>"  # stays as words in an element that no browser knows
    outputs = [
        new_output("display_data", {"text/html": html}) for html in (*FOREIGN, changed, torn)
    ]
    book = new_notebook(
        cells=[new_markdown_cell("$x$ " + FOREIGN[0]), new_code_cell("1", outputs=outputs)]
    )
    nbformat.write(book, tmp_path / "book.ipynb")
    text = export.to_html(tmp_path / "book.ipynb", tmp_path / "book.html").read_text("utf-8")
    assert "bad()" not in text and "example.org" not in text
    scripts = re.findall(r"<script\b.*?</script>", text, re.DOTALL)
    assert scripts == re.findall(r"<script\b.*?</script>", fragment, re.DOTALL)
    assert text.count("data:audio/mpeg;base64,") == 1


def policy_of(html: str, folder: Path) -> dict[str, str]:
    """Return what an exported page with this output allows, directive → sources."""
    book = new_notebook(
        cells=[new_code_cell("1", outputs=[new_output("display_data", {"text/html": html})])]
    )
    nbformat.write(book, folder / "book.ipynb")
    text = export.to_html(folder / "book.ipynb", folder / "book.html").read_text("utf-8")
    content = re.search(
        r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">',
        text[: text.index("<title>")],
    )
    assert text.index("<meta charset") < 1000 < len(text), (
        "browsers look for the encoding in the first 1,024 bytes"
    )
    directives = (directive.strip().partition(" ") for directive in content[1].split(";"))
    return {name: sources for name, _, sources in directives}


def test_an_export_allows_the_scripts_that_the_package_writes_and_no_other(tmp_path: Path) -> None:
    allowed = policy_of(CurvePlayer(curve()).fragment(), tmp_path)
    page = next(tmp_path.glob("*.html")).read_text("utf-8")
    code = re.search(r'<script type="module"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert code is not None and "enhance(" in code[1], "the view is in the page"
    digest = base64.b64encode(hashlib.sha256(code[1].encode()).digest()).decode()
    assert allowed["script-src"] == f"'sha256-{digest}'", (
        "no 'unsafe-inline', which would let handlers run"
    )
    assert (
        allowed["default-src"] == "'none'"
        and allowed["img-src"] == allowed["media-src"] == "data: blob:"
    )
    marked = '<script type="module" data-mer-script="nothing-0123456789abcdef">bad()</script>'
    assert policy_of(marked + HANDLER, tmp_path)["script-src"] == "'none'"


def test_a_view_that_is_not_there_gets_a_sentence() -> None:
    with pytest.raises(MerKitError, match="view is 'plaier', expected one of .*player"):
        html_fragments.fragment("plaier", {}, "")
