"""The tables behind the noise lab, prepared so that the browser only draws and looks up values.

Notebook: 02_noisy_labels
"""

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve

from mer_kit.analysis.passes import Passes
from mer_kit.plots.losses import BINS
from mer_kit.records import PARTITION_PHASE
from mer_kit.training import diagnostics
from mer_kit.training.evaluation import losses
from mer_kit.training.mixture import Mixture
from mer_kit.training.partition import Partition, PartitionSettings, why_no_separation

#: The positions on the normalised loss axis where the curves are evaluated.
GRID = np.linspace(0, 1, 401)
#: The thresholds that the slider offers.
TAUS = np.arange(101) / 100
#: The bits of 1.0 in float16; probabilities have the bits 0 to this number.
BITS_OF_ONE = 0x3C00
#: The measures of the data map.
MAP_MEASURES = ("confidence", "variability", "correctness")
#: D: an ROC curve is drawn with at most about this many points.
ROC_POINTS = 300


@dataclass(frozen=True)
class PassTables:
    """Everything that the lab shows of one evaluation pass, with one mixture or one per class.

    Attributes
    ----------
    partition : the partition that the training makes from this pass, at its own τ
    tables : `group_table` of every mixture ("groups"), `cut_table` ("cuts") and `roc_table` ("roc")
    omega : float16 [S], ω of every segment, on the same side of every τ of the slider as the exact
        value
    curves : float16 [groups, 4, 401], for each mixture both densities, ω as used and ω by the
        formula on `GRID`
    """

    partition: Partition
    tables: dict[str, Any]
    omega: np.ndarray
    curves: np.ndarray


def pass_tables(
    passes: Passes, after_epoch: int, *, per_class: bool, taus: np.ndarray
) -> PassTables:
    """Return the tables of one pass for thresholds `taus`, with one mixture or one per class."""
    settings = dataclasses.replace(passes.partition, per_class=per_class)
    probabilities, labels = passes.probabilities[:after_epoch], passes.labels
    partition = passes.partitions[after_epoch - 1]
    if per_class != passes.partition.per_class:
        partition = diagnostics.replay(
            probabilities, labels, songs=passes.clip, settings=settings, seed=passes.seed
        )
    loss = passes.divided_losses[after_epoch - 1]
    wrong = np.zeros(len(labels), dtype=bool) if passes.wrong is None else passes.wrong
    groups, curves = [], []
    for k, mixture in enumerate(partition.mixtures):
        rows = (labels == k) | (not per_class)
        groups.append(group_table(loss[rows], wrong[rows], mixture, longest=float(loss.max())))
        curves.append(mixture_curves(mixture, clamp=settings.clamp, taus=taus))
    tables = {
        "groups": groups,
        "cuts": cut_table(passes, loss, partition, settings, taus),
        "roc": roc_table(passes, partition.omega),
    }
    return PassTables(partition, tables, half_precision(partition.omega, taus), np.stack(curves))


def loss_of_half() -> np.ndarray:
    """Return float32 [15361], the loss (nats) of every float16 probability, indexed by its bits.

    Examples
    --------
    >>> half = np.float16(0.5).view(np.uint16)
    >>> [f"{value:.2f}" for value in loss_of_half()[[0, half, BITS_OF_ONE]]]
    ['16.64', '0.69', '0.00']
    """
    p = np.arange(BITS_OF_ONE + 1, dtype=np.uint16).view(np.float16)
    return losses(p[:, None], np.zeros(len(p), dtype=np.int64)).astype("<f4") + np.float32(0)


def slider_taus(own: float) -> np.ndarray:
    """Return the thresholds of the slider and the training's own τ, ascending.

    Steps of the slider within 0.002 of the training's own τ are replaced by it.

    Examples
    --------
    >>> len(slider_taus(0.5)), slider_taus(0.333)[32:36].tolist()
    (101, [0.32, 0.33, 0.333, 0.34])
    """
    return np.sort(np.append(TAUS[np.abs(TAUS - own) > 0.002], own))


def half_precision(values: np.ndarray, taus: np.ndarray) -> np.ndarray:
    """Return values as float16, rounded so that each stays on its side of every threshold.

    Examples
    --------
    >>> half_precision(np.array([0.50001, 0.5, 0.49999]), np.array([0.5])).tolist()
    [0.50048828125, 0.5, 0.5]
    """
    exact = np.asarray(values, dtype=np.float64)
    half = exact.astype("<f2")
    wanted = np.searchsorted(taus, exact)  # how many thresholds are below the value
    rounded = np.searchsorted(taus, half.astype(np.float64))
    half = np.where(rounded < wanted, np.nextafter(half, np.float16(2)), half)
    return np.where(rounded > wanted, np.nextafter(half, np.float16(-1)), half).astype("<f2")


