"""The segment explorer: any segment of any clip at any duration, to be seen, heard and counted.

Notebook: 01_segmentation
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from mer_kit.analysis import paper_fig2, segmentation
from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.plots import style
from mer_kit.plots.names import escaped
from mer_kit.plots.picture import EmbeddedFigure
from mer_kit.plots.segments import FREQUENCIES, MEL_RANGE_DB, bands_of, mel_picture, staircase
from mer_kit.records import EMOTIONS
from mer_kit.runs.experiment import Experiment
from mer_kit.views import curve_data, html_fragments, js
from mer_kit.views.sound import song_bytes

#: Seconds that a segment may last; the paper tries them all in whole steps.
SHORTEST, LONGEST, STEP = 1.0, 5.0, 0.1
#: D: a page without a kernel carries so many clips at most, its durations half a second apart.
MAX_CLIPS, PAGE_STEP = 6, 0.5
#: D: a clip's sound in a page takes at most so many bytes.
PAGE_SOUND_BYTES = 400_000


class SegmentExplorer:
    """The clips of an experiment, cut as whoever looks on pleases; works without a browser through `answer`.

    Parameters
    ----------
    experiment : whose corpus, log-mels and settings these are; nothing is trained
    clip : position of the clip that is shown first

    Raises
    ------
    MerKitError
        If there is no such clip.

    Notebook: 01_segmentation
    """

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
        """The run's own segment duration in whole milliseconds, as all durations are asked for here."""
        return round(float(self.experiment.config.segment_seconds), 3)

    @property
    def range_s(self) -> tuple[float, float]:
        """The shortest and the longest duration that can be chosen: 1 and 5 s, the run's own in any case."""
        own, limit = self.own_s, self.experiment.config.max_seconds
        return min(SHORTEST, own), max(LONGEST if limit is None else min(LONGEST, limit), own)

    # ---- what the browser asks for ---------------------------------------------------------------------------------

    def pixels(self, clip: int) -> np.ndarray:
        """Return a clip's log-mel as uint8 [frames, bands]: 0 is −60 dB and darkest, 255 is 30 dB and brightest."""
        clip = self._checked(clip)
        low, high = MEL_RANGE_DB
        shares = (np.asarray(self.store.values(clip), dtype=np.float32) - low) / (high - low)
        return np.asarray(np.rint(255 * shares.clip(0, 1)), dtype=np.uint8)

    def cut(self, clip: int, seconds: float) -> dict[str, Any]:
        """Return one clip's segments at a duration as plain data: starts, frames, truths, and both tolls.

        Raises
        ------
        MerKitError
            If there is no such clip, or the duration lies outside `range_s`.
        """
        clip = self._checked(clip)
        # Rounded before it is compared: the run's own duration may end in thirds, and its bound is rounded too.
        seconds = float(
            check_range("seconds", round(check_range("seconds", seconds), 3), *self.range_s)
        )
        cut = segmentation.segment_clip(
            self.corpus, self.store.durations_s, clip, seconds, **self._settings
        )
        if seconds not in self._counts:
            self._counts[seconds] = segmentation.count_segments(
                self.corpus, self.store.durations_s, seconds, **self._settings
            )
        own = segmentation.count_segments(
            self.corpus.select([clip]), self.store.durations_s[[clip]], seconds, **self._settings
        )
        return {
            "clip": clip,
            "seconds": seconds,
            "start_s": cut.index.start_s.tolist(),
            "start_frame": cut.index.start_frame.tolist(),
            "n_frames": cut.index.n_frames,
            "truth": None if cut.truth is None else cut.truth.tolist(),
            "of_clip": asdict(own),
            "of_corpus": asdict(self._counts[seconds]),
        }

    def open_clip(
        self, clip: int, *, max_bytes: int | None = None
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Return what a clip is (its true stretches, its sound's MIME type or why there is none), its pixels and sound.

        Raises
        ------
        MerKitError
            If there is no such clip.
        """
        clip = self._checked(clip)
        pixels = self.pixels(clip)
        spans = paper_fig2.truth_spans(self.experiment, self.corpus.clips[clip].clip_id)
        told: dict[str, Any] = {"clip": clip, "frames": len(pixels), "mime": "", "silence": ""}
        told["truth"] = curve_data.records(spans, "leader")
        sound, path = b"", self.corpus.clips[clip].path
        try:
            heard = song_bytes(path) if max_bytes is None else song_bytes(path, max_bytes=max_bytes)
            sound, told["mime"] = heard.data, heard.mime
        except MerKitError as error:
            told["silence"] = f"No sound here: {error}."
        return told, [pixels.tobytes(), sound]

    def answer(self, message: Any) -> tuple[dict[str, Any], list[bytes]]:
        """Return the reply to one message of the browser and the bytes that go with it.

        {"kind": "clip", "clip"} → a clip's pixels and sound; {"kind": "cut", "clip", "seconds"} → its segments. What
        cannot be answered is "sorry", why, and to which message.
        """
        try:
            if not isinstance(message, Mapping):
                raise MerKitError(
                    f"message is {type(message).__name__}, expected an object with a kind: reload the view"
                )
            kind = check_choice("kind", message.get("kind"), ("clip", "cut"))
            clip = self._checked(message.get("clip"))
            if kind == "clip":
                reply, buffers = self.open_clip(clip)
            else:
                reply, buffers = self.cut(clip, message.get("seconds")), []  # type: ignore[arg-type]  # cut checks it
        except MerKitError as error:
            return {"kind": "sorry", "text": str(error), "to": message}, []
        return {"kind": kind, **reply}, buffers

    def data(self, *, step: float = STEP) -> dict[str, Any]:
        """Return what the view is built from, ready for JSON."""
        config, clips, classes = self.experiment.config, self.corpus.clips, self.experiment.classes
        n_bands = self.store.n_features
        looks = [(name, *style.LOOK[name]) for name in classes]
        return {
            "title": self.corpus.title or self.corpus.name,
            "classes": [
                {"name": name, "word": EMOTIONS[name], "colour": colour, "ink": curve_data.ink(colour)}
                for name, colour, _ in looks
            ],
            "clips": [
                {
                    "id": clip.clip_id,
                    "who": " – ".join(part for part in (clip.artist, clip.title) if part),
                    "label": int(label),
                    "seconds": float(seconds),
                }
                for clip, label, seconds in zip(clips, self.experiment.labels, self.store.durations_s, strict=True)
            ],
            "clip": self.clip,
            "seconds": self.own_s,
            "range": [*self.range_s, step],
            "max_seconds": config.max_seconds,
            "frame_s": 1 / self.store.frontend.frames_per_second,
            "bands": n_bands,
            "marks": [
                [f"{hertz / 1000:.2g} kHz" if hertz >= 1000 else f"{hertz} Hz", band / n_bands]
                for hertz, band in zip(FREQUENCIES, bands_of(FREQUENCIES, n_bands, self.store.frontend.sample_rate), strict=True)
            ],
            "decibels": list(MEL_RANGE_DB),
            "palette": html_fragments.text(
                (np.array(mpl.colormaps["magma"](np.arange(256)))[:, :3] * 255).round().astype(np.uint8).tobytes()
            ),
            "carried": None,
        }  # fmt: skip

    # ---- the three ways to show it ---------------------------------------------------------------------------------

    def widget(self) -> Any:
        """Return the view for a notebook with a kernel, which is asked for each clip and each duration."""
        return js.widget("explorer", self.data(), answer=self.answer)

    def fragment(self, clips: Sequence[int] = ()) -> str:
        """Return the view as HTML for a page without a kernel: a picture and a sentence, then the script.

        Parameters
        ----------
        clips : positions of the clips that go with it, at most 6; the one shown first if none is named

        Raises
        ------
        MerKitError
            If there are too many clips or one does not exist.
        """
        chosen = list(dict.fromkeys(int(clip) for clip in clips)) or [self.clip]
        if len(chosen) > MAX_CLIPS:
            raise MerKitError(
                f"{len(chosen)} clips were named, expected at most {MAX_CLIPS} in a page: name fewer"
            )
        data = self.data(step=PAGE_STEP)
        data["clip"] = self.clip if self.clip in chosen else chosen[0]
        shortest, longest = self.range_s
        steps = np.arange(shortest, longest + 1e-9, PAGE_STEP)
        durations = sorted({*(round(float(s), 3) for s in steps), self.own_s})
        carried: dict[str, Any] = {"clips": {}, "cuts": {}}
        for clip in chosen:
            told, buffers = self.open_clip(clip, max_bytes=PAGE_SOUND_BYTES)
            carried["clips"][str(clip)] = told | {
                "buffers": [html_fragments.text(data) for data in buffers]
            }
            carried["cuts"] |= {
                f"{clip} {seconds:g}": self.cut(clip, seconds) for seconds in durations
            }
        data["carried"] = carried
        return html_fragments.fragment("explorer", data, self._still(data["clip"]))

    def to_html(self, path: str | Path | None = None, *, clips: Sequence[int] = ()) -> str:
        """Return one page that needs nothing else, and write it to `path` if one is given.

        Notebook: 01_segmentation
        """
        return html_fragments.kept(
            html_fragments.page(
                f"Segments of {self.corpus.title or self.corpus.name}", self.fragment(clips)
            ),
            path,
        )

    def _still(self, clip: int) -> str:
        """Return picture and sentence for those without scripts."""
        one, seconds = self.corpus.clips[clip], self.own_s
        cut, classes = self.cut(clip, seconds), self.experiment.classes
        label = classes[self.experiment.labels[clip]]
        truth = (
            None
            if cut["truth"] is None
            else [classes[k] if k >= 0 else label for k in cut["truth"]]
        )
        picture = EmbeddedFigure(2, 1, size=(8.0, 5.2), height_ratios=[2, 3])
        mel_picture(self.store.values(clip), picture.axes[0], title=one.clip_id)
        staircase(np.array(cut["start_s"]), seconds, label, picture.axes[1], truth=truth)
        alt = escaped(f"Log-mel of clip {one.clip_id} and the staircase of its segments")
        toll = cut["of_clip"]
        wrong = (
            ""
            if toll["known"] is None
            else f", {toll['wrong_percent']:.0f} % of them with a wrong label"
        )
        words = escaped(f"{one.clip_id}: {toll['segments']} segments of {seconds:g} s{wrong}.")
        return f'<img alt="{alt}" src="data:image/png;base64,{html_fragments.text(picture.png())}"><p>{words}</p>'
