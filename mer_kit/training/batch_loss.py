"""One training step: a batch of X and U becomes one loss (paper Eq. 4–10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mer_kit.training import objectives
from mer_kit.training.evaluation import Placement
from mer_kit.training.network import SegmentNetwork


@dataclass(frozen=True)
class Batch:
    """One batch on its device.

    x [B, 1, d, n] or [B, d] standardised; targets [B, K] one-hot inherited labels; noisy int64 [Bᵤ], which rows are in
    U; delta and partner as drawn for mixup (None: no mixup); pseudo [B, K] probabilities to sharpen instead of the
    model's own (None: the model's own).
    """

    x: Tensor
    targets: Tensor
    noisy: Tensor
    delta: float | None = None
    partner: Tensor | None = None
    lambda_kl: float = 0.0
    pseudo: Tensor | None = None


class EpochSums:
    """Weighted means over an epoch, kept on the device so that no step waits for the GPU."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor | float] = {}
        self._weights: dict[str, int] = {}

    def add(self, name: str, value: Tensor, weight: int) -> None:
        """Count a scalar tensor `weight` times in the mean called `name`."""
        self._sums[name] = self._sums.get(name, 0.0) + value.detach().double() * weight
        self._weights[name] = self._weights.get(name, 0) + weight

    def mean(self, name: str) -> float:
        """Return the mean so far, NaN where nothing was counted.

        Examples
        --------
        >>> sums = EpochSums()
        >>> sums.add("loss", torch.tensor(2.0), 3)
        >>> sums.add("loss", torch.tensor(4.0), 1)
        >>> sums.mean("loss")
        2.5
        """
        return (
            float(self._sums[name]) / self._weights[name]
            if self._weights.get(name)
            else float("nan")
        )


def batch_loss(
    network: SegmentNetwork,
    batch: Batch,
    placement: Placement,
    sums: EpochSums,
    *,
    temperature: float,
    dropout: torch.Generator,
) -> Tensor:
    """Return the batch's loss, a scalar with gradient: cross-entropy, L_MIX, or L_MIX + λ·L_KL (Eq. 2, 8, 10).

    Networks drop out in their head only, so U passes the trunk once and that one result serves the pseudo-label head
    and both of R-Drop's dropout heads: the same values and gradients as three whole passes.

    Notebook: 03_sssl_training
    """
    x = batch.x
    if batch.delta is not None and batch.partner is not None:
        x = objectives.mix(batch.x, batch.partner, batch.delta)
    with placement.autocast():
        logits = network.head(network.trunk(x), generator=dropout)
    targets, consistency = batch.targets, torch.zeros((), device=x.device)
    if len(batch.noisy):
        targets, consistency = _unlabelled(network, batch, placement, sums, temperature, dropout)
    if batch.delta is not None and batch.partner is not None:
        mixed = objectives.mixup_loss(logits, targets, batch.partner, batch.delta)
    else:
        mixed = objectives.cross_entropy(logits, targets).mean()
    total = objectives.total_loss(mixed, consistency, batch.lambda_kl)
    sums.add("mix", mixed, len(batch.x))
    sums.add("loss", total, len(batch.x))
    return total


def _unlabelled(
    network: SegmentNetwork,
    batch: Batch,
    placement: Placement,
    sums: EpochSums,
    temperature: float,
    dropout: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Return the targets with U's labels replaced by pseudo-labels, and L_KL on U."""
    x = batch.x[batch.noisy]
    consistency = torch.zeros((), device=x.device)
    # D: batch normalisation uses its running statistics here, so that a pseudo-label is what the evaluation pass
    # would say and does not depend on how many of the batch are in U.
    with frozen_batch_norm(network), placement.autocast():
        if batch.lambda_kl:
            h = network.trunk(x)
            first = network.head(h, generator=dropout)
            second = network.head(h, generator=dropout)
            consistency = objectives.rdrop_loss(first, second)
            sums.add("kl", consistency, len(x))
        elif batch.pseudo is None:
            with torch.no_grad():
                h = network.trunk(x)
        if batch.pseudo is None:
            with torch.no_grad():
                guess = network.head_without_dropout(h.detach()).float()
        else:
            guess = torch.log(batch.pseudo[batch.noisy].clamp_min(1e-12))
    soft = objectives.sharpen(guess, temperature)
    erased = batch.targets[batch.noisy]
    sums.add("agreement", (soft.argmax(1) == erased.argmax(1)).double().mean(), len(x))
    sums.add("confidence", soft.max(dim=1).values.mean(), len(x))
    return batch.targets.index_copy(0, batch.noisy, soft.to(batch.targets.dtype)), consistency


@contextmanager
def frozen_batch_norm(network: nn.Module) -> Iterator[None]:
    """Within it, batch normalisation uses (and does not change) its running statistics; gradients still flow."""
    layers = [
        layer
        for layer in network.modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.training
    ]
    for layer in layers:
        layer.eval()
    try:
        yield
    finally:
        for layer in layers:
            layer.train()


def n_drawn(songs: np.ndarray, share: float) -> int:
    """Return how many segments an epoch draws: `share` of each song's, rounded, at least one.

    Examples
    --------
    >>> n_drawn(np.array([0, 0, 0, 0, 1]), 0.5)
    3
    """
    counts = np.unique(songs, return_counts=True)[1]
    return int(np.maximum(1, np.round(counts * share)).sum())


def draw_rows(songs: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Return an epoch's rows in random order: int64 [n_drawn], `share` of each song's segments.

    Examples
    --------
    >>> rows = draw_rows(np.array([0, 0, 0, 0, 1]), 0.5, np.random.default_rng(0))
    >>> len(rows), 4 in rows
    (3, True)
    """
    order = generator.permutation(len(songs))
    if share >= 1:
        return order
    by_song = np.argsort(songs[order], kind="stable")
    _, first, counts = np.unique(songs[order][by_song], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(first, counts)
    wanted = np.repeat(np.maximum(1, np.round(counts * share)), counts)
    return np.asarray(order[np.sort(by_song[rank < wanted])])
