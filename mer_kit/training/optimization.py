"""The optimizer and the learning-rate schedule of a training.

Notebook: 03_sssl_training
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from mer_kit.training.settings import TrainingSettings


def make_optimizer(
    network: torch.nn.Module, settings: TrainingSettings, *, fused: bool
) -> torch.optim.Optimizer:
    """Return SGD with Nesterov momentum 0.9, or AdamW, over all parameters.

    `fused` lets one GPU kernel update all parameters.

    Examples
    --------
    >>> from mer_kit.training import TrainingSettings
    >>> settings = TrainingSettings(method="ce", optimizer="adamw", learning_rate=0.001)
    >>> optimizer = make_optimizer(torch.nn.Linear(2, 2), settings, fused=False)
    >>> type(optimizer).__name__, optimizer.defaults["lr"]
    ('AdamW', 0.001)
    """
    common: dict[str, Any] = {
        "lr": settings.learning_rate,
        "weight_decay": settings.weight_decay,
        "fused": fused,
    }
    # AdamW divides by each weight's own gradient size, and needs smaller rates than SGD for it.
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(network.parameters(), **common)
    return torch.optim.SGD(network.parameters(), momentum=0.9, nesterov=True, **common)


def make_scheduler(
    optimizer: torch.optim.Optimizer,
    settings: TrainingSettings,
    *,
    steps_per_epoch: int,
    epochs: int,
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return the learning-rate schedule per step of a stage of so many epochs.

    The rate rises linearly over the first epoch, then falls to 0 as a cosine or stays constant.

    Examples
    --------
    >>> from mer_kit.training import TrainingSettings
    >>> settings = TrainingSettings(method="ce", learning_rate=1.0)
    >>> optimizer = make_optimizer(torch.nn.Linear(2, 2), settings, fused=False)
    >>> scheduler = make_scheduler(optimizer, settings, steps_per_epoch=2, epochs=2)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates.append(scheduler.get_last_lr()[0])
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.5, 1.0, 1.0, 0.5]
    """
    total = epochs * steps_per_epoch

    def factor(step: int) -> float:
        # Small first steps: the gradients of fresh weights are large and point anywhere.
        if step < steps_per_epoch:
            return (step + 1) / steps_per_epoch
        if settings.schedule == "constant":
            return 1.0
        # Half a cosine over all steps after the first epoch: 1 at its start, 0 at the end.
        return 0.5 * (
            1 + math.cos(math.pi * (step - steps_per_epoch) / max(1, total - steps_per_epoch))
        )

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
