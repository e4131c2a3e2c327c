"""Multiple-instance learning: the loss of a song, from the pooled answers to its segments.

A song's label is right by definition, a segment's may not be. Segments may therefore disagree with
their song, as long as all of them together agree with it.

Notebook: 03_sssl_training
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mer_kit.checks import check_choice, check_range
from mer_kit.training.batch_loss import draw_rows
from mer_kit.training.method import MIXUP, RDROP, SPLIT, BaseMethod
from mer_kit.training.network import SegmentNetwork

TITLE = "MIL"
SAYS = "cross-entropy of whole songs: their segments' probabilities are pooled before the loss"
SOURCE = (
    "Mao et al. 2019 (text not available) for the idea; poolings: Wang, Li, Metze 2018, "
    "A Comparison of Five Multiple Instance Learning Pooling Functions; attention: Kong et al. "
    "2020, PANNs, over softmax outputs"
)
COLOUR, LINE = "#4d8c00", "-."
ORDER = 20

#: How a song's segments become one answer.
POOLINGS = ("mean", "max", "linear_softmax", "attention")
#: Attention scores are clamped to ± this, as in PANNs.
LARGEST_SCORE = 10.0


@dataclass(frozen=True)
class Settings:
    """Pooling and γ of L = γ·L_song + (1 − γ)·L_segments after the warm-up, which has γ = 0."""

    pooling: str = "mean"  # D: a song's emotion is nearer to an average than to a single peak
    bag_weight: float = 1.0  # D: γ; 0 is plain cross-entropy on the same batches

    def __post_init__(self) -> None:
        check_choice("pooling", self.pooling, POOLINGS)
        check_range("bag_weight", self.bag_weight, 0, 1)


class Method(BaseMethod):
    """Batches of whole songs, and one loss for each song.

    A batch has about `batch_size` segments. A song that is longer is cut at random into parts of at
    most so many, each of which has the song's label.
    """

    settings = Settings
    own: Settings
    phase = "bags"
    idle = frozenset((*SPLIT, *RDROP, *MIXUP))

    def extend(self, network: SegmentNetwork) -> None:
        """Add the attention's weights [K, D]."""
        if self.own.pooling == "attention":
            # The head is given D numbers: the last axis of its first weights. D (our decision):
            # with zeros, attention begins as the mean. A bias would be the same for all segments of
            # a song.
            n_inputs = next(network.classifier.parameters()).shape[-1]
            weights = nn.Parameter(torch.zeros(network.n_classes, n_inputs))
            network.register_parameter("attention", weights)

    def draw(self) -> list[np.ndarray]:
        """Return batches of whole songs in random order: `share` of each song's segments."""
        t, size = self.training, self.s.batch_size
        order = t.generators["order"]
        rows = draw_rows(t.songs, self.s.share, order)
        rows = rows[np.argsort(t.songs[rows], kind="stable")]
        _, first = np.unique(t.songs[rows], return_index=True)
        parts = [
            part
            for song in np.split(rows, first[1:])
            for part in np.array_split(song, -(-len(song) // size))
        ]
        # No part has more than a batch: there are at least as many parts as batches.
        batches = np.array_split(order.permutation(len(parts)), self.steps(self.s, t.songs))
        return [np.concatenate([parts[n] for n in batch]) for batch in batches]

    def loss(self, networks: list[SegmentNetwork], x: Tensor, rows: np.ndarray) -> list[Tensor]:
        """Return γ·L_song + (1 − γ)·L_segments; plain cross-entropy during the warm-up."""
        network, t, gamma = networks[0], self.training, self._gamma()
        if not gamma:
            return super().loss(networks, x, rows)
        with t.placement.autocast():
            h = network.trunk(x)  # [B, D]
            logits = network.head(h, generator=t.dropout)  # [B, K]
        targets = self.targets(rows)
        _, bag = np.unique(t.songs[rows], return_inverse=True)  # [B], 0 to songs of the batch − 1
        member = torch.from_numpy(np.arange(bag.max() + 1)[:, None] == bag).to(x.device)
        pooled = pool(
            functional.log_softmax(logits.float(), dim=1),
            member,
            self.own.pooling,
            scores=self._scores(network, h),
        )
        # The mean of a song's targets: its label, unless labels of single segments were changed.
        of_song = (member / member.sum(dim=1, keepdim=True)) @ targets
        songs = self.segment_loss(pooled, of_song).mean()
        segments = self.segment_loss(logits, targets).mean()
        loss = gamma * songs + (1 - gamma) * segments
        for name, value in {"loss": loss, "mix": segments, "songs": songs}.items():
            self.sums.add(name, value, len(rows))
        return [loss]

    def _gamma(self) -> float:
        """Return γ of this epoch."""
        # Max and attention would settle on one segment of each song before anything is learned.
        if self.epoch.phase != self.phase:
            return 0.0
        return self.own.bag_weight

    def _scores(self, network: SegmentNetwork, h: Tensor) -> Tensor | None:
        """Return the attention's scores [B, K] from the trunk's output [B, D]; None without it."""
        if self.own.pooling != "attention":
            return None
        with self.training.placement.autocast():
            return functional.linear(h, network.get_parameter("attention")).float()

    def summary(self) -> dict[str, float]:
        """Return the songs' loss, where there is one."""
        return {"song_loss": self.sums.mean("songs")} if self._gamma() else {}


def pool(log_p: Tensor, member: Tensor, pooling: str, *, scores: Tensor | None = None) -> Tensor:
    r"""Return log Pₖ of each song up to a constant over k: [B, K] → [songs, K].

    P is Σⱼ wⱼₖ pⱼₖ / Σⱼ wⱼₖ over the segments j of a song, with w = 1 ("mean"), w = p
    ("linear_softmax") or w = exp(scores) ("attention"); or maxⱼ pⱼₖ ("max"). All but the mean have
    to be divided by Σₖ Pₖ, as a softmax of the result does.

    Source: Wang, Li, Metze 2018. Notebook: 03_sssl_training

    Parameters
    ----------
    log_p : logarithms of the segments' probabilities
    member : bool [songs, B], which segments belong to a song; at least one
    scores : [B, K], for "attention"

    Examples
    --------
    >>> log_p = torch.log(torch.tensor([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5]]))
    >>> member = torch.tensor([[True, True, False], [False, False, True]])
    >>> torch.softmax(pool(log_p, member, "mean"), dim=1)
    tensor([[0.6000, 0.4000],
            [0.5000, 0.5000]])
    """

    def of_song(values: Tensor) -> Tensor:  # [B, K] → [songs, B, K], −∞ outside the song
        return torch.where(member[:, :, None], values, -torch.inf)

    if pooling == "max":
        return of_song(log_p).amax(dim=1)
    # log w; in logarithms no probability is too small for its gradient.
    weights = {"mean": torch.zeros_like(log_p), "linear_softmax": log_p}
    if scores is not None:
        weights["attention"] = scores.clamp(-LARGEST_SCORE, LARGEST_SCORE)
    w = weights[pooling]
    return of_song(w + log_p).logsumexp(dim=1) - of_song(w).logsumexp(dim=1)
