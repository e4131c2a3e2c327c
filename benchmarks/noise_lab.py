"""How long a move in the noise lab takes: in the browser from the hand to the next frame, and in Python what it asks for.

Made-up passes of 25,000 segments and 16 epochs whose truth is known are opened as the lab's own page in the system's
Chromium. Each kind of move is made 40 times. "handled" runs from the event to the end of a forced layout
(performance.now around both), "shown" to the end of the next frame; "processor" is the mean processor time of the
page's thread for all of it, which other work on the machine lengthens little. Nothing is asked of a kernel meanwhile;
what a kernel is asked for, once each, stands in the second table.

    python benchmarks/noise_lab.py [--segments 25000] [--epochs 16] [--moves 40] [--chromium /usr/bin/chromium]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mer_kit.analysis.passes import Passes
from mer_kit.records import Clip, EpochRecord
from mer_kit.training.partition import PartitionSettings
from mer_kit.views.noise_lab import NoiseLab

MEASURE = """async ([kind, moves]) => {
  const lab = document.querySelector(".mer-noise_lab"), controls = lab.querySelector(".controls");
  const [epoch, tau] = controls.querySelectorAll("input[type=range]"), klass = controls.querySelector("select");
  const [whole, each] = controls.querySelectorAll("button"), from = lab.querySelector("input[type=number]");
  const order = lab.querySelector("section select"), orders = [...order.options].map((option) => option.value);
  const set = (node, value, name = "input") => { node.value = value; node.dispatchEvent(new Event(name)); };
  const rows = () => lab.querySelectorAll("tbody tr");
  if (kind === "class" || kind === "epoch, per class") each.click(); else whole.click();
  const ways = {
    "τ": (i) => set(tau, ((i * 37) % 101) / 100),
    "epoch": (i) => set(epoch, 1 + (i * 5) % Number(epoch.max)),
    "epoch, per class": (i) => set(epoch, 1 + (i * 5) % Number(epoch.max)),
    "one mixture / per class": (i) => (i % 2 ? whole : each).click(),
    "class": (i) => set(klass, i % klass.options.length, "change"),
    "brush": (i) => set(from, ((i * 13) % 90) / 100),
    "list order": (i) => set(order, orders[i % orders.length], "change"),
    "choose a segment": (i) => rows()[i % rows().length].click(),
  };
  const frame = () => new Promise((done) => requestAnimationFrame(() => {
    const after = new MessageChannel();  // its message comes when the frame is done
    after.port1.onmessage = done;
    after.port2.postMessage(0);
  }));
  const out = [];
  for (let i = 0; i < moves + 2; i++) {
    await frame();
    const begun = performance.now();
    ways[kind](i);
    lab.getBoundingClientRect();
    const handled = performance.now() - begun;
    await frame();
    if (i > 1) out.push([handled, performance.now() - begun]);
  }
  return out;
}"""
KINDS = (
    "τ",
    "epoch",
    "epoch, per class",
    "one mixture / per class",
    "class",
    "brush",
    "list order",
    "choose a segment",
)


def main() -> None:
    """Open the page, make the moves, print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=25_000, help="how many segments (default 25,000)")
    parser.add_argument("--epochs", type=int, default=16, help="how many passes (default 16)")
    parser.add_argument("--moves", type=int, default=40, help="moves of each kind (default 40)")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium", help="the browser to measure")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lab = make_lab(Path(folder), chosen.segments, chosen.epochs)
        python = python_side(lab)
        seconds, page = timed(lambda: lab.to_html(Path(folder) / "lab.html", sounds=0))
        python.append(("page with both mixtures of all passes, without sounds", seconds, f"{len(page) / 1e6:.1f} MB"))
        browser = browser_side(Path(folder) / "lab.html", chosen.chromium, chosen.moves)
    print(
        f"{chosen.segments} segments, {chosen.epochs} passes, {chosen.moves} moves each, load {os.getloadavg()[0]:.1f}\n"
    )
    heads = ("processor", "handled: median", "95 %", "most", "shown: median", "95 %", "most")
    widths = (11, 17, 8, 8, 16, 8, 8)
    print(f"{'move':<26}" + "".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True)) + "   ms")
    for kind, (times, processor) in browser.items():
        numbers = [
            f(times[:, column]) for column in (0, 1) for f in (np.median, lambda t: np.percentile(t, 95), np.max)
        ]
        values = [processor, *numbers]
        print(f"{kind:<26}" + "".join(f"{value:>{width}.1f}" for value, width in zip(values, widths, strict=True)))
    print(f"\n{'in Python':<68}{'ms':>8}")
    for name, seconds, note in python:
        print(f"{name:<68}{1000 * seconds:>8.1f}  {note}")


