"""A two-component Gaussian mixture of the segments' losses, and its posterior.

Notebook: 02_noisy_labels
"""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from mer_kit.checks import MerKitError


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


def fit_mixture(
    losses: np.ndarray,
    *,
    clip_percentiles: tuple[float, float] = (1.0, 99.0),
    reg_covar: float = 5e-4,
    max_iter: int = 2000,
    tol: float = 1e-6,
    seed: int = 0,
) -> Mixture | None:
    """Fit the two-component Gaussian mixture to losses [n] in nats by EM.

    Returns None if the losses are (nearly) all equal.

    Source: paper Eq. (3). D: clipped to the 1st–99th percentile, min–max scaled, float64,
    `reg_covar=5e-4`, EM until it has converged, fixed random state; without clipping, one loss of
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
