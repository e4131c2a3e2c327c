"""Which inherited labels look clean? A two-component Gaussian mixture on the per-segment losses."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from mer_kit.checks import MerKitError, check_labels, check_range
from mer_kit.later_settings import later


@dataclass(frozen=True)
class PartitionSettings:
    """How segments are divided into X and U by their losses; all D, since the paper names none of them.

    Attributes
    ----------
    tau : a segment is in X where its posterior ω of the clean component is above τ
    per_class : fit one mixture per class
    reg_covar : added to the components' variances; a smaller one loses a fifth of the clean samples
    min_gap : nats by which the mean losses of U and X must differ, else there is no separation
    max_unlabelled : largest |U|/n; beyond it only the segments with the smallest ω go to U
    clean_share : smallest and largest |X|/n of a separation
    min_per_class : samples that each class must keep in X
    clip_percentiles : losses are clipped to these before the fit; one loss of 100 otherwise puts nearly everything into X
    clamp : keep the posterior from rising again beyond the parabola's vertex
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

    def __post_init__(self) -> None:
        check_range("tau", self.tau, 0, 1)
        check_range("reg_covar", self.reg_covar, 0)
        check_range("min_gap", self.min_gap, 0)
        check_range("max_unlabelled", self.max_unlabelled, 0, 1)
        check_range("min_per_class", self.min_per_class, 0, whole=True)
        object.__setattr__(self, "clean_share", _ascending("clean_share", self.clean_share, 1))
        object.__setattr__(
            self, "clip_percentiles", _ascending("clip_percentiles", self.clip_percentiles, 100)
        )


def _ascending(name: str, values: Sequence[float], most: float) -> tuple[float, float]:
    """Return two numbers from 0 to `most`, the first below the second."""
    if not isinstance(values, (list, tuple)) or len(values) != 2:
        raise MerKitError(f"{name} is {values!r}, expected two numbers: pass a pair")
    low, high = (float(check_range(name, value, 0, most)) for value in values)
    if not low < high:
        raise MerKitError(f"{name} is {values!r}, expected the smaller number first: swap them")
    return low, high


@dataclass(frozen=True)
class Mixture:
    """Two fitted Gaussians on normalised losses; index 0 has the smaller mean and is called clean.

    Losses ℓ (nats) become (clip(ℓ, low, high) − low) / (high − low) before the mixture sees them.
    """

    weights: tuple[float, float]
    means: tuple[float, float]
    sds: tuple[float, float]
    low: float
    high: float

    def normalise(self, losses: np.ndarray) -> np.ndarray:
        """Return the losses (nats, [n]) on the mixture's 0–1 scale, clipped to its percentiles."""
        span = max(self.high - self.low, 1e-12)
        return (
            np.clip(np.asarray(losses, dtype=np.float64), self.low, self.high) - self.low
        ) / span

    def densities(self, x: np.ndarray) -> np.ndarray:
        """Return λₖ p(x|k) of both components for normalised losses x: [n] → [2, n]. Source: paper Eq. (3)."""
        x = np.asarray(x, dtype=np.float64)[None, :]
        mean, sd, weight = (np.array(v)[:, None] for v in (self.means, self.sds, self.weights))
        return np.asarray(
            weight * np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
        )

    def posterior(self, losses: np.ndarray, *, clamp: bool = True) -> np.ndarray:
        """Return ω, the probability that each loss (nats) belongs to the clean component: [n] → [n] in 0–1.

        The ratio of two Gaussians is not monotone: the wider one wins in both tails, so the best fitted samples can
        look noisy (or the worst ones clean). The logarithm of the ratio is a parabola; with `clamp` (D) ω keeps the
        value of its vertex beyond it, so that ω never rises as the loss grows.
        """
        x = self.normalise(losses)
        return self._raw_posterior(self._clamped(x) if clamp else x)

    def _clamped(self, x: np.ndarray) -> np.ndarray:
        """Return x moved to the parabola's vertex where it lies beyond it on the wrong side."""
        precision = np.array(self.sds) ** -2.0
        curvature = precision[0] - precision[1]
        if abs(curvature) < 1e-12 * precision.max():
            return x
        vertex = (precision[0] * self.means[0] - precision[1] * self.means[1]) / curvature
        return np.asarray(np.maximum(x, vertex) if curvature > 0 else np.minimum(x, vertex))

    def _raw_posterior(self, x: np.ndarray) -> np.ndarray:
        # In logarithms: far from both means the two densities underflow and their ratio would be NaN.
        mean, sd, weight = (np.array(v)[:, None] for v in (self.means, self.sds, self.weights))
        with np.errstate(divide="ignore"):
            log_density = np.log(weight) - np.log(sd) - 0.5 * ((x[None, :] - mean) / sd) ** 2
        difference = np.clip(log_density[1] - log_density[0], -700, 700)
        return np.asarray(1 / (1 + np.exp(difference)))


@dataclass(frozen=True)
class Partition:
    """The division of the training segments into X (labelled) and U (unlabelled).

    Attributes
    ----------
    clean : bool [n], True for X
    omega : float64 [n], posterior of the clean component
    mixtures : one Mixture for all, or one per class
    separated : False where a guard found no separation; then `clean` is True everywhere
    loss_gap : mean loss of the proposed U minus mean loss of the proposed X, nats
    note : why there is no separation, or ""
    """

    clean: np.ndarray
    omega: np.ndarray
    mixtures: tuple[Mixture | None, ...]
    separated: bool
    loss_gap: float
    note: str = ""


