"""Hands on the split: scrub through the epochs, move τ, listen to the noisiest seconds.

Notebook: 02_noisy_labels
"""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.checks import check_choice, check_range
from mer_kit.records import EMOTIONS
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.replay import Passes
from mer_kit.show import plots_quality, plots_split, sound
from mer_kit.show.widget_parts import Picture, view
from mer_kit.sssl.diagnostics import split_quality


class EpochScrubber:
    """The loss histogram with its mixture and posterior after any epoch; works without a browser through `update`."""

    def __init__(self, passes: Passes) -> None:
        self.passes = passes
        self._picture = Picture(2, 1, size=(7.2, 4.4), height_ratios=[3, 1])
        self.shown: dict[str, Any] = {}
        self.update(1)
        self._picture.settle()

    def update(self, after_epoch: int) -> dict[str, Any]:
        """Show the pass after this epoch; return after_epoch, n_labelled, n_unlabelled, separated, loss_gap, note."""
        check_range("after_epoch", after_epoch, 1, len(self.passes), whole=True)
        losses, mixture, wrong = self.passes.hill(after_epoch)
        split = self.passes.splits[after_epoch - 1]
        self._picture.clear()
        upper, lower = self._picture.axes
        plots_split.histogram_with_posterior(losses, mixture, tau=self.passes.tau, wrong=wrong, axes=(upper, lower))
        upper.set_title(f"after epoch {after_epoch}")
        n = int(split.clean.sum())
        self.shown = {
            "after_epoch": after_epoch,
            "n_labelled": n,
            "n_unlabelled": len(split.clean) - n,
            "separated": split.separated,
            "loss_gap": split.loss_gap,
            "note": split.note,
        }
        return self.shown

    def png(self) -> bytes:
        """Return the picture as PNG bytes."""
        return self._picture.png()

    def sentence(self) -> str:
        """Return what is shown as a sentence of HTML."""
        s = self.shown
        if not s["separated"]:
            return f"After epoch {s['after_epoch']}: {html.escape(s['note'])}; every label is kept."
        total = s["n_labelled"] + s["n_unlabelled"]
        return (
            f"After epoch {s['after_epoch']}: X {s['n_labelled']} segments, U {s['n_unlabelled']} "
            f"({s['n_unlabelled'] / total:.0%}); U's mean loss is {s['loss_gap']:.2f} nats larger."
        )

    def widget(self) -> Any:
        """Return the ipywidgets view: a slider over the epochs, the picture, the sentence."""
        import ipywidgets as w

        slider = w.IntSlider(value=1, min=1, max=len(self.passes), description="after epoch")

        def refresh() -> tuple[bytes, str]:
            self.update(slider.value)
            return self.png(), self.sentence()

        return view([slider], refresh, alt="histogram of the losses with the two fitted Gaussians, ω below it")


class TauSlider:
    """X and U of one pass at any τ, with precision and recall where the truth is known."""

    def __init__(self, passes: Passes, after_epoch: int) -> None:
        check_range("after_epoch", after_epoch, 1, len(passes), whole=True)
        self.passes, self.after_epoch = passes, after_epoch
        self.omega = passes.splits[after_epoch - 1].omega
        self._picture = Picture(1, 2, size=(9.0, 2.8), width_ratios=[3, 4])
        self.shown: dict[str, float] = {}
        self.update(passes.tau)
        self._picture.settle()

    def update(self, tau: float) -> dict[str, float]:
        """Cut ω at τ; return tau, n_labelled, n_unlabelled and, where known, what `split_quality` says.

        The cut is shown as it is: the guards against a bad split are left out here.
        """
        check_range("tau", tau, 0, 1)
        clean, wrong = self.omega > tau, self.passes.wrong
        self._picture.clear()
        left, right = self._picture.axes
        plots_split.posterior_curve(self.passes.splits[self.after_epoch - 1].mixtures[0], tau=tau, ax=left)
        plots_quality.x_u_bars(clean, wrong=wrong, ax=right)
        right.set_xlim(0, 1.25 * len(clean))
        self.shown = {"tau": tau, "n_labelled": int(clean.sum()), "n_unlabelled": int((~clean).sum())}
        if wrong is not None:
            known = self.passes.groups["right label"] | wrong
            self.shown |= split_quality(clean[known], self.omega[known], ~wrong[known])
        return self.shown

    def png(self) -> bytes:
        """Return the picture as PNG bytes."""
        return self._picture.png()

    def sentence(self) -> str:
        """Return what is shown as a sentence of HTML."""
        s = self.shown
        text = f"τ = {s['tau']:.2f}: X {s['n_labelled']:.0f}, U {s['n_unlabelled']:.0f} segments"
        if "precision" not in s:
            return text + "."
        shares = {"precision of X": s["precision"], "recall of X": s["recall"], "wrong labels found": s["noise_recall"]}
        told = ", ".join(f"{name} {'–' if np.isnan(v) else format(v, '.0%')}" for name, v in shares.items())
        return f"{text}; {told}."

    def widget(self) -> Any:
        """Return the ipywidgets view: a slider for τ, the picture, the sentence."""
        import ipywidgets as w

        slider = w.FloatSlider(value=self.passes.tau, min=0.0, max=1.0, step=0.01, description="τ")

        def refresh() -> tuple[bytes, str]:
            self.update(slider.value)
            return self.png(), self.sentence()

        return view([slider], refresh, alt="ω over the loss with the cut at τ, and the sizes of X and U")


class NoisyListener:
    """Plays the segments of a table: what `runs.suspects.noisiest` returns."""

    def __init__(self, experiment: Experiment, table: pd.DataFrame) -> None:
        self.corpus, self.table, self.seconds = experiment.corpus, table, experiment.config.segment_seconds
        self.row = 0

    def update(self, row: int) -> dict[str, Any]:
        """Choose a row; return its entries."""
        self.row = int(check_choice("row", row, range(len(self.table))))
        return dict(self.table.iloc[self.row])

    def name(self, row: int) -> str:
        """Return one row as the line of a list."""
        r = self.table.iloc[row]
        return f"{r['clip_id']} {r['start_s']:g}–{r['end_s']:g} s: labelled {r['label']}, the model says {r['model']}"

    def sentence(self) -> str:
        """Return what is chosen as a sentence of HTML."""
        r = self.table.iloc[self.row]
        text = (
            f"Labelled <b>{r['label']} {EMOTIONS[r['label']]}</b>; the model says <b>{r['model']} "
            f"{EMOTIONS[r['model']]}</b> (p of the label {r['p_label']:.3f}, loss {r['loss']:.2f} nats)."
        )
        if "truth" in r and r["truth"] in EMOTIONS:
            text += f" True here: {r['truth']} {EMOTIONS[r['truth']]}."
        return text

    def player(self) -> str:
        """Return the HTML of the player for the chosen row."""
        r = self.table.iloc[self.row]
        y = sound.segment_audio(
            self.corpus.clips[self.corpus.position(r["clip_id"])], float(r["start_s"]), self.seconds
        )
        return sound.audio_element(y, label=self.name(self.row))

    def widget(self) -> Any:
        """Return the ipywidgets view: a list of segments, a sentence, a player."""
        import ipywidgets as w

        rows = range(len(self.table))
        options = [(self.name(row), row) for row in rows]
        chosen = w.Dropdown(options=options, description="Segment", layout=w.Layout(width="44em"))

        def refresh() -> tuple[None, str]:
            self.update(chosen.value)
            return None, self.sentence() + self.player()

        return view([chosen], refresh, alt="")
