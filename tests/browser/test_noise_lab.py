"""The noise lab in a browser: its numbers are Python's, and every move changes what it should."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mer_kit.training import diagnostics
from mer_kit.training.diagnostics import partition_quality
from mer_kit.views import html_fragments, js
from mer_kit.views.noise_lab import NoiseLab
from mer_kit.views.view import as_text
from tests.views.noise_labs import make_lab

pytestmark = pytest.mark.browser

NUMBERS = """
const data = JSON.parse(document.getElementById("data").textContent), fold = createFold(data, null, () => {});
window.look = (after, perClass) => {
  const { omega, cuts, roc } = fold.tables(after, perClass);
  return { loss: [...fold.losses(fold.pass(after))], omega: [...omega], cuts: data.taus.map((_, i) => cutAt(cuts, i)), roc,
    kept: data.taus.map((tau) => omega.filter((value) => value > tau).length) };
};
"""
TAUS = (0.0, 0.05, 0.3, 0.5, 0.77, 0.95, 1.0)


def numbers_page(lab: NoiseLab) -> str:
    """A page with the lab's data as a page carries them, and its look-up functions within reach of a test."""
    fragment = lab.fragment(sounds=0)
    data = fragment.split("data-mer-data>")[1].split("</script>")[0]
    return (
        f'<script type="application/json" id="data">{data}</script>'
        f'<script type="module">{js.module("noise_lab")}{NUMBERS}</script>'
    )


@pytest.mark.parametrize(
    "options", [{}, {"max_unlabelled": 1.0}, {"min_gap": 1.5, "max_unlabelled": 1.0}]
)
def test_the_numbers_are_those_of_python(
    options: dict[str, Any], tmp_path: Path, page_of: Callable[..., Any]
) -> None:
    lab = make_lab(tmp_path, **options)
    p, page = lab.passes, page_of(numbers_page(lab))
    known = p.truth >= 0
    right = (p.truth == p.labels)[known]
    refused = capped = 0
    taus = lab.data()["taus"]
    for after in range(1, len(p) + 1):
        for per_class in (False, True):
            found = page.evaluate(
                "([after, perClass]) => look(after, perClass)", [after, per_class]
            )
            for tau in TAUS:
                cut = found["cuts"][taus.index(tau)]
                settings = dataclasses.replace(p.partition, per_class=per_class, tau=tau)
                split = diagnostics.replay(
                    p.probabilities[:after],
                    p.labels,
                    songs=p.clip,
                    settings=settings,
                    seed=p.seed,
                )
                clean = split.omega > tau
                assert cut["in_u"] == (~clean).sum()
                assert found["kept"][taus.index(tau)] == clean.sum(), (
                    "float16 keeps each ω on its side of τ"
                )
                assert cut["in_u_training"] == (~split.clean).sum(), (
                    after,
                    per_class,
                    tau,
                    split.note,
                )
                assert cut["refusal"] == split.note.removeprefix("no separation: ")
                refused += not split.separated
                capped += split.separated and cut["in_u_training"] < cut["in_u"]
                wanted = partition_quality(clean[known], split.omega[known], right)
                for name in ("precision", "recall", "noise_recall"):
                    value = np.nan if cut[name] is None else cut[name]
                    assert value == pytest.approx(wanted[name], abs=1e-12, nan_ok=True), (name, tau)
            assert found["roc"]["area"] == pytest.approx(wanted["roc_auc"])
            np.testing.assert_allclose(found["loss"], p.losses[after - 1], rtol=1e-6)
            np.testing.assert_allclose(found["omega"], split.omega, atol=1e-3)
            x, y = np.array(found["roc"]["curve"]).T
            assert np.trapezoid(y, x) == pytest.approx(wanted["roc_auc"], abs=1e-2)
    assert refused > 0 and (capped > 0) is ("max_unlabelled" not in options)


