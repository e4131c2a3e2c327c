"""What a stranger's notebook brings into a page: text, tables, pictures, sounds and formulae, and nothing else."""

from __future__ import annotations

import base64
import io
import os
import re
import struct
import zlib
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from mer_kit.checks import MerKitError
from mer_kit.pages import export, report, sanitizer
from mer_kit.pages.export import mathml
from mer_kit.views import html_fragments

HOSTILE = [
    "<script>alert(1)</script>", "<SCRIPT SRC=//x></SCRIPT >", "<scr<script></script>ipt>alert(1)</script>", "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>', '<a href=" jav&#x09;ascript:alert(1)">x</a>', '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    '<meta http-equiv="refresh" content="0;url=//evil">', '<base href="//evil/">', "<iframe src=//evil></iframe>", "<object data=//evil></object>",
    "<embed src=//evil>", "<form action=//evil><input name=a></form>", '<a href="//evil" style="position:fixed;inset:0;z-index:99">x</a>',
    '<div style="position:absolute;top:0;left:0;width:100vw;height:100vh;background:url(//evil)">x</div>', "<style>body{display:none}</style>",
    '<link rel=stylesheet href="//evil">', "<svg><script>alert(1)</script></svg>", "<svg/onload=alert(1)>", "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "</div></div></main></body><h1>outside</h1>", "<video src=//evil autoplay></video>", '<img src="//evil/x.png">', '<img src="file:///etc/passwd">',
    '<audio src="//evil/x.mp3" autoplay></audio>', "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>", "<template><img src=x onerror=alert(1)></template>",
    '<div class="jp-Cell lm-mod-hidden">x</div>', "<textarea></textarea><img src=x onerror=alert(1)>", "<!--><img src=x onerror=alert(1)>-->", "<plaintext>",
]  # fmt: skip
_BAD = re.compile(
    r"<(?:script|style|meta|base|iframe|object|embed|form|input|link|svg|video|template|plaintext|textarea|body|main)\b|"
    r"\son\w+\s*=|javascript:|data:text|//evil|file:|position|url\(|jp-Cell",
    re.IGNORECASE,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_runs_leads_away_or_covers(text: str):
    found = sanitizer.clean(f"before {text} after")
    tags = "".join(re.findall(r"<[^>]*>", found))
    assert not _BAD.search(tags), found
    assert found.startswith("before")
    assert found.count("<div") == found.count("</div")


def _png(width: int, height: int) -> str:
    """Return a PNG as base64; what its head says is changed where that many pixels would not fit a test."""
    file = io.BytesIO()
    Image.new("1", (min(width, 9), min(height, 9))).save(file, "PNG")
    data = bytearray(file.getvalue())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return base64.b64encode(data).decode()


def _elements(text: str) -> list[tuple[str, str, str]]:
    """Return tags with their attributes in order of name, and the texts between them."""
    found: list[tuple[str, str, str]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append(
        ("open", tag, str(sorted((n, v or "") for n, v in attributes)))
    )  # type: ignore[method-assign]
    parser.handle_endtag = lambda tag: found.append(("close", tag, ""))  # type: ignore[method-assign]
    parser.handle_data = lambda data: found.append(("text", data, ""))  # type: ignore[method-assign]
    parser.feed(text)
    return found


def test_what_our_notebooks_show_survives():
    table = pd.DataFrame({"a": [1, 2]}).to_html()
    png = f"data:image/png;base64,{_png(3, 2)}"
    kept = [
        f'<img src="{png}" alt="two &lt; three" style="max-width: 100%; height: auto;">',
        f'<figure style="margin: 0;"><audio controls="" src="{png.replace("image/png", "audio/mpeg")}" aria-label="a"></audio></figure>',
        "<details><summary>more</summary><p>text</p></details>", '<a href="03_sssl_training.html#loss">next</a>', '<h2 id="loss">loss</h2>',
    ]  # fmt: skip
    for text in kept:
        assert _elements(sanitizer.clean(text)) == _elements(text)
    assert re.findall(r"<t[hd]>(\w*)</t[hd]>", sanitizer.clean(table)) == re.findall(
        r"<t[hd]>(\w*)</t[hd]>", table
    )
    formula = mathml(r"$\frac{1}{2} \sum_k p_k^2$")
    assert re.findall(r"</?m\w+", sanitizer.clean(formula)) == re.findall(r"</?m\w+", formula)


HUGE = {
    "openings": "<script" * 60_000, "depth": "<div>" * 200_000, "depth hidden by endings": "<div></x>" * 100_000, "tables": "<table><td>" * 20_000,
    "formatting": "<a><b><i>" * 30_000, "misnested": "<b><div></b>" * 20_000, "references": "&" * 2_000_000, "named": "&amp;" * 500_000,
    "attributes": "<b " + " ".join(f"a{n}=1" for n in range(100_000)) + ">", "comments": "<!--" * 300_000, "declarations": "<!x" * 300_000, "brackets": "<" * 2_000_000,
    "formatting opened again": f"<p>{'<b title=i>' * 490}</p>{'<p>x' * 20_000}", "long attributes opened again": f"<b title='{'x' * 50_000}'>{'<p>x' * 20_000}",
    "lists without ends": "<dd><li>" * 60_000, "ends that a table ignores": "<div><table></div></table>" * 40_000, "objects": "<object/>" * 60_000,
    "lists": "<ul><li>" * 100_000, "formulae": "<math><mrow>" * 50_000, "styles": f'<b style="{"color:red;" * 100_000}">x</b>', "links": "<a href='x.html'>" * 50_000,
}  # fmt: skip


#: Those that are parsed all the same, since their parser needs a moment only.
PARSED = {"openings", "attributes", "comments", "declarations", "brackets", "styles"}


@pytest.mark.parametrize("kind", HUGE)
def test_what_a_parser_needs_the_square_of_is_left_out(kind: str):
    found = sanitizer.clean(f"<p>before</p>{HUGE[kind]}")
    assert found.startswith("<p>Left out: HTML") is (kind not in PARSED), found[:200]
    assert len(found) < 5 * len(HUGE[kind]) + 100


@pytest.mark.parametrize("beside", [f"<script>{'for(i<n;i++){a<b}' * 2000}</script>", f"<svg>{'<path d=x/>' * 2000}</svg>", f"<!--{'<div>' * 2000}-->",
                                    "<style>a<b</style>" * 2000, "<p>x" * 3000, "<ul>" + "<li>x" * 3000 + "</ul>"])  # fmt: skip
def test_a_table_beside_what_is_not_nested_stays(beside: str):
    rows = "<tr><td><b>1</b><td><i>2</i></tr>" * 3000
    found = sanitizer.clean(f"{beside}<table>{rows}</table>")
    assert found.count("<tr>") == 3000 and "Left out" not in found


def test_what_is_left_out_says_why():
    assert "nests more than 500" in sanitizer.clean("<div>" * 501)
    assert "character references" in sanitizer.clean("&amp;" * 50_001)
    assert sanitizer.clean(f"{'<p>' * 600}x{'<br>' * 600}").startswith("<p>")


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 1)])
def test_pictures_of_a_gigapixel_are_not_shown(size: tuple[int, int]):
    assert "src" not in sanitizer.clean(f'<img src="data:image/png;base64,{_png(*size)}" alt="a">')
    assert "src" in sanitizer.clean(f'<img src="data:image/png;base64,{_png(3, 2)}" alt="a">')


