"""What a training can be told: one frozen record with the origin of every default, checked once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from mer_kit import extensions
from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.later_settings import hashed, kinds, later, nested, part
from mer_kit.training import methods, networks
from mer_kit.training.methods import METHODS
from mer_kit.training.partition import PartitionSettings

__all__ = ["METHODS", "TrainingSettings"]


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of one training; P marks the paper, D our decision."""

    method: str = "sssl"
    epochs: int = 60  # D: the paper gives none
    warmup_epochs: int = 10  # D: the paper gives none
    warmup_mixup: bool = False  # D: sssl and sssl_no_kl mix already in the warm-up; ce never mixes
    warmup_accuracy: float | None = (
        None  # D: also wait for this agreement with the inherited labels
    )
    batch_size: int = 64  # D
    optimizer: str = "sgd"  # D: SGD 0.9 Nesterov; "adamw" is an option
    learning_rate: float = 0.01  # D: 0.002 when starting from ImageNet weights
    weight_decay: float = 5e-4  # D
    schedule: str = "cosine"  # D: after a linear rise over the first epoch; or "constant"
    gradient_clip: float = 1.0  # D: L2 norm
    share: float = 1.0  # D: random share of each song's segments drawn per epoch
    partition: PartitionSettings = part(PartitionSettings)  # D: the paper's τ has no value
    temperature: float = 0.5  # D: MixMatch
    pseudo_labels: str = "batch"  # P: the model as it is; D "epoch": from the evaluation pass
    alpha: float = 0.75  # D: MixMatch
    lambda_kl: float = 1.0  # D: Eq. (10) leaves λ open
    ramp_epochs: float = 16.0  # D
    compile: bool = False  # D: torch.compile the trunk
    model: Any = field(default_factory=dict)  # the network's settings: a mapping becomes its record
    network: str = later(default="vgg16", absent_means="vgg16")  # P: VGG16
    own: Any = later(default_factory=dict, absent_means={})  # the method's own settings, likewise

    def __post_init__(self) -> None:
        model, own = networks.of(self.network).settings, methods.of(self.method).settings
        object.__setattr__(
            self, "model", extensions.settings_of(f"network {self.network}", model, self.model)
        )
        object.__setattr__(
            self, "own", extensions.settings_of(f"method {self.method}", own, self.own)
        )
        check_choice("optimizer", self.optimizer, ("sgd", "adamw"))
        check_choice("schedule", self.schedule, ("cosine", "constant"))
        check_choice("pseudo_labels", self.pseudo_labels, ("batch", "epoch"))
        check_range("epochs", self.epochs, 1, whole=True)
        check_range("warmup_epochs", self.warmup_epochs, 1, whole=True)
        if self.makes_partition and self.warmup_epochs >= self.epochs:
            raise MerKitError(
                f"warmup_epochs is {self.warmup_epochs} of {self.epochs} epochs, expected fewer for {self.method}, which "
                "splits after the warm-up: lower warmup_epochs, raise epochs, or choose method ce or mixup"
            )
        check_range("batch_size", self.batch_size, 2, whole=True)
        check_range("learning_rate", self.learning_rate, 0, low_open=True)
        check_range("weight_decay", self.weight_decay, 0)
        check_range("gradient_clip", self.gradient_clip, 0, low_open=True)
        check_range("share", self.share, 0, 1, low_open=True)
        check_range("temperature", self.temperature, 0, low_open=True)
        check_range("alpha", self.alpha, 0, low_open=True)
        for name in ("lambda_kl", "ramp_epochs"):
            check_range(name, getattr(self, name), 0)
        if self.warmup_accuracy is not None:
            check_range("warmup_accuracy", self.warmup_accuracy, 0, 1)

    @classmethod
    def of(cls, **settings: Any) -> Self:
        """Return the settings of these names, the partition's among them; the others at their defaults.

        Raises
        ------
        MerKitError
            If a setting is unknown or wrong.

        Examples
        --------
        >>> TrainingSettings.of(method="ce", tau=0.3).partition.tau
        0.3
        """
        for name in settings:
            check_choice("setting of a training", name, kinds(cls))
        made: Self = nested(cls, settings)
        return made

    @property
    def makes_partition(self) -> bool:
        """Whether the method divides the segments into X and U."""
        return methods.of(self.method).makes_partition

    @property
    def weight_kl(self) -> float:
        """λ at the end of its ramp: 0 for "Proposed*"."""
        return methods.of(self.method).weight_kl(self)

    def mixes(self, phase: str) -> bool:
        """Tell whether batches are mixed in a phase ("warmup", "plain" or "ssl")."""
        return methods.of(self.method).mixes(self, phase)

    def effective(self) -> dict[str, Any]:
        """Return the settings that can change a number of this method: ce has no use for τ, nor mixup for λ.

        Examples
        --------
        >>> TrainingSettings.of(method="ce", tau=0.3).effective() == TrainingSettings(method="ce").effective()
        True
        """
        unused = methods.of(self.method).unused(self)
        return {name: value for name, value in self.identity().items() if name not in unused}

    def identity(self) -> dict[str, Any]:
        """Return the settings as they are hashed, with marks of the files of a person's own."""
        marks = {
            "source": extensions.source_mark(methods.MODULES[self.method]),
            "network_source": extensions.source_mark(networks.MODULES[self.network]),
        }
        return {**hashed(self), **{name: mark for name, mark in marks.items() if mark}}

    def warmup_key(self) -> dict[str, Any]:
        """Return the settings that shape the warm-up: methods with equal keys share their warm-up."""
        return methods.of(self.method).warmup_key(self)
