"""Which inherited labels look clean? A two-component Gaussian mixture of the segments' losses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError, check_labels, check_range
from mer_kit.later_settings import later
from mer_kit.training import bimodality
from mer_kit.training.evaluation import losses as segment_losses
from mer_kit.training.mixture import Mixture, fit_mixture


@dataclass(frozen=True)
class PartitionSettings:
    """How segments are divided into X and U by their losses.

    All values are D (our decision), since the paper gives none of them. What `loss_window`,
    `song_median`, `dip_test` and `em_tolerance` are worth on 4Q: experiments/repairs.yaml and
    docs/results.md; the rule of docs/protocol.md keeps the dip test.

    Attributes
    ----------
    tau : a segment is in X if its posterior ω of the clean component is above τ
    per_class : fit one mixture per class
    reg_covar : added to the components' variances; a smaller one loses a fifth of the clean samples
    min_gap : nats by which the mean losses of U and X must differ, else there is no separation
    max_unlabelled : largest |U|/n; beyond it only the segments with the smallest ω go to U
    clean_share : smallest and largest |X|/n of a separation
    min_per_class : samples that each class must keep in X
    clip_percentiles : losses are clipped to these before the fit; without it, one loss of 100 puts
        nearly everything into X
    clamp : keep the posterior from rising again beyond the parabola's vertex
    loss_window : the mean loss of so many evaluation passes, the last one included, is divided
    song_median : divide the losses minus the median of their song
    dip_test : keep every label unless the losses show two modes, see `training.bimodality`
    em_tolerance : EM stops when its mean log-likelihood rises by less; 1e-3 stops early, which
        moves |U| by 2 to 4 points
    """

    tau: float = 0.5
    per_class: bool = False
    reg_covar: float = 5e-4
    min_gap: float = 0.1
    max_unlabelled: float = 1.0
    clean_share: tuple[float, float] = later(default=(0.05, 0.98), absent_means=(0.05, 0.98))
    min_per_class: int = later(default=8, absent_means=8)
    clip_percentiles: tuple[float, float] = later(default=(1.0, 99.0), absent_means=(1.0, 99.0))
    clamp: bool = later(default=True, absent_means=True)
    loss_window: int = later(default=5, absent_means=1)
    song_median: bool = later(default=False, absent_means=False)
    dip_test: bool = later(default=True, absent_means=False)
    em_tolerance: float = later(default=1e-6, absent_means=1e-3)

    def __post_init__(self) -> None:
        for name in ("tau", "max_unlabelled"):
            check_range(name, getattr(self, name), 0, 1)
        for name in ("reg_covar", "min_gap"):
            check_range(name, getattr(self, name), 0)
        check_range("em_tolerance", self.em_tolerance, 0, 1, low_open=True)
        check_range("min_per_class", self.min_per_class, 0, whole=True)
        check_range("loss_window", self.loss_window, 1, whole=True)
        # The two pairs arrive as lists when they are read from JSON; the record keeps tuples.
        for name, highest in (("clean_share", 1), ("clip_percentiles", 100)):
            object.__setattr__(self, name, _ascending(name, getattr(self, name), highest))


def _ascending(name: str, values: Sequence[float], most: float) -> tuple[float, float]:
    """Return two numbers from 0 to `most`, the first below the second."""
    if not isinstance(values, (list, tuple)) or len(values) != 2:
        raise MerKitError(f"{name} is {values!r}, expected two numbers: pass a pair")
    low, high = (float(check_range(name, value, 0, most)) for value in values)
    if not low < high:
        raise MerKitError(f"{name} is {values!r}, expected the smaller number first: swap them")
    return low, high


@dataclass(frozen=True)
class Partition:
    """The partition of the training segments into X (labelled) and U (unlabelled).

    Attributes
    ----------
    clean : bool [n], True for X
    omega : float64 [n], posterior of the clean component
    mixtures : one Mixture for all, or one per class; None if the losses are (nearly) all equal
    separated : False if a guard found no separation; then `clean` is True everywhere
    loss_gap : mean loss of the proposed U minus mean loss of the proposed X, nats
    note : why there is no separation, or ""
    one_mode : what the dip test says against a second mode, or ""
    """

    clean: np.ndarray
    omega: np.ndarray
    mixtures: tuple[Mixture | None, ...]
    separated: bool
    loss_gap: float
    note: str = ""
    one_mode: str = ""


def losses_to_divide(
    passes: np.ndarray,
    labels: np.ndarray,
    songs: np.ndarray,
    settings: PartitionSettings,
) -> np.ndarray:
    """Return the losses that a partition divides: float64 [S], nats.

    They are the mean over the last `loss_window` evaluation passes; with `song_median`, minus the
    median of the segment's song, since segments of one song are easy or hard together.

    Parameters
    ----------
    passes : [E, S, K], evaluation passes, oldest first
    labels, songs : int [S]

    Examples
    --------
    >>> passes = np.array([[[0.5, 0.5]], [[0.25, 0.75]]])
    >>> of = PartitionSettings(loss_window=2)
    >>> losses_to_divide(passes, np.array([0]), np.array([0]), of).round(3)
    array([1.04])
    """
    window = passes[-settings.loss_window :]
    mean = np.mean([segment_losses(one, labels) for one in window], axis=0)
    if not settings.song_median:
        return np.asarray(mean)
    return np.asarray(mean - pd.Series(mean).groupby(np.asarray(songs)).transform("median"))


def fit_partition(
    losses: np.ndarray,
    labels: np.ndarray,
    *,
    n_classes: int,
    settings: PartitionSettings = PartitionSettings(),
    songs: np.ndarray | None = None,
    seed: int = 0,
) -> Partition:
    """Divide training segments into X (ωᵢ > τ) and U.

    D: the posterior is clamped. A mixture always finds two components, so guards report "no
    separation" and keep every label unless a dip test shows two modes, and if the loss gap is under
    `min_gap` nats, |X|/n is outside `clean_share`, or a class keeps fewer than `min_per_class`
    samples in X. With one mixture per class, a class of one mode keeps its labels. `max_unlabelled`
    caps |U|/n: beyond it only the segments with the smallest ω (largest loss among equals) go to U,
    since averaged human labels are wrong for 5–15 % of the segments, not for the 30–50 % that an
    unbounded mixture calls noisy.

    Source: paper, "Training Samples Partition", Eq. (3) and the text below it.
    Notebook: 02_noisy_labels

    Parameters
    ----------
    losses : float [n], cross-entropy against the inherited label, nats
    labels : int [n], inherited labels
    n_classes : K
    songs : int [n], the song of each segment, for the dip test; None if all are independent
    seed : random state of the mixture

    Raises
    ------
    MerKitError
        If the shapes differ or a loss is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> losses = np.r_[rng.normal(0.2, 0.05, 800), rng.normal(2.0, 0.2, 200)]
    >>> result = fit_partition(losses, np.arange(1000) % 2, n_classes=2)
    >>> int(result.clean.sum()), result.separated
    (800, True)
    """
    losses = np.asarray(losses, dtype=np.float64)
    labels = check_labels("labels", labels, n_classes, length=len(losses))
    s = settings
    # ω [n] stays 1 wherever no mixture gives evidence against a label.
    omega = np.ones(len(losses))
    mixtures: list[Mixture | None] = []
    everything = np.ones(len(losses), dtype=bool)
    # Classes that are harder to learn have larger losses, clean or not: D, one mixture for each.
    groups = [labels == k for k in range(n_classes)] if s.per_class else [everything]
    candidates, one_mode = ~everything, []  # where a second mode allows a wrong label
    for rows in groups:  # bool [n]
        mixture = None
        if rows.sum() >= 2:
            mixture = fit_mixture(
                losses[rows],
                clip_percentiles=s.clip_percentiles,
                reg_covar=s.reg_covar,
                tol=s.em_tolerance,
                seed=seed,
            )
        mixtures.append(mixture)
        if mixture:
            omega[rows] = mixture.posterior(losses[rows], clamp=s.clamp)  # Eq. 3
            one_mode.append(_one_mode(losses[rows], None if songs is None else songs[rows], s))
            if not one_mode[-1]:
                candidates |= rows
    if candidates.any():
        omega[~candidates] = 1.0  # a class of one mode gives no evidence against its labels
    clean = _capped(omega > s.tau, omega, losses, s.max_unlabelled)
    divided = 0 < clean.sum() < len(clean)  # else the gap (nats, U minus X) is 0
    gap = float(losses[~clean].mean() - losses[clean].mean()) if divided else 0.0
    note, unimodal = "no separation: all losses are equal", ""
    if any(mixtures):
        if all(one_mode):  # not one class has a second mode
            unimodal = min(one_mode)
        note = unimodal or why_no_separation(clean, labels, gap, n_classes, s)
    if note:  # no separation: the epoch keeps every inherited label
        clean = everything
    return Partition(clean, omega, tuple(mixtures), not note, gap, note, unimodal)


def _capped(
    clean: np.ndarray, omega: np.ndarray, losses: np.ndarray, max_unlabelled: float
) -> np.ndarray:
    """Return X, bool [n], with no more than the fraction `max_unlabelled` outside it."""
    most = int(max_unlabelled * len(losses) + 1e-9)  # 0.29 · 100 is 28.999…
    if (~clean).sum() <= most:
        return clean
    # Sort by ω, the larger loss first among equals, and take the labels of the first `most`.
    capped = np.ones(len(losses), dtype=bool)
    capped[np.lexsort((-losses, omega))[:most]] = False
    return capped


def _one_mode(losses: np.ndarray, songs: np.ndarray | None, s: PartitionSettings) -> str:
    """Return what the dip test says against a second mode of the losses, or ""."""
    if not s.dip_test:
        return ""
    test = bimodality.dip_test(losses, songs)
    if test.bimodal:
        return ""
    return (
        f"no separation: the losses show one mode (dip {test.dip:.4f}, two modes from "
        f"{test.critical:.4f} on)"
    )


def why_no_separation(
    clean: np.ndarray, labels: np.ndarray, gap: float, n_classes: int, s: PartitionSettings
) -> str:
    """Return why the proposed partition is no separation, or ""."""
    share, (low, high) = float(clean.mean()), s.clean_share
    if not low <= share <= high:
        return (
            f"no separation: X would hold {share:.1%} of the segments, outside {low:.0%}–{high:.0%}"
        )
    if gap < s.min_gap:
        return f"no separation: X and U differ by {gap:.2f} nat, under {s.min_gap:g}"
    # A class with fewer samples than the guard asks for cannot fail it.
    counts = np.bincount(labels[clean], minlength=n_classes)
    present = np.bincount(labels, minlength=n_classes) >= s.min_per_class
    if (counts[present] < s.min_per_class).any():
        thin = int(np.flatnonzero(present & (counts < s.min_per_class))[0])
        return (
            f"no separation: class {thin} would keep {counts[thin]} samples in X, "
            f"under {s.min_per_class}"
        )
    return ""
