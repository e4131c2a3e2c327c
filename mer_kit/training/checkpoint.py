"""A training's state in one file: tensors as safetensors, everything else as JSON in its header."""

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

#: Bytes. No training has a longer header (names of the tensors, history, settings).
MOST_HEADER = 16 << 20
#: What reading a damaged file, or one of another program, may raise; a lack of memory on a GPU, for
#: example, must not read as a damaged file.
_DAMAGED = (
    OSError, MemoryError, RecursionError, SafetensorError, ValueError, KeyError, TypeError,
    AttributeError,
)  # fmt: skip
#: The types of tensors that a training has, as safetensors calls them.
_TYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


def save(path: str | Path, state: Any) -> None:
    """Write nested dicts, lists, numbers, strings and tensors, atomically and without pickle.

    Raises
    ------
    MerKitError
        If the folder cannot be written to.

    Examples
    --------
    >>> import tempfile, torch
    >>> file = Path(tempfile.mkdtemp()) / "a.safetensors"
    >>> save(file, {"epoch": 3, "weights": [torch.ones(2)]})
    >>> load(file)
    {'epoch': 3, 'weights': [tensor([1., 1.])]}
    """
    # safetensors stores flat names; `tree` remembers where in the nest each tensor belongs.
    tensors: dict[str, Tensor] = {}
    tree = _flatten(state, "", tensors)
    try:
        with writing(Path(path)) as partial:
            save_file(tensors, partial, metadata={"tree": json.dumps(tree)})
    except (SafetensorError, OSError) as error:  # the library's error hides the system's
        if getattr(error, "errno", None) is None and "os error" not in str(error).lower():
            raise
        # safetensors reports "…: No space left on device (os error 28)" and has no `strerror`.
        without_code = re.sub(r"\s*\(os error \d+\)", "", str(error))
        reason = getattr(error, "strerror", None) or without_code.rpartition(": ")[2]
        raise MerKitError(
            f"{Path(path).name} cannot be written into {str(Path(path).parent)!r} ({reason}), "
            "expected a folder with free space: free some, "
            "and the same command resumes from the last epoch that was saved"
        ) from error


def load(
    path: str | Path,
    device: str | torch.device = "cpu",
    *,
    check: Callable[[Any], None] | None = None,
) -> Any:
    """Read what `save` wrote.

    Parameters
    ----------
    check : called before any tensor is read, with the same contents in which "meta" tensors carry
        shape and type only; an exception that it raises ends the reading

    Raises
    ------
    MerKitError
        If the file is missing, damaged or was not written by `save`.

    Examples
    --------
    >>> import tempfile, torch
    >>> file = Path(tempfile.mkdtemp()) / "a.safetensors"
    >>> save(file, {"weights": torch.zeros(2, 3)})
    >>> load(file, check=lambda outline: print(outline["weights"].device))["weights"].shape
    meta
    torch.Size([2, 3])
    """
    if not is_plain_file(Path(path)):
        raise MerKitError(
            f"checkpoint {str(path)!r} is missing or no regular file, expected one: "
            "train the fold first"
        )
    try:
        _check_header(Path(path))
        with safe_open(path, framework="pt", device=str(device)) as file:
            tree = json.loads((file.metadata() or {})["tree"])
            names = list(file.keys())
            if check is not None:
                # Shapes come from the header, so that an impostor's tensors are never read.
                check(_unflatten(tree, {name: _outline(file.get_slice(name)) for name in names}))
            return _unflatten(tree, {name: file.get_tensor(name) for name in names})
    except MerKitError:
        raise
    except _DAMAGED as error:
        raise MerKitError(
            f"checkpoint {str(path)!r} cannot be read ({type(error).__name__}), "
            "expected a file that a training wrote: delete it to train again"
        ) from error


def _check_header(path: Path) -> None:
    """Raise ValueError if a file begins with a longer header than a training's.

    The first eight bytes are the header's length, and safetensors would allocate as much.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if not 0 < length <= MOST_HEADER:
        raise ValueError("not the header of a training's file")


def _outline(stored: Any) -> Tensor:
    """Return a tensor without memory, with the shape and type of a stored one."""
    return torch.empty(stored.get_shape(), dtype=_TYPES[stored.get_dtype()], device="meta")


def _flatten(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Return `value` as JSON, with each tensor moved to `tensors` and replaced by its name."""
    match value:
        case Tensor():
            # {"a/b": …} next to {"a": {"b": …}} gives the same name twice.
            if name in tensors:
                name = f"{name}#{len(tensors)}"
            tensors[name] = value.detach().cpu().clone().contiguous()
            return {"tensor": name}
        case dict():
            # A list of pairs keeps integer keys (the optimizer numbers its parameters) as integers.
            return {"dict": [[k, _flatten(v, f"{name}/{k}", tensors)] for k, v in value.items()]}
        case list() | tuple():
            return {"list": [_flatten(v, f"{name}/{i}", tensors) for i, v in enumerate(value)]}
    return {"value": value}


def _unflatten(tree: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    """Return the value that `_flatten` turned into JSON and tensors."""
    ((kind, content),) = tree.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "dict":
            return {key: _unflatten(item, tensors) for key, item in content}
        case "list":
            return [_unflatten(item, tensors) for item in content]
    return content
