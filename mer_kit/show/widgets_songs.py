"""Two views to play with: any test song's curve, seven numbers and answers; and a song scrubbed second by second.

Notebook: 04_song_decisions, 05_emotion_curve
"""

from __future__ import annotations

import html
import io
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from mer_kit.checks import check_choice
from mer_kit.records import EMOTIONS
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.fig2 import classes_of
from mer_kit.show import plots_curve, plots_songs, sound, style
from mer_kit.show.plots_results import ROW_TITLES
from mer_kit.signal.audio import SAMPLE_RATE
from mer_kit.songs.deciders import NAMES as DECIDERS


class SongInspector:
    """The test songs of one finished fold, one at a time; works without a browser through `update`.

    Attributes
    ----------
    songs : the fold's song table: clip_id, label, one column a decider (class names)
    figure : left the song's curve, right its seven numbers per class
    shown : what the last `update` returned
    """

    def __init__(self, experiment: Experiment, fold: int) -> None:
        self.experiment, self.fold, self.classes = experiment, fold, experiment.classes
        self.songs = named_songs(experiment, fold)
        self._segments = experiment.folder.segments(fold).query("part == 'test'")
        self.figure, (self._left, self._right) = _figure(width_ratios=(3, 2))
        self.shown: dict[str, Any] = {}
        self.update(str(self.songs["clip_id"].iloc[0]))
        _freeze(self.figure)

    def choices(self, *, wrong_only: bool = False) -> list[tuple[str, str]]:
        """Return (text, clip id) of the songs, all or those that the SVM gets wrong."""
        table = self.songs[self.songs["svm"] != self.songs["label"]] if wrong_only else self.songs
        rows = table[["clip_id", "label", "svm"]].astype(str).to_numpy().tolist()
        return [(f"{clip}  {label}, SVM {'✔' if svm == label else '✘ ' + svm}", clip) for clip, label, svm in rows]

    def update(self, clip_id: str) -> dict[str, Any]:
        """Show a song; return clip_id, label, answers (decider → class) and features (DataFrame [K, 7])."""
        check_choice("clip_id", clip_id, list(self.songs["clip_id"]))
        rows = self._segments[self._segments["clip_id"] == clip_id]
        curve = rows.assign(centre_s=(rows["start_s"] + rows["end_s"]) / 2).reset_index(drop=True)
        song = self.songs[self.songs["clip_id"] == clip_id].iloc[0]
        p, theta = curve[list(self.classes)].to_numpy(), self.experiment.config.theta
        for ax in (self._left, self._right):
            ax.clear()
        plots_curve.emotion_curve(curve, self._left, room=0.25).set_title(clip_id)
        plots_songs.seven_numbers(p, self.classes, self._right, theta=theta)
        self.shown = {
            "clip_id": clip_id,
            "label": str(song["label"]),
            "answers": {name: str(song[name]) for name in DECIDERS},
            "features": plots_songs.feature_table(p, self.classes, theta=theta),
        }
        return self.shown

    def sentence(self) -> str:
        """Return label and answers as one line of HTML."""
        label = self.shown["label"]
        answers = (
            f"{ROW_TITLES[name]} <b>{answer}</b> {'✔' if answer == label else '✘'}"
            for name, answer in self.shown["answers"].items()
        )
        return f"{html.escape(self.shown['clip_id'])}, label <b>{label} {EMOTIONS[label]}</b>: {' · '.join(answers)}"

    def widget(self) -> Any:
        """Return the ipywidgets view: a song, a picture, a line with the answers."""
        import ipywidgets as w

        wide = w.Layout(width="32em")
        song = w.Dropdown(options=self.choices(), description="Song", layout=wide)
        wrong = w.Checkbox(value=False, description="only songs that the SVM gets wrong", indent=False)
        picture, words = w.Image(format="png"), w.HTML()
        picture.alt = "emotion curve of the song and its seven numbers per class"

        def refresh(_: Any = None) -> None:
            if song.value is not None:
                self.update(song.value)
                picture.value, words.value = _png(self.figure), self.sentence()

        def choose(_: Any = None) -> None:
            song.options = self.choices(wrong_only=wrong.value)

        song.observe(refresh, names="value")
        wrong.observe(choose, names="value")
        refresh()
        return w.VBox([w.HBox([song, wrong]), picture, words])