def mixture_curves(mixture: Mixture | None, *, clamp: bool, taus: np.ndarray) -> np.ndarray:
    """Return float16 [4, 401] on `GRID`: both densities, ω as used, ω by the formula.

    All are zero if there is no mixture.
    """
    if mixture is None:
        return np.zeros((4, len(GRID)), dtype="<f2")
    nats = mixture.low + GRID * (mixture.high - mixture.low)
    omega, by_formula = mixture.posterior(nats, clamp=clamp), mixture.posterior(nats, clamp=False)
    densities = mixture.densities(GRID).astype("<f2")
    return np.stack([*densities, half_precision(omega, taus), by_formula.astype("<f2")])


def group_table(
    loss: np.ndarray, wrong: np.ndarray, mixture: Mixture | None, *, longest: float
) -> dict[str, Any]:
    """Return the axis and the histogram of the losses [n] (nats) behind one mixture.

    Returns
    -------
    dict
        fitted (False: all losses are equal), axis (nats at the axis' ends, 0 to `longest` without a
        mixture), bars (for each bin the density of other labels and of labels known to be `wrong`),
        names ([x, density] where the names of the clean and the noisy Gaussian are written).

    Examples
    --------
    >>> table = group_table(np.array([0.0, 1.0]), np.array([False, True]), None, longest=1.0)
    >>> table["axis"], table["bars"][0], table["bars"][-1]
    ([0.0, 1.0], [20.0, 0.0], [0.0, 20.0])
    """
    low, high = 0.0, max(longest, 1e-12)
    x = loss / high
    names: list[list[float]] = []
    if mixture is not None:
        low, high, x = mixture.low, mixture.high, mixture.normalise(loss)
        beside = np.array([mixture.means[0] + 0.7 * mixture.sds[0], min(mixture.means[1], 0.9)])
        names = [[float(beside[k]), float(mixture.densities(beside)[k, k])] for k in (0, 1)]
    counts = [np.histogram(x[rows], BINS, range=(0, 1))[0] for rows in (~wrong, wrong)]
    bars = np.stack(counts, axis=1) * BINS / max(len(x), 1)
    return {
        "fitted": mixture is not None,
        "axis": [float(low), float(high)],
        "bars": bars.round(5).tolist(),
        "names": names,
    }


def cut_table(
    passes: Passes,
    loss: np.ndarray,
    partition: Partition,
    settings: PartitionSettings,
    taus: np.ndarray,
) -> dict[str, list[Any]]:
    """Return for each τ the size of U, what the training would make of the cut, and its quality.

    Returns
    -------
    dict of lists, one entry per τ
        in_u (segments with ω ≤ τ), in_u_training (after cap and guards), refusal (why the guards
        reject the cut, or "") and, where the truth is known, right_x, wrong_x, right_u, wrong_u,
        precision, recall, noise_recall (None if undefined; as in `diagnostics.partition_quality`,
        over the segments whose truth is known).
    """
    order = np.lexsort((-loss, partition.omega))
    in_u = np.searchsorted(partition.omega[order], taus, side="right")
    most = int(settings.max_unlabelled * len(loss) + 1e-9)
    proposed = np.minimum(in_u, most).tolist()
    refusal = {n: _refusal(order[:n], loss, passes, partition, settings) for n in set(proposed)}
    # Where the training refuses a partition, nothing is in U.
    accepted = {n: n for n in refusal if not refusal[n]}
    table = {
        "in_u": in_u.tolist(),
        "in_u_training": [accepted.get(n, 0) for n in proposed],
        "refusal": [refusal[n] for n in proposed],
    }
    if passes.wrong is not None:
        right = passes.groups["right label"][order]
        table |= quality_table(right, passes.wrong[order], in_u)
    return table


def _refusal(
    rows: np.ndarray,
    loss: np.ndarray,
    passes: Passes,
    partition: Partition,
    settings: PartitionSettings,
) -> str:
    """Return why the training's guards would reject U = `rows`, or ""."""
    if all(mixture is None for mixture in partition.mixtures):
        return "all losses are equal"
    if partition.one_mode:
        return partition.one_mode.removeprefix("no separation: ")
    clean = np.ones(len(loss), dtype=bool)
    clean[rows] = False
    gap = 0.0
    if 0 < len(rows) < len(loss):
        gap = float(loss[~clean].mean() - loss[clean].mean())
    classes = passes.probabilities.shape[2]
    note = why_no_separation(clean, passes.labels, gap, classes, settings)
    return note.removeprefix("no separation: ")


