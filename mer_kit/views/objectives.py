"""Interactive demos of the training objectives: sharpening, mixup with audio, and R-Drop.

Sharpened probabilities and divergences are computed here by `training.objectives`; the browser
looks them up.

Notebook: 03_sssl_training
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from mer_kit import plots
from mer_kit.checks import MerKitError, check_choice, check_labels, check_probabilities, check_range
from mer_kit.plots.picture import EmbeddedFigure
from mer_kit.signal import frontends
from mer_kit.training import objectives
from mer_kit.views import sound
from mer_kit.views.view import View, class_entries, levels, palette

#: The smallest and the largest temperature of the slider, and its steps.
TEMPERATURES = (0.05, 2.0)
TEMPERATURE_STEPS = np.arange(1, 41) * 5 / 100
#: Number of classes → steps along an edge of the lattice on which the point of the triangle moves.
LATTICE_STEPS = {2: 96, 3: 99}
#: Sharpened probabilities of the lattice are sent as whole numbers from 0 to this one.
LATTICE_SCALE = 65535


class _Demo(View):
    """One part of the playground: its data and its still picture."""

    module = "playground"
    #: What the browser's module calls it.
    part: ClassVar[str]


class SharpeningTriangle(_Demo):
    """Probabilities of three classes as a point in a triangle, and where sharpening moves it.

    With two classes it is a point on a line.

    The sharpened ratio of two classes depends on these two alone. Three of four classes can
    therefore be looked at by themselves: renormalising and sharpening commute.

    Parameters
    ----------
    probabilities : [n, K], the model's predictions for n segments of U
    names : what to call them, n texts
    classes : K class names
    labels : int [n], the labels that were erased
    temperature : the first position of the slider for T, 0.05–2

    Source: paper Eq. (4). Notebook: 03_sssl_training
    """

    part, page_title = "sharpening", "Sharpening: before and after"

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
                f"got {len(self.probabilities)} segments and {len(names)} names, "
                "expected at least one segment and a name for each"
            )
        self.names, self.classes = list(names), tuple(classes)
        self.temperature = float(check_range("temperature", temperature, *TEMPERATURES))

    def among(self, row: int) -> tuple[int, ...]:
        """Return the three likeliest classes of a segment (both, if there are two), ascending."""
        return tuple(sorted(np.argsort(-self.probabilities[row], kind="stable")[:3].tolist()))

    def sharpened(
        self, row: int, temperature: float, *, among: Sequence[int] | None = None
    ) -> dict[str, np.ndarray]:
        """Return a segment's p before and after sharpening, renormalised to the classes `among`.

        The default is the likeliest three.

        Raises
        ------
        MerKitError
            If there is no such row, or the temperature is not above 0.
        """
        check_choice("row", row, range(len(self.probabilities)))
        p = renormalised(self.probabilities[[row]], among or self.among(row))
        return {"before": p[0], "after": sharpen_rows(p, [temperature])[0, 0]}

    def data(self) -> dict[str, Any]:
        """Return what the view is built from."""
        rows = zip(self.names, self.probabilities.tolist(), self.labels.tolist(), strict=True)
        return {
            "part": self.part,
            "classes": class_entries(self.classes),
            "segments": [{"name": name, "p": p, "label": label} for name, p, label in rows],
            "among": list(self.among(0)),
            "temperature": self.temperature,
            **self._tables(),
        }

    def _tables(self) -> dict[str, Any]:
        """Return the sharpened lattice points and segments at every temperature."""
        n = min(3, len(self.classes))
        temperatures = np.unique(np.append(TEMPERATURE_STEPS, self.temperature))
        points = lattice_points(n, LATTICE_STEPS[n])
        sharpened = sharpen_rows(points / LATTICE_STEPS[n], temperatures)
        subsets = {}
        for among in itertools.combinations(range(len(self.classes)), n):
            p = renormalised(self.probabilities, among)
            subsets[",".join(map(str, among))] = {
                "p": p.tolist(),
                "mass": self.probabilities[:, among].sum(axis=1).tolist(),
                "sharpened": sharpen_rows(p, temperatures).astype("<f4").tobytes(),
            }
        return {
            "temperatures": temperatures.tolist(),
            "lattice": {
                "steps": LATTICE_STEPS[n],
                "points": points.tolist(),
                "sharpened": (LATTICE_SCALE * sharpened).round().astype("<u2").tobytes(),
            },
            "subsets": subsets,
        }

    def still(self, data: Mapping[str, Any]) -> str:
        """Return the first segment before and after as bars."""
        made = EmbeddedFigure(1, 1, size=(7.2, 3.0))
        plots.objectives.sharpening_bars(
            self.probabilities[0], (1.0, self.temperature), self.classes, ax=made.axes[0]
        )
        return made.html(self.page_title)


class MixupDeck(_Demo):
    """Two segments and their mixture at any δ: log-mels, soft target, and the sound while δ moves.

    Parameters
    ----------
    mels : two log-mels [frames, bands] in dB
    sounds : two arrays of samples at 22,050 Hz, up to 10 s; None if there is no sound
    targets : [2, K], one row each: one-hot, or a pseudo-label
    names : what to call the two
    classes : K class names
    delta : the first position of the slider for δ

    Source: paper Eq. (6) and (7). Notebook: 03_sssl_training
    """

    part, page_title = "mixup", "Mixup: two segments and their mixture"

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
                f"log-mels have shapes {mels[0].shape} and {mels[1].shape}, "
                "expected two of one [frames, bands]: take two segments of one length"
            )
        self.mels, self.sounds, self.names, self.classes = mels, sounds, names, tuple(classes)
        self.targets = check_probabilities("targets", targets)
        self.delta = float(check_range("delta", delta, 0, 1))

    def mixed(self, delta: float) -> dict[str, np.ndarray]:
        """Return mel [frames, bands], target [K] and, if there is sound, samples of the mixture."""
        both = torch.from_numpy(np.stack(self.mels).astype(np.float32))
        targets, swap = torch.from_numpy(self.targets), torch.tensor([1, 0])
        out = {
            "mel": objectives.mix(both, swap, delta)[0].numpy(),
            "target": objectives.mix(targets, swap, delta)[0].numpy(),
        }
        if self.sounds is not None:
            out["sound"] = mixed_sound(*self.sounds, delta)
        return out

    def data(self) -> dict[str, Any]:
        """Return what the view is built from; log-mels as 256 levels, sounds as WAV."""
        frames, bands = self.mels[0].shape
        return {
            "part": self.part,
            "classes": class_entries(self.classes),
            "names": list(self.names),
            "frames": frames,
            "bands": bands,
            "seconds": frames / frontends.make().frames_per_second,
            "mels": [levels(mel).tobytes() for mel in self.mels],
            "colours": palette(),
            "sounds": self.sounds and [sound.wav_bytes(y) for y in self.sounds],
            "targets": self.targets.tolist(),
            "delta": self.delta,
        }

    def still(self, data: Mapping[str, Any]) -> str:
        """Return the two log-mels, their mixture between them, and its target."""
        made = EmbeddedFigure(1, 4, size=(10.0, 2.6), width_ratios=[3, 3, 3, 2])
        plots.objectives.mixup_pictures(
            *self.mels, self.delta, names=self.names, axes=made.axes[:3]
        )
        plots.objectives.target_bars(
            self.mixed(self.delta)["target"], self.classes, ax=made.axes[3]
        )
        made.axes[3].set_xticks(range(len(self.classes)), self.classes)
        return made.html(self.page_title)


class DropoutPairs(_Demo):
    """Pairs of dropout passes over a segment, one after the other, and their divergence.

    Parameters
    ----------
    passes : [S, n, K], n ≥ 2 dropout passes over each of S segments
    names : what to call the segments, S texts
    classes : K class names

    Source: paper Eq. (9). Notebook: 03_sssl_training
    """

    part, page_title = "passes", "R-Drop: two dropout passes"

    def __init__(self, passes: np.ndarray, names: Sequence[str], classes: Sequence[str]) -> None:
        passes = np.asarray(passes, dtype=np.float64)
        if passes.ndim != 3 or passes.shape[1] < 2 or len(names) != len(passes) or not len(passes):
            raise MerKitError(
                f"passes have shape {passes.shape} for {len(names)} names, expected "
                "[segments, 2 or more passes, classes] and a name for each segment"
            )
        check_probabilities("passes", passes.reshape(-1, passes.shape[2]))
        self.passes, self.names, self.classes = passes, list(names), tuple(classes)

    def kl(self, row: int, pair: int) -> float:
        """Return the symmetric KL of passes 2·pair and 2·pair + 1 over segment `row`, nats."""
        check_choice("row", row, range(len(self.passes)))
        check_choice("pair", pair, range(self.passes.shape[1] // 2))
        first, second = self.passes[row, 2 * pair : 2 * pair + 2]
        return plots.objectives.symmetric_kl(first, second)

    def data(self) -> dict[str, Any]:
        """Return what the view is built from."""
        return {
            "part": self.part,
            "classes": class_entries(self.classes),
            "segments": [
                {
                    "name": name,
                    "passes": self.passes[row].tolist(),
                    "kl": [self.kl(row, pair) for pair in range(self.passes.shape[1] // 2)],
                }
                for row, name in enumerate(self.names)
            ],
        }

    def still(self, data: Mapping[str, Any]) -> str:
        """Return the first pair as bars."""
        made = EmbeddedFigure(1, 1, size=(7.2, 3.0))
        plots.objectives.rdrop_bars(self.passes[0, :2], self.classes, ax=made.axes[0])
        return made.html(self.page_title)


def renormalised(probabilities: np.ndarray, among: Sequence[int]) -> np.ndarray:
    """Return probabilities [n, K] of the classes `among` alone, scaled to sum to 1: [n, classes].

    Examples
    --------
    >>> renormalised(np.array([[0.4, 0.4, 0.2]]), (0, 1)).tolist()
    [[0.5, 0.5]]
    """
    p = np.maximum(np.asarray(probabilities, dtype=np.float64)[:, list(among)], 1e-12)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def sharpen_rows(p: np.ndarray, temperatures: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return Sharpen(p, T) of probabilities [n, K] for each of T temperatures, float64 [T, n, K].

    Source: paper Eq. (4).

    Examples
    --------
    >>> sharpen_rows(np.array([[0.6, 0.3, 0.1]]), [1.0, 0.5]).round(4).tolist()
    [[[0.6, 0.3, 0.1]], [[0.7826, 0.1957, 0.0217]]]
    """
    return np.stack([plots.objectives.sharpen(p, float(one)) for one in temperatures])


def lattice_points(n: int, steps: int) -> np.ndarray:
    """Return the lattice points on the simplex of n = 2 or 3 classes whose coordinates descend.

    The result is int64 [points, n].

    Coordinates are whole numbers that sum to `steps`. The other points are permutations of these.

    Examples
    --------
    >>> lattice_points(2, 3).tolist(), lattice_points(3, 3).tolist()
    ([[3, 0], [2, 1]], [[3, 0, 0], [2, 1, 0], [1, 1, 1]])
    """
    firsts = itertools.product(range(steps, -1, -1), repeat=n - 1)
    points = np.array([(*first, steps - sum(first)) for first in firsts], dtype=np.int64)
    return points[(points[:, -1] >= 0) & (np.diff(points) <= 0).all(axis=1)]


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
