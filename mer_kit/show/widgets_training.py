"""Hands on the objectives: the temperature of the sharpening, the weight of a mixup, a draw of dropout.

Notebook: 03_sssl_training
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mer_kit.checks import check_choice, check_probabilities, check_range
from mer_kit.show import plots_training, sound
from mer_kit.show.widget_parts import Picture, view
from mer_kit.sssl import objectives


class TemperatureSlider:
    """The pseudo-label of a segment at any temperature; works without a browser through `update`.

    Parameters
    ----------
    probabilities : [n, K], what the model says of n segments
    names : what to call them, n texts
    classes : K class names
    """

    def __init__(self, probabilities: np.ndarray, names: Sequence[str], classes: Sequence[str]) -> None:
        self.probabilities = check_probabilities("probabilities", probabilities)
        self.names, self.classes = list(names), classes
        self._picture = Picture(1, 1, size=(7.2, 3.0))
        self.shown: dict[str, Any] = {}
        self.update(0, 0.5)
        self._picture.settle()

    def update(self, row: int, temperature: float) -> dict[str, Any]:
        """Sharpen one segment's probabilities; return temperature, before [K], after [K]."""
        check_choice("row", row, range(len(self.probabilities)))
        p = self.probabilities[row]
        self._picture.clear()
        plots_training.sharpening_bars(p, (1.0, temperature), self.classes, ax=self._picture.axes[0])
        self.shown = {"temperature": temperature, "before": p, "after": plots_training.sharpen(p, temperature)}
        return self.shown

    def png(self) -> bytes:
        """Return the picture as PNG bytes."""
        return self._picture.png()

    def sentence(self) -> str:
        """Return what is shown as a sentence."""
        before, after = self.shown["before"], self.shown["after"]
        name = self.classes[int(after.argmax())]
        return f"T = {self.shown['temperature']:.2f}: {name} goes from {before.max():.2f} to {after.max():.2f}."

    def widget(self) -> Any:
        """Return the ipywidgets view: a segment, a slider for T, the picture, the sentence."""
        import ipywidgets as w

        options = [(name, row) for row, name in enumerate(self.names)]
        row = w.Dropdown(options=options, description="Segment", layout=w.Layout(width="32em"))
        slider = w.FloatSlider(value=0.5, min=0.05, max=2.0, step=0.05, description="T")

        def refresh() -> tuple[bytes, str]:
            self.update(row.value, slider.value)
            return self.png(), self.sentence()

        return view([row, slider], refresh, alt="the probabilities of a segment before and after sharpening")


class DeltaSlider:
    """Two segments mixed at any δ: pictures, soft target, and the mixed sound.

    Parameters
    ----------
    mels : two log-mels [frames, bands] in dB
    sounds : two arrays of samples at 22,050 Hz
    labels : two class indices
    classes : K class names
    """

    def __init__(
        self,
        mels: tuple[np.ndarray, np.ndarray],
        sounds: tuple[np.ndarray, np.ndarray],
        labels: tuple[int, int],
        classes: Sequence[str],
    ) -> None:
        self.mels, self.sounds, self.labels, self.classes = mels, sounds, labels, classes
        self._picture = Picture(1, 4, size=(10.0, 2.6), width_ratios=[3, 3, 3, 2])
        self.shown: dict[str, Any] = {}
        self.update(0.7)
        self._picture.settle()

    def update(self, delta: float) -> dict[str, Any]:
        """Mix with weight δ; return delta, target [K] and the mixed samples [n]."""
        check_range("delta", delta, 0, 1)
        left, middle, right, bars = self._picture.axes
        names = (self.classes[self.labels[0]], self.classes[self.labels[1]])
        for ax in (middle, bars) if self.shown else (left, middle, right, bars):
            ax.clear()
        if not self.shown:
            plots_training.mixup_pictures(*self.mels, delta, names=names, axes=(left, middle, right))
        else:  # the two outer pictures stay as they are
            plots_training.mixture_picture(*self.mels, delta, ax=middle)
        one_hot = torch.eye(len(self.classes), dtype=torch.float64)[list(self.labels)]
        target = objectives.mix(one_hot, torch.tensor([1, 0]), delta)[0].numpy()
        plots_training.target_bars(target, self.classes, ax=bars)
        bars.set_xticks(range(len(self.classes)), self.classes)
        self.shown = {"delta": delta, "target": target, "sound": mixed_sound(*self.sounds, delta)}
        return self.shown

    def png(self) -> bytes:
        """Return the picture as PNG bytes."""
        return self._picture.png()

    def player(self) -> str:
        """Return the HTML of the player of the mixed sound."""
        return sound.audio_element(self.shown["sound"], label=f"both sounds, mixed with δ = {self.shown['delta']:.2f}")

    def widget(self) -> Any:
        """Return the ipywidgets view: a slider for δ, the pictures, the player."""
        import ipywidgets as w

        slider = w.FloatSlider(value=0.7, min=0.0, max=1.0, step=0.05, description="δ")

        def refresh() -> tuple[bytes, str]:
            self.update(slider.value)
            return self.png(), self.player()

        return view([slider], refresh, alt="log-mels of two segments and of their mixture, and the mixed target")


def mixed_sound(first: np.ndarray, second: np.ndarray, delta: float) -> np.ndarray:
    """Return δ·first + (1 − δ)·second over their common length, float32 [n].

    Examples
    --------
    >>> mixed_sound(np.ones(3), np.zeros(2), 0.75).tolist()
    [0.75, 0.75]
    """
    check_range("delta", delta, 0, 1)
    n = min(len(first), len(second))
    return np.asarray(delta * first[:n] + (1 - delta) * second[:n], dtype=np.float32)


class DropoutSlider:
    """Pairs of dropout passes of one segment, one pair after the other, with their symmetric KL.

    Parameters
    ----------
    passes : [n, K], n ≥ 2 dropout passes of one segment
    classes : K class names
    """

    def __init__(self, passes: np.ndarray, classes: Sequence[str]) -> None:
        self.passes, self.classes = check_probabilities("passes", passes), classes
        self._picture = Picture(1, 1, size=(7.2, 3.0))
        self.shown: dict[str, Any] = {}
        self.update(0)
        self._picture.settle()

    def update(self, pair: int) -> dict[str, Any]:
        """Show passes 2·pair and 2·pair + 1; return pair, first [K], second [K], kl (nats)."""
        check_choice("pair", pair, range(len(self.passes) // 2))
        both = self.passes[2 * pair : 2 * pair + 2]
        self._picture.clear()
        plots_training.rdrop_bars(both, self.classes, ax=self._picture.axes[0])
        first, second = torch.from_numpy(np.log(np.maximum(both, 1e-12)))
        kl = float(objectives.symmetric_kl(first[None], second[None])[0])
        self.shown = {"pair": pair, "first": both[0], "second": both[1], "kl": kl}
        return self.shown

    def png(self) -> bytes:
        """Return the picture as PNG bytes."""
        return self._picture.png()

    def widget(self) -> Any:
        """Return the ipywidgets view: a slider over the pairs, the picture, the symmetric KL."""
        import ipywidgets as w

        slider = w.IntSlider(value=0, min=0, max=len(self.passes) // 2 - 1, description="draw")

        def refresh() -> tuple[bytes, str]:
            self.update(slider.value)
            return self.png(), f"½ [KL(P₁‖P₂) + KL(P₂‖P₁)] = {self.shown['kl']:.3f} nats"

        return view([slider], refresh, alt="the probabilities of one segment in two dropout passes")