@pytest.fixture
def opened(tmp_path: Path, page_of: Callable[..., Any]) -> tuple[NoiseLab, Any]:
    lab = make_lab(tmp_path)
    return lab, page_of(lab.to_html(sounds=12), viewport={"width": 1100, "height": 900})


def sizes(page: Any) -> list[int]:
    return [int(text.replace(",", "")) for text in page.locator(".side strong").all_inner_texts()]


def test_sliders_change_x_and_u_to_what_python_counts(opened: tuple[NoiseLab, Any]) -> None:
    lab, page = opened
    after, tau = lab.after_epoch, page.get_by_label("threshold τ")
    omega = lab.passes.partitions[after - 1].omega
    assert sizes(page) == [(omega > 0.5).sum(), (omega <= 0.5).sum()]
    tau.focus()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    assert sizes(page) == [(omega > 0.8).sum(), (omega <= 0.8).sum()]
    page.get_by_label("after epoch").fill("2")
    second = lab.passes.partitions[1].omega
    assert sizes(page)[0] == (second > 0.8).sum() != (omega > 0.8).sum()
    page.wait_for_function(
        "document.querySelector('.words').textContent.startsWith('After epoch 2 at τ = 0.80')"
    )
    page.get_by_role("button", name="one per class").click()
    assert sizes(page) != [(second > 0.8).sum(), (second <= 0.8).sum()]
    assert page.get_by_label("class whose histogram is shown").is_visible()


def test_the_note_tells_what_the_training_had_and_what_would_change_the_cut(
    opened: tuple[NoiseLab, Any],
) -> None:
    lab, page = opened
    split = lab.passes.partitions[2]
    page.get_by_label("after epoch").fill("3")
    note = page.locator(".note").inner_text()
    assert (
        f"X {split.clean.sum()} and U {(~split.clean).sum()}." in note
        and "The training, with one mixture for all" in note
    )
    assert "cap of 15 %" in note and (split.omega <= 0.5).sum() > 90
    page.get_by_label("threshold τ").fill("0")
    assert "guards would refuse" in page.locator(".note").inner_text()
    page.get_by_label("after epoch").fill("1")
    assert "A partition here, with" in page.locator(".note").inner_text()


def test_next_to_no_room_draws_nothing_impossible(opened: tuple[NoiseLab, Any]) -> None:
    _, page = opened  # whose console must stay silent
    for width in (30, 9, 300):
        page.evaluate("(w) => { document.querySelector('main').style.width = `${w}px`; }", width)
        page.wait_for_timeout(150)
        page.get_by_label("after epoch").fill("2" if width == 9 else "3")
        page.wait_for_timeout(60)
    assert page.locator(".note").inner_text()


