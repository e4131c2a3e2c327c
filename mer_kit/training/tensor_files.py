"""What a model file and a checkpoint must hold, compared with their network before it is filled.

A file may be damaged, changed, or come from a stranger. Shapes and types are compared with "meta"
tensors, which have no memory, so that no file can ask for more memory than its own size.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mer_kit.checks import MerKitError, check_range, shortened
from mer_kit.training import networks

#: Types in which a model file may store weights of another type.
_STORED_AS = {torch.float32: torch.float16}
#: Further networks in a model file; no method has more.
MOST_NETWORKS = 7
#: The entries of a checkpoint and their types.
_ENTRIES: dict[str, type] = {
    "network": dict, "optimizer": dict, "scheduler": dict, "generators": dict, "dropout": Tensor,
    "history": list, "epochs": Tensor, "bands": list,
}  # fmt: skip


def outline(
    n_classes: int,
    model: Mapping[str, Any],
    *,
    network: str = networks.DEFAULT,
    n_features: int = 128,
) -> dict[str, Tensor]:
    """Return name → "meta" tensor of a network with these settings: shapes and types, no memory.

    Raises
    ------
    MerKitError
        If a setting is unknown or out of range.

    Examples
    --------
    >>> outline(4, {"width": 8})["classifier.6.weight"].shape
    torch.Size([4, 512])
    """
    try:
        with torch.device("meta"):
            return dict(
                networks.build(network, n_classes, n_features=n_features, **model).state_dict()
            )
    except (RuntimeError, OverflowError, TypeError) as error:
        raise MerKitError(
            f"no network {network} with {shortened(model)} can be built: change its settings"
        ) from error


def misfits(tensors: Any, wanted: Mapping[str, Tensor]) -> list[str]:
    """Return the names at which stored tensors differ from the wanted ones in shape or type.

    Names that are missing or not wanted are among them; without any tensors it is "network".

    Examples
    --------
    >>> misfits({"weight": torch.ones(2), "x": torch.ones(1)}, {"weight": torch.ones(3)})
    ['weight', 'x']
    """
    if not isinstance(tensors, dict):
        return ["network"]
    wrong = [name for name, one in wanted.items() if not _is_like(tensors.get(name), one)]
    return wrong + [str(name) for name in tensors if name not in wanted]


def _is_like(value: Any, tensor: Tensor) -> bool:
    """Tell whether a stored value is a tensor of the same shape and type."""
    return isinstance(value, Tensor) and (value.shape, value.dtype) == (tensor.shape, tensor.dtype)


def are_bands(stored: Any) -> bool:
    """Tell whether these are mean and standard deviation: two float32 vectors of one length.

    Examples
    --------
    >>> are_bands([torch.zeros(128), torch.ones(128)]), are_bands([torch.zeros(128)])
    (True, False)
    """
    match stored:
        case [Tensor(ndim=1, dtype=torch.float32) as mean, sd]:
            return 1 <= len(mean) <= 4096 and _is_like(sd, mean)
    return False


def check_model(stored: Any, name: str) -> None:
    """Check a model file against the network that it describes, before anything is allocated.

    Parameters
    ----------
    stored : the file's contents; only shapes and types of its tensors are used, so that they may be
        "meta" tensors; a network's weights may be float16
    name : of the file, for the error message

    Raises
    ------
    MerKitError
        If something is missing, or of another kind or shape.

    Examples
    --------
    >>> bands = [torch.zeros(128), torch.ones(128)]
    >>> stored = {"n_classes": 2, "model": {"width": 1}, "network": {}, "bands": bands}
    >>> check_model(stored, "model.safetensors")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: model.safetensors has weights that are not those of its network ...
    """
    entries = {"n_classes", "model", "network", "bands"}
    if not isinstance(stored, dict) or not entries <= set(stored):
        raise MerKitError(
            f"{name} is no model file, expected model.safetensors of a fold: pass that"
        )
    model, tensors, bands = stored["model"], stored["network"], stored["bands"]
    described = isinstance(model, dict) and isinstance(tensors, dict)
    if not described or not all(isinstance(key, str) for key in model):
        raise MerKitError(
            f"{name} does not describe a network, expected its settings and weights: "
            "train the fold again"
        )
    check_range("n_classes", stored["n_classes"], 2, 1000, whole=True)
    if not are_bands(bands):
        raise MerKitError(
            f"{name} lacks the mean and standard deviation of each feature, expected two vectors: "
            "train the fold again"
        )
    kind, n_features = stored.get("kind", networks.DEFAULT), len(bands[0])
    wanted = outline(int(stored["n_classes"]), model, network=kind, n_features=n_features)
    halved = {key: one.to(_STORED_AS.get(one.dtype, one.dtype)) for key, one in wanted.items()}
    wrong = min(misfits(tensors, wanted), misfits(tensors, halved), key=len)
    if wrong:
        raise MerKitError(
            f"{name} has weights that are not those of its network ({shortened(wrong[0])}, "
            f"{len(wrong)} in all), expected {len(wanted)} tensors: train the fold again, "
            "or ask the sender for the file"
        )
    more = stored.get("more", [])
    if (
        not isinstance(more, list)
        or len(more) > MOST_NETWORKS
        or any(misfits(one, wanted) for one in more)
    ):
        raise MerKitError(
            f"{name} has further networks that are not like its first one: train the fold again"
        )


def check_values(stored: dict[str, Any], name: str) -> None:
    """Check that a model file's numbers are finite and every standard deviation is above 0.

    Raises
    ------
    MerKitError
        If they are not.

    Examples
    --------
    >>> bands = [torch.zeros(3), torch.zeros(3)]
    >>> stored = {"network": {"weight": torch.ones(2)}, "bands": bands}
    >>> check_values(stored, "model.safetensors")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: model.safetensors has numbers that no training leaves, ...
    """
    mean, sd = stored["bands"]
    tensors = {**stored["network"], "bands' mean": mean, "bands' standard deviation": sd}
    for n, network in enumerate(stored.get("more", []), 2):
        tensors |= {f"{key} of network {n}": tensor for key, tensor in network.items()}
    wrong = [key for key, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if not bool((sd > 0).all()):
        wrong.append("bands' standard deviation")
    if wrong:
        raise MerKitError(
            f"{name} has numbers that no training leaves, infinite, undefined or 0 "
            f"({shortened(wrong[0])}): train the fold again, or ask the sender for the file"
        )


def check_training(
    stored: Any,
    name: str,
    *,
    networks: Sequence[torch.nn.Module],
    passes: tuple[int, int],
    memory: Mapping[str, Tensor] | None = None,
) -> None:
    """Check a checkpoint against the training that is to resume from it.

    Parameters
    ----------
    stored : the file's contents, as for `check_model`
    name : of the file, for the error message
    networks : the training's own, one or several
    passes : S, K of its evaluation passes
    memory : the method's own tensors, as they are before the first epoch

    Raises
    ------
    MerKitError
        If something is missing, or of another kind or shape.

    Examples
    --------
    >>> network = torch.nn.Linear(2, 2)
    >>> check_training({}, "a", networks=[network], passes=(8, 2))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: checkpoint a does not fit this training at 'network', ...
    """
    wrong = [entry for entry, kind in _ENTRIES.items() if not isinstance(stored.get(entry), kind)]
    # The shapes are only looked at if every entry has its type.
    if not wrong:
        wrong = _network_entries(stored, networks) + _progress_entries(stored, passes)
        wrong += [f"method's {one}" for one in misfits(stored.get("method", {}), memory or {})]
    if wrong:
        raise MerKitError(
            f"checkpoint {name} does not fit this training at {shortened(wrong[0])}, "
            "expected what this training saved: delete it to train from the start"
        )


def _network_entries(stored: dict[str, Any], networks: Sequence[torch.nn.Module]) -> list[str]:
    """Return where weights and optimizers do not fit the networks; the first is `stored` itself."""
    more = stored.get("more", [])
    if not isinstance(more, list) or [type(one) for one in more] != [dict] * (len(networks) - 1):
        return ["networks"]
    return [
        one
        for entry, network in zip([stored, *more], networks, strict=True)
        for one in (
            *misfits(entry.get("network"), network.state_dict()),
            *_strange_moments(entry.get("optimizer"), network),
        )
    ]


def _progress_entries(stored: dict[str, Any], passes: tuple[int, int]) -> list[str]:
    """Return which entries about the epochs so far do not fit each other or the data."""
    epochs, n_epochs, split = stored["epochs"], len(stored["history"]), stored.get("split_epoch")
    fits = {
        "epochs": (epochs.shape, epochs.dtype) == ((n_epochs, *passes), torch.float16),
        # `type(…) is int`, since True is an int for isinstance.
        "split_epoch": split is None or (type(split) is int and 0 < split <= n_epochs + 1),
        "bands": are_bands(stored["bands"]),
        "scheduler": type(stored["scheduler"].get("last_epoch")) is int,
    }
    return [entry for entry, fitting in fits.items() if not fitting]


def _strange_moments(optimizer: Any, network: torch.nn.Module) -> list[str]:
    """Return where an optimizer's stored moments differ in shape from their parameter."""
    shapes = dict(enumerate(parameter.shape for parameter in network.parameters()))
    match optimizer:
        # Parameters are numbered in the network's order; one without moments has no entry.
        case {"param_groups": list(), "state": dict(state)} if state.keys() <= shapes.keys():
            if all(isinstance(moments, dict) for moments in state.values()):
                # AdamW's step counter has no axes; all other tensors have the parameter's shape.
                return [
                    f"optimizer's moments of parameter {number}"
                    for number, moments in state.items()
                    for one in moments.values()
                    if isinstance(one, Tensor) and one.ndim and one.shape != shapes[number]
                ]
    return ["optimizer"]