def python_side(lab: NoiseLab) -> list[tuple[str, float, str]]:
    """Return name, seconds and a remark of everything that the browser can ask for, and of what goes there first."""

    def splits() -> None:
        for epoch in range(1, len(lab.passes) + 1):
            lab.passes.partition_after(epoch)

    rows = [("the training's own splits of all passes (once)", timed(splits)[0], "")]
    seconds, data = timed(lab.data)
    size = sum(map(len, data["arrays"].values()))
    rows.append(("all that is sent at the start", seconds, f"{size / 1e6:.1f} MB of arrays"))
    ask = {"kind": "fit", "after": 1, "per_class": True}
    rows.append(("mixtures of one pass per class, first time", timed(lambda: lab.answer(ask))[0], ""))
    rows.append(("the same again", timed(lambda: lab.answer(ask))[0], ""))
    for row, name in (
        (0, "the first sound (imports the audio library)"),
        (-1, "a song not yet decoded"),
        (-2, "the same song"),
    ):
        ask = {"kind": "play", "row": row % len(lab.passes.labels)}
        seconds, (_, (sound,)) = timed(lambda ask=ask: lab.answer(ask))  # type: ignore[misc]
        rows.append((f"sound of one segment: {name}", seconds, f"{len(sound) / 1e3:.0f} kB"))
    return rows


def browser_side(path: Path, chromium: str, moves: int) -> dict[str, tuple[np.ndarray, float]]:
    """Return for each kind of move float [moves, 2], milliseconds until it was handled and until it was shown, and the
    processor milliseconds of one move, drawing included."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu"])
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.goto(path.as_uri())
        page.wait_for_selector(".mer-noise_lab tbody")
        page.wait_for_timeout(1000)
        thread = page.context.new_cdp_session(page)
        thread.send("Performance.enable", {"timeDomain": "threadTicks"})
        found = {}
        for kind in KINDS:
            before = processor_seconds(thread)
            times = np.array(page.evaluate(MEASURE, [kind, moves]))
            found[kind] = times, 1000 * (processor_seconds(thread) - before) / (moves + 2)
        browser.close()
    return found


def processor_seconds(thread: Any) -> float:
    """Return the processor time that the page's main thread has used so far."""
    metrics = {one["name"]: one["value"] for one in thread.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return wall seconds and the result."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def make_lab(folder: Path, n_segments: int, n_epochs: int) -> NoiseLab:
    """Return a lab over made-up passes that come to know a fifth of wrong labels, and two real sound files for all songs."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, n_segments)
    truth = np.where(rng.random(n_segments) < 0.2, (labels + 1) % 4, labels)
    probabilities = np.empty((n_epochs, n_segments, 4), dtype=np.float16)
    for epoch in range(n_epochs):
        scores = rng.normal(0, 1, (n_segments, 4))
        scores[np.arange(n_segments), truth] += 3 * (epoch + 1) / n_epochs * rng.gamma(2.0, 1.0, n_segments)
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities[epoch] = p / p.sum(axis=1, keepdims=True)
    start = (np.arange(n_segments) % 50) * 0.5
    for name in ("0.wav", "1.wav"):
        soundfile.write(folder / name, rng.uniform(-0.3, 0.3, 30 * 44_100), 44_100)
    n_songs = -(-n_segments // 50)
    clips = [Clip(f"song{i}", folder / f"{2 * i // n_songs}.wav", {"quadrant": 0}) for i in range(n_songs)]
    names = ("Q1", "Q2", "Q3", "Q4")
    experiment = SimpleNamespace(
        corpus=SimpleNamespace(clips=clips, title="made up"), classes=names, config=SimpleNamespace(segment_seconds=3.0)
    )
    numbers: dict[str, Any] = dict.fromkeys(EpochRecord.__dataclass_fields__, 0)
    history = [
        EpochRecord(**(numbers | {"epoch": e, "phase": "ssl" if e > n_epochs // 2 else "warmup", "note": ""}))
        for e in range(1, n_epochs + 1)
    ]
    passes = Passes(
        probabilities=probabilities, labels=labels, clip=np.arange(n_segments) // 50, start_s=start, end_s=start + 3.0,
        truth=truth, history=history, partition=PartitionSettings(max_unlabelled=0.1), seed=0,
    )  # fmt: skip
    return NoiseLab(experiment, passes)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
