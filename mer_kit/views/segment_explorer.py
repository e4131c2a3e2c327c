"""The segment explorer: segments of any clip at any duration, with picture, sound and counts.

Notebook: 01_segmentation
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import matplotlib as mpl
import numpy as np

from mer_kit.analysis import segmentation
from mer_kit.analysis.curve import truth_spans
from mer_kit.checks import MerKitError, check_range
from mer_kit.plots import style
from mer_kit.plots.picture import EmbeddedFigure
from mer_kit.plots.segments import FREQUENCIES, MEL_RANGE_DB, bands_of, mel_picture, staircase
from mer_kit.records import EMOTIONS
from mer_kit.runs.experiment import Experiment
from mer_kit.views import curve_data, html_fragments
from mer_kit.views.sound import SongSound, song_bytes
from mer_kit.views.view import Reply, View, still_picture

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
        self._settings: dict[str, Any] = {
            "task": experiment.config.task,
            "max_seconds": experiment.config.max_seconds,
        }
        self._counts: dict[float, segmentation.SegmentCounts] = {}

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
        clip = self._checked(clip)
        low, high = MEL_RANGE_DB
        levels = (np.asarray(self.store.values(clip), dtype=np.float32) - low) / (high - low)
        return np.asarray(np.rint(255 * levels.clip(0, 1)), dtype=np.uint8)

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
        if seconds not in self._counts:
            self._counts[seconds] = segmentation.count_segments(
                self.corpus, self.store.durations_s, seconds, **self._settings
            )
        own = segmentation.count_segments(*one, seconds, **self._settings)
        return {
            "clip": clip,
            "seconds": seconds,
            "start_s": index.start_s.tolist(),
            "start_frame": index.start_frame.tolist(),
            "n_frames": index.n_frames,
            "truth": None if truth is None else truth.tolist(),
            "of_clip": asdict(own),
            "of_corpus": asdict(self._counts[seconds]),
        }

    def open_clip(
        self, clip: int, *, max_bytes: int | None = None
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Return a clip's true labels, MIME type (or why it has no sound), pixels and sound.

        Raises
        ------
        MerKitError
            If there is no such clip.
        """
        clip = self._checked(clip)
        pixels = self.pixels(clip)
        spans = truth_spans(self.experiment, self.corpus.clips[clip].clip_id)
        reply: dict[str, Any] = {"clip": clip, "frames": len(pixels), "mime": "", "silence": ""}
        reply["truth"] = curve_data.records(spans, "leader")
        sound = SongSound(b"", "")
        options = {}
        if max_bytes is not None:
            options["max_bytes"] = max_bytes
        try:
            sound = song_bytes(self.corpus.clips[clip].path, **options)
        except MerKitError as error:
            reply["silence"] = f"No sound here: {error}."
        reply["mime"] = sound.mime
        return reply, [pixels.tobytes(), sound.data]

    def _on_clip(self, message: Mapping[str, Any]) -> Reply:
        """{"clip"} → a clip's pixels and sound."""
        return self.open_clip(self._checked(message.get("clip")))

    def _on_cut(self, message: Mapping[str, Any]) -> Reply:
        """{"clip", "seconds"} → a clip's segments of a duration."""
        clip = self._checked(message.get("clip"))
        return self.cut(clip, message.get("seconds")), []  # type: ignore[arg-type]  # cut checks it

    def data(self, *, step: float = STEP) -> dict[str, Any]:
        """Return what the view is built from, ready for JSON."""
        config, clips, classes = self.experiment.config, self.corpus.clips, self.experiment.classes
        n_bands = self.store.n_features
        bands = bands_of(FREQUENCIES, n_bands, self.store.frontend.sample_rate)
        colours = np.array(mpl.colormaps["magma"](np.arange(256)))[:, :3]
        palette = (colours * 255).round().astype(np.uint8)
        looks = [(name, *style.LOOK[name]) for name in classes]
        return {
            "title": self.corpus.title or self.corpus.name,
            "classes": [
                {
                    "name": name,
                    "word": EMOTIONS[name],
                    "colour": colour,
                    "ink": curve_data.ink(colour),
                }
                for name, colour, _ in looks
            ],
            "clips": [
                {
                    "id": clip.clip_id,
                    "who": " – ".join(part for part in (clip.artist, clip.title) if part),
                    "label": int(label),
                    "seconds": float(seconds),
                }
                for clip, label, seconds in zip(
                    clips, self.experiment.labels, self.store.durations_s, strict=True
                )
            ],
            "clip": self.clip,
            "seconds": self.own_s,
            "range": [*self.range_s, step],
            "max_seconds": config.max_seconds,
            "frame_s": 1 / self.store.frontend.frames_per_second,
            "bands": n_bands,
            "marks": [
                [hertz_text(hertz), band / n_bands]
                for hertz, band in zip(FREQUENCIES, bands, strict=True)
            ],
            "decibels": list(MEL_RANGE_DB),
            "palette": html_fragments.text(palette.tobytes()),
            "carried": None,
        }

    # ---- page ------------------------------------------------------------------------------------

    @property
    def page_title(self) -> str:
        """The heading of the explorer's page."""
        return f"Segments of {self.corpus.title or self.corpus.name}"

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
        data = self.data(step=PAGE_STEP)
        data["clip"] = self.clip if self.clip in chosen else chosen[0]
        shortest, longest = self.range_s
        steps = np.arange(shortest, longest + 1e-9, PAGE_STEP)
        durations = sorted({*(round(float(s), 3) for s in steps), self.own_s})
        carried: dict[str, Any] = {"clips": {}, "cuts": {}}
        for clip in chosen:
            opened, buffers = self.open_clip(clip, max_bytes=PAGE_SOUND_BYTES)
            carried["clips"][str(clip)] = opened | {"buffers": buffers}
            cuts = {f"{clip} {seconds:g}": self.cut(clip, seconds) for seconds in durations}
            carried["cuts"] |= cuts
        data["carried"] = carried
        return data

    def still(self, data: Mapping[str, Any]) -> str:
        """Return picture and sentence of the clip that is shown first."""
        clip, seconds = data["clip"], self.own_s
        one, cut, classes = (
            self.corpus.clips[clip],
            self.cut(clip, seconds),
            self.experiment.classes,
        )
        label = classes[self.experiment.labels[clip]]
        truth = None
        if cut["truth"] is not None:
            truth = [(*classes, label)[k] for k in cut["truth"]]  # −1, unknown: the last one
        picture = EmbeddedFigure(2, 1, size=(8.0, 5.2), height_ratios=[2, 3])
        mel_picture(self.store.values(clip), picture.axes[0], title=one.clip_id)
        staircase(np.array(cut["start_s"]), seconds, label, picture.axes[1], truth=truth)
        counts, wrong = cut["of_clip"], ""
        if counts["known"] is not None:
            wrong = f", {counts['wrong_percent']:.0f} % of them with a wrong label"
        alt = f"Log-mel of clip {one.clip_id} and the staircase of its segments"
        words = f"{one.clip_id}: {counts['segments']} segments of {seconds:g} s{wrong}."
        return still_picture(picture, alt, words)


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
