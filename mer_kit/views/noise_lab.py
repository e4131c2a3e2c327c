"""Interactive loss histogram: both Gaussians, the threshold τ, X and U, and audio playback.

Every number is computed in Python from what the training had: the archived float16 probability of
each inherited label, and the fitted mixtures. The browser draws the tables of `noise_lab_data` and
looks values up in them.

Notebook: 02_noisy_labels
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mer_kit import plots
from mer_kit.analysis.passes import Passes
from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.plots.picture import EmbeddedFigure
from mer_kit.records import EMOTIONS
from mer_kit.runs.experiment import Experiment
from mer_kit.views import sound
from mer_kit.views.noise_lab_data import PassArrays
from mer_kit.views.view import Reply, View, still_picture

#: D: sounds that a page without a kernel carries, and the seconds of each.
MAX_SOUNDS, MAX_SOUND_SECONDS = 40, 3.0
#: D: more bytes than this are not sent at once; each pass is then sent when it is looked at.
AT_ONCE_BYTES = 12_000_000
#: Bytes per segment and pass: p, the likeliest class, and ω by one mixture for all and by one per
#: class.
BYTES_PER_SEGMENT = 7


class NoiseLab(View):
    """One fold's evaluation passes to explore; works without a browser through `answer`.

    E passes, S segments.

    Parameters
    ----------
    experiment : provides classes, clips and sounds
    passes : what `analysis.passes.read_passes` returns
    after_epoch : the pass that is shown first; None takes the last one that made a partition

    Raises
    ------
    MerKitError
        If there is no such pass.

    Notebook: 02_noisy_labels
    """

    module = "noise_lab"

    def __init__(
        self, experiment: Experiment, passes: Passes, *, after_epoch: int | None = None
    ) -> None:
        if after_epoch is None:
            after_epoch = passes.last_separating_epoch
        self.experiment, self.passes = experiment, passes
        self.after_epoch = self._checked_epoch(after_epoch)
        self.arrays = PassArrays(passes)

    @property
    def per_class(self) -> bool:
        """Whether the training fitted one mixture per class."""
        return self.passes.partition.per_class

    @property
    def at_once(self) -> bool:
        """Whether all passes are small enough to be sent together."""
        segments = len(self.passes) * len(self.passes.labels)
        return BYTES_PER_SEGMENT * segments <= AT_ONCE_BYTES

    @property
    def page_title(self) -> str:
        """The heading of the lab's page."""
        return f"Noise lab: {self.experiment.corpus.title}"

    # ---- sound -----------------------------------------------------------------------------------

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
        """Return n rows with the largest losses in the pass shown first, in turn over the songs."""
        check_range("n", n, 0, MAX_SOUNDS, whole=True)
        loss = self.passes.losses[self.after_epoch - 1]
        table = pd.DataFrame({"clip": self.passes.clip, "loss": loss})
        table = table.sort_values("loss", ascending=False, kind="stable")
        table["turn"] = table.groupby("clip", sort=False).cumcount()
        return [int(row) for row in table.sort_values("turn", kind="stable").index[:n]]

    # ---- answers to the browser ------------------------------------------------------------------

    def _on_play(self, message: Mapping[str, Any]) -> Reply:
        """{"row"} → the sound of a segment."""
        data, mime = self.play(message.get("row"))  # type: ignore[arg-type]  # play checks it
        return {"row": message["row"], "mime": mime}, [data]

    def _on_fit(self, message: Mapping[str, Any]) -> Reply:
        """{"after", "per_class"} → the tables of one pass, ω and curves."""
        after = self._checked_epoch(message.get("after"))
        per_class = bool(check_choice("per_class", message.get("per_class"), (True, False)))
        one = self.arrays.tables(after, per_class=per_class)
        reply = {"after": after, "per_class": per_class, "tables": one.tables}
        return reply, [one.omega.tobytes(), one.curves.tobytes()]

    def _on_pass(self, message: Mapping[str, Any]) -> Reply:
        """{"after"} → probabilities and answers of one pass."""
        after = self._checked_epoch(message.get("after"))
        return {"after": after}, list(self.arrays.one_pass(after).values())

    def _checked_epoch(self, after_epoch: Any) -> int:
        return int(check_range("after_epoch", after_epoch, 1, len(self.passes), whole=True))

    # ---- what the browser is given ---------------------------------------------------------------

    def data(self) -> dict[str, Any]:
        """Return what the view is built from: plain data and, under "arrays", bytes.

        If `at_once`, all passes and the training's own kind of mixture are included.
        """
        p, clips = self.passes, self.experiment.corpus.clips
        classes = self.experiment.classes
        training = p.table()[["phase", "n_labelled", "n_unlabelled", "note"]]
        data = {
            "title": self.experiment.corpus.title,
            "classes": [{"name": name, "word": EMOTIONS.get(name, "")} for name in classes],
            "segments": len(p.labels),
            "epochs": len(p),
            "after": self.after_epoch,
            "tau": p.tau,
            "taus": self.arrays.taus.tolist(),
            "seconds": self.experiment.config.segment_seconds,
            "per_class": self.per_class,
            "truth": p.wrong is not None,
            "max_unlabelled": p.partition.max_unlabelled,
            "training": training.to_dict("records"),
            "tables": {"all": [], "class": []},
            "clips": {
                str(i): [clips[i].clip_id, clips[i].title or ""] for i in np.unique(p.clip).tolist()
            },
            "arrays": dict(self.arrays.segments),
        }
        if self.at_once:
            data["arrays"] |= self.arrays.every_pass()
            self._add_tables(data, per_class=self.per_class)
        return data

    def _add_tables(self, data: dict[str, Any], *, per_class: bool) -> None:
        """Put the tables of all passes into `data`."""
        tables, arrays = self.arrays.all_tables(per_class=per_class)
        data["tables"][("all", "class")[per_class]] = tables
        data["arrays"] |= arrays

    def page_data(self, *, sounds: int = MAX_SOUNDS) -> dict[str, Any]:
        """Return `data` with both kinds of mixtures and the sounds of the most doubtful segments.

        There are `sounds` of them, at most 40, of at most 3 s.

        Raises
        ------
        MerKitError
            If the passes are too large for one page.
        """
        p = self.passes
        if not self.at_once:
            raise MerKitError(
                f"{len(p)} passes over {len(p.labels)} segments are more than "
                f"{AT_ONCE_BYTES // 1_000_000} MB, too much for one page: "
                "use the widget, or longer segments"
            )
        data = self.data()
        self._add_tables(data, per_class=not self.per_class)
        data["sounds"] = {str(row): self._embedded_sound(row) for row in self.doubtful(sounds)}
        return data

    def _embedded_sound(self, row: int) -> dict[str, Any]:
        """Return one segment's sound for a page: at most 3 s, as small as libsndfile makes it."""
        excerpt = sound.excerpt(self._samples(row, MAX_SOUND_SECONDS))
        return {"data": excerpt.data, "mime": excerpt.mime}

    def still(self, data: Mapping[str, Any]) -> str:
        """Return the picture and the sentence of the pass that is shown first."""
        picture = EmbeddedFigure(2, 1, size=(7.2, 4.4), height_ratios=[3, 1])
        losses, mixture, wrong = self.passes.fitted_mixture(self.after_epoch)
        upper, lower = picture.axes
        plots.losses.histogram_with_posterior(
            losses, mixture, tau=self.passes.tau, wrong=wrong, axes=(upper, lower)
        )
        partition = self.passes.partitions[self.after_epoch - 1]
        in_x = int(partition.clean.sum())
        alt = (
            f"Losses after epoch {self.after_epoch} with both Gaussians, "
            f"and the posterior cut at τ = {self.passes.tau:g}"
        )
        sizes = f"X {in_x}, U {len(partition.clean) - in_x} segments"
        return still_picture(picture, alt, f"{alt}: {sizes}. {partition.note}")
