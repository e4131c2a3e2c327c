"""Which inherited labels look clean? A two-component Gaussian mixture of the segments' losses."""

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
    """How segments are divided into X and U by their losses.

    All values are D (our decision), since the paper gives none of them.

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
        for name in ("tau", "max_unlabelled"):
            check_range(name, getattr(self, name), 0, 1)
        for name in ("reg_covar", "min_gap"):
            check_range(name, getattr(self, name), 0)
        check_range("min_per_class", self.min_per_class, 0, whole=True)
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
class Mixture:
    """Two fitted Gaussians on normalised losses; index 0 has the smaller mean and is called clean.

    Losses ℓ (nats) are normalised to (clip(ℓ, low, high) − low) / (high − low) before the fit.

    Attributes
    ----------
    weights, means, sds : of both components, on the normalised scale
    low, high : nats, the clipping percentiles of the losses
    """

    weights: tuple[float, float]
    means: tuple[float, float]
    sds: tuple[float, float]
    low: float
    high: float

    def normalise(self, losses: np.ndarray) -> np.ndarray:
        """Return the losses (nats, [n]) on the mixture's 0–1 scale, clipped to its percentiles."""
        span = max(self.high - self.low, 1e-12)
        clipped = np.clip(np.asarray(losses, dtype=np.float64), self.low, self.high)
        return (clipped - self.low) / span

    def densities(self, x: np.ndarray) -> np.ndarray:
        """Return λₖ p(x|k) of both components for normalised losses x: [n] → [2, n].

        Source: paper Eq. (3).
        """
        return np.asarray(np.exp(self._log_densities(x)) / np.sqrt(2 * np.pi))

    def posterior(self, losses: np.ndarray, *, clamp: bool = True) -> np.ndarray:
        """Return ω, the probability that each loss (nats) is of the clean component: [n] → [n].

        The ratio of two Gaussians is not monotone: the wider one wins in both tails, so the best
        fitted samples can look noisy (or the worst ones clean). The logarithm of the ratio is a
        parabola; with `clamp` (D) ω keeps its value at the vertex from there on, so that ω never
        rises as the loss grows.
        """
        x = self.normalise(losses)
        if clamp:
            x = self._clamped(x)
        # In logarithms: far from both means the densities underflow and their ratio would be NaN.
        log_density = self._log_densities(x)
        # ω = p₀ / (p₀ + p₁) = 1 / (1 + exp(log p₁ − log p₀)), where exp overflows beyond 709.
        difference = np.clip(log_density[1] - log_density[0], -700, 700)
        return np.asarray(1 / (1 + np.exp(difference)))

    def _log_densities(self, x: np.ndarray) -> np.ndarray:
        """Return log(λₖ p(x|k) √2π) of both components: [n] → [2, n]."""
        # Columns [2, 1] against the row x [n]. A component of weight 0 has the logarithm −∞.
        mean, sd, weight = (np.array(v)[:, None] for v in (self.means, self.sds, self.weights))
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(weight) - np.log(sd) - 0.5 * ((x - mean) / sd) ** 2)

    def _clamped(self, x: np.ndarray) -> np.ndarray:
        """Return x [n], with values on the wrong side of the parabola's vertex moved to it."""
        # log p(x|0) − log p(x|1) = −½ (precision₀ − precision₁) x² + …: its curvature decides
        # which component is narrower, and with it on which side of the vertex ω falls.
        precision = np.array(self.sds) ** -2.0
        curvature = precision[0] - precision[1]
        if abs(curvature) < 1e-12 * precision.max():
            return x  # equal widths: the parabola is a straight line
        vertex = (precision[0] * self.means[0] - precision[1] * self.means[1]) / curvature
        return np.asarray(np.maximum(x, vertex) if curvature > 0 else np.minimum(x, vertex))


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
    """Fit the two-component Gaussian mixture to losses [n] in nats by EM.

    Returns None if the losses are (nearly) all equal.

    Source: paper Eq. (3). D: clipped to the 1st–99th percentile, min–max scaled, float64,
    `reg_covar=5e-4`, `max_iter=200`, `tol=1e-3`, fixed random state; without clipping, one loss of
    100 puts nearly everything into X, and a smaller `reg_covar` loses a fifth of the clean samples.
    Notebook: 02_noisy_labels

    Raises
    ------
    MerKitError
        If there are fewer than two losses, or one is not finite.

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
        i = int(np.flatnonzero(~np.isfinite(losses))[0])
        raise MerKitError(
            f"loss {i} is {losses[i]}, expected a finite number: lower the learning rate"
        )
    # Clipped first: EM would give one extreme loss a component of its own.
    low, high = np.percentile(losses, clip_percentiles)
    if high - low < 1e-6:
        return None
    x = (np.clip(losses, low, high) - low) / (high - low)  # [n] in 0–1
    model = GaussianMixture(2, reg_covar=reg_covar, max_iter=max_iter, tol=tol, random_state=seed)
    with warnings.catch_warnings():
        # After max_iter steps the fit is good enough for a threshold, converged or not.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x[:, None])
    # EM numbers its components at random; the one with the smaller mean loss is the clean one.
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
    """Divide training segments into X (ωᵢ > τ) and U.

    D: the posterior is clamped. A mixture always finds two components, so guards report "no
    separation" and keep every label if the loss gap is under `min_gap` nats, |X|/n is outside
    `clean_share`, or a class keeps fewer than `min_per_class` samples in X. `max_unlabelled` caps
    |U|/n: beyond it only the segments with the smallest ω (largest loss among equals) go to U,
    since averaged human labels are wrong for 5–15 % of the segments, not for the 30–50 % that an
    unbounded mixture calls noisy.

    Source: paper, "Training Samples Partition", Eq. (3) and the text below it.
    Notebook: 02_noisy_labels

    Parameters
    ----------
    losses : float [n], cross-entropy against the inherited label, nats
    labels : int [n], inherited labels
    n_classes : K
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
    for rows in groups:  # bool [n]
        mixture = None
        if rows.sum() >= 2:
            mixture = fit_mixture(
                losses[rows], clip_percentiles=s.clip_percentiles, reg_covar=s.reg_covar, seed=seed
            )
        mixtures.append(mixture)
        if mixture:
            omega[rows] = mixture.posterior(losses[rows], clamp=s.clamp)  # Eq. 3
    clean = omega > s.tau
    most = int(s.max_unlabelled * len(losses) + 1e-9)  # 0.29 · 100 is 28.999…
    if (~clean).sum() > most:
        # Sort by ω, the larger loss first among equals, and take the labels of the first `most`.
        clean = everything.copy()
        clean[np.lexsort((-losses, omega))[:most]] = False
    # Nats between the means of U and X; 0 where one of them is empty.
    divided = 0 < clean.sum() < len(clean)
    gap = float(losses[~clean].mean() - losses[clean].mean()) if divided else 0.0
    note = "no separation: all losses are equal"
    if any(mixtures):
        note = why_no_separation(clean, labels, gap, n_classes, s)
    # Without a separation the epoch keeps every inherited label.
    return Partition(clean | bool(note), omega, tuple(mixtures), not note, gap, note)


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
