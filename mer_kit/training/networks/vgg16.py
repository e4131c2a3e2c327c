"""VGG16 for log-mel segments, with the parameter names of torchvision's VGG16."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.later_settings import later
from mer_kit.training.network import SegmentNetwork

TITLE = "VGG16"
SAYS = "the paper's: VGG16 on the log-mel segment, with an adjustable number of filters"
SOURCE = "Simonyan and Zisserman 2015, layout D; paper, reference [19]"
ACCEPTS = "frames"
ORDER = 0

#: Convolution layout D of Simonyan and Zisserman (2015), in multiples of `width`; "M" is a 2×2
#: max-pooling.
LAYOUT_D: tuple[int | str, ...] = (1, 1, "M", 2, 2, "M", 4, 4, 4, "M", 8, 8, 8, "M", 8, 8, 8, "M")
#: Bands and frames; five poolings would halve a smaller input to nothing.
SMALLEST_INPUT = 32


@dataclass(frozen=True)
class Settings:
    """VGG16's settings; see the class."""

    width: int = 64
    batch_norm: bool = False
    head_pool: int = 7
    dropout: float = later(default=0.5, absent_means=0.5)
    small_output: bool = later(default=True, absent_means=False)

    def __post_init__(self) -> None:
        check_range("width", self.width, 1, whole=True)
        check_choice("batch_norm", self.batch_norm, (True, False))
        check_choice("small_output", self.small_output, (True, False))
        check_range("head_pool", self.head_pool, 1, whole=True)
        check_range("dropout", self.dropout, 0, 0.95)


class VGG16(SegmentNetwork):
    """VGG16 with an adjustable number of input channels, classes and filters.

    With the default `width=64`, `head_pool=7`, `batch_norm=False` and 3 input channels this is the
    network of the SSSL paper's reference [19]: 134,276,932 parameters with four outputs. Dropout
    acts in the head only, so that R-Drop and the pseudo-labels can share one result of the trunk
    (`features`).

    Parameters
    ----------
    n_classes : outputs K
    in_channels : 1 for log-mel segments (P: only input channels and output number are changed)
    width : filters of the first convolution; 64 is the standard, 8 runs on a laptop (D)
    batch_norm : batch normalisation after each convolution (D: the paper does not say; without it,
        training VGG16 from scratch is hard to start)
    head_pool : the trunk's output is pooled to head_pool × head_pool; 7 is the standard (D: 2 for
        laptops)
    dropout : probability in the head (P: VGG16's 0.5)
    small_output : begin near 1/K for every class (D)
    generator : source of the initial weights; None uses torch's global state

    Examples
    --------
    >>> import torch
    >>> network = VGG16(4, width=2, head_pool=1).eval()
    >>> network(torch.zeros(5, 1, 128, 129)).shape
    torch.Size([5, 4])

    Notebook: 03_sssl_training
    """

    settings = Settings

    def __init__(
        self,
        n_classes: int,
        *,
        in_channels: int = 1,
        width: int = 64,
        batch_norm: bool = False,
        head_pool: int = 7,
        dropout: float = 0.5,
        small_output: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_range("n_classes", n_classes, 2, whole=True)
        Settings(width, batch_norm, head_pool, dropout, small_output)
        self.n_classes = n_classes
        # 4096 with the standard width; the head of a narrower network is narrower in proportion.
        hidden = 64 * width
        # torch's layers draw initial weights of their own, which `_initialise` replaces: the fork
        # keeps those draws from moving torch's global state.
        with torch.random.fork_rng(devices=[]):
            self.features = nn.Sequential(*_convolutions(in_channels, width, batch_norm))
            self.avgpool = nn.AdaptiveAvgPool2d(head_pool)
            self.classifier = nn.Sequential(
                nn.Linear(8 * width * head_pool**2, hidden),
                nn.ReLU(inplace=True),
                nn.Dropout(dropout),
                nn.Linear(hidden, hidden),
                nn.ReLU(inplace=True),
                nn.Dropout(dropout),
                nn.Linear(hidden, n_classes),
            )
        _initialise(self, generator)
        if small_output:
            self.shrink_output()

    @classmethod
    def normalises(cls, settings: Settings) -> bool:
        """Tell whether it has batch normalisation."""
        return settings.batch_norm

    def trunk(self, x: Tensor) -> Tensor:
        """Return the pooled feature maps, flat: [B, C, mel, frames] → [B, 8·width·head_pool²].

        Raises
        ------
        MerKitError
            If a segment has fewer than 32 bands or frames, so that nothing is left after five
            poolings.
        """
        if min(x.shape[-2:]) < SMALLEST_INPUT:
            raise MerKitError(
                f"segments have {x.shape[-2]} bands and {x.shape[-1]} frames, "
                f"expected at least {SMALLEST_INPUT} of each: raise segment_seconds"
            )
        return torch.flatten(self.avgpool(self.features(x)), 1)

    def compile_trunk(self) -> None:
        """Compile the convolutions."""
        self.features.compile()


def _convolutions(in_channels: int, width: int, batch_norm: bool) -> list[nn.Module]:
    """Return the trunk's layers; five poolings shrink both sides to 1/32."""
    layers: list[nn.Module] = []
    channels = in_channels
    for entry in LAYOUT_D:
        if entry == "M":
            layers.append(nn.MaxPool2d(2, 2))
            continue
        # 3×3 with padding 1 keeps bands and frames: only the poolings shrink them.
        layers.append(nn.Conv2d(channels, int(entry) * width, 3, padding=1))
        channels = int(entry) * width
        if batch_norm:
            layers.append(nn.BatchNorm2d(channels))
        layers.append(nn.ReLU(inplace=True))
    return layers


def _initialise(network: nn.Module, generator: torch.Generator | None) -> None:
    """Draw He's initial weights and set the biases to zero.

    D: with torchvision's N(0, 0.01) in the head, a network without ImageNet weights learns nothing
    for epochs.
    """
    for module in network.modules():
        if not isinstance(module, (nn.Conv2d, nn.Linear)):
            continue
        # Layer by layer in their order: a seed fixes every weight.
        nn.init.kaiming_normal_(
            module.weight,
            mode="fan_out" if isinstance(module, nn.Conv2d) else "fan_in",
            nonlinearity="relu",
            generator=generator,
        )
        if module.bias is not None:
            nn.init.zeros_(module.bias)


#: What `training.networks` builds.
Network = VGG16
