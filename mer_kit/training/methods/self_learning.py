"""Iterative self-learning: networks are trained in turn, each on the answers of the one before.

Notebook: 03_sssl_training
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import stats  # type: ignore[import-untyped, unused-ignore]
from torch import Tensor

from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.seeding import numpy_generator
from mer_kit.training.evaluation import cut
from mer_kit.training.method import MIXUP, RDROP, SPLIT, BaseMethod, Epoch, Stage, Training

if TYPE_CHECKING:
    from mer_kit.training.settings import TrainingSettings

TITLE = "self-learning"
SAYS = "networks trained in turn, each on the soft answers of the one before"
SOURCE = "Mao, Ching, Lee 2022 (abstract only); settings are D"
COLOUR, LINE = "#1b9e77", "-"
ORDER = 14


@dataclass(frozen=True)
class Settings:
    """How often labels are replaced, and by what. All values are D: the source gives none.

    Attributes
    ----------
    iterations : networks after the first one, each trained for `epochs`; 0 is plain cross-entropy
    self_labels : "soft" probabilities, or "hard" for the most likely class
    inherited_weight : β, the part of the inherited label in a target; 1 is plain cross-entropy
    restart : whether each iteration begins with new random weights
    period : "iteration", or "epoch" for new labels in each epoch after the warm-up of one training
    answers : "in_sample", or "oof" for those of a network that was trained on other songs
    """

    iterations: int = 3
    self_labels: str = "soft"
    inherited_weight: float = 0.0
    restart: bool = True
    period: str = "iteration"
    answers: str = "in_sample"

    def __post_init__(self) -> None:
        check_range("iterations", self.iterations, 0, 20, whole=True)
        check_choice("self_labels", self.self_labels, ("soft", "hard"))
        check_range("inherited_weight", self.inherited_weight, 0, 1)
        check_choice("period", self.period, ("iteration", "epoch"))
        check_choice("answers", self.answers, ("in_sample", "oof"))
        if self.answers == "oof" and self.period == "epoch":
            raise MerKitError(
                "answers is 'oof' and period is 'epoch', but one network in one training has no "
                "songs that it was not trained on: set period to 'iteration'"
            )

    @property
    def parts(self) -> int:
        """How many networks each iteration but the last one trains: one, or one for each half."""
        if self.answers == "oof":
            return 2
        return 1


class Method(BaseMethod):
    """Targets are t = β·y + (1 − β)·q, with q from the last pass of the iteration before.

    The trap: the gradient of cross-entropy with respect to the logits is p − t. Where t are the
    network's own current answers, it is zero, and nothing is learned but the noise of dropout. So
    the next iteration has to begin with new weights (`restart`; this is self-distillation), or β
    has to be above 0. Likewise an over-fitted network returns the labels that it was given; its
    answers for songs that it was not trained on (`answers="oof"`) do not.

    Examples
    --------
    >>> from mer_kit.training.objectives import cross_entropy
    >>> logits = torch.tensor([[2.0, -1.0, 0.5]], requires_grad=True)
    >>> own_answers = torch.softmax(logits, dim=1).detach()
    >>> cross_entropy(logits, own_answers).sum().backward()
    >>> bool(logits.grad.abs().max() < 1e-7)
    True
    """

    settings = Settings
    own: Settings
    idle = frozenset((*SPLIT, *RDROP, *MIXUP))

    @classmethod
    def stages(cls, settings: TrainingSettings) -> tuple[Stage, ...]:
        """Return a stage for each network: one per iteration, or one per half and the last."""
        own: Settings = settings.own
        if own.period == "epoch":
            return (Stage(settings.epochs),)
        # A half is always learned by a network that has not seen the other one.
        fresh = own.restart or own.answers == "oof"
        return (Stage(settings.epochs, fresh),) * (own.parts * own.iterations + 1)

    @classmethod
    def without_effect(cls, settings: TrainingSettings) -> frozenset[str]:
        """Return too what no iteration asks for, and `restart` where all networks are new."""
        idle, own = super().without_effect(settings), settings.own
        if own.period == "epoch":
            return idle | {"iterations", "restart"}
        if own.iterations == 0:
            return idle | {"self_labels", "inherited_weight", "restart", "answers"}
        if own.answers == "oof":
            idle |= {"restart"}
        return idle

    def start(self, training: Training) -> None:
        """Divide the songs into two halves at random.

        Raises
        ------
        MerKitError
            If answers of other songs are asked for, but there is only one song.
        """
        super().start(training)
        songs, of_song = np.unique(training.songs, return_inverse=True)
        if self.own.parts > len(songs):
            raise MerKitError(
                "answers is 'oof' with one song, expected at least two songs: "
                "set answers to 'in_sample'"
            )
        order = numpy_generator(training.seed, "halves").permutation(len(songs))
        self.half = order[of_song] % 2  # [S], 0 or 1

    def begin_epoch(self, epoch: Epoch) -> None:
        """Make this iteration's targets from the answers of the one before."""
        super().begin_epoch(epoch)
        stage = (epoch.number - 1) // self.s.epochs
        self.iteration, self.part = divmod(stage, self.own.parts)
        self.soft: np.ndarray | None = None  # float32 [S, K]; None for the inherited labels
        if self.own.period == "epoch" and epoch.phase != "warmup":
            self.soft = self._mixed(epoch.passes[-1])
        elif self.iteration:
            self.soft = self._mixed(self._answers(epoch.passes))

    def _answers(self, passes: np.ndarray) -> np.ndarray:
        """Return the last pass of the iteration before, [S, K]; with halves, of the other half."""
        epochs, parts = self.s.epochs, self.own.parts
        end = epochs * parts * self.iteration
        last = passes[end - epochs * (parts - 1) - 1 : end : epochs]  # [parts, S, K]
        # Part 0 was trained on half 0 and answers for half 1, and the other way round.
        return np.asarray(last[(parts - 1) * (1 - self.half), np.arange(len(self.half))])

    def _mixed(self, answers: np.ndarray) -> np.ndarray:
        """Return β·y + (1 − β)·q, float32 [S, K]."""
        eye = np.eye(self.training.n_classes, dtype=np.float32)
        q = answers.astype(np.float32)
        q /= q.sum(axis=1, keepdims=True)  # float16 rows do not sum to 1
        if self.own.self_labels == "hard":
            q = eye[q.argmax(axis=1)]
        beta = self.own.inherited_weight
        return np.asarray(beta * eye[self.training.labels] + (1 - beta) * q)

    def draw(self) -> list[np.ndarray]:
        """Return batches of all songs, or of one half, repeated to as many batches."""
        batches = super().draw()
        if self.own.parts == 1 or self.iteration == self.own.iterations:
            return batches
        ours = self.rows[self.half[self.rows] == self.part]
        return cut(np.resize(ours, len(self.rows)), self.s.batch_size)

    def targets(self, rows: np.ndarray) -> Tensor:
        """Return the targets of these segments, [B, K]."""
        if self.soft is None:
            return super().targets(rows)
        return torch.from_numpy(self.soft[rows]).to(self.training.placement.device)

    def summary(self) -> dict[str, float]:
        """Return the iteration, how many labels it replaced, and how sure its targets are."""
        changed = entropy = 0.0
        if self.soft is not None:
            changed = float((self.soft.argmax(axis=1) != self.training.labels).mean())
            entropy = float(stats.entropy(self.soft, axis=1).mean())  # nats
        return {"iteration": self.iteration, "relabelled": changed, "target_entropy": entropy}
