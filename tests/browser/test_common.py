"""What all views share in the browser: the channel to their kernel, and the player of one song at a time."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from mer_kit.views import js

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

SETUP = """async (text) => {
  Object.assign(window, await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" }))));
}"""
MODEL = """() => {
  window.listeners = [];
  window.sent = [];
  window.state = { song: 3 };
  window.fire = (name, ...given) => { for (const [n, f] of [...listeners]) if (n === name) f(...given); };
  window.model = {
    get: (name) => state[name], set: (name, value) => { state[name] = value; fire(`change:${name}`); },
    save_changes: () => sent.push("saved"), send: (message) => sent.push(message),
    on: (name, f) => listeners.push([name, f]),
    off: (name, f) => {
      const at = listeners.findIndex(([n, g]) => n === name && g === f);
      if (at < 0) throw new Error(`nobody listens to ${name}`);
      listeners.splice(at, 1);
    },
  };
}"""


@pytest.fixture
def page(page_of: Callable[..., Page]) -> Page:
    page = page_of("<!doctype html><html lang=en><title>t</title><main></main></html>")
    page.evaluate(SETUP, js.module("live") + "\nexport { channel, createPlayer, mountWidget };")
    page.evaluate(MODEL)
    return page


def test_traits_are_values_of_both_sides_and_all_else_are_messages(page: Page) -> None:
    page.evaluate("""() => {
      window.heard = [];
      window.talk = channel(model, ["song"]);
      talk.on("song", (value) => heard.push(["song", value]));
      window.off = talk.on("clip", (message, buffers) => heard.push([message.kind, buffers.length]));
      talk.send({ kind: "song", value: 5 });
      talk.send({ kind: "play", part: "test" });
      fire("msg:custom", { kind: "cut" }, []);
      fire("msg:custom", { kind: "clip" }, [1, 2]);
    }""")
    assert page.evaluate("sent") == ["saved", {"kind": "play", "part": "test"}]
    assert page.evaluate("heard") == [["song", 5], ["clip", 2]], (
        "a message reaches those of its kind only"
    )
    page.evaluate(
        "() => { off(); off(); fire('msg:custom', { kind: 'clip' }, [1]); state.song = 6; fire('change:song'); }"
    )
    assert page.evaluate("heard.slice(2)") == [["song", 6]], (
        "who stopped listening hears nothing more"
    )
    page.evaluate("talk.close()")
    assert page.evaluate("listeners.length") == 0


def test_a_view_taken_down_listens_to_nothing(page: Page) -> None:
    page.evaluate("""() => {
      window.down = [];
      const mount = (el, data, talk) => {
        const off = talk.on("clip", () => {});
        talk.on("cut", () => {});
        return () => { off(); down.push(data); };
      };
      window.take = mountWidget(model, mount, document.querySelector("main"), "data");
    }""")
    assert page.evaluate("listeners.length") == 2
    page.evaluate("take()")
    assert page.evaluate("[listeners.length, down]") == [0, ["data"]]


def tone(hertz: float, seconds: float = 4.0) -> str:
    rate = 8000
    out = io.BytesIO()
    soundfile.write(
        out,
        0.3 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate),
        rate,
        format="WAV",
    )
    return base64.b64encode(out.getvalue()).decode()


def test_another_song_silences_the_first_also_where_it_cannot_be_decoded(page: Page) -> None:
    def playing() -> Any:
        return page.evaluate("window.tape.playing()?.name ?? null")

    page.evaluate(
        "([a, b]) => { window.a = a; window.b = b; window.tape = createPlayer(() => {}); }",
        [tone(300), tone(600)],
    )
    page.evaluate("() => tape.play(a, { start: 0.5, to: 3, name: 'a' })")
    assert playing() == "a" and 0.5 <= page.evaluate("tape.now()") < 3
    waiting = "() => { window.later = tape.play(b, { start: 1, to: 2, name: 'b' }); return tape.playing(); }"
    assert page.evaluate(waiting) is None, "the first is silent before the second is decoded"
    page.evaluate("() => later")
    assert playing() == "b" and 1 <= page.evaluate("tape.now()") <= 2
    refused = (
        "() => tape.play('bm8gc291bmQ=', { start: 0, to: 1 }).then(() => 'played', () => 'refused')"
    )
    assert page.evaluate(refused) == "refused" and playing() is None
    page.evaluate("() => tape.dispose()")
    page.evaluate("() => tape.play(a, { start: 3.5, to: 9, name: 'again' })")
    assert playing() == "again", "what was given back is decoded anew"
    page.wait_for_function("() => !tape.playing()")
    assert page.evaluate("tape.now()") == pytest.approx(4.0, abs=1e-3), (
        "it ends where the song ends"
    )
    page.evaluate("() => tape.dispose()")