def test_the_note_calls_a_class_by_its_name(
    tmp_path: Path, page_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(tmp_path)
    data = lab.data()
    data["training"][lab.after_epoch - 1]["note"] = (
        "no separation: class 3 would keep 5 samples in X, under 8"
    )
    monkeypatch.setattr(lab, "data", lambda: data)
    note = (
        page_of(html_fragments.page("A lab", lab.fragment(sounds=0))).locator(".note").inner_text()
    )
    assert "Q4 calm would keep 5 samples" in note and "class 3" not in note


def rows(page: Any) -> list[int]:
    return [
        int(one)
        for one in page.locator("tbody tr").evaluate_all(
            "(all) => all.map((one) => one.dataset.row)"
        )
    ]


def test_the_brush_lists_what_lies_in_it(opened: tuple[NoiseLab, Any]) -> None:
    lab, page = opened
    loss, mixture, _ = lab.passes.fitted_mixture(lab.after_epoch)
    x = mixture.normalise(loss)
    page.get_by_label("only those whose sound").uncheck()
    inside = np.flatnonzero((x >= 0.8) & (x <= 1))
    assert rows(page) == sorted(inside, key=lambda row: (-loss[row], row))[:50]
    page.get_by_label("from", exact=True).fill("0.30")
    page.get_by_label("to", exact=True).fill("0.60")
    page.get_by_label("list", exact=True).select_option("quiet")
    inside = np.flatnonzero((x >= 0.3) & (x <= 0.6))
    assert rows(page) == sorted(inside, key=lambda row: (loss[row], row))[:50] and len(inside) > 5
    page.get_by_label("list", exact=True).select_option("never")
    table = diagnostics.data_map(lab.passes.probabilities, lab.passes.labels)
    confidence = table["confidence"].to_numpy().astype(np.float32)
    assert rows(page) == np.argsort(confidence, kind="stable")[:50].tolist()
    histogram = page.locator(".histogram").bounding_box()
    page.mouse.move(histogram["x"] + 200, histogram["y"] + 100)
    page.mouse.down()
    page.mouse.move(histogram["x"] + 400, histogram["y"] + 120, steps=4)
    page.mouse.up()
    low, high = (
        float(page.get_by_label(name, exact=True).input_value()) for name in ("from", "to")
    )
    assert 0.1 < low < high < 0.9 and page.get_by_label("list", exact=True).input_value() == "loud"


def test_playing_a_row_plays_it_and_draws_its_path(opened: tuple[NoiseLab, Any]) -> None:
    lab, page = opened
    page.evaluate(SILENT)
    row = rows(page)[0]
    assert row in lab.doubtful(12)
    page.locator("tbody button").first.click()
    assert page.locator("tbody button").first.inner_text() == "■"
    assert page.evaluate("played.length") == 1, page.evaluate("played")
    kind = page.evaluate("fetch(played[0]).then((r) => r.blob()).then((b) => b.type)")
    assert kind.startswith("audio/")
    told = page.locator(".trail .unseen").inner_text()
    omega = [split.omega[row] for split in lab.passes.partitions]
    assert ", ".join(f"{value:.2f}" for value in omega) in told
    assert page.locator(".trail rect").count() == int(
        not lab.passes.partitions[1].clean[row]
    ) + int(not lab.passes.partitions[2].clean[row])
    page.locator("tbody button").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.locator("tr.chosen").get_attribute("data-row") == str(rows(page)[1])
    page.keyboard.press("Enter")
    assert page.evaluate("played.length") == 2


def test_a_click_on_the_map_chooses_the_nearest_that_can_be_heard(
    opened: tuple[NoiseLab, Any],
) -> None:
    lab, page = opened
    ring = page.locator(".map circle.listed").nth(2)
    page.locator(".map").scroll_into_view_if_needed()
    box = ring.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    chosen = page.locator(".map circle.here")
    assert chosen.get_attribute("cx") == ring.get_attribute("cx")
    row = page.locator("tr.chosen").get_attribute("data-row")
    assert int(row) == rows(page)[2] and "confidence" in page.locator(".words").inner_text()


SILENT = """() => {
  window.played = [];
  HTMLMediaElement.prototype.play = function () { played.push(this.src); return Promise.resolve(); };
}"""
KERNEL = """
const data = JSON.parse(document.getElementById("data").textContent), handlers = {};
window.sent = [];
window.reply = (kind, message, buffers = []) => handlers[kind](message, buffers);
const talk = { send: (message) => sent.push(message), on: (kind, handler) => { handlers[kind] = handler; } };
window.down = mount(document.getElementById("place"), data, talk);
"""


def test_what_is_not_there_is_asked_from_the_kernel(
    tmp_path: Path, page_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(tmp_path)
    data = lab.data()
    one, after = lab.arrays.answers(lab.after_epoch), lab.after_epoch
    for name in ("p", "model"):
        del data["arrays"][name]
    data["arrays"] = as_text(data["arrays"])
    page = page_of(
        f'<div id="place"></div><script type="application/json" id="data">{js.embedded(data)}</script>'
        f'<script type="module">{js.module("noise_lab")}{KERNEL}</script>'
    )
    assert page.evaluate("sent") == [{"kind": "pass", "after": after}]
    ask = "([kind, message, parts]) => reply(kind, message, parts.map((part) => new DataView(Uint8Array.from(part).buffer)))"
    page.evaluate(ask, ["pass", {"after": after}, [list(one["p"]), list(one["model"])]])
    omega = lab.passes.partitions[after - 1].omega
    assert sizes(page) == [(omega > 0.5).sum(), (omega <= 0.5).sum()]
    page.get_by_role("button", name="one per class").click()
    assert page.evaluate("sent.at(-1)") == {"kind": "fit", "after": after, "per_class": True}
    tell(lab, page, page.evaluate("sent.at(-1)"))
    other = diagnostics.replay(
        lab.passes.probabilities[:after],
        lab.passes.labels,
        songs=lab.passes.clip,
        settings=dataclasses.replace(lab.passes.partition, per_class=True),
        seed=lab.passes.seed,
    )
    assert sizes(page)[0] == (other.omega > 0.5).sum() != (omega > 0.5).sum()
    page.locator("tbody button").first.click()
    row = rows(page)[0]
    missing = next(epoch for epoch in range(1, 5) if epoch != after)
    assert {"kind": "play", "row": row} in page.evaluate("sent")
    assert {"kind": "fit", "after": missing, "per_class": True} in page.evaluate("sent"), (
        "for the segment's path"
    )
    page.evaluate(ask, ["sorry", {"text": "the file is gone"}, []])
    assert page.locator(".words").inner_text() == "the file is gone"
    assert page.locator("tbody button").first.inner_text() == "▶"
    page.evaluate("down()")
    assert page.locator("#place > *").count() == 0


ANSWER = "([reply, parts]) => window.reply(reply.kind, reply, parts.map((part) => new DataView(Uint8Array.from(part).buffer)))"


def in_kernel(lab: NoiseLab, page_of: Callable[..., Any]) -> Any:
    """The lab as a widget that has asked for its first pass and got it; other passes wait for `tell`."""
    data = lab.data()
    data["arrays"] = as_text(
        {name: data["arrays"][name] for name in data["arrays"] if name not in ("p", "model")}
    )
    page = page_of(
        f'<div id="place"></div><script type="application/json" id="data">{js.embedded(data)}</script>'
        f'<script type="module">{js.module("noise_lab")}{KERNEL}</script>'
    )
    tell(lab, page, page.evaluate("sent.at(-1)"))
    return page


def tell(lab: NoiseLab, page: Any, message: Any) -> None:
    reply, buffers = lab.answer(message)
    page.evaluate(ANSWER, [reply, [list(part) for part in buffers]])


def refuse(page: Any, message: Any) -> None:
    page.evaluate(ANSWER, [{"kind": "sorry", "text": "the archive is gone", "to": message}, []])


def counts(lab: NoiseLab, after: int, tau: float) -> list[int]:
    omega = lab.passes.partitions[after - 1].omega
    return [(omega > tau).sum(), (omega <= tau).sum()]


def test_while_a_pass_is_on_its_way_nothing_is_told_of_it(
    tmp_path: Path, page_of: Callable[..., Any]
) -> None:
    lab = make_lab(tmp_path)
    page, first = in_kernel(lab, page_of), lab.after_epoch
    page.locator("tbody tr").first.click()
    page.get_by_label("threshold τ").fill("0.6")
    page.get_by_label("after epoch").fill("2")
    asked = page.evaluate("sent.at(-1)")
    assert asked == {"kind": "pass", "after": 2}
    phase, mark = (
        page.locator(".phase").inner_text(),
        page.locator(".trail .now").get_attribute("x1"),
    )
    page.get_by_label("threshold τ").fill("0.8")
    page.locator("tbody tr").nth(1).click()
    page.wait_for_timeout(400)  # what the movement led to would have been said by now
    assert page.locator(".words").inner_text().startswith("Fitting the mixtures")
    assert sizes(page) == counts(lab, first, 0.6) and page.locator(".phase").inner_text() == phase
    assert page.locator(".trail .now").get_attribute("x1") == mark, (
        "the path marks the pass that is shown"
    )
    tell(lab, page, asked)
    assert sizes(page) == counts(lab, 2, 0.8) != counts(lab, first, 0.8)
    page.wait_for_function(
        "document.querySelector('.words').textContent.startsWith('After epoch 2 at τ = 0.80: ')"
    )
    assert page.locator(".phase").inner_text() != phase


def test_what_the_kernel_refuses_leads_back_to_what_is_shown(
    tmp_path: Path, page_of: Callable[..., Any]
) -> None:
    lab = make_lab(tmp_path)
    page, first = in_kernel(lab, page_of), lab.after_epoch
    page.get_by_label("after epoch").fill("2")
    asked = page.evaluate("sent.at(-1)")
    page.get_by_label("threshold τ").fill("0.8")
    refuse(page, {"kind": "play", "row": 1})
    assert page.get_by_label("after epoch").input_value() == "2", (
        "that was refused for another message"
    )
    refuse(page, asked)
    page.wait_for_timeout(400)
    assert page.locator(".words").inner_text() == "the archive is gone"
    assert page.get_by_label("after epoch").input_value() == str(first)
    assert sizes(page) == counts(lab, first, 0.8)
    page.get_by_label("threshold τ").fill("0.3")
    assert sizes(page) == counts(lab, first, 0.3)
    page.wait_for_function(
        f"document.querySelector('.words').textContent.startsWith('After epoch {first} at τ = 0.30')"
    )
    before = page.evaluate("sent.length")
    page.get_by_label("after epoch").fill("2")
    assert page.evaluate("sent").pop() == asked and page.evaluate("sent.length") == before + 1, (
        "asked again"
    )
    page.get_by_role("button", name="one per class").click()
    refuse(page, {"kind": "fit", "after": 2, "per_class": True})
    assert page.get_by_role("button", name="one for all").get_attribute("aria-pressed") == "true"
    assert page.get_by_label("after epoch").input_value() == str(first)


def test_where_every_label_is_right_there_is_no_roc_curve(
    tmp_path: Path, page_of: Callable[..., Any]
) -> None:
    lab = make_lab(tmp_path)
    lab.passes.truth[:] = lab.passes.labels
    page = page_of(lab.to_html(sounds=0))
    assert page.locator(".histogram svg").count() == 1 and page.locator(".roc svg").count() == 0
    assert "NaN" not in page.locator(".mer-noise_lab").inner_html()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"viewport": {"width": 1100, "height": 900}}),
        ("dark", {"viewport": {"width": 1100, "height": 900}, "color_scheme": "dark"}),
        ("narrow", {"viewport": {"width": 360, "height": 800}}),
    ],
)
def test_it_is_accessible_and_fits(
    name: str,
    options: dict[str, Any],
    tmp_path: Path,
    page_of: Callable[..., Any],
    axe: Any,
    shots: Path,
) -> None:
    page = page_of(make_lab(tmp_path).to_html(sounds=6), **options)
    page.get_by_label("after epoch").fill("3")
    page.get_by_role("button", name="one per class").click()
    page.locator("tbody tr").nth(1).click()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
        "nothing juts out"
    )
    page.wait_for_timeout(300)
    page.screenshot(path=shots / f"noise_lab-{name}.png", full_page=True)


def test_without_truth_no_quality_is_reported(tmp_path: Path, page_of: Callable[..., Any]) -> None:
    page = page_of(make_lab(tmp_path, truth=False).to_html(sounds=0))
    page.get_by_label("threshold τ").fill("0.3")
    assert "true labels of these segments are unknown" in page.locator(".measures").inner_text()
    assert (
        page.locator(".roc svg").count() == 0 and "truth" not in page.locator("thead").inner_text()
    )
    page.wait_for_function("document.querySelector('.words').textContent.includes('τ = 0.30')")
    assert "recision" not in page.locator(".words").inner_text()
