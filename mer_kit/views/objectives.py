"""Hands on the objectives: sharpening on a triangle, two segments mixed by ear and eye, two dropout passes as bars.

What moves under the hand is computed in the browser by the same formulas; tests hold them against `training.objectives`.

Notebook: 03_sssl_training
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import matplotlib
import numpy as np
import torch

from mer_kit import plots
from mer_kit.checks import MerKitError, check_choice, check_labels, check_probabilities, check_range
from mer_kit.plots.names import escaped
from mer_kit.plots.picture import EmbeddedFigure
from mer_kit.plots.segments import MEL_RANGE_DB
from mer_kit.plots.style import LOOK
from mer_kit.records import EMOTIONS
from mer_kit.signal import frontends
from mer_kit.training import objectives
from mer_kit.views import html_fragments, js, sound

#: The temperatures that the slider offers.
TEMPERATURES = (0.05, 2.0)


class _Part:
    """One part of the playground: its data, its picture for those without scripts, and the three ways to show it."""

    #: What the browser's module calls it, and what it is.
    part: ClassVar[str]
    title: ClassVar[str]

    def data(self) -> dict[str, Any]:
        """Return what the view is built from: plain data, and bytes where arrays are."""
        raise NotImplementedError

    def picture(self) -> EmbeddedFigure:
        """Return what the view shows first, as a figure."""
        raise NotImplementedError

    def widget(self) -> Any:
        """Return the anywidget view; it asks nothing of the kernel."""
        return js.widget("playground", self.data())

    def fragment(self) -> str:
        """Return HTML for a page without a kernel: a picture, which a script turns into the view."""
        data = {name: _as_text(value) for name, value in self.data().items()}
        picture = html_fragments.text(self.picture().png())
        return html_fragments.fragment(
            "playground",
            data,
            f'<img src="data:image/png;base64,{picture}" alt="{escaped(self.title)}">',
        )

    def to_html(self) -> str:
        """Return one page that needs nothing from anywhere."""
        return html_fragments.page(self.title, self.fragment())


class SharpeningTriangle(_Part):
    """Probabilities of three classes as a point of a triangle (two: of a line), and where sharpening moves it.

    Sharpening keeps the ratio of any two classes a matter of these two alone, so that three classes of four may be
    looked at by themselves: renormalising and sharpening may be done in either order.

    Parameters
    ----------
    probabilities : [n, K], what the model says of n segments of U
    names : what to call them, n texts
    classes : K class names
    labels : int [n], the labels that were erased
    temperature : where the slider for T stands first, 0.05–2

    Source: paper Eq. (4). Notebook: 03_sssl_training
    """

    part, title = "sharpening", "Sharpening: before and after"

    def __init__(
        self,
        probabilities: np.ndarray,
        names: Sequence[str],
        classes: Sequence[str],
        *,
        labels: np.ndarray,
        temperature: float = 0.5,
    ) -> None:
        self.probabilities = check_probabilities("probabilities", probabilities)
        self.labels = check_labels("labels", labels, len(classes), length=len(self.probabilities))
        if not len(self.probabilities) or len(names) != len(self.probabilities):
            raise MerKitError(
                f"got {len(self.probabilities)} segments and {len(names)} names, expected at least one segment and a "
                "name for each"
            )
        self.names, self.classes = list(names), tuple(classes)
        self.temperature = float(check_range("temperature", temperature, *TEMPERATURES))

    def among(self, row: int) -> tuple[int, ...]:
        """Return the three likeliest classes of a segment (both, if there are two), ascending."""
        order = np.argsort(-self.probabilities[row], kind="stable")
        return tuple(sorted(int(k) for k in order[:3]))

    def sharpened(
        self, row: int, temperature: float, *, among: Sequence[int] | None = None
    ) -> dict[str, np.ndarray]:
        """Return a segment's p on the classes `among` (default: the likeliest three), renormalised, before and after.

        Raises
        ------
        MerKitError
            If there is no such row, or the temperature is not above 0.
        """
        check_choice("row", row, range(len(self.probabilities)))
        p = self.probabilities[row][list(self.among(row) if among is None else among)]
        p = np.maximum(p, 1e-12) / np.maximum(p, 1e-12).sum()
        return {"before": p, "after": plots.objectives.sharpen(p, temperature)}

    def data(self) -> dict[str, Any]:
        """Return what the view is built from."""
        rows = zip(self.names, self.probabilities.tolist(), self.labels.tolist(), strict=True)
        return {
            "part": self.part,
            "classes": _classes(self.classes),
            "segments": [{"name": name, "p": p, "label": label} for name, p, label in rows],
            "among": list(self.among(0)),
            "temperature": self.temperature,
        }

    def picture(self) -> EmbeddedFigure:
        """Return the first segment before and after as bars."""
        made = EmbeddedFigure(1, 1, size=(7.2, 3.0))
        plots.objectives.sharpening_bars(
            self.probabilities[0], (1.0, self.temperature), self.classes, ax=made.axes[0]
        )
        return made


class MixupDeck(_Part):
    """Two segments and their mixture at any δ: log-mels, soft target, and the sound while δ moves.

    Parameters
    ----------
    mels : two log-mels [frames, bands] in dB
    sounds : two arrays of samples at 22,050 Hz, up to 10 s; None where they cannot be heard
    targets : [2, K], one row each: one-hot, or a pseudo-label
    names : what to call the two
    classes : K class names
    delta : where the slider for δ stands first

    Source: paper Eq. (6) and (7). Notebook: 03_sssl_training
    """

    part, title = "mixup", "Mixup: two segments and their mixture"

    def __init__(
        self,
        mels: tuple[np.ndarray, np.ndarray],
        sounds: tuple[np.ndarray, np.ndarray] | None,
        targets: np.ndarray,
        names: tuple[str, str],
        classes: Sequence[str],
        *,
        delta: float = 0.7,
    ) -> None:
        if mels[0].shape != mels[1].shape or mels[0].ndim != 2:
            raise MerKitError(
                f"log-mels have shapes {mels[0].shape} and {mels[1].shape}, expected two of one [frames, bands]: take "
                "two segments of one length"
            )
        self.mels, self.sounds, self.names, self.classes = mels, sounds, names, tuple(classes)
        self.targets = check_probabilities("targets", targets)
        self.delta = float(check_range("delta", delta, 0, 1))

    def mixed(self, delta: float) -> dict[str, np.ndarray]:
        """Return mel [frames, bands], target [K] and, where there is sound, the samples of the mixture."""
        both = torch.from_numpy(np.stack(self.mels).astype(np.float32))
        targets, swap = torch.from_numpy(self.targets), torch.tensor([1, 0])
        out = {
            "mel": objectives.mix(both, swap, delta)[0].numpy(),
            "target": objectives.mix(targets, swap, delta)[0].numpy(),
        }
        return out if self.sounds is None else {**out, "sound": mixed_sound(*self.sounds, delta)}

    def data(self) -> dict[str, Any]:
        """Return what the view is built from; log-mels as 256 levels of `MEL_RANGE_DB`, sounds as WAV."""
        frames, bands = self.mels[0].shape
        sounds = None if self.sounds is None else [sound.wav_bytes(y) for y in self.sounds]
        return {
            "part": self.part,
            "classes": _classes(self.classes),
            "names": list(self.names),
            "frames": frames,
            "bands": bands,
            "seconds": frames / frontends.make().frames_per_second,
            "mels": [_levels(mel) for mel in self.mels],
            "colours": matplotlib.colormaps["magma"](np.arange(256), bytes=True)[:, :3].tobytes(),
            "sounds": sounds,
            "targets": self.targets.tolist(),
            "delta": self.delta,
        }

    def picture(self) -> EmbeddedFigure:
        """Return the two log-mels, their mixture between them, and its target."""
        made = EmbeddedFigure(1, 4, size=(10.0, 2.6), width_ratios=[3, 3, 3, 2])
        plots.objectives.mixup_pictures(
            *self.mels, self.delta, names=self.names, axes=made.axes[:3]
        )
        plots.objectives.target_bars(
            self.mixed(self.delta)["target"], self.classes, ax=made.axes[3]
        )
        made.axes[3].set_xticks(range(len(self.classes)), self.classes)
        return made


class DropoutPairs(_Part):
    """Pairs of dropout passes over one segment, one pair after the other, and how far apart they are.

    Parameters
    ----------
    passes : [S, n, K], n ≥ 2 dropout passes over each of S segments
    names : what to call the segments, S texts
    classes : K class names

    Source: paper Eq. (9). Notebook: 03_sssl_training
    """

    part, title = "passes", "R-Drop: two dropout passes"

    def __init__(self, passes: np.ndarray, names: Sequence[str], classes: Sequence[str]) -> None:
        passes = np.asarray(passes, dtype=np.float64)
        if passes.ndim != 3 or passes.shape[1] < 2 or len(names) != len(passes) or not len(passes):
            raise MerKitError(
                f"passes have shape {passes.shape} for {len(names)} names, expected [segments, 2 or more passes, "
                "classes] and a name for each segment"
            )
        check_probabilities("passes", passes.reshape(-1, passes.shape[2]))
        self.passes, self.names, self.classes = passes, list(names), tuple(classes)

    def kl(self, row: int, pair: int) -> float:
        """Return the symmetric KL of passes 2·pair and 2·pair + 1 over segment `row`, nats."""
        check_choice("row", row, range(len(self.passes)))
        check_choice("pair", pair, range(self.passes.shape[1] // 2))
        logits = torch.from_numpy(
            np.log(np.maximum(self.passes[row, 2 * pair : 2 * pair + 2], 1e-12))
        )
        return float(objectives.symmetric_kl(logits[:1], logits[1:])[0])

    def data(self) -> dict[str, Any]:
        """Return what the view is built from."""
        rows = zip(self.names, self.passes.tolist(), strict=True)
        return {
            "part": self.part,
            "classes": _classes(self.classes),
            "segments": [{"name": name, "passes": passes} for name, passes in rows],
        }

    def picture(self) -> EmbeddedFigure:
        """Return the first pair as bars."""
        made = EmbeddedFigure(1, 1, size=(7.2, 3.0))
        plots.objectives.rdrop_bars(self.passes[0, :2], self.classes, ax=made.axes[0])
        return made


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


def _classes(names: Sequence[str]) -> list[dict[str, str]]:
    return [
        {"name": name, "word": EMOTIONS.get(name, ""), "colour": LOOK[name][0]} for name in names
    ]


def _levels(mel: np.ndarray) -> bytes:
    """Return a log-mel as one byte a value, 0–255 over the decibels that every picture of the kit spans."""
    low, high = MEL_RANGE_DB
    shares = (np.asarray(mel, dtype=np.float32) - low) / (high - low)
    return bytes(np.round(255 * np.clip(shares, 0, 1)).astype(np.uint8).tobytes())


def _as_text(value: Any) -> Any:
    """Return bytes, also in a list, as base64 text."""
    if isinstance(value, bytes):
        return html_fragments.text(value)
    return [_as_text(one) for one in value] if isinstance(value, list) else value
