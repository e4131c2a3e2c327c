"""The player: a song's probability curves with its sound, for notebooks and web pages.

Notebook: 05_emotion_curve
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import traitlets

from mer_kit.analysis.curve import classes_of, leaders
from mer_kit.plots import style
from mer_kit.plots.curve import alt_text, curve_figure
from mer_kit.plots.names import escaped
from mer_kit.records import with_word
from mer_kit.views import curve_data as parts
from mer_kit.views import html_fragments
from mer_kit.views.sound import MAX_SONG_BYTES, SongSound, song_or_reason
from mer_kit.views.view import Position, View, class_entries


class _Sides(traitlets.HasTraits):
    """The traits that the browser and the kernel share."""

    sound = traitlets.Bytes().tag(sync=True)
    mime = traitlets.Unicode().tag(sync=True)
    selected = Position(lambda view: len(view.data["start_s"])).tag(sync=True)


class CurvePlayer(View, traitlets.HasTraits):
    """A song's curve, or two methods' curves, with its sound; works without a browser.

    Attributes
    ----------
    selected : the chosen segment, counted from 0; the same in this object and in all its views
        (`observe` reports changes from both sides)
    curves : name → curve, one or two
    sound : the song as it is embedded in a page, or None
    silence : why there is no sound, or ""

    Parameters
    ----------
    curves : from `analysis.predict.predict_curve`: one, or two of the same song and task by name,
        the first drawn stronger
    song : its audio file; None, a file that is too long or one that cannot be read leave the player
        without sound
    truth : the true spans (start_s, end_s, leader) from `analysis.curve.truth_spans`, where
        known
    rejected : the spans (start_s, end_s) whose label a training rejects, from
        `curve_data.rejected_spans`
    label : the song's inherited label, a class
    title : "" takes the song's name from the curve
    max_bytes : the largest size of the sound

    Raises
    ------
    MerKitError
        If there are no or more than two curves, or they are not of the same segments and classes.

    Notebook: 05_emotion_curve
    """

    module, sides = "player", (_Sides,)
    selected = Position(lambda player: len(player.curve))

    def __init__(
        self,
        curves: pd.DataFrame | Mapping[str, pd.DataFrame],
        song: str | Path | None = None,
        *,
        truth: pd.DataFrame | None = None,
        rejected: pd.DataFrame | None = None,
        label: str | None = None,
        title: str = "",
        max_bytes: int = MAX_SONG_BYTES,
    ) -> None:
        super().__init__()
        self.curves = {"curve": curves} if isinstance(curves, pd.DataFrame) else dict(curves)
        parts.check_curves(self.curves)
        self.curve = next(iter(self.curves.values()))
        self.classes = classes_of(self.curve)
        self.truth, self.rejected, self.label = truth, rejected, label
        self.title = title or str(self.curve.attrs.get("song", "song"))
        self.page_title = f"{self.title}: emotion curve"
        sound, self.silence = SongSound(b"", ""), "No sound was given with this curve."
        if song is not None:
            sound, self.silence = song_or_reason(song, max_bytes=max_bytes)
        self.sound = sound if sound.data else None

    @property
    def segment(self) -> dict[str, Any]:
        """The chosen segment: start_s, end_s, leader and probabilities (class → probability)."""
        row = self.curve.iloc[self.selected]
        shares = row[self.classes].astype(float)
        span = {"start_s": row["start_s"], "end_s": row["end_s"]}
        return {**span, "leader": shares.idxmax(), "probabilities": shares.to_dict()}

    def sentence(self) -> str:
        """Return the sentence about the chosen segment that the view announces."""
        chosen, shares = self.segment, self.segment["probabilities"]
        start, end = float(chosen["start_s"]), float(chosen["end_s"])
        first, *others = sorted(shares, key=lambda name: -round(shares[name], parts.DIGITS))
        rest = [f"{with_word(name)} {parts.percent(shares[name])}" for name in others]
        lead = f"{with_word(first)} leads, {parts.percent(shares[first])}"
        text = f"{parts.short(start)} to {parts.short(end)} s: {lead}; {', '.join(rest)}."
        for method, curve in list(self.curves.items())[1:]:
            row = curve[self.classes].iloc[self.selected].round(parts.DIGITS)
            best, share = str(row.idxmax()), parts.percent(row.max())
            text += f" By {method} {with_word(best)} leads, {share}."
        spans = parts.records(self.truth, "leader") or []
        true = [span["leader"] for span in spans if parts.overlap(span, start, end) > 1e-6]
        if true:
            text += f" Truth: {', '.join(dict.fromkeys(true))}."
        lost = sum(parts.overlap(s, start, end) for s in parts.records(self.rejected) or [])
        if lost > 1e-6:
            text += f" Label rejected for {parts.short(lost)} of {parts.short(end - start)} s."
        if "tags" in self.curve:
            text += f" Tags: {self.curve['tags'].iloc[self.selected]}."
        return text

    def data(self) -> dict[str, Any]:
        """Return everything that the view shows, ready for JSON; the sound is sent separately."""
        return {
            "title": self.title,
            "label": f"label {with_word(self.label)}" if self.label else "",
            "alt": alt_text(self.curve, truth=self.truth),
            "classes": class_entries(self.classes),
            "curves": [
                {
                    "name": name,
                    "probabilities": np.round(
                        curve[self.classes].to_numpy(dtype=float), parts.DIGITS
                    ).tolist(),
                    "leaders": parts.records(leaders(curve), "leader"),
                }
                for name, curve in self.curves.items()
            ],
            "start_s": self.curve["start_s"].astype(float).tolist(),
            "end_s": self.curve["end_s"].astype(float).tolist(),
            "truth": parts.records(self.truth, "leader"),
            "rejected": parts.records(self.rejected),
            "tags": list(self.curve.get("tags", [])),
            "note": self.curve.attrs.get("frontend_note", ""),
            "audio": None,
            "silence": self.silence,
            "selected": self.selected,
        }

    def widget(self, **values: Any) -> Any:
        """Return the view for a notebook with a kernel, linked to this player's `selected`."""
        sound = self.sound or SongSound(b"", "")
        view = super().widget(sound=sound.data, mime=sound.mime, selected=self.selected, **values)
        traitlets.link((self, "selected"), (view, "selected"))
        return view

    def _repr_html_(self) -> str:
        """Return what a notebook shows of a player: the view that needs no kernel."""
        return self.fragment()

    def save(self, path: str | Path, *, note: str = "") -> Path:
        """Write `to_html()` to a file and return its path."""
        self.to_html(path, note=note)
        return Path(path)

    def still(self, data: Mapping[str, Any]) -> str:
        """Return the picture with its description, and the sound."""
        with plt.rc_context(), plt.ioff():
            style.use()
            figure = curve_figure(self.curve, truth=self.truth, label=self.label, title=self.title)
            buffer = io.BytesIO()
            style.render(
                figure, buffer, format="svg", metadata={"Date": None, "Creator": "mer-kit"}
            )
            plt.close(figure)
        picture = f"data:image/svg+xml;base64,{html_fragments.text(buffer.getvalue())}"
        still = f'<img alt="{escaped(data["alt"])}" src="{picture}">'
        if data["note"]:
            still += f"<p>{escaped(data['note'])}.</p>"
        if self.sound is None:
            return f"{still}<p>{escaped(self.silence)}</p>"
        return (
            f'{still}<audio controls="" preload="metadata" aria-label="{escaped(self.title)}" '
            f'src="{self.sound.address}"></audio>'
        )
