"""Interactive loss histogram: both Gaussians, the threshold τ, X and U, and audio playback.

Every number is computed in Python from what the training had: the archived float16 probability of
each inherited label, and the fitted mixtures. The browser draws the tables of `noise_lab_data` and
looks values up in them.

Notebook: 02_noisy_labels
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mer_kit import plots
from mer_kit.analysis.passes import Passes
from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.plots.picture import EmbeddedFigure
from mer_kit.runs.experiment import Experiment
from mer_kit.views import sound
from mer_kit.views.noise_lab_data import PassArrays
from mer_kit.views.view import Reply, View, class_entries, still_picture

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
        self.page_title = f"Noise lab: {experiment.corpus.title}"

    @property
    def at_once(self) -> bool:
        """Whether all passes are small enough to be sent together."""
        segments = len(self.passes) * len(self.passes.labels)
        return BYTES_PER_SEGMENT * segments <= AT_ONCE_BYTES

    # ---- sound -----------------------------------------------------------------------------------

    def _samples(self, row: Any, most_seconds: float) -> np.ndarray:
        row = int(check_range("row", row, 0, len(self.passes.labels) - 1, whole=True))
        clip = self.experiment.corpus.clips[int(self.passes.clip[row])]
        seconds = min(self.experiment.config.segment_seconds, most_seconds)
        return sound.segment_audio(clip, float(self.passes.start_s[row]), seconds)

    def doubtful(self, n: int = MAX_SOUNDS) -> list[int]:
        """Return n rows with the largest losses in the pass shown first, in turn over the songs."""
        check_range("n", n, 0, MAX_SOUNDS, whole=True)
        table = pd.DataFrame(
            {"clip": self.passes.clip, "loss": self.passes.losses[self.after_epoch - 1]}
        ).sort_values("loss", ascending=False, kind="stable")
        turn = table.groupby("clip", sort=False).cumcount()
        return [int(row) for row in turn.sort_values(kind="stable").index[:n]]

    # ---- answers to the browser ------------------------------------------------------------------

    def _on_play(self, message: Mapping[str, Any]) -> Reply:
        """{"row"} → the sound of a segment."""
        data = sound.wav_bytes(self._samples(message.get("row"), sound.MAX_SECONDS))
        return {"row": message["row"], "mime": "audio/wav"}, [data]

    def _on_fit(self, message: Mapping[str, Any]) -> Reply:
        """{"after", "per_class"} → the tables of one pass, ω and curves."""
        after = self._checked_epoch(message.get("after"))
        per_class = check_choice("per_class", message.get("per_class"), (True, False))
        one = self.arrays.tables(after, per_class=per_class)
        reply = {"after": after, "per_class": per_class, "tables": one.tables}
        return reply, [one.omega.tobytes(), one.curves.tobytes()]

    def _on_pass(self, message: Mapping[str, Any]) -> Reply:
        """{"after"} → probabilities and answers of one pass."""
        after = self._checked_epoch(message.get("after"))
        return {"after": after}, list(self.arrays.answers(after).values())

    def _checked_epoch(self, after_epoch: Any) -> int:
        return int(check_range("after_epoch", after_epoch, 1, len(self.passes), whole=True))

    # ---- what the browser is given ---------------------------------------------------------------

    def data(self) -> dict[str, Any]:
        """Return what the view is built from: plain data and, under "arrays", bytes.

        If `at_once`, all passes and the training's own kind of mixture are included.
        """
        p, clips = self.passes, self.experiment.corpus.clips
        data = {
            "title": self.experiment.corpus.title,
            "classes": class_entries(self.experiment.classes),
            "segments": len(p.labels),
            "epochs": len(p),
            "after": self.after_epoch,
            "tau": p.tau,
            "taus": self.arrays.taus.tolist(),
            "seconds": self.experiment.config.segment_seconds,
            "per_class": p.partition.per_class,
            "truth": p.wrong is not None,
            "max_unlabelled": p.partition.max_unlabelled,
            "training": p.table()[["phase", "n_labelled", "n_unlabelled", "note"]].to_dict(
                "records"
            ),
            "tables": {"all": [], "class": []},
            "clips": {
                str(i): [clips[i].clip_id, clips[i].title or ""] for i in np.unique(p.clip).tolist()
            },
            "arrays": dict(self.arrays.segments),
        }
        if self.at_once:
            data["arrays"] |= self.arrays.answers()
            self._add_tables(data, per_class=p.partition.per_class)
        return data

    def _add_tables(self, data: dict[str, Any], *, per_class: bool) -> None:
        """Put the tables of all passes, and the bytes of ω [E, S] and their curves, into `data`."""
        name, epochs = "class" if per_class else "all", range(1, len(self.passes) + 1)
        every = [self.arrays.tables(epoch, per_class=per_class) for epoch in epochs]
        data["tables"][name] = [one.tables for one in every]
        data["arrays"][f"omega_{name}"] = b"".join(one.omega.tobytes() for one in every)
        data["arrays"][f"curves_{name}"] = b"".join(one.curves.tobytes() for one in every)

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
        self._add_tables(data, per_class=not p.partition.per_class)
        data["sounds"] = {
            str(row): dataclasses.asdict(sound.excerpt(self._samples(row, MAX_SOUND_SECONDS)))
            for row in self.doubtful(sounds)
        }
        return data

    def still(self, data: Mapping[str, Any]) -> str:
        """Return the picture and the sentence of the pass that is shown first."""
        picture = EmbeddedFigure(2, 1, size=(7.2, 4.4), height_ratios=[3, 1])
        losses, mixture, wrong = self.passes.fitted_mixture(self.after_epoch)
        plots.losses.histogram_with_posterior(
            losses,
            mixture,
            tau=self.passes.tau,
            wrong=wrong,
            axes=(picture.axes[0], picture.axes[1]),
        )
        partition = self.passes.partitions[self.after_epoch - 1]
        alt = (
            f"Losses after epoch {self.after_epoch} with both Gaussians, "
            f"and the posterior cut at τ = {self.passes.tau:g}"
        )
        n_x, n_u = partition.clean.sum(), (~partition.clean).sum()
        return still_picture(picture, alt, f"{alt}: X {n_x}, U {n_u} segments. {partition.note}")
