"""The paper's formulae for learning from X and U: sharpening, mixup, R-Drop (Eq. 2, 4, 6–10)."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mer_kit.checks import check_range


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return −Σₖ yₖ log softmax(logits)ₖ of every sample, in nats: [B, K], [B, K] → [B].

    `targets` may be one-hot labels or probabilities.

    Source: paper Eq. (2), before the mean. Notebook: 03_sssl_training

    Examples
    --------
    >>> import torch
    >>> cross_entropy(torch.zeros(1, 4), torch.tensor([[0.0, 1.0, 0.0, 0.0]]))
    tensor([1.3863])
    """
    # A bfloat16 network's logits are widened first: its eight bits are too few for a logarithm.
    return -(targets * functional.log_softmax(logits.float(), dim=1)).sum(dim=1)


def sharpen(logits: Tensor, temperature: float = 0.5) -> Tensor:
    r"""Return Sharpen(p, T)ₖ = pₖ^{1/T} / Σⱼ pⱼ^{1/T} for p = softmax(logits): [B, K] → [B, K].

    No gradient flows through the result. T < 1 moves probability mass to the most likely class,
    T = 1 changes nothing, and T → 0 gives one-hot labels. The ranking of the classes never changes.

    Source: paper Eq. (4); the exponent "−k 1/T" of the text copy is a mangled index (a negative
    exponent would invert the ranking). D: T = 0.5 as in MixMatch (Berthelot et al. 2019).
    Notebook: 03_sssl_training

    Examples
    --------
    >>> import torch
    >>> sharpen(torch.log(torch.tensor([[0.6, 0.3, 0.1]])), 0.5)  # squares, renormalised
    tensor([[0.7826, 0.1957, 0.0217]])
    """
    check_range("temperature", temperature, 0, low_open=True)
    # A pseudo-label is a target: the network must not learn to move its own targets.
    with torch.no_grad():
        log_p = functional.log_softmax(logits.float(), dim=1)
        # p^(1/T), renormalised, is softmax(log p / T), which cannot overflow.
        return functional.softmax(log_p / temperature, dim=1)


def draw_delta(generator: np.random.Generator, *, alpha: float = 0.75) -> float:
    """Return one mixing weight δ ~ Beta(α, α), folded to δ ≥ ½ so that the first partner dominates.

    Source: the paper draws δ "from a beta distribution"; D: α = 0.75 and max(δ, 1 − δ) from
    MixMatch. Notebook: 03_sssl_training

    Examples
    --------
    >>> from mer_kit.seeding import numpy_generator
    >>> 0.5 <= draw_delta(numpy_generator(0, "mixup")) <= 1
    True
    """
    check_range("alpha", alpha, 0, low_open=True)
    delta = float(generator.beta(alpha, alpha))
    # Each mixed sample counts as its first partner in the batch, so that one has to dominate.
    return max(delta, 1 - delta)


def mix(values: Tensor, partner: Tensor, delta: float) -> Tensor:
    """Return δ·values + (1 − δ)·values[partner]: [B, …] → [B, …].

    Source: paper Eq. (6) for inputs, Eq. (7) for targets. Notebook: 03_sssl_training

    Examples
    --------
    >>> import torch
    >>> mix(torch.tensor([[0.0], [1.0]]), torch.tensor([1, 0]), 0.75)
    tensor([[0.2500],
            [0.7500]])
    """
    check_range("delta", delta, 0, 1)
    return delta * values + (1 - delta) * values[partner]


def mixup_loss(
    logits: Tensor,
    targets: Tensor,
    partner: Tensor,
    delta: float,
    *,
    segment_loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
) -> Tensor:
    """Return the batch mean of δ·CE(yₚ) + (1 − δ)·CE(y_q), a scalar in nats.

    `logits` [B, K] come from the mixed inputs; `targets` [B, K] are the unmixed labels (X) and
    pseudo-labels (Û). Methods may replace the cross-entropy by another loss of each segment.

    Source: paper Eq. (8) (whose missing minus sign is a slip). Notebook: 03_sssl_training

    Examples
    --------
    >>> import torch
    >>> logits, partner = torch.zeros(2, 4), torch.tensor([1, 0])
    >>> mixup_loss(logits, torch.eye(4)[:2], partner, 0.75)  # log 4 for a uniform guess
    tensor(1.3863)
    """
    # Cross-entropy is linear in its target: this is the loss against the mixed target of Eq. 7.
    own, mixed_in = segment_loss(logits, targets), segment_loss(logits, targets[partner])
    return (delta * own + (1 - delta) * mixed_in).mean()