@pytest.mark.parametrize("style", ["margin: -99px", "margin: calc(0px - 9px)", "width: var(--x)", "color: red\\;position:fixed",
    "background-color: url(//evil)", "position: fixed", "vertical-align: -9999px", "border: 1px solid attr(x)", "color: expression(alert(1))"])  # fmt: skip
def test_no_style_moves_or_loads(style: str):
    assert (
        _elements(sanitizer.clean(f'<b style="{style}; color: red">x</b>'))[0][2]
        == "[('style', 'color: red;')]"
    )


def _notebook(path: Path, *cells: nbformat.NotebookNode) -> Path:
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


def _shown(kind: str, data: str) -> nbformat.NotebookNode:
    return new_code_cell(
        "1", execution_count=1, outputs=[new_output("display_data", data={kind: data})]
    )


KINDS = (
    "text/html",
    "text/latex",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "application/javascript",
    "text/plain",
)


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_output_is_a_way_in(tmp_path: Path, kind: str):
    texts = [
        f'"><p data-way-in>{text}' if kind == "image/png" else f"<p data-way-in>{text}"
        for text in HOSTILE
    ]
    cells = [cell for text in texts for cell in (_shown(kind, text), new_markdown_cell(text))]
    page = export.to_html(_notebook(tmp_path / "a.ipynb", *cells), tmp_path / "a.html").read_text(
        "utf-8"
    )
    body = page[page.index("<main") if "<main" in page else page.index("<body") :]
    assert "data-way-in>" not in body
    assert "<script" not in body and "//evil" not in "".join(re.findall(r"<[^>]*>", body))
    assert body.count("</main>") == 1 and body.count("</body>") == 1


