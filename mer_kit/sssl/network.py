"""VGG16 for log-mel segments, with the parameter names that torchvision's own VGG16 uses."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from mer_kit.checks import MerKitError, check_choice, check_range

#: Convolution layout D of Simonyan and Zisserman (2015), in multiples of `width`; "M" is a 2×2 max-pooling.
LAYOUT_D: tuple[int | str, ...] = (1, 1, "M", 2, 2, "M", 4, 4, 4, "M", 8, 8, 8, "M", 8, 8, 8, "M")
#: Five poolings halve an input of fewer bands or frames to nothing.
SMALLEST_INPUT = 32


class VGG16(nn.Module):
    """VGG16 with a changeable number of input channels, classes and filters.

    With the default `width=64`, `head_pool=7`, `batch_norm=False` and 3 input channels this is the network of the
    SSSL paper's reference [19]: 134,276,932 parameters with four outputs. Dropout sits in the head only, which is
    what lets R-Drop and the pseudo-labels share one pass through the trunk (`features`).

    Parameters
    ----------
    n_classes : outputs K
    in_channels : 1 for log-mel segments (P: only input channels and output number are changed)
    width : filters of the first convolution; 64 is the standard, 8 runs on a laptop (D)
    batch_norm : batch normalisation after each convolution (D: the paper does not say; VGG16 from scratch is hard
        to start without it)
    head_pool : the trunk's output is pooled to head_pool × head_pool; 7 is the standard (D: 2 for laptops)
    dropout : probability in the head (P: VGG16's 0.5)
    generator : source of the initial weights; None uses torch's global state

    Examples
    --------
    >>> import torch
    >>> network = VGG16(4, width=2, head_pool=1).eval()
    >>> network(torch.zeros(5, 1, 128, 129)).shape
    torch.Size([5, 4])

    Notebook: 03_sssl_training
    """

    def __init__(
        self,
        n_classes: int,
        *,
        in_channels: int = 1,
        width: int = 64,
        batch_norm: bool = False,
        head_pool: int = 7,
        dropout: float = 0.5,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_shape(n_classes, width=width, batch_norm=batch_norm, head_pool=head_pool, dropout=dropout)
        self.n_classes = n_classes
        hidden = 64 * width
        with torch.random.fork_rng(devices=[]):  # torch's layers draw weights of their own, which are replaced below
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

    def trunk(self, x: Tensor) -> Tensor:
        """Return the pooled feature maps, flat: [B, C, mel, frames] → [B, 8·width·head_pool²]. No dropout in here.

        Raises
        ------
        MerKitError
            If a segment has fewer than 32 bands or frames, so that nothing is left after five poolings.
        """
        if min(x.shape[-2:]) < SMALLEST_INPUT:
            raise MerKitError(
                f"segments have {x.shape[-2]} bands and {x.shape[-1]} frames, expected at least {SMALLEST_INPUT} of "
                "each: raise segment_seconds"
            )
        return torch.flatten(self.avgpool(self.features(x)), 1)

    def head(self, h: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Return logits [B, K] from trunk features [B, D].

        In training mode dropout is drawn from `generator` where one is given, so that every random draw of a run
        comes from a named stream; without one, torch's global state is used.
        """
        for layer in self.classifier:
            drop = isinstance(layer, nn.Dropout) and self.training and generator is not None
            h = dropout(h, layer.p, generator) if drop else layer(h)  # type: ignore[arg-type]
        return h

    def head_without_dropout(self, h: Tensor) -> Tensor:
        """Return logits [B, K] with dropout off, whatever mode the network is in."""
        for layer in self.classifier:
            if not isinstance(layer, nn.Dropout):
                h = layer(h)
        return h

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, K] for segments [B, in_channels, mel, frames]."""
        return self.head(self.trunk(x))


def dropout(h: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
    """Return h with each entry kept with probability 1 − p and scaled by 1/(1 − p), drawn from `generator`.

    The random numbers are made where the generator lives, so CPU runs are reproducible bit for bit.
    """
    if p == 0:
        return h
    mask = torch.empty(h.shape, device=h.device, dtype=torch.float32).bernoulli_(1 - p, generator=generator)
    return h * (mask / (1 - p)).to(h.dtype)


def check_shape(
    n_classes: int, *, width: int = 64, batch_norm: bool = False, head_pool: int = 7, dropout: float = 0.5
) -> None:
    """Check VGG16's settings without building it.

    Raises
    ------
    MerKitError
        If one of them is out of range.
    """
    check_range("n_classes", n_classes, 2, whole=True)
    check_range("width", width, 1, whole=True)
    check_choice("batch_norm", batch_norm, (True, False))
    check_range("head_pool", head_pool, 1, whole=True)
    check_range("dropout", dropout, 0, 0.95)


def _convolutions(in_channels: int, width: int, batch_norm: bool) -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = in_channels
    for entry in LAYOUT_D:
        if entry == "M":
            layers.append(nn.MaxPool2d(2, 2))
            continue
        layers.append(nn.Conv2d(channels, int(entry) * width, 3, padding=1))
        channels = int(entry) * width
        if batch_norm:
            layers.append(nn.BatchNorm2d(channels))
        layers.append(nn.ReLU(inplace=True))
    return layers


def _initialise(network: nn.Module, generator: torch.Generator | None) -> None:
    """He initialisation, zero biases (D: torchvision's N(0, 0.01) head learns nothing for epochs without ImageNet)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu", generator=generator)
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            nn.init.zeros_(module.bias)


def load_imagenet(network: VGG16, path: str | Path) -> VGG16:
    """Copy a local ImageNet checkpoint of vgg16 or vgg16_bn into `network` and return it.

    The first convolution's three colour channels are summed into one, so that a grey image gives the same answer
    as its RGB copy; the last layer keeps its fresh weights because the classes differ. Nothing is downloaded.

    Parameters
    ----------
    path : a .safetensors file, or a .pth read with `weights_only=True`

    Raises
    ------
    MerKitError
        If the file is missing or unreadable, or its shapes are not those of this network (width 64, head_pool 7
        needed).
    """
    file = Path(path)
    state, own = _read_weights(file), network.state_dict()
    first = "features.0.weight"
    if first in state and own[first].shape[1] == 1:
        state[first] = state[first].sum(dim=1, keepdim=True)
    fresh = {"classifier.6.weight", "classifier.6.bias"}
    # The vgg16_bn file that torchvision serves is older than these counters; nothing reads them here.
    fresh |= {k for k in own if k.endswith("num_batches_tracked")}
    wrong = [k for k in own if k not in fresh and (k not in state or state[k].shape != own[k].shape)]
    if wrong:
        raise MerKitError(
            f"checkpoint {file.name} does not fit at {wrong[0]} ({len(wrong)} tensors in all), expected torchvision's "
            "vgg16 (or vgg16_bn with batch_norm=True): build VGG16 with width=64 and head_pool=7"
        )
    network.load_state_dict({k: own[k] if k in fresh else state[k] for k in own})
    return network


def _read_weights(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise MerKitError(f"checkpoint {str(file)!r} is missing, expected vgg16 weights: save them there first")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(file))
        return dict(torch.load(file, map_location="cpu", weights_only=True))
    except Exception as error:  # garbage makes torch.load raise nearly every kind there is
        raise MerKitError(
            f"checkpoint {file.name} cannot be read ({type(error).__name__}), expected a state_dict of torchvision's "
            "vgg16 as .safetensors or .pth: save it again"
        ) from error
