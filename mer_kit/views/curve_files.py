"""The files that `mer-kit predict` writes: a curve as PNG, SVG and CSV, and a page with sound.

Notebook: 05_emotion_curve
"""

import hashlib
import os
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from mer_kit.analysis.predict import describe
from mer_kit.plots import style
from mer_kit.plots.curve import alt_text, curve_figure
from mer_kit.records import with_word
from mer_kit.songs.classifiers import TITLES
from mer_kit.views.curve_player import CurvePlayer

#: The most bytes of sound in the page; with a longer song it says that there is no sound.
MAX_AUDIO_BYTES = 3_000_000
#: The most bytes of a song's name in a file name; file systems allow 255 including the ending.
MAX_NAME_BYTES = 220


def short_name(name: str) -> str:
    """Return a name that leaves room for a file ending; longer names are cut and get a digest.

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
    """Write `<song>_emotions`: .png, .svg, .csv and, with `page`, .html. Return the paths.

    The page is the self-contained player (`views.curve_player`). It has no sound if the song is too
    long or its file is missing.

    Parameters
    ----------
    curve : from `analysis.predict.predict_curve`
    out : created if it does not exist
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
        classifier, decided = next(iter(curve.attrs["decisions"].items()))
        by = TITLES[classifier].partition(" (")[0]
        note = f"The whole song: {with_word(decided)} ({by}).\n{describe(curve)}"
        player = CurvePlayer(
            curve, song, truth=truth, label=label, title=song.stem, max_bytes=MAX_AUDIO_BYTES
        )
        written.append(player.save(stem.with_name(f"{stem.name}.html"), note=note))
    return written
