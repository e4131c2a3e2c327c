"""What a model file and a checkpoint must hold, compared with the network that they are for before it is filled.

A file may be torn, changed, or a stranger's. Shapes and types are compared by "meta" tensors, which have no memory, so that
no file can ask for more than it brings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mer_kit.checks import MerKitError, check_range, shortened
from mer_kit.training import networks

#: More networks in one model file are no method's.
MOST_NETWORKS = 7


def outline(
    n_classes: int,
    model: Mapping[str, Any],
    *,
    network: str = networks.DEFAULT,
    n_features: int = 128,
) -> dict[str, Tensor]:
    """Return name → "meta" tensor of a network with these settings: shapes and types alone, however wide it is.

    Raises
    ------
    MerKitError
        If a setting is not known or out of range.

    Examples
    --------
    >>> outline(4, {"width": 8})["classifier.6.weight"].shape
    torch.Size([4, 512])
    """
    networks.check(network, dict(model))
    try:
        with torch.device("meta"):
            return dict(
                networks.build(network, n_classes, n_features=n_features, **model).state_dict()
            )
    except (RuntimeError, OverflowError, TypeError) as error:
        raise MerKitError(
            f"no network {network} with {shortened(model)} can be built: change its settings"
        ) from error


def misfits(tensors: Mapping[Any, Any], wanted: Mapping[str, Tensor]) -> list[str]:
    """Return the names at which stored tensors are not those that are wanted, by shape and type."""
    wrong = [
        name
        for name, one in wanted.items()
        if not isinstance(found := tensors.get(name), Tensor)
        or (found.shape, found.dtype) != (one.shape, one.dtype)
    ]
    return wrong + [str(name) for name in tensors if name not in wanted]


def are_bands(stored: Any) -> bool:
    """Tell whether these are the mean and the standard deviation of every feature: two float32 vectors of one length."""
    if (
        not isinstance(stored, list)
        or len(stored) != 2
        or not all(isinstance(one, Tensor) for one in stored)
    ):
        return False
    alike = (
        stored[0].shape == stored[1].shape and stored[0].dtype == stored[1].dtype == torch.float32
    )
    return alike and stored[0].ndim == 1 and 1 <= len(stored[0]) <= 4096


def check_model(stored: Any, name: str) -> None:
    """Check what a model file holds against the network that it describes, before anything is allocated.

    Parameters
    ----------
    stored : the file's nest; only shapes and types of its tensors are looked at, so that they may be "meta" tensors

    Raises
    ------
    MerKitError
        If something is missing, or of another kind or shape.
    """
    if not isinstance(stored, dict) or not {"n_classes", "model", "network", "bands"} <= set(
        stored
    ):
        raise MerKitError(
            f"{name} is no model file, expected model.safetensors of a fold: pass that"
        )
    model, tensors, bands = stored["model"], stored["network"], stored["bands"]
    if (
        not isinstance(model, dict)
        or not isinstance(tensors, dict)
        or not all(isinstance(key, str) for key in model)
    ):
        raise MerKitError(
            f"{name} does not describe a network, expected its settings and weights: train the fold again"
        )
    check_range("n_classes", stored["n_classes"], 2, 1000, whole=True)
    if not are_bands(bands):
        raise MerKitError(
            f"{name} lacks the mean and standard deviation of each feature, expected two vectors: train the fold again"
        )
    kind, n_features = stored.get("kind", networks.DEFAULT), len(bands[0])
    wanted = outline(int(stored["n_classes"]), model, network=kind, n_features=n_features)
    wrong = misfits(tensors, wanted)
    if wrong:
        raise MerKitError(
            f"{name} has weights that are not those of its network ({shortened(wrong[0])}, {len(wrong)} in all), expected "
            f"{len(wanted)} tensors: train the fold again, or ask the sender for the file"
        )
    more = stored.get("more", [])
    if (
        not isinstance(more, list)
        or len(more) > MOST_NETWORKS
        or any(not isinstance(one, dict) or misfits(one, wanted) for one in more)
    ):
        raise MerKitError(
            f"{name} has further networks that are not like its first one: train the fold again"
        )


def check_values(stored: dict[str, Any], name: str) -> None:
    """Check that the weights and bands of a model file are finite, and that no band is without spread.

    Raises
    ------
    MerKitError
        If they are not.
    """
    mean, spread = stored["bands"]
    further = {
        f"{key} of network {n}": one
        for n, net in enumerate(stored.get("more", []), 2)
        for key, one in net.items()
    }
    tensors = {**stored["network"], **further, "bands' mean": mean, "bands' spread": spread}
    wrong = [key for key, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    wrong += [] if bool((spread > 0).all()) else ["bands' spread"]
    if wrong:
        raise MerKitError(
            f"{name} has numbers that no training leaves, infinite, undefined or 0 ({shortened(wrong[0])}): train the fold "
            "again, or ask the sender for the file"
        )


def check_training(
    stored: Any,
    name: str,
    *,
    networks: Sequence[torch.nn.Module],
    passes: tuple[int, int],
    memory: Mapping[str, Tensor] | None = None,
) -> None:
    """Check what a checkpoint holds against the training that is to go on from it.

    Parameters
    ----------
    stored : the file's nest, as for `check_model`
    networks : the training's own, one or several
    passes : S, K of its evaluation passes
    memory : what its method keeps, as it is before the first epoch

    Raises
    ------
    MerKitError
        If something is missing, or of another kind or shape.
    """
    parts = {
        "network": dict, "optimizer": dict, "scheduler": dict, "generators": dict, "dropout": Tensor, "history": list,
        "epochs": Tensor, "bands": list,
    }  # fmt: skip
    wrong = [part for part, kind in parts.items() if not isinstance(stored.get(part), kind)]
    if not wrong:
        more = stored.get("more", [])
        if (
            not isinstance(more, list)
            or len(more) != len(networks) - 1
            or not all(isinstance(one, dict) for one in more)
        ):
            wrong += ["networks"]
            more = []
        for part, network in zip([stored, *more], networks, strict=False):
            kept = part.get("network")
            wrong += misfits(kept, network.state_dict()) if isinstance(kept, dict) else ["network"]
            optimizer = part.get("optimizer")
            wrong += (
                _strange_moments(optimizer, network)
                if isinstance(optimizer, dict)
                else ["optimizer"]
            )
        kept = stored.get("method", {})
        wrong += misfits(kept, memory or {}) if isinstance(kept, dict) else ["method"]
        epochs, history, split = stored["epochs"], stored["history"], stored.get("split_epoch")
        wrong += (
            []
            if (epochs.shape, epochs.dtype) == ((len(history), *passes), torch.float16)
            else ["epochs"]
        )
        wrong += (
            []
            if split is None or (type(split) is int and 0 < split <= len(history) + 1)
            else ["split_epoch"]
        )
        wrong += [] if are_bands(stored["bands"]) else ["bands"]
        wrong += [] if type(stored["scheduler"].get("last_epoch")) is int else ["scheduler"]
    if wrong:
        raise MerKitError(
            f"checkpoint {name} does not fit this training at {shortened(wrong[0])}, expected what this training saved: "
            "delete it to train from the start"
        )


def _strange_moments(optimizer: dict[str, Any], network: torch.nn.Module) -> list[str]:
    """Return where an optimizer's stored moments have another shape than the parameter that they belong to."""
    shapes = [parameter.shape for parameter in network.parameters()]
    state = optimizer.get("state")
    if not isinstance(state, dict) or not isinstance(optimizer.get("param_groups"), list):
        return ["optimizer"]
    for number, moments in state.items():
        if (
            type(number) is not int
            or not 0 <= number < len(shapes)
            or not isinstance(moments, dict)
        ):
            return ["optimizer"]
        tensors = [one for one in moments.values() if isinstance(one, Tensor)]
        if any(one.ndim and one.shape != shapes[number] for one in tensors):
            return [f"optimizer's moments of parameter {number}"]
    return []
