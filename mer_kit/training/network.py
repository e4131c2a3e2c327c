"""The interface of segment networks: a trunk without dropout, and a head that contains all of it.

One result of the trunk therefore serves several passes through the head.

Notebook: 03_sssl_training
"""

from functools import reduce
from typing import Any, ClassVar

import torch
from torch import Tensor, nn


class SegmentNetwork(nn.Module):
    """A network from segments to logits; subclasses build `classifier` and define `trunk`.

    Attributes
    ----------
    settings : a frozen dataclass, the keywords of `__init__` in addition to n_classes, n_features
        and generator
    n_classes : outputs K
    classifier : the head, layer by layer, with all dropout of the network
    """

    settings: ClassVar[type]
    n_classes: int
    classifier: nn.Sequential

    @classmethod
    def normalises(cls, settings: Any) -> bool:
        """Tell whether a network with these settings may have batch normalisation."""
        return True

    def trunk(self, x: Tensor) -> Tensor:
        """Return the head's input [B, D] from frames [B, 1, d, n] or vectors [B, d], no dropout."""
        raise NotImplementedError

    def head(self, h: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Return logits [B, K] from the trunk's output [B, D].

        In training mode dropout is drawn from `generator` if one is given, so that every random
        draw of a run comes from a named stream; otherwise from torch's global state.
        """
        # [B, D] through linear layers and dropout to [B, K]; softmax belongs to the loss.
        for layer in self.classifier:
            # nn.Dropout itself accepts no generator, so its mask is drawn here.
            if isinstance(layer, nn.Dropout) and self.training and generator is not None:
                h = dropout(h, layer.p, generator)
            else:
                h = layer(h)
        return h

    def head_without_dropout(self, h: Tensor) -> Tensor:
        """Return logits [B, K] with dropout off, in training mode as well."""
        layers = (layer for layer in self.classifier if not isinstance(layer, nn.Dropout))
        return reduce(lambda x, layer: layer(x), layers, h)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, K] of segments."""
        return self.head(self.trunk(x))

    def shrink_output(self) -> None:
        """Make the last layer's weights a tenth, so that training begins near 1/K for every class.

        With He's variance the first loss is about twice that of a uniform guess.
        """
        last = self.classifier[-1]
        if isinstance(last, nn.Linear):
            with torch.no_grad():
                last.weight.mul_(0.1)

    def compile_trunk(self) -> None:
        """Let torch compile the most expensive part; does nothing by default."""


def dropout(h: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
    """Return h [B, D], each entry kept with probability 1 − p and then scaled by 1/(1 − p).

    The mask is drawn from `generator`, so that CPU runs are reproducible bit for bit.

    Examples
    --------
    >>> kept = dropout(torch.ones(1000), 0.5, torch.Generator().manual_seed(0))
    >>> sorted(set(kept.tolist())), 0.9 < float(kept.mean()) < 1.1
    ([0.0, 2.0], True)
    """
    if p == 0:
        return h
    # Drawn in float32 whatever h's type, so that both precisions drop the same entries.
    mask = torch.empty(h.shape, device=h.device, dtype=torch.float32)
    mask.bernoulli_(1 - p, generator=generator)
    return h * (mask / (1 - p)).to(h.dtype)
