"""One file holds a training's whole state: tensors as safetensors, everything else as JSON in its header."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mer_kit.checks import MerKitError
from mer_kit.files import is_plain_file, writing

#: Bytes of a header (the names of the tensors, the history, the settings) beyond which a file is no training's.
MOST_HEADER = 16 << 20
#: The types of tensors that a training has, as safetensors calls them.
_TYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
#: What reading a file that somebody else wrote, or that is torn, may raise.
_NOT_OURS = (
    OSError,
    MemoryError,
    RecursionError,
    SafetensorError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
)


def save(path: str | Path, state: Any) -> None:
    """Write a nest of dicts, lists, numbers, strings and tensors, atomically and without pickle.

    Examples
    --------
    >>> import tempfile, torch
    >>> file = Path(tempfile.mkdtemp()) / "a.safetensors"
    >>> save(file, {"epoch": 3, "weights": [torch.ones(2)]})
    >>> load(file)
    {'epoch': 3, 'weights': [tensor([1., 1.])]}
    """
    target = Path(path)
    tensors: dict[str, Tensor] = {}
    tree = _flatten(state, "", tensors)
    try:
        with writing(target) as partial:
            save_file(tensors, partial, metadata={"tree": json.dumps(tree)})
    except (SafetensorError, OSError) as error:  # the library's error hides the system's
        if getattr(error, "errno", None) is None and "os error" not in str(error).lower():
            raise
        raise _cannot_write(target, error) from error


def _cannot_write(path: Path, error: Exception) -> MerKitError:
    """Word a full disk or a folder that takes no files."""
    reason = (
        getattr(error, "strerror", None)
        or re.sub(r"\s*\(os error \d+\)", "", str(error)).rpartition(": ")[2]
    )
    return MerKitError(
        f"{path.name} cannot be written into {str(path.parent)!r} ({reason}), expected a folder with free space: free "
        "some, and the same command goes on from the last epoch that was saved"
    )


def load(
    path: str | Path,
    device: str | torch.device = "cpu",
    *,
    check: Callable[[Any], None] | None = None,
) -> Any:
    """Read what `save` wrote.

    Parameters
    ----------
    check : called before any tensor is read with the same nest, in which "meta" tensors stand for shape and type alone;
        what it raises ends the reading

    Raises
    ------
    MerKitError
        If the file is missing, torn or was not written by `save`.
    """
    if not is_plain_file(Path(path)):
        raise MerKitError(
            f"checkpoint {str(path)!r} is missing or no regular file, expected one: train the fold first"
        )
    try:
        _check_header(Path(path))
        with safe_open(path, framework="pt", device=str(device)) as file:
            tree = json.loads((file.metadata() or {})["tree"])
            names = list(file.keys())
            if check is not None:
                check(_unflatten(tree, {name: _outline(file.get_slice(name)) for name in names}))
            return _unflatten(tree, {name: file.get_tensor(name) for name in names})
    except MerKitError:
        raise
    except _NOT_OURS as error:
        raise MerKitError(
            f"checkpoint {str(path)!r} cannot be read ({type(error).__name__}), expected a file that a training wrote: "
            "delete it to train again"
        ) from error


def _check_header(path: Path) -> None:
    """Raise ValueError where a safetensors file begins with a longer header than a training's."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if not 0 < length <= MOST_HEADER:
        raise ValueError("not the header of a training's file")


def _outline(stored: Any) -> Tensor:
    """Return a tensor without memory that has a stored one's shape and type."""
    return torch.empty(stored.get_shape(), dtype=_TYPES[stored.get_dtype()], device="meta")


def _flatten(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Return `value` as JSON, with each tensor moved to `tensors` and replaced by its name."""
    if isinstance(value, Tensor):
        name = (
            name if name not in tensors else f"{name}#{len(tensors)}"
        )  # {"a/b": …} beside {"a": {"b": …}}
        tensors[name] = value.detach().cpu().clone().contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        # A list of pairs keeps integer keys (the optimizer numbers its parameters) as integers.
        return {
            "dict": [[key, _flatten(item, f"{name}/{key}", tensors)] for key, item in value.items()]
        }
    if isinstance(value, (list, tuple)):
        return {"list": [_flatten(item, f"{name}/{i}", tensors) for i, item in enumerate(value)]}
    return {"value": value}


def _unflatten(tree: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _unflatten(item, tensors) for key, item in content}
    if kind == "list":
        return [_unflatten(item, tensors) for item in content]
    return content
