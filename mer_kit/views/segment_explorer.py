"""The segment explorer: segments of any clip at any duration, with picture, sound and counts.

Notebook: 01_segmentation
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mer_kit.analysis import segmentation
from mer_kit.analysis.curve import truth_spans
from mer_kit.checks import MerKitError, check_range
from mer_kit.plots.picture import EmbeddedFigure
from mer_kit.plots.segments import FREQUENCIES, MEL_RANGE_DB, bands_of, mel_picture, staircase
from mer_kit.runs.experiment import Experiment
from mer_kit.views import curve_data, html_fragments
from mer_kit.views.sound import MAX_SONG_BYTES, song_or_reason
from mer_kit.views.view import (
    Reply,
    View,
    class_entries,
    credit,
    levels,
    palette,
    still_picture,
)  # fmt: skip

#: Seconds that a segment may last; the paper tries them all in whole steps.
SHORTEST, LONGEST, STEP = 1.0, 5.0, 0.1
#: D: a page without a kernel carries at most this many clips; its durations are half a second
#: apart.
MAX_CLIPS, PAGE_STEP = 6, 0.5
#: D: the most bytes of a clip's sound in a page.
PAGE_SOUND_BYTES = 400_000


class SegmentExplorer(View):
    """An experiment's clips in segments of any duration; works without a browser by `answer`.

    Parameters
    ----------
    experiment : provides corpus, log-mels and settings; nothing is trained
    clip : position of the clip that is shown first

    Raises
    ------
    MerKitError
        If there is no such clip.

    Notebook: 01_segmentation
    """

    module = "explorer"

    def __init__(self, experiment: Experiment, *, clip: int = 0) -> None:
        self.experiment, self.corpus, self.store = experiment, experiment.corpus, experiment.logmel
        self.clip = self._checked(clip)
        self.title = self.corpus.title or self.corpus.name
        self.page_title = f"Segments of {self.title}"
        self._settings: dict[str, Any] = {
            "task": experiment.config.task,
            "max_seconds": experiment.config.max_seconds,
        }
        self._count = functools.cache(  # of the whole corpus, at a duration
            functools.partial(
                segmentation.count_segments, self.corpus, self.store.durations_s, **self._settings
            )
        )

    def _checked(self, clip: Any) -> int:
        return int(check_range("clip", clip, 0, len(self.corpus.clips) - 1, whole=True))

    @property
    def own_s(self) -> float:
        """The run's own segment duration, rounded to milliseconds like all durations here."""
        return round(float(self.experiment.config.segment_seconds), 3)

    @property
    def range_s(self) -> tuple[float, float]:
        """The shortest and longest duration: 1 and 5 s, extended to include the run's own."""
        own, limit = self.own_s, self.experiment.config.max_seconds or LONGEST
        return min(SHORTEST, own), max(min(LONGEST, limit), own)

    # ---- answers to the browser ------------------------------------------------------------------

    def pixels(self, clip: int) -> np.ndarray:
        """Return a clip's log-mel as uint8 [frames, bands]: 0 is −60 dB, 255 is 30 dB."""
        return levels(self.store.values(self._checked(clip)))

    def cut(self, clip: int, seconds: float) -> dict[str, Any]:
        """Return a clip's segments at a duration: starts, frames, truth, and counts.

        Raises
        ------
        MerKitError
            If there is no such clip, or the duration lies outside `range_s`.
        """
        clip = self._checked(clip)
        # Rounded before it is compared: `range_s` is rounded too.
        seconds = float(
            check_range("seconds", round(check_range("seconds", seconds), 3), *self.range_s)
        )
        one = (self.corpus.select([clip]), self.store.durations_s[[clip]])
        index, truth = segmentation.segment(*one, seconds, **self._settings)
        return {
            "clip": clip,
            "seconds": seconds,
            "start_s": index.start_s.tolist(),
            "start_frame": index.start_frame.tolist(),
            "n_frames": index.n_frames,
            "truth": None if truth is None else truth.tolist(),
            "of_clip": asdict(segmentation.count_segments(*one, seconds, **self._settings)),
            "of_corpus": asdict(self._count(seconds)),
        }

    def open_clip(
        self, clip: int, *, max_bytes: int = MAX_SONG_BYTES
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Return a clip's true labels, MIME type (or why it has no sound), pixels and sound.

        Raises
        ------
        MerKitError
            If there is no such clip.
        """
        clip = self._checked(clip)
        pixels, one = self.pixels(clip), self.corpus.clips[clip]
        sound, silence = song_or_reason(one.path, max_bytes=max_bytes)
        reply = {
            "clip": clip,
            "frames": len(pixels),
            "mime": sound.mime,
            "silence": silence,
            "truth": curve_data.records(truth_spans(self.experiment, one.clip_id), "leader"),
        }
        return reply, [pixels.tobytes(), sound.data]

    def _on_clip(self, message: Mapping[str, Any]) -> Reply:
        """{"clip"} → a clip's pixels and sound."""
        return self.open_clip(message.get("clip"))  # type: ignore[arg-type]  # it checks it

    def _on_cut(self, message: Mapping[str, Any]) -> Reply:
        """{"clip", "seconds"} → a clip's segments of a duration."""
        return self.cut(message.get("clip"), message.get("seconds")), []  # type: ignore[arg-type]

    def data(self, *, step: float = STEP) -> dict[str, Any]:
        """Return what the view is built from, ready for JSON."""
        n_bands, frontend = self.store.n_features, self.store.frontend
        bands = bands_of(FREQUENCIES, n_bands, frontend.sample_rate)
        return {
            "title": self.title,
            "classes": class_entries(self.experiment.classes),
            "clips": [
                {
                    "id": clip.clip_id,
                    "who": credit(clip),
                    "label": int(label),
                    "seconds": float(seconds),
                }
                for clip, label, seconds in zip(
                    self.corpus.clips, self.experiment.labels, self.store.durations_s, strict=True
                )
            ],
            "clip": self.clip,
            "seconds": self.own_s,
            "range": [*self.range_s, step],
            "max_seconds": self.experiment.config.max_seconds,
            "frame_s": 1 / frontend.frames_per_second,
            "bands": n_bands,
            "marks": [
                [hertz_text(hertz), band / n_bands]
                for hertz, band in zip(FREQUENCIES, bands, strict=True)
            ],
            "decibels": list(MEL_RANGE_DB),
            "palette": html_fragments.text(palette()),
            "carried": None,
        }

    # ---- page ------------------------------------------------------------------------------------

    def page_data(self, clips: Sequence[int] = ()) -> dict[str, Any]:
        """Return `data` with some clips and their segments at durations half a second apart.

        Parameters
        ----------
        clips : positions of at most 6 clips; the one shown first if none is named

        Raises
        ------
        MerKitError
            If there are too many clips or one does not exist.
        """
        chosen = list(dict.fromkeys(int(clip) for clip in clips)) or [self.clip]
        if len(chosen) > MAX_CLIPS:
            raise MerKitError(
                f"{len(chosen)} clips were named, expected at most {MAX_CLIPS} in a page: "
                "name fewer"
            )
        shortest, longest = self.range_s
        steps = np.arange(shortest, longest + 1e-9, PAGE_STEP).round(3).tolist()
        durations = sorted({*steps, self.own_s})
        carried: dict[str, Any] = {"clips": {}, "cuts": {}}
        for clip in chosen:
            opened, buffers = self.open_clip(clip, max_bytes=PAGE_SOUND_BYTES)
            carried["clips"][str(clip)] = opened | {"buffers": buffers}
            carried["cuts"] |= {
                f"{clip} {seconds:g}": self.cut(clip, seconds) for seconds in durations
            }
        shown = next((clip for clip in chosen if clip == self.clip), chosen[0])
        return self.data(step=PAGE_STEP) | {"clip": shown, "carried": carried}

    def still(self, data: Mapping[str, Any]) -> str:
        """Return picture and sentence of the clip that is shown first."""
        clip, seconds = data["clip"], self.own_s
        name, cut = self.corpus.clips[clip].clip_id, self.cut(clip, seconds)
        label = self.experiment.classes[self.experiment.labels[clip]]
        truth = None
        if cut["truth"] is not None:  # −1, unknown: the last one
            truth = [(*self.experiment.classes, label)[k] for k in cut["truth"]]
        picture = EmbeddedFigure(2, 1, size=(8.0, 5.2), height_ratios=[2, 3])
        mel_picture(self.store.values(clip), picture.axes[0], title=name)
        classes = self.experiment.classes
        start_s, ax = np.array(cut["start_s"]), picture.axes[1]
        staircase(start_s, seconds, label, ax, truth=truth, classes=classes)
        counts = cut["of_clip"]
        words = f"{name}: {counts['segments']} segments of {seconds:g} s"
        if counts["known"] is not None:
            words += f", {counts['wrong_percent']:.0f} % of them with a wrong label"
        return still_picture(
            picture, f"Log-mel of clip {name} and the staircase of its segments", f"{words}."
        )


def hertz_text(hertz: float) -> str:
    """Return a frequency with its unit.

    Examples
    --------
    >>> hertz_text(500), hertz_text(2000)
    ('500 Hz', '2 kHz')
    """
    if hertz < 1000:
        return f"{hertz} Hz"
    return f"{hertz / 1000:.2g} kHz"
