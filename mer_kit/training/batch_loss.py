"""One training step: a batch of X and U becomes one loss (paper Eq. 4–10)."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from mer_kit.training import objectives
from mer_kit.training.evaluation import Placement
from mer_kit.training.network import SegmentNetwork


@dataclass(frozen=True)
class Batch:
    """One batch on its device.

    Attributes
    ----------
    x : float32 [B, 1, d, n] or [B, d], standardised segments
    targets : float32 [B, K], one-hot inherited labels
    noisy : int64 [Bᵤ], the rows of the batch that are in U
    delta, partner : mixup's weight and each row's partner, int64 [B]; both None without mixup
    lambda_kl : λ of Eq. (10) in this step
    pseudo : [B, K], the probabilities to sharpen into pseudo-labels; None for the model's own
    kept : float32 [B], ω: the weight that inherited labels keep beside pseudo-labels; None for 0
    """

    x: Tensor
    targets: Tensor
    noisy: Tensor
    delta: float | None = None
    partner: Tensor | None = None
    lambda_kl: float = 0.0
    pseudo: Tensor | None = None
    kept: Tensor | None = None


class EpochSums:
    """Weighted means over an epoch, kept on the device so that no step waits for the GPU."""

    def __init__(self) -> None:
        # Name → the weighted sum so far and the weights' sum.
        self._sums: dict[str, tuple[Tensor | float, int]] = {}

    def add(self, name: str, value: Tensor, weight: int) -> None:
        """Count a scalar tensor `weight` times in the mean called `name`."""
        # Doubles, since a float32 sum over thousands of batches would lose the last digits.
        total, weights = self._sums.get(name, (0.0, 0))
        self._sums[name] = (total + value.detach().double() * weight, weights + weight)

    def mean(self, name: str) -> float:
        """Return the mean so far, NaN if nothing was counted.

        Examples
        --------
        >>> sums = EpochSums()
        >>> sums.add("loss", torch.tensor(2.0), 3)
        >>> sums.add("loss", torch.tensor(4.0), 1)
        >>> sums.mean("loss")
        2.5
        """
        total, weights = self._sums.get(name, (0.0, 0))
        return float(total) / weights if weights else float("nan")


def batch_loss(
    network: SegmentNetwork,
    batch: Batch,
    placement: Placement,
    sums: EpochSums,
    *,
    temperature: float,
    dropout: torch.Generator,
    segment_loss: Callable[[Tensor, Tensor], Tensor] = objectives.cross_entropy,
    penalty: Callable[[Tensor], Tensor | None] = lambda logits: None,
    keep_statistics: bool = False,
) -> Tensor:
    """Return the batch's loss, a scalar with gradient, in nats.

    This is plain cross-entropy, L_MIX, or L_MIX + λ·L_KL, depending on the batch (Eq. 2, 8, 10).

    Parameters
    ----------
    sums : the epoch's means, to which this batch is added
    temperature : T of Eq. (4)
    dropout : the generator of every dropout mask, on the network's device
    segment_loss : (logits, targets) → the loss of each segment [B]
    penalty : logits → a scalar that is added to the loss, or None
    keep_statistics : leave the running statistics of batch normalisation as they are

    Notebook: 03_sssl_training

    Examples
    --------
    >>> from mer_kit.training import networks
    >>> from mer_kit.training.evaluation import place
    >>> network = networks.build("vgg16", 2, n_features=32, width=1, head_pool=1)
    >>> x, unlabelled = torch.zeros(4, 1, 32, 32), torch.tensor([1, 3])
    >>> batch = Batch(x, targets=torch.eye(2)[[0, 1, 0, 1]], noisy=unlabelled, lambda_kl=1.0)
    >>> loss = batch_loss(network, batch, place("cpu", "float32"), EpochSums(), temperature=0.5,
    ...                   dropout=torch.Generator().manual_seed(0))
    >>> loss.shape, loss.requires_grad
    (torch.Size([]), True)
    """
    x, partner, delta = batch.x, batch.partner, batch.delta
    if partner is not None and delta is not None:
        x = objectives.mix(batch.x, partner, delta)  # Eq. 6
    with kept_statistics(network, keep_statistics), placement.autocast():
        logits = network.head(network.trunk(x), generator=dropout)  # [B, K]
    # Batches of a warm-up or of a plain method have no U: their targets are the inherited labels.
    targets, consistency = batch.targets, torch.zeros((), device=x.device)
    if len(batch.noisy):
        targets, consistency = _unlabelled(network, batch, placement, sums, temperature, dropout)
    if partner is not None and delta is not None:
        mixed = objectives.mixup_loss(  # Eq. 8
            logits, targets, partner, delta, segment_loss=segment_loss
        )
    else:
        mixed = segment_loss(logits, targets).mean()  # Eq. 2
    # One scalar for the whole batch: its gradient reaches the network along both terms at once.
    total = objectives.total_loss(mixed, consistency, batch.lambda_kl)  # Eq. 10
    further = penalty(logits)
    if further is not None:
        total = total + further
        sums.add("penalty", further, len(batch.x))
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
    """Return the targets [B, K] with pseudo-labels in place of U's labels, and L_KL on U."""
    x = batch.x[batch.noisy]  # [Bᵤ, …], unmixed: a pseudo-label belongs to one segment
    consistency = torch.zeros((), device=x.device)
    # D: batch normalisation uses its running statistics here, so that a pseudo-label does not
    # depend on how many segments of the batch are in U. If they are renewed on unmixed segments,
    # that is once per epoch, after its last step: as the weights move on, they are up to an epoch
    # old.
    with frozen_batch_norm(network), placement.autocast():
        # Dropout acts in the head only. One result of the trunk, h [Bᵤ, D], therefore serves the
        # pseudo-labels and both heads of R-Drop, with the values and gradients of three passes.
        if batch.lambda_kl:
            h = network.trunk(x)
            first = network.head(h, generator=dropout)
            second = network.head(h, generator=dropout)
            consistency = objectives.rdrop_loss(first, second)  # Eq. 9
            sums.add("kl", consistency, len(x))
        elif batch.pseudo is None:
            with torch.no_grad():
                h = network.trunk(x)
        if batch.pseudo is None:
            with torch.no_grad():
                guess = network.head_without_dropout(h.detach()).float()
        else:
            # `sharpen` expects logits, and log-probabilities are logits of the same softmax.
            guess = torch.log(batch.pseudo[batch.noisy].clamp_min(1e-12))
    soft = objectives.sharpen(guess, temperature)  # Eq. 4: [Bᵤ, K]
    # The erased labels are still compared with the pseudo-labels, but only for the record.
    erased = batch.targets[batch.noisy]
    sums.add("agreement", (soft.argmax(1) == erased.argmax(1)).double().mean(), len(x))
    sums.add("confidence", soft.max(dim=1).values.mean(), len(x))
    if batch.kept is not None:
        kept = batch.kept[batch.noisy, None]  # [Bᵤ, 1]
        soft = kept * erased + (1 - kept) * soft
    return batch.targets.index_copy(0, batch.noisy, soft.to(batch.targets.dtype)), consistency