def symmetric_kl(first: Tensor, second: Tensor) -> Tensor:
    """Return ½[KL(P₁‖P₂) + KL(P₂‖P₁)] per sample for two sets of logits [B, K] → [B], nats.

    Zero exactly where both distributions agree, symmetric, never negative.

    Source: paper Eq. (9), R-Drop (Wu et al. 2021). Notebook: 03_sssl_training

    Examples
    --------
    >>> import torch
    >>> symmetric_kl(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 2.0]]))
    tensor([0.])
    """
    log_p = functional.log_softmax(first.float(), dim=1)
    log_q = functional.log_softmax(second.float(), dim=1)
    # ½ Σ p (log p − log q) + ½ Σ q (log q − log p) = ½ Σ (p − q)(log p − log q)
    return 0.5 * ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(dim=1)


def rdrop_loss(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean of `symmetric_kl` over the samples of U, a scalar in nats (0 for an empty U).

    Source: paper Eq. (9). D: the mean instead of the sum, so that the weight λ does not grow with
    the batch: the R-Drop reference code sums the KL but averages the cross-entropy.
    Notebook: 03_sssl_training

    Examples
    --------
    >>> import torch
    >>> rdrop_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 1.0]]))
    tensor(0.4621)
    """
    if len(first) == 0:
        # A zero that depends on the network, so that backward() works as on any other batch.
        return first.sum() * 0.0
    return symmetric_kl(first, second).mean()


def prior_divergence(logits: Tensor, prior: Tensor) -> Tensor:
    """Return KL(prior ‖ mean softmax of a batch), [B, K] and [K] → a scalar in nats.

    Methods that learn from their own answers add it, so that not all segments end in one class. It
    is 0 where the mean answer has the class fractions of the prior, and never negative.

    Source: Tanaka et al. 2018; D: the class fractions of the training labels in place of 1/K.

    Examples
    --------
    >>> import torch
    >>> prior_divergence(torch.tensor([[9.0, 0.0], [0.0, 9.0]]), torch.tensor([0.5, 0.5]))
    tensor(0.)
    """
    log_p = functional.log_softmax(logits.float(), dim=1)
    log_mean = torch.logsumexp(log_p, dim=0) - math.log(len(log_p))  # [K]
    # xlogy is 0 for a class that no segment has.
    return (torch.xlogy(prior, prior) - prior * log_mean).sum()


def ramp(epochs_since_split: float, *, weight: float = 1.0, ramp_epochs: float = 16) -> float:
    """Return λ, which rises linearly from 0 to `weight` over `ramp_epochs` epochs.

    `epochs_since_split` counts semi-supervised epochs and may be fractional.

    Source: λ of paper Eq. (10); D: λ = 1 with a linear ramp, as DivideMix and MixMatch ramp their
    unsupervised weight. SSSL's is half of its semi-supervised phase, see
    `training.methods.sssl.ramp_epochs`. Notebook: 03_sssl_training

    Examples
    --------
    >>> ramp(4, ramp_epochs=16), ramp(40, ramp_epochs=16), ramp(0, ramp_epochs=0)
    (0.25, 1.0, 1.0)
    """
    if ramp_epochs <= 0:
        return weight
    return weight * min(1.0, max(0.0, epochs_since_split / ramp_epochs))


def total_loss(mixed: Tensor, consistency: Tensor, lambda_kl: float) -> Tensor:
    """Return L = L_MIX + λ·L_KL. Source: paper Eq. (10); λ = 0 is the paper's "Proposed*".

    Notebook: 03_sssl_training

    Examples
    --------
    >>> import torch
    >>> total_loss(torch.tensor(1.0), torch.tensor(0.5), 0.2)
    tensor(1.1000)
    """
    # λ = 0 returns L_MIX itself: Proposed* then equals a training that has no consistency loss.
    return mixed + lambda_kl * consistency if lambda_kl else mixed