def named_songs(experiment: Experiment, fold: int) -> pd.DataFrame:
    """Return a finished fold's song table with class names; decides the songs if songs.csv lacks them."""
    file = experiment.folder.path / "songs.csv"
    if file.exists():
        table = pd.read_csv(file, dtype=str)
        table = table[table["fold"] == str(fold)].reset_index(drop=True)
        if len(table):
            return table
    _, songs = experiment.decide(fold)
    names = np.array(experiment.classes)
    for column in ("label", *DECIDERS):
        songs[column] = names[songs[column].to_numpy()]
    return songs


def inspect_songs(experiment: Experiment, fold: int) -> Any:
    """Return the widget that shows any test song's curve, seven numbers and answers.

    Notebook: 04_song_decisions
    """
    style.use()
    return SongInspector(experiment, fold).widget()


class CurveScrubber:
    """One song's curve with a mark on one segment, that segment's probabilities as bars, and its sound.

    Attributes
    ----------
    curve : from `runs.predict.predict_curve`
    samples : the song, float32 [n] at 22,050 Hz
    figure : left the curve with the segment marked, right its bars
    shown : what the last `update` returned
    """

    def __init__(self, curve: pd.DataFrame, samples: np.ndarray) -> None:
        self.curve, self.samples, self.classes = curve, samples, classes_of(curve)
        self.figure, (left, self._right) = _figure(width_ratios=(7, 3))
        plots_curve.emotion_curve(curve, left, room=0.2)
        self._mark = left.axvspan(0, 1, color=style.NEUTRAL, alpha=0.15, linewidth=0)
        self.shown: dict[str, Any] = {}
        self.update(0)
        _freeze(self.figure)

    def update(self, row: int) -> dict[str, Any]:
        """Show segment `row` (counted from 0); return start_s, end_s, leader and probabilities (class → share)."""
        check_choice("segment", row, range(len(self.curve)))
        at = self.curve.iloc[row]
        self._mark.set_x(at["start_s"])
        self._mark.set_width(at["end_s"] - at["start_s"])
        self._right.clear()
        plots_curve.probability_bars(self.curve, row, self._right)
        probabilities = {name: float(at[name]) for name in self.classes}
        leader = max(probabilities, key=lambda name: probabilities[name])
        self.shown = {"start_s": float(at["start_s"]), "end_s": float(at["end_s"]), "leader": leader}
        self.shown["probabilities"] = probabilities
        return self.shown

    def heard(self) -> np.ndarray:
        """Return the samples of the segment shown, float32 [n]."""
        return self.samples[round(self.shown["start_s"] * SAMPLE_RATE) : round(self.shown["end_s"] * SAMPLE_RATE)]

    def sentence(self) -> str:
        """Return what is shown in words."""
        shares = ", ".join(f"{name} {EMOTIONS[name]} {p:.0%}" for name, p in self.shown["probabilities"].items())
        return f"{self.shown['start_s']:g} to {self.shown['end_s']:g} s: {self.shown['leader']} leads ({shares})."

    def widget(self) -> Any:
        """Return the ipywidgets view: a slider over time, a picture, a sentence and a player."""
        import ipywidgets as w

        row = w.IntSlider(min=0, max=len(self.curve) - 1, description="Segment", layout=w.Layout(width="40em"))
        picture, words, player = w.Image(format="png"), w.HTML(), w.HTML()
        picture.alt = "emotion curve with the segment marked, and its probabilities"

        def refresh(_: Any = None) -> None:
            self.update(row.value)
            picture.value, words.value = _png(self.figure), self.sentence()
            label = f"{self.shown['start_s']:g} to {self.shown['end_s']:g} s"
            player.value = sound.audio_element(self.heard(), label=label)

        row.observe(refresh, names="value")
        refresh()
        return w.VBox([row, picture, words, player])


def scrub(curve: pd.DataFrame, samples: np.ndarray) -> Any:
    """Return the widget that walks through a song's segments, shows their probabilities and plays them.

    Notebook: 05_emotion_curve
    """
    style.use()
    return CurveScrubber(curve, samples).widget()


def _figure(*, width_ratios: tuple[int, int]) -> tuple[Figure, Any]:
    with plt.ioff():
        figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.2), width_ratios=width_ratios, dpi=80, layout="constrained")
    plt.close(figure)  # the browser owns it, pyplot need not
    return figure, axes


def _freeze(figure: Figure) -> None:
    """Find the layout once: later pictures take a third of the time."""
    figure.canvas.draw()
    figure.set_layout_engine("none")


def _png(figure: Figure) -> bytes:
    """Return the picture as PNG bytes, in half the time that `savefig` takes."""
    canvas, buffer = FigureCanvasAgg(figure), io.BytesIO()
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    Image.fromarray(pixels).convert("RGB").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
