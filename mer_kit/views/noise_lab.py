"""The noise lab: the loss histogram, both Gaussians, τ, X and U in the hands of whoever looks on, and their sound.

What moves with every hand (τ, the brush, counts, ROC) is computed in the browser, from exactly the numbers that the
training had: the archived float16 probability of each inherited label, and the fitted mixtures.

Notebook: 02_noisy_labels
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit import plots
from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.plots.names import escaped
from mer_kit.plots.picture import EmbeddedFigure
from mer_kit.views import html_fragments, js, sound
from mer_kit.views.noise_lab_data import AT_ONCE_BYTES, LabData

#: D: sounds that a page without a kernel carries, and the seconds of each.
MAX_SOUNDS, MAX_SOUND_SECONDS = 40, 3.0


class NoiseLab(LabData):
    """One fold's evaluation passes to play with; works without a browser through `answer`.

    Parameters
    ----------
    experiment : whose classes, clips and sounds these are
    passes : what `analysis.passes.read_passes` returns. E passes, S segments
    after_epoch : the pass that is shown first; the one that decided last if None

    Raises
    ------
    MerKitError
        If there is no such pass.

    Notebook: 02_noisy_labels
    """

    # ---- sound -----------------------------------------------------------------------------------------------------

    def play(self, row: int) -> tuple[bytes, str]:
        """Return the sound of one segment and its MIME type.

        Raises
        ------
        MerKitError
            If there is no such row, or its file cannot be decoded.
        """
        return sound.wav_bytes(self._samples(row, sound.MAX_SECONDS)), "audio/wav"

    def _samples(self, row: int, most_seconds: float) -> np.ndarray:
        check_range("row", row, 0, len(self.passes.labels) - 1, whole=True)
        clip = self.experiment.corpus.clips[int(self.passes.clip[int(row)])]
        seconds = min(self.experiment.config.segment_seconds, most_seconds)
        return sound.segment_audio(clip, float(self.passes.start_s[int(row)]), seconds)

    def doubtful(self, n: int = MAX_SOUNDS) -> list[int]:
        """Return the rows with the largest losses in the pass shown first, every song once before any comes twice."""
        check_range("n", n, 0, MAX_SOUNDS, whole=True)
        loss = self.passes.losses[self.after_epoch - 1]
        table = pd.DataFrame({"clip": self.passes.clip, "loss": loss}).sort_values(
            "loss", ascending=False, kind="stable"
        )
        turn = table.groupby("clip", sort=False).cumcount()
        return [
            int(row) for row in table.assign(turn=turn).sort_values("turn", kind="stable").index[:n]
        ]

    # ---- the three ways to show it ---------------------------------------------------------------------------------

    def answer(self, message: Any) -> tuple[dict[str, Any], list[bytes]]:
        """Return the reply to one message of the browser and the bytes that go with it.

        {"kind": "play", "row"} → sound; {"kind": "fit", "after", "per_class"} → mixtures; {"kind": "pass", "after"} →
        one pass; {"kind": "trace", "row"} → one segment in all passes. What cannot be answered is "sorry", why, and
        to which message.
        """
        try:
            if not isinstance(message, Mapping):
                raise MerKitError(
                    f"message is {type(message).__name__}, expected an object with a kind: reload the view"
                )
            kind = check_choice("kind", message.get("kind"), ("play", "fit", "pass", "trace"))
            reply, buffers = getattr(self, f"_on_{kind}")(message)
        except MerKitError as error:
            return {"kind": "sorry", "text": str(error), "to": message}, []
        return {"kind": kind, **reply}, buffers

    def _on_play(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        data, mime = self.play(message.get("row"))  # type: ignore[arg-type]  # play checks it
        return {"row": message["row"], "mime": mime}, [data]

    def _on_fit(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        per_class = bool(check_choice("per_class", message.get("per_class"), (True, False)))
        mixtures = self.fit(message.get("after"), per_class=per_class)  # type: ignore[arg-type]
        return {"after": message["after"], "per_class": per_class, "mixtures": mixtures}, []

    def _on_pass(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        one = self.pass_bytes(message.get("after"))  # type: ignore[arg-type]
        return {"after": message["after"]}, [one["p"], one["model"]]

    def _on_trace(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        row = int(
            check_range("row", message.get("row"), 0, len(self.passes.labels) - 1, whole=True)
        )
        own = self.passes.probabilities[:, row, self.passes.labels[row]]
        return {"row": row}, [own.astype("<f2").tobytes()]

    def widget(self) -> Any:
        """Return the anywidget view; sounds and mixtures that are not there yet are asked from this kernel."""
        return js.widget("noise_lab", self.data(), answer=self.answer)

    def fragment(self, *, sounds: int = MAX_SOUNDS) -> str:
        """Return HTML for a page without a kernel: a picture and a sentence, which a script turns into the lab.

        The sounds of the `sounds` most doubtful segments (at most 40, of at most 3 s) go with it.

        Raises
        ------
        MerKitError
            If the passes are too large to be carried by a page.
        """
        p = self.passes
        if not self.at_once:
            raise MerKitError(
                f"{len(p)} passes over {len(p.labels)} segments are more than {AT_ONCE_BYTES // 1_000_000} MB, too much "
                "for one page: use the widget, or longer segments"
            )
        data = self.data()
        for per_class, epoch in itertools.product((False, True), range(1, len(p) + 1)):
            fits = data["fits"]["class" if per_class else "all"]
            if len(fits) < epoch:
                fits.append(self.fit(epoch, per_class=per_class))
        data["arrays"] = {
            name: html_fragments.text(values) for name, values in data["arrays"].items()
        }
        data["sounds"] = {str(row): self._embedded_sound(row) for row in self.doubtful(sounds)}
        return html_fragments.fragment("noise_lab", data, self._static())

    def to_html(self, path: str | Path | None = None, *, sounds: int = MAX_SOUNDS) -> str:
        """Return the lab as one self-contained page, and write it to `path` if one is given.

        Notebook: 02_noisy_labels
        """
        return html_fragments.kept(
            html_fragments.page(
                f"Noise lab: {self.experiment.corpus.title}", self.fragment(sounds=sounds)
            ),
            path,
        )

    def _embedded_sound(self, row: int) -> dict[str, str]:
        """Return one segment's sound as a page carries it: at most 3 s, as small as libsndfile makes it."""
        heard = sound.excerpt(self._samples(row, MAX_SOUND_SECONDS))
        return {"data": html_fragments.text(heard.data), "mime": heard.mime}

    def _static(self) -> str:
        """Return picture and sentence for those without scripts."""
        picture = EmbeddedFigure(2, 1, size=(7.2, 4.4), height_ratios=[3, 1])
        losses, mixture, wrong = self.passes.fitted_mixture(self.after_epoch)
        upper, lower = picture.axes
        plots.losses.histogram_with_posterior(
            losses, mixture, tau=self.passes.tau, wrong=wrong, axes=(upper, lower)
        )
        split = self.passes.partitions[self.after_epoch - 1]
        alt = f"Losses after epoch {self.after_epoch} with both Gaussians, and the posterior cut at τ = {self.passes.tau:g}"
        words = f"{alt}: X {int(split.clean.sum())}, U {int((~split.clean).sum())} segments. {split.note}"
        image = html_fragments.text(picture.png())
        return (
            f'<img src="data:image/png;base64,{image}" alt="{escaped(alt)}"><p>{escaped(words)}</p>'
        )
