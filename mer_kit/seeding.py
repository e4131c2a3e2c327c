"""One seed, many named generators: no draw in mer-kit comes from a global random state."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, name: str) -> int:
    """Return a 63-bit seed that depends on `seed` and `name` alone.

    Different names give independent streams, so adding a new random draw never shifts another one.

    Examples
    --------
    >>> derive(0, "mixup") == derive(0, "mixup"), derive(0, "mixup") == derive(0, "shuffle")
    (True, False)
    """
    digest = hashlib.blake2b(f"{int(seed)}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def numpy_generator(seed: int, name: str) -> np.random.Generator:
    """Return the numpy generator called `name` of this seed.

    Examples
    --------
    >>> bool(numpy_generator(0, "folds").random() == numpy_generator(0, "folds").random())
    True
    """
    return np.random.Generator(np.random.PCG64(derive(seed, name)))


def torch_generator(seed: int, name: str, device: str = "cpu") -> torch.Generator:
    """Return the torch generator called `name` of this seed on `device`.

    Examples
    --------
    >>> a, b = torch_generator(0, "mixup"), torch_generator(0, "mixup")
    >>> a.initial_seed() == b.initial_seed() == derive(0, "mixup")
    True
    """
    import torch

    return torch.Generator(device=device).manual_seed(derive(seed, name))