def fit_mixture(
    losses: np.ndarray,
    *,
    clip_percentiles: tuple[float, float] = (1.0, 99.0),
    reg_covar: float = 5e-4,
    max_iter: int = 200,
    tol: float = 1e-3,
    seed: int = 0,
) -> Mixture | None:
    """Fit the two-component Gaussian mixture to losses [n] in nats by EM; None if they are (nearly) all equal.

    Source: paper Eq. (3). D: clipped to the 1st–99th percentile, min–max scaled, float64, `reg_covar=5e-4`,
    `max_iter=200`, `tol=1e-3`, fixed random state; one loss of 100 otherwise puts nearly everything into X, and a
    smaller `reg_covar` loses a fifth of the clean samples. Notebook: 02_noisy_labels

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> mixture = fit_mixture(np.r_[rng.normal(0.2, 0.05, 800), rng.normal(2.0, 0.2, 200)])
    >>> [round(w, 1) for w in mixture.weights]
    [0.8, 0.2]
    """
    losses = np.asarray(losses, dtype=np.float64)
    if losses.ndim != 1 or len(losses) < 2:
        raise MerKitError(
            f"losses have shape {losses.shape}, expected at least two values in one row: pass [n]"
        )
    if not np.isfinite(losses).all():
        where = int(np.flatnonzero(~np.isfinite(losses))[0])
        raise MerKitError(
            f"loss {where} is {losses[where]}, expected a finite number: lower the learning rate"
        )
    low, high = np.percentile(losses, clip_percentiles)
    if high - low < 1e-6:
        return None
    x = (np.clip(losses, low, high) - low) / (high - low)
    model = GaussianMixture(2, reg_covar=reg_covar, max_iter=max_iter, tol=tol, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x[:, None])
    order = np.argsort(model.means_[:, 0])
    weights, means = model.weights_[order], model.means_[order, 0]
    sds = np.sqrt(model.covariances_[order, 0, 0])
    return Mixture(_pair(weights), _pair(means), _pair(sds), float(low), float(high))


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def fit_partition(
    losses: np.ndarray,
    labels: np.ndarray,
    *,
    n_classes: int,
    settings: PartitionSettings = PartitionSettings(),
    seed: int = 0,
) -> Partition:
    """Divide training segments into X (ωᵢ > τ) and U by their losses [n] (nats) and inherited labels [n].

    Source: paper, "Training Samples Partition", Eq. (3) and the text below it. D: the posterior is clamped; a mixture
    always splits, so the guards report "no separation" and keep every label where the loss gap is under `min_gap` nats,
    |X|/n lies outside `clean_share`, or a class keeps fewer than `min_per_class` samples in X. `max_unlabelled` caps |U|/n:
    beyond it only the segments with the smallest ω (largest loss among equals) go to U, since averaged human labels are
    wrong for 5–15 % of the segments, not for the 30–50 % that an unbounded mixture calls noisy. Notebook: 02_noisy_labels

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
    omega = np.ones(len(losses))
    mixtures: list[Mixture | None] = []
    groups = [np.ones(len(losses), dtype=bool)]
    if s.per_class:
        groups = [labels == k for k in range(n_classes)]
    for rows in groups:
        mixture = None
        if rows.sum() >= 2:
            mixture = fit_mixture(
                losses[rows], clip_percentiles=s.clip_percentiles, reg_covar=s.reg_covar, seed=seed
            )
        mixtures.append(mixture)
        if mixture is not None:
            omega[rows] = mixture.posterior(losses[rows], clamp=s.clamp)
    clean = omega > s.tau
    most = int(s.max_unlabelled * len(losses) + 1e-9)  # 0.29 · 100 is 28.999…
    if (~clean).sum() > most:
        clean = np.ones(len(losses), dtype=bool)
        clean[np.lexsort((-losses, omega))[:most]] = False
    gap = 0.0
    if 0 < clean.sum() < len(clean):
        gap = float(losses[~clean].mean() - losses[clean].mean())
    note = _no_separation(clean, labels, gap, n_classes, s)
    if all(mixture is None for mixture in mixtures):
        note = "no separation: all losses are equal"
    if note:
        clean = np.ones(len(losses), dtype=bool)
    return Partition(clean, omega, tuple(mixtures), not note, gap, note)


def _no_separation(
    clean: np.ndarray, labels: np.ndarray, gap: float, n_classes: int, s: PartitionSettings
) -> str:
    """Return why the proposed split is no separation, or ""."""
    share = float(clean.mean())
    low, high = s.clean_share
    if not low <= share <= high:
        return (
            f"no separation: X would hold {share:.1%} of the segments, outside {low:.0%}–{high:.0%}"
        )
    if gap < s.min_gap:
        return f"no separation: X and U differ by {gap:.2f} nat, under {s.min_gap:g}"
    counts = np.bincount(labels[clean], minlength=n_classes)
    present = np.bincount(labels, minlength=n_classes) >= s.min_per_class
    if (counts[present] < s.min_per_class).any():
        thin = int(np.flatnonzero(present & (counts < s.min_per_class))[0])
        return f"no separation: class {thin} would keep {counts[thin]} samples in X, under {s.min_per_class}"
    return ""