@contextmanager
def frozen_batch_norm(network: nn.Module) -> Iterator[None]:
    """Make batch normalisation use its running statistics, unchanged; gradients still flow.

    Examples
    --------
    >>> layer = nn.BatchNorm1d(2)
    >>> with frozen_batch_norm(layer):
    ...     layer.training
    False
    >>> layer.training
    True
    """
    # Only layers in training mode are switched, so that leaving the block restores every mode.
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


@contextmanager
def kept_statistics(network: nn.Module, keep: bool) -> Iterator[None]:
    """Make batch normalisation leave its running statistics as they are; it still normalises.

    Examples
    --------
    >>> layer = nn.BatchNorm1d(1)
    >>> with kept_statistics(layer, True):
    ...     _ = layer(torch.tensor([[1.0], [3.0]]))
    >>> layer.running_mean
    tensor([0.])
    """
    layers = [one for one in network.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    if keep:
        for layer in layers:
            layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


class _Trunk(nn.Module):
    """A network up to its head, which has dropout but no batch normalisation."""

    def __init__(self, network: SegmentNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.trunk(x)


def renew_batch_norm(
    network: SegmentNetwork, batches: Iterable[tuple[np.ndarray, Tensor]], placement: Placement
) -> None:
    """Set the running statistics of batch normalisation to those of these segments.

    Mixed segments vary less than real ones, and statistics taken from them would be used for real
    ones wherever dropout is off.

    Parameters
    ----------
    batches : (rows [B], x [B, 1, d, n] or [B, d]), standardised and on the device
    """
    # A last batch of one segment has no variance.
    with placement.autocast():
        update_bn((x for _, x in batches if len(x) > 1), _Trunk(network))


def n_drawn(songs: np.ndarray, share: float) -> int:
    """Return how many segments an epoch draws: the fraction `share` of each song's, at least one.

    Examples
    --------
    >>> n_drawn(np.array([0, 0, 0, 0, 1]), 0.5)
    3
    """
    counts = np.unique(songs, return_counts=True)[1]  # [songs], segments of each
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
    # Sorting the shuffled rows by song, stably, numbers each song's segments in random order:
    # rank 0, 1, … within its song. The first `wanted` of every song are drawn.
    by_song = np.argsort(songs[order], kind="stable")
    _, first, counts = np.unique(songs[order][by_song], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(first, counts)
    wanted = np.repeat(np.maximum(1, np.round(counts * share)), counts)
    # Sorted positions give back the shuffled order; otherwise songs would come one by one.
    return np.asarray(order[np.sort(by_song[rank < wanted])])
