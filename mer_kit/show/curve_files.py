"""The files that `mer-kit predict` leaves: the curve as PNG, SVG and CSV, and one page that plays along.

Notebook: 05_emotion_curve
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from mer_kit.records import EMOTIONS
from mer_kit.runs.predict import describe
from mer_kit.show import style
from mer_kit.show.player import CurvePlayer
from mer_kit.show.plots_curve import alt_text, curve_figure

#: The most bytes of sound in the page; a longer song leaves it silent, with a sentence.
MAX_AUDIO_BYTES = 3_000_000


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

    The page is the player (`show.player`) and needs nothing from the net; a song that is too long, or whose file is gone,
    leaves it silent.

    Parameters
    ----------
    curve : from `runs.predict.predict_curve`
    out : made if it is not there
    song : the audio file; only its name and sound get into the page
    truth, label : as `show.plots_curve.curve_figure` takes them
    page : write the page too

    Notebook: 05_emotion_curve
    """
    style.use()
    figure = curve_figure(curve, truth=truth, label=label, title=song.stem)
    stem = out / f"{song.stem}_emotions"
    paths = style.save_figure(figure, stem, alt=alt_text(curve, truth=truth), data=curve, formats=("png", "svg"))
    plt.close(figure)
    written = list(paths.values())
    if page:
        decided = curve.attrs["decisions"]["svm"]
        note = f"The whole song: {decided} {EMOTIONS[decided]} (SVM).\n{describe(curve)}"
        player = CurvePlayer(curve, song, truth=truth, label=label, title=song.stem, max_bytes=MAX_AUDIO_BYTES)
        written.append(player.save(stem.with_name(f"{stem.name}.html"), note=note))
    return written