def quality_table(right: np.ndarray, wrong: np.ndarray, in_u: np.ndarray) -> dict[str, list[Any]]:
    """Return counts and quality of cuts that put the first `in_u` segments into U.

    Parameters
    ----------
    right, wrong : bool [S], labels known to be right or wrong, in ascending order of ω
    in_u : int [T], the size of U at each threshold

    Examples
    --------
    >>> table = quality_table(np.array([0, 1, 1], bool), np.array([1, 0, 0], bool), np.array([1]))
    >>> table["right_x"], table["wrong_x"], table["precision"], table["noise_recall"]
    ([2], [0], [1.0], [1.0])
    """
    right_u = np.append(0, np.cumsum(right))[in_u]
    wrong_u = np.append(0, np.cumsum(wrong))[in_u]
    right_x, wrong_x = right.sum() - right_u, wrong.sum() - wrong_u
    return {
        "right_x": right_x.tolist(),
        "wrong_x": wrong_x.tolist(),
        "right_u": right_u.tolist(),
        "wrong_u": wrong_u.tolist(),
        "precision": _fractions(right_x, right_x + wrong_x),
        "recall": _fractions(right_x, right_x + right_u),
        "noise_recall": _fractions(wrong_u, wrong_x + wrong_u),
    }


def _fractions(parts: np.ndarray, wholes: np.ndarray) -> list[float | None]:
    """Return parts / wholes, None where the whole is 0."""
    return [
        part / whole if whole else None
        for part, whole in zip(parts.tolist(), wholes.tolist(), strict=True)
    ]


def roc_table(passes: Passes, omega: np.ndarray) -> dict[str, Any] | None:
    """Return the ROC curve of ω and its area, or None if it is undefined.

    It is undefined if the truth is unknown, or if all labels are right or all are wrong.

    The curve is a list of [fraction of wrong labels kept in X, fraction of right labels kept in X].
    """
    if passes.truth is None or passes.wrong is None:
        return None
    known = passes.truth >= 0
    right = passes.groups["right label"][known]
    if len(np.unique(right)) < 2:
        return None
    points = np.stack(roc_curve(right, omega[known])[:2], axis=1)
    thinned = np.append(points[: -1 : max(1, len(points) // ROC_POINTS)], points[-1:], axis=0)
    return {"curve": thinned.round(4).tolist(), "area": float(roc_auc_score(right, omega[known]))}


class PassArrays:
    """One fold's passes as little-endian bytes, small enough to send. E passes, S segments."""

    def __init__(self, passes: Passes) -> None:
        self.passes = passes
        self.taus = slider_taus(passes.tau)
        #: `pass_tables` of one pass; they are computed when first asked for.
        self.tables = functools.cache(functools.partial(pass_tables, passes, taus=self.taus))

    def answers(self, after_epoch: int | None = None) -> dict[str, bytes]:
        """Return p of the label (float16) and model, the top class (uint8), of one pass or all.

        Each is [S], or [E, S] of all passes.
        """
        probabilities, labels = self.passes.probabilities, self.passes.labels
        if after_epoch is not None:
            probabilities = probabilities[after_epoch - 1]
        own = probabilities[..., np.arange(len(labels)), labels]
        model = probabilities.argmax(axis=-1).astype(np.uint8)
        return {"p": own.astype("<f2").tobytes(), "model": model.tobytes()}

    @functools.cached_property
    def segments(self) -> dict[str, bytes]:
        """The segments' arrays: label, truth, clip, start, confidence, variability, correctness.

        loss_of_half is the function of that name. in_u has one bit per pass and segment, [E·S]:
        whether the training had the segment in U.
        """
        p = self.passes
        table = diagnostics.data_map(p.probabilities, p.labels)
        truth = np.full(len(p.labels), -1) if p.truth is None else p.truth
        used = (p.table()["phase"] == PARTITION_PHASE).tolist()
        in_u = np.stack([~one.clean & u for one, u in zip(p.partitions, used, strict=True)])
        arrays = {name: table[name].to_numpy().astype("<f4") for name in MAP_MEASURES} | {
            "label": p.labels.astype(np.uint8),
            "truth": truth.astype(np.int8),
            "clip": p.clip.astype("<u4"),
            "start": p.start_s.astype("<f4"),
            "in_u": np.packbits(in_u, bitorder="little"),
            "loss_of_half": loss_of_half(),
        }
        return {name: values.tobytes() for name, values in arrays.items()}
