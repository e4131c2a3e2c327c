"""Networks: from a segment's features to class logits. One file each, found by listing the folder.

A file `<name>.py` sets TITLE (its name in tables), SAYS (one sentence), SOURCE, and ACCEPTS:
"frames" for segments [B, 1, d, n] or "vector" for pooled ones [B, d]. It defines `Network`, which
derives from `training.network.SegmentNetwork`.

Notebook: 03_sssl_training
"""

import inspect
from typing import Any

import torch

from mer_kit.checks import MerKitError, check_range
from mer_kit.extensions import Members
from mer_kit.training.network import SegmentNetwork

#: The paper's network, used by every run that names none.
DEFAULT = "vgg16"
_MEMBERS = Members[SegmentNetwork](__name__, "network", "Network", needed=("ACCEPTS",))
#: Every network's module by name.
MODULES = _MEMBERS.modules
#: Network → what it is, in one sentence.
NETWORKS = _MEMBERS.texts("SAYS")
_PLURAL = {"frames": "frames", "vector": "one vector for each segment"}


def of(name: str) -> type[SegmentNetwork]:
    """Return the class of a network.

    Raises
    ------
    MerKitError
        If there is no network of that name.

    Examples
    --------
    >>> of("vgg16").__name__
    'VGG16'
    """
    return _MEMBERS.of(name)


def build(
    name: str,
    n_classes: int,
    *,
    n_features: int,
    generator: torch.Generator | None = None,
    **settings: Any,
) -> SegmentNetwork:
    """Return a fresh network.

    Parameters
    ----------
    n_classes : outputs K
    n_features : features of a frame or of a vector; passed to networks that have this parameter
    generator : source of the initial weights; None uses torch's global state

    Raises
    ------
    MerKitError
        If there is no network of that name, or a setting is unknown or out of range.

    Examples
    --------
    >>> network = build("vgg16", 4, n_features=128, width=2, head_pool=1)
    >>> network.eval()(torch.zeros(5, 1, 128, 129)).shape
    torch.Size([5, 4])
    """
    _MEMBERS.settings(name, settings)
    check_range("n_classes", n_classes, 2, whole=True)
    kind = of(name)
    # VGG16 pools its feature maps to a fixed size and works with any number of bands.
    if "n_features" in inspect.signature(kind).parameters:
        settings["n_features"] = n_features
    return kind(n_classes, generator=generator, **settings)


def takes_vectors(name: str) -> bool:
    """Return whether a network accepts one vector for each segment; False for an unknown name.

    Examples
    --------
    >>> takes_vectors("mlp"), takes_vectors("vgg16")
    (True, False)
    """
    return getattr(MODULES.get(name), "ACCEPTS", "") == "vector"


def check_pair(network: str, *, pools: bool, frontend: str) -> None:
    """Check that a network accepts what a front-end gives.

    Raises
    ------
    MerKitError
        If one has frames and the other vectors.

    Examples
    --------
    >>> check_pair("vgg16", pools=False, frontend="logmel")  # both have frames
    """
    accepts = MODULES[network].ACCEPTS
    given = "vector" if pools else "frames"
    if accepts != given:
        others = " or ".join(name for name, one in MODULES.items() if given == one.ACCEPTS)
        new = f"add a network that accepts {_PLURAL[given]} (docs/extending.md)"
        raise MerKitError(
            f"network {network} accepts {_PLURAL[accepts]}, but front-end {frontend} gives "
            f"{_PLURAL[given]}: {f'choose network {others}' if others else new}"
        )
