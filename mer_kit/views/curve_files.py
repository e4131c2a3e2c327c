"""The files that `mer-kit predict` leaves: the curve as PNG, SVG and CSV, and one page that plays along.

Notebook: 05_emotion_curve
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from mer_kit.analysis.predict import describe
from mer_kit.plots import style
from mer_kit.plots.curve import alt_text, curve_figure
from mer_kit.records import EMOTIONS
from mer_kit.views.curve_player import CurvePlayer

#: The most bytes of sound in the page; a longer song leaves it silent, with a sentence.
MAX_AUDIO_BYTES = 3_000_000
#: The most bytes of a song's name in a file's; file systems allow 255, and the endings take their part.
MAX_NAME_BYTES = 220


def short_name(name: str) -> str:
    """Return a name that leaves room for an ending: a longer one is cut, with a digest of the whole to tell it apart.

    Examples
    --------
    >>> short_name("a song"), len(short_name("ä" * 120).encode())
    ('a song', 209)
    """
    raw = os.fsencode(name)
    if len(raw) <= MAX_NAME_BYTES:
        return name
    kept = raw[: MAX_NAME_BYTES - 20].decode("utf-8", "ignore")
    return f"{kept}-{hashlib.blake2b(raw, digest_size=4).hexdigest()}"


def write(
    curve: pd.DataFrame,
    out: Path,
    song: Path,
    *,
    truth: pd.DataFrame | None = None,
    label: str | None = None,
    page: bool = True,
) -> list[Path]:
    """Write `<song>_emotions.png`, `.svg`, `.csv` and, if wanted, `.html` into the folder `out`; return their paths.

    The page is the player (`views.curve_player`) and needs nothing from the net; a song that is too long, or whose file is gone,
    leaves it silent.

    Parameters
    ----------
    curve : from `analysis.predict.predict_curve`
    out : made if it is not there
    song : the audio file; only its name and sound get into the page
    truth, label : as `plots.curve.curve_figure` takes them
    page : write the page too

    Notebook: 05_emotion_curve
    """
    style.use()
    figure = curve_figure(curve, truth=truth, label=label, title=song.stem)
    stem = out / f"{short_name(song.stem)}_emotions"
    paths = style.save_figure(
        figure, stem, alt=alt_text(curve, truth=truth), data=curve, formats=("png", "svg")
    )
    plt.close(figure)
    written = list(paths.values())
    if page:
        decided = curve.attrs["decisions"]["svm"]
        note = f"The whole song: {decided} {EMOTIONS[decided]} (SVM).\n{describe(curve)}"
        player = CurvePlayer(
            curve, song, truth=truth, label=label, title=song.stem, max_bytes=MAX_AUDIO_BYTES
        )
        written.append(player.save(stem.with_name(f"{stem.name}.html"), note=note))
    return written