def test_tags_and_titles_are_no_way_in(tmp_path: Path):
    cell = new_code_cell("1", execution_count=1, outputs=[])
    cell.metadata["tags"] = ['x"><img src=x onerror=alert(1)>']
    notebook = new_notebook(cells=[cell], metadata={"title": "</title><script>alert(1)</script>"})
    notebook.metadata["language_info"] = {
        "name": '"><script>alert(2)</script>',
        "pygments_lexer": "x",
    }
    nbformat.write(notebook, tmp_path / "a.ipynb")
    page = export.to_html(tmp_path / "a.ipynb", tmp_path / "a.html").read_text("utf-8")
    assert "alert(1)" not in page and "alert(2)" not in page and "onerror" not in page


def _player(title: str = "song") -> str:
    return html_fragments.fragment(
        "player", {"title": title}, '<img src="data:image/png;base64,AAAA" alt="curve">'
    )


def test_our_views_are_built_anew():
    own = _player()
    assert html_fragments.rebuilt(own, sanitizer.clean) is not None
    changed = own.replace("enhance(", "alert(1);enhance(").replace(
        "</style>", "body{display:none}</style>"
    )
    made = html_fragments.rebuilt(changed, sanitizer.clean)
    assert made is not None and "alert(1)" not in made and "display:none}" not in made
    hostile = own.replace(
        'alt="curve">', 'alt="curve"><a href="//evil" style="position:fixed">x</a>'
    )
    made = html_fragments.rebuilt(hostile, sanitizer.clean)
    assert (
        made is not None
        and "//evil" not in made
        and "fixed" not in made.partition("mer-player")[2].partition("<script")[0]
    )
    for other in (
        own.replace("mer-player", "mer-nothing"),
        f"<b>x</b>{own}",
        own.replace('"title"', "title"),
    ):
        assert html_fragments.rebuilt(other, sanitizer.clean) is None


def test_our_pages_are_recognised_by_what_they_are():
    page = html_fragments.page("A song", f"{_player()}\n<p>note</p>")
    assert html_fragments.rebuilt_page(page, sanitizer.clean) is not None
    again = html_fragments.rebuilt_page(
        page.replace("</main>", "<script>alert(1)</script></main>"), sanitizer.clean
    )
    assert again is None or "alert(1)" not in again
    assert html_fragments.rebuilt_page("<h1>hello</h1>", sanitizer.clean) is None
    settled = html_fragments.rebuilt_page(page, sanitizer.clean)
    assert settled is not None and html_fragments.rebuilt_page(settled, sanitizer.clean) == settled


def _run(runs: Path, name: str = "demo-quadrant-3s-sssl-abc") -> Path:
    run = runs / name
    (run / "notebooks").mkdir(parents=True)
    (run / "config.json").write_text("{}")
    (run / "folds").mkdir()
    return run


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MER_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_a_shipped_page_is_never_linked_as_ours(tmp_path: Path):

    run = _run(tmp_path)
    source = _notebook(run / "notebooks" / "02_noisy_labels.ipynb", new_markdown_cell("# ours"))
    shipped = source.with_suffix(".html")
    shipped.write_text("<script>alert(1)</script>")
    os.utime(shipped, (4e9, 4e9))  # from the future
    report.write(tmp_path)
    first = shipped.read_text("utf-8")
    assert "alert(1)" not in first and "ours" in first
    shipped.write_text(first.replace("ours", "theirs"))
    report.write(tmp_path)
    assert shipped.read_text("utf-8") == first


def test_content_not_time_decides_what_is_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):

    run = _run(tmp_path)
    source = _notebook(run / "notebooks" / "02_noisy_labels.ipynb", new_markdown_cell("# first"))
    report.write(tmp_path)
    _notebook(source, new_markdown_cell("# second"))
    os.utime(source, (1e9, 1e9))  # the clock was set back
    report.write(tmp_path)
    assert "second" in source.with_suffix(".html").read_text("utf-8")
    written: list[Path] = []
    original = export.to_html
    monkeypatch.setattr(export, "to_html", lambda s, t: written.append(t) or original(s, t))
    report.write(tmp_path)
    assert written == [], "what is current is not written again"


