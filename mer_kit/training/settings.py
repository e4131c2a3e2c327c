"""All settings of a training: one frozen record with the origin of every default, checked once."""

from dataclasses import dataclass, field
from typing import Any, Self

from mer_kit import extensions
from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.later_settings import hashed, kinds, later, nested, part
from mer_kit.training import methods, networks
from mer_kit.training.partition import PartitionSettings


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of one training. P marks a value of the paper, D our own decision.

    What SSSL's repairs are worth on 4Q, each switched off alone: experiments/repairs.yaml and
    docs/results.md.
    """

    method: str = "sssl"
    epochs: int = 60  # D: the paper gives none
    warmup_epochs: int = 10  # D: the paper gives none
    warmup_mixup: bool = False  # D: sssl and sssl_no_kl mix already in the warm-up; ce never mixes
    # D: also wait for this agreement with inherited labels; not with restart_schedule
    warmup_accuracy: float | None = None
    batch_size: int = 64  # D
    optimizer: str = "sgd"  # D: SGD 0.9 Nesterov; "adamw" is an option
    learning_rate: float = 0.01  # D: 0.002 when starting from ImageNet weights
    weight_decay: float = 5e-4  # D
    schedule: str = "cosine"  # D: after a linear rise over the first epoch; or "constant"
    gradient_clip: float = 1.0  # D: L2 norm
    share: float = 1.0  # D: random fraction of each song's segments drawn per epoch
    partition: PartitionSettings = part(PartitionSettings)  # D: the paper's τ has no value
    temperature: float = 0.5  # D: MixMatch
    pseudo_labels: str = "batch"  # P: the current model's; D "epoch": the evaluation pass's
    alpha: float = 0.75  # D: MixMatch
    lambda_kl: float = 1.0  # D: Eq. (10) leaves λ open
    ramp_epochs: float = 16.0  # D
    compile: bool = False  # D: torch.compile the trunk
    model: Any = field(default_factory=dict)  # the network's settings: a mapping becomes its record
    network: str = later(default="vgg16", absent_means="vgg16")  # P: VGG16
    own: Any = later(default_factory=dict, absent_means={})  # the method's own settings, likewise
    # D: the semi-supervised phase has its own learning-rate schedule
    restart_schedule: bool = later(default=True, absent_means=False)
    # D: λ rises over this fraction of the semi-supervised phase; 0: over ramp_epochs
    ramp_fraction: float = later(default=0.5, absent_means=0.0)
    # D: where batches are mixed, batch normalisation is renewed on unmixed ones
    renew_batch_norm: bool = later(default=True, absent_means=False)
    # D: labels of U become ω·inherited + (1 − ω)·pseudo-label instead of being erased
    soft_targets: bool = later(default=False, absent_means=False)

    def __post_init__(self) -> None:
        self._adopt("model", f"network {self.network}", networks.of(self.network).settings)
        self._adopt("own", f"method {self.method}", methods.of(self.method).settings)
        check_choice("optimizer", self.optimizer, ("sgd", "adamw"))
        check_choice("schedule", self.schedule, ("cosine", "constant"))
        check_choice("pseudo_labels", self.pseudo_labels, ("batch", "epoch"))
        for name, least in {"epochs": 1, "warmup_epochs": 1, "batch_size": 2}.items():
            check_range(name, getattr(self, name), least, whole=True)
        for name in ("weight_decay", "lambda_kl", "ramp_epochs"):
            check_range(name, getattr(self, name), 0)
        for name in ("learning_rate", "gradient_clip", "temperature", "alpha"):
            check_range(name, getattr(self, name), 0, low_open=True)
        check_range("share", self.share, 0, 1, low_open=True)
        check_range("ramp_fraction", self.ramp_fraction, 0, 1)
        if self.warmup_accuracy is not None:
            check_range("warmup_accuracy", self.warmup_accuracy, 0, 1)
        # ce and mixup never leave their first phase, so their warm-up may be as long as they are.
        if methods.of(self.method).makes_partition and self.warmup_epochs >= self.epochs:
            raise MerKitError(
                f"warmup_epochs is {self.warmup_epochs} of {self.epochs} epochs, "
                f"expected fewer for {self.method}, which makes its partition after the warm-up: "
                "lower warmup_epochs, raise epochs, or choose method ce or mixup"
            )
        # The stages are planned before the training, and an accuracy may be reached later.
        if self.warmup_accuracy and self._plans_its_second_phase():
            raise MerKitError(
                f"warmup_accuracy is {self.warmup_accuracy:g} with restart_schedule, expected one "
                "of the two, since the second learning-rate schedule begins after warmup_epochs "
                "whatever the accuracy: leave warmup_accuracy out, or set restart_schedule to False"
            )

    def _plans_its_second_phase(self) -> bool:
        """Tell whether the phase after the warm-up is a stage with its own schedule."""
        method = methods.of(self.method)
        return method.makes_partition and len(method.stages(self)) > 1

    def _adopt(self, field: str, owner: str, kind: type) -> None:
        """Turn the mapping in a field into its owner's settings record."""
        # The dataclass is frozen for its users; while it is made, it may still be completed.
        object.__setattr__(self, field, extensions.settings_of(owner, kind, getattr(self, field)))

    @classmethod
    def of(cls, **settings: Any) -> Self:
        """Return a record with these settings, the partition's by their own names.

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
    def weight_kl(self) -> float:
        """λ at the end of its ramp: 0 for "Proposed*"."""
        return methods.of(self.method).weight_kl(self)

    @property
    def all_epochs(self) -> int:
        """Epochs of all stages of the method."""
        return sum(stage.epochs for stage in methods.of(self.method).stages(self))

    def effective(self) -> dict[str, Any]:
        """Return the settings that can change a number of this method: ce does not use τ.

        Examples
        --------
        >>> plain, changed = (TrainingSettings.of(method="ce", tau=tau) for tau in (0.5, 0.3))
        >>> plain.effective() == changed.effective()
        True
        """
        unused = methods.of(self.method).unused(self)
        return {name: value for name, value in self.identity().items() if name not in unused}

    def identity(self) -> dict[str, Any]:
        """Return the settings as they are hashed, with fingerprints of the user's own files."""
        # A module of the package has no fingerprint: METHOD_VERSION stands for all of them.
        fingerprints = {
            "source": extensions.source_mark(methods.MODULES[self.method]),
            "network_source": extensions.source_mark(networks.MODULES[self.network]),
        }
        return hashed(self) | {name: one for name, one in fingerprints.items() if one}

    def warmup_key(self) -> dict[str, Any]:
        """Return the settings that shape the warm-up; methods with equal keys can share theirs."""
        return methods.of(self.method).warmup_key(self)
