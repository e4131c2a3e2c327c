"""The files that `mer-kit predict` leaves: the curve as PNG, SVG and CSV, and one page that plays along.

Notebook: 05_emotion_curve
"""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from mer_kit.records import EMOTIONS
from mer_kit.runs.archive import writing
from mer_kit.runs.predict import describe
from mer_kit.show import style
from mer_kit.show.plots_curve import alt_text, curve_figure

#: Audio up to this size goes into the page itself; a larger file leaves the page silent.
MAX_AUDIO_BYTES = 3_000_000
#: File ending → type, for what browsers play.
PLAYABLE = {".mp3": "audio/mpeg", ".wav": "audio/wav", ".ogg": "audio/ogg", ".flac": "audio/flac", ".m4a": "audio/mp4"}

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; } figure { position: relative; margin: 1rem 0; cursor: pointer; } audio { width: 100%; }
figure svg { width: 100%; height: auto; display: block; background: #fff; }
#head { position: absolute; top: 0; bottom: 0; width: 2px; background: #222; pointer-events: none; }
"""
#: Moves the line with the sound and the sound with a click; `edges` are the axes' sides and its first and last second.
_SCRIPT = """
const sound = document.querySelector("audio"), picture = document.querySelector("figure");
const head = document.getElementById("head"), [left, right, first, last] = EDGES;
const place = () => {
  head.style.left = 100 * (left + (right - left) * (sound.currentTime - first) / (last - first)) + "%";
  if (!sound.paused) requestAnimationFrame(place);
};
for (const event of ["play", "seeked", "timeupdate"]) sound.addEventListener(event, place);
picture.addEventListener("click", (event) => {
  const box = picture.getBoundingClientRect(), x = (event.clientX - box.left) / box.width;
  sound.currentTime = Math.max(0, first + (last - first) * (x - left) / (right - left));
});
place();
"""


def write(
    curve: pd.DataFrame, out: Path, song: Path, *, truth: pd.DataFrame | None = None, label: str | None = None
) -> list[Path]:
    """Write `<song>_emotions.png`, `.svg`, `.csv` and `.html` into the folder `out`; return their paths.

    The page needs nothing from the net: it holds the picture and, where the audio file is small enough and of a kind
    that browsers play, the sound; a click on the picture plays from there.

    Parameters
    ----------
    curve : from `runs.predict.predict_curve`
    out : made if it is not there
    song : the audio file; only its name and bytes get into the page
    truth, label : as `show.plots_curve.curve_figure` takes them

    Notebook: 05_emotion_curve
    """
    style.use()
    figure = curve_figure(curve, truth=truth, label=label, title=song.stem)
    stem = out / f"{song.stem}_emotions"
    paths = style.save_figure(figure, stem, alt=alt_text(curve, truth=truth), data=curve, formats=("png", "svg"))
    box, (first, last) = figure.axes[0].get_position(), figure.axes[0].get_xlim()
    plt.close(figure)
    page = stem.with_name(f"{stem.name}.html")
    with writing(page) as partial:
        text = _page(curve, paths["svg"].read_text("utf-8"), song, (box.x0, box.x1, float(first), float(last)))
        partial.write_text(text, "utf-8")
    return [*paths.values(), page]


def _page(curve: pd.DataFrame, svg: str, song: Path, edges: tuple[float, float, float, float]) -> str:
    name, alt = html.escape(song.stem), html.escape(alt_text(curve), quote=True)
    svg = re.sub(r"^.*?(<svg )", r"\1", svg, count=1, flags=re.DOTALL)  # the XML header has no place inside HTML
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{alt}" ', 1)
    decided = curve.attrs["decisions"]["svm"]
    sound = _audio(song)
    script = f"<script>{_SCRIPT.replace('EDGES', json.dumps([round(edge, 5) for edge in edges]))}</script>"
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}: emotion curve</title><style>{_STYLE}</style></head>\n<body>\n<h1>{name}</h1>\n"
        f"<p>The whole song: <strong>{decided} {EMOTIONS[decided]}</strong> (SVM).</p>\n{sound}\n"
        f"<figure>{svg}{'<div id=head></div>' if sound else ''}</figure>\n"
        f"<p>{html.escape(describe(curve)).replace(chr(10), '<br>')}</p>\n{script if sound else ''}\n</body>\n</html>\n"
    )


def _audio(song: Path) -> str:
    """Return an audio element that holds the file, or "" if it is too large or of a kind that browsers do not play."""
    kind = PLAYABLE.get(song.suffix.lower())
    if kind is None or not song.is_file() or song.stat().st_size > MAX_AUDIO_BYTES:
        return ""
    data = base64.b64encode(song.read_bytes()).decode("ascii")
    name = html.escape(song.stem, quote=True)
    return f'<audio controls preload="metadata" aria-label="{name}" src="data:{kind};base64,{data}"></audio>'