def test_links_out_of_a_run_are_not_followed(tmp_path: Path):
    private, runs = tmp_path / "private", tmp_path / "runs"
    private.mkdir()
    _notebook(private / "diary.ipynb", new_markdown_cell("# secret"))
    (private / "diary.html").write_text("mine")
    run = _run(runs)
    (run / "notebooks" / "a.ipynb").symlink_to(private / "diary.ipynb")
    (run / "folds" / "0").symlink_to(private)
    (run / "figures").symlink_to(private)
    (private / "a.png").write_bytes(b"\x89PNG")
    page = report.write(runs).read_text("utf-8")
    assert (private / "diary.html").read_text() == "mine" and sorted(
        p.name for p in private.iterdir()
    ) == [
        "a.png",
        "diary.html",
        "diary.ipynb",
    ]
    assert (
        not (run / "notebooks" / "a.html").exists() and "secret" not in page and "a.png" not in page
    )


def test_a_run_folder_is_no_folder_of_runs(tmp_path: Path):

    run = _run(tmp_path)
    before = sorted(path.name for path in run.iterdir())
    with pytest.raises(
        MerKitError,
        match="is a run folder, expected a folder of run folders: name the folder above it",
    ):
        report.write(run)
    assert sorted(path.name for path in run.iterdir()) == before


# ---- what is left out is said ---------------------------------------------------------------------------------------


def test_a_notebook_without_a_page_has_its_reason(tmp_path: Path):
    run = _run(tmp_path)
    books = run / "notebooks"
    (books / "torn.ipynb").write_text('{"cells": [')
    _notebook(books / "pieces.ipynb", new_markdown_cell("x"))
    (books / "pieces.ipynb").write_text(f'{{"cells": [{",".join("[]" for _ in range(600_000))}]}}')
    (books / "outside.ipynb").symlink_to(
        _notebook(tmp_path / "diary.ipynb", new_markdown_cell("# secret"))
    )
    os.mkfifo(books / "pipe.ipynb")
    _notebook(books / "good.ipynb", new_markdown_cell("# good"))
    page = report.write(tmp_path).read_text("utf-8")
    for name in ("torn", "pieces", "outside", "pipe"):
        assert f'<p class="failed">{name}.ipynb: ' in page, name
        assert f"{name}.html" not in page
    assert 'good.html">' in page and "expected at most 500,000: clear its outputs" in page


def test_a_page_of_somebody_elses_stays_where_its_notebook_cannot_be_exported(tmp_path: Path):
    run = _run(tmp_path)
    (run / "notebooks" / "mine.ipynb").write_text("no notebook")
    (run / "notebooks" / "mine.html").write_text("written by hand")
    page = report.write(tmp_path).read_text("utf-8")
    assert (
        run / "notebooks" / "mine.html"
    ).read_text() == "written by hand" and "mine.html" not in page


@pytest.mark.parametrize("inside", ["notebooks", "folds", "folds/0", "folds/0/figures"])
def test_no_page_is_written_into_a_run(tmp_path: Path, inside: str):
    run = _run(tmp_path)
    (run / inside).mkdir(parents=True, exist_ok=True)
    with pytest.raises(
        MerKitError, match=f"is a folder of the run {run.name}, expected a folder of run folders"
    ):
        report.write(run / inside)
    assert not list(run.rglob("index.html"))


def test_figures_of_a_gigapixel_are_not_shown(tmp_path: Path):
    run = _run(tmp_path)
    (run / "figures").mkdir()
    for name, size in {"huge": (100_000, 100_000), "small": (3, 2)}.items():
        (run / "figures" / f"{name}.png").write_bytes(base64.b64decode(_png(*size)))
    page = report.write(tmp_path).read_text("utf-8")
    assert "small.png" in page and "huge.png" not in page


def test_colours_of_foreign_data_are_colours():
    own = html_fragments.fragment(
        "player", {"classes": [{"colour": "red;position:fixed", "ink": "#123456"}]}, "<p>x</p>"
    )
    made = html_fragments.rebuilt(own, sanitizer.clean)
    assert (
        made is not None
        and "fixed" not in made.partition("data-mer-data")[2].partition("</script>")[0]
    )
    assert '"ink": "#123456"' in made


def test_every_page_has_a_policy(tmp_path: Path):
    view = html_fragments.page("A song", f"{_player()}\n<p>note</p>")
    assert "default-src 'none'" in view and "script-src 'sha256-" in view
    _run(tmp_path)
    assert "default-src 'none'" in report.write(tmp_path).read_text("utf-8")
