"""Choose a clip and one of its segments: see where it lies, see its log-mel, hear it.

Notebook: 01_segmentation
"""

from __future__ import annotations

import base64
import html
import io
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from mer_kit.checks import check_choice
from mer_kit.records import EMOTIONS
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.truth import segment_truth
from mer_kit.show import plots_segments, sound, style


class SegmentBrowser:
    """A picture and a player for any segment of an experiment; works without a browser through `update`.

    Attributes
    ----------
    figure : left the clip's log-mel with the segment marked, right the segment's own
    shown : what the last `update` returned
    """

    def __init__(self, experiment: Experiment) -> None:
        self.corpus, self.store, self.index = experiment.corpus, experiment.store, experiment.index
        self.classes, self.labels = experiment.classes, experiment.labels
        index = self.index
        self.truth = segment_truth(self.corpus, index.clip, index.start_s, index.end_s, task=experiment.config.task)
        with plt.ioff():
            self.figure, (self._left, self._right) = plt.subplots(
                1, 2, figsize=(9.0, 2.6), width_ratios=(3, 2), sharey=True, dpi=80, layout="constrained"
            )
        plt.close(self.figure)  # the browser owns it, pyplot need not
        self._clip = -1
        self.shown: dict[str, Any] = {}
        self.update(0, 0)
        self.figure.canvas.draw()
        self.figure.set_layout_engine("none")  # the layout is found once: later pictures take a third of the time

    def segments_of(self, clip: int) -> int:
        """Return how many segments the clip at this position has."""
        return int((self.index.clip == clip).sum())

    def update(self, clip: int, number: int) -> dict[str, Any]:
        """Show segment `number` of the clip at position `clip`; return clip_id, start_s, end_s, label, truth, mel.

        `truth` is None where the corpus knows none. `mel` is float16 [frames, bands] in dB.
        """
        check_choice("clip", clip, range(len(self.corpus.clips)))
        rows = np.flatnonzero(self.index.clip == clip)
        row = int(rows[check_choice("segment", number, range(len(rows)))])
        start = float(self.index.start_s[row])
        first = int(self.index.start_frame[row])
        mel = self.store.mel(clip)[first : first + self.index.n_frames]
        if clip != self._clip:
            self._draw_clip(clip)
        self._draw_segment(mel, start)
        known = self.truth is not None and self.truth[row] >= 0
        self.shown = {
            "clip_id": self.corpus.clips[clip].clip_id,
            "start_s": start,
            "end_s": start + self.index.segment_seconds,
            "label": self.classes[self.labels[clip]],
            "truth": self.classes[self.truth[row]] if known and self.truth is not None else None,
            "mel": mel,
        }
        return self.shown

    def _draw_clip(self, clip: int) -> None:
        self._left.clear()
        plots_segments.mel_picture(self.store.mel(clip), self._left, title=self.corpus.clips[clip].clip_id)
        self._mark = self._left.axvspan(0, 1, facecolor="none", edgecolor="white", linewidth=2)
        self._clip = clip

    def _draw_segment(self, mel: np.ndarray, start: float) -> None:
        self._mark.set_x(start)
        self._mark.set_width(self.index.segment_seconds)
        self._right.clear()
        plots_segments.mel_picture(
            mel, self._right, start_s=start, title=f"{start:g}–{start + self.index.segment_seconds:g} s"
        )
        self._right.tick_params(labelleft=False)

    def png(self) -> bytes:
        """Return the picture as PNG bytes."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=80, pil_kwargs={"compress_level": 1})
        return buffer.getvalue()

    def image(self) -> str:
        """Return the picture as an HTML image whose alt text says which clip and segment it shows."""
        says = self.shown
        clip = html.escape(says["clip_id"], quote=True)
        alt = (
            f"Log-mel of clip {clip} with {says['start_s']:g} to {says['end_s']:g} s marked, and that segment enlarged"
        )
        data = base64.b64encode(self.png()).decode("ascii")
        return f'<img style="max-width:100%;height:auto" alt="{alt}" src="data:image/png;base64,{data}">'

    def sentence(self) -> str:
        """Return what is shown as one sentence of HTML."""
        says = self.shown
        text = f"inherits <b>{says['label']} {EMOTIONS[says['label']]}</b>"
        if says["truth"] is not None:
            same = (
                "which is true of it"
                if says["truth"] == says["label"]
                else f"but is {says['truth']} {EMOTIONS[says['truth']]}"
            )
            text += f", {same}"
        return f"{html.escape(says['clip_id'])}, {says['start_s']:g} to {says['end_s']:g} s, {text}."

    def player(self) -> str:
        """Return the HTML of the player for what is shown."""
        says = self.shown
        y = sound.segment_audio(self.corpus.clips[self._clip], says["start_s"], self.index.segment_seconds)
        return sound.audio_element(y, label=f"{says['clip_id']}, {says['start_s']:g} to {says['end_s']:g} s")

    def widget(self) -> Any:
        """Return the ipywidgets view: a clip, a segment, a picture, a sentence and a player."""
        import ipywidgets as w

        names = [self._name(position) for position in range(len(self.corpus.clips))]
        wide = w.Layout(width="32em")
        clip = w.Dropdown(options=list(zip(names, range(len(names)), strict=True)), description="Clip", layout=wide)
        number = w.IntSlider(min=0, max=self.segments_of(0) - 1, description="Segment", layout=wide)
        picture, words, player = w.HTML(), w.HTML(), w.HTML()  # w.Image knows no alt text

        def refresh(_: Any = None) -> None:
            number.max = self.segments_of(clip.value) - 1
            self.update(clip.value, number.value)
            picture.value, words.value, player.value = self.image(), self.sentence(), self.player()

        for control in (clip, number):
            control.observe(refresh, names="value")
        refresh()
        return w.VBox([clip, number, picture, words, player])

    def _name(self, position: int) -> str:
        clip = self.corpus.clips[position]
        who = " – ".join(part for part in (clip.artist, clip.title) if part)
        label = self.classes[self.labels[position]]
        return f"{clip.clip_id} ({label})" + (f" {who}" if who else "")


def browse(experiment: Experiment) -> Any:
    """Return the widget with which a person walks through clips and segments.

    Notebook: 01_segmentation
    """
    style.use()
    return SegmentBrowser(experiment).widget()
