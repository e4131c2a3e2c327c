"""A multilayer perceptron on a segment's vector: for front-ends that pool, such as musicnn.

Notebook: 03_sssl_training
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mer_kit.checks import check_choice, check_range
from mer_kit.later_settings import later
from mer_kit.training.network import SegmentNetwork

TITLE = "MLP"
SAYS = "one hidden layer with dropout on the standardised vector of a segment"
SOURCE = "D: the smallest network in which dropout, mixup and R-Drop work as in VGG16's head"
ACCEPTS = "vector"
ORDER = 1


@dataclass(frozen=True)
class Settings:
    """Hidden units, the probability of dropout behind them, and the size of the first outputs."""

    hidden: int = 128
    dropout: float = 0.5
    small_output: bool = later(default=True, absent_means=False)

    def __post_init__(self) -> None:
        check_choice("small_output", self.small_output, (True, False))
        check_range("hidden", self.hidden, 1, whole=True)
        check_range("dropout", self.dropout, 0, 0.95)


class Network(SegmentNetwork):
    """Standardised features → hidden layer → dropout → K logits.

    The trainer standardises every feature on the training segments.

    Examples
    --------
    >>> network = Network(4, n_features=200, hidden=16).eval()
    >>> network(torch.zeros(5, 200)).shape
    torch.Size([5, 4])
    """

    settings = Settings

    def __init__(
        self,
        n_classes: int,
        *,
        n_features: int,
        hidden: int = 128,
        dropout: float = 0.5,
        small_output: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.n_classes = n_classes
        # torch draws initial weights of its own, which are replaced: the fork keeps those draws
        # from moving torch's global state.
        with torch.random.fork_rng(devices=[]):
            self.hidden = nn.Linear(n_features, hidden)
            output = nn.Linear(hidden, n_classes)
            self.classifier = nn.Sequential(nn.Dropout(dropout), output)
        with torch.no_grad():
            for layer in (self.hidden, output):
                layer.weight.normal_(0, (2 / layer.in_features) ** 0.5, generator=generator)
                layer.bias.zero_()
        if small_output:
            self.shrink_output()

    @classmethod
    def normalises(cls, settings: Settings) -> bool:
        """Tell whether it has batch normalisation: never."""
        return False

    def trunk(self, x: Tensor) -> Tensor:
        """Return the hidden layer [B, hidden] of vectors [B, d]."""
        return torch.relu(self.hidden(x))
