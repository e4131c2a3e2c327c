"""What every segment network has: a trunk without dropout, and a head with it, so that one trunk pass serves several heads.

Notebook: 03_sssl_training
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn


class SegmentNetwork(nn.Module):
    """A network from segments to logits; subclasses build `classifier` and define `trunk`.

    Attributes
    ----------
    settings : a frozen dataclass, the keywords that `__init__` has beside n_classes, n_features and generator
    n_classes : outputs K
    classifier : the head, layer by layer; dropout is in here only
    """

    settings: ClassVar[type]
    n_classes: int
    classifier: nn.Sequential

    def trunk(self, x: Tensor) -> Tensor:
        """Return [B, D], what the head is given: of frames [B, 1, d, n], or of vectors [B, d]. No dropout in here."""
        raise NotImplementedError

    def head(self, h: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Return logits [B, K] from the trunk's output [B, D].

        In training mode dropout is drawn from `generator` where one is given, so that every random draw of a run
        comes from a named stream; without one, torch's global state is used.
        """
        for layer in self.classifier:
            if isinstance(layer, nn.Dropout) and self.training and generator is not None:
                h = dropout(h, layer.p, generator)
            else:
                h = layer(h)
        return h

    def head_without_dropout(self, h: Tensor) -> Tensor:
        """Return logits [B, K] with dropout off, whatever mode the network is in."""
        for layer in self.classifier:
            if not isinstance(layer, nn.Dropout):
                h = layer(h)
        return h

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, K] of segments."""
        return self.head(self.trunk(x))

    def compile_trunk(self) -> None:
        """Let torch compile the part that costs the most; a network without such a part does nothing."""


def dropout(h: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
    """Return h with each entry kept with probability 1 − p and scaled by 1/(1 − p), drawn from `generator`.

    The random numbers are made where the generator lives, so CPU runs are reproducible bit for bit.

    Examples
    --------
    >>> kept = dropout(torch.ones(1000), 0.5, torch.Generator().manual_seed(0))
    >>> sorted(set(kept.tolist())), 0.9 < float(kept.mean()) < 1.1
    ([0.0, 2.0], True)
    """
    if p == 0:
        return h
    mask = torch.empty(h.shape, device=h.device, dtype=torch.float32).bernoulli_(
        1 - p, generator=generator
    )
    return h * (mask / (1 - p)).to(h.dtype)
