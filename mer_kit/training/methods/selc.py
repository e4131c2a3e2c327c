"""Self-ensemble label correction: after the warm-up, labels drift towards the network's answers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mer_kit.checks import check_range
from mer_kit.training.method import MIXUP, RDROP, SPLIT, BaseMethod, Training

TITLE = "SELC"
SAYS = "cross-entropy on labels that drift towards the network's answers after the warm-up"
SOURCE = "Lu and He 2022, SELC: Self-Ensemble Label Correction Improves Learning with Noisy Labels"
COLOUR, LINE = "#e42536", "-."
ORDER = 13


@dataclass(frozen=True)
class Settings:
    """The part m of a target that each step keeps; 1 is plain cross-entropy.

    After n epochs m^n of the inherited label is left: 12 % after 20 with m = 0.9.
    """

    label_momentum: float = 0.9  # P of the source; D: 0.95 if few labels are wrong

    def __post_init__(self) -> None:
        check_range("label_momentum", self.label_momentum, 0, 1)


class Method(BaseMethod):
    """Cross-entropy to t, where t ← m·t + (1 − m)·p whenever a segment is drawn.

    The targets t begin as the inherited labels and move after the warm-up only.
    """

    settings = Settings
    own: Settings
    idle = frozenset((*SPLIT, *RDROP, *MIXUP))

    def start(self, training: Training) -> None:
        """Begin with the inherited labels."""
        super().start(training)
        self.memory = training.one_hot(np.arange(len(training.labels)))  # float32 [S, K]

    def targets(self, rows: np.ndarray) -> Tensor:
        """Return the targets as they are before this step, [B, K]."""
        self.batch_rows = torch.from_numpy(rows).to(self.memory.device)
        return self.memory[self.batch_rows]

    def segment_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Move the targets of these segments, then return the cross-entropy to them: [B]."""
        if self.epoch.phase != "warmup":
            m = self.own.label_momentum
            targets = m * targets + (1 - m) * torch.softmax(logits.detach().float(), dim=1)
            self.memory[self.batch_rows] = targets
        return super().segment_loss(logits, targets)

    def state(self) -> dict[str, Tensor]:
        """Return the targets: a resumed training continues with them."""
        return {"targets": self.memory.cpu()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue with the targets of a checkpoint."""
        self.memory = state["targets"].to(self.memory.device)

    def summary(self) -> dict[str, float]:
        """Return the fraction of segments whose target prefers another class than inherited."""
        chosen = self.memory.argmax(dim=1).cpu().numpy()
        return {"relabelled": float((chosen != self.training.labels).mean())}
