"""Walking over segments in batches: standardisation, the evaluation pass, and what the losses are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mer_kit.checks import check_choice
from mer_kit.training.network import SegmentNetwork

#: The smallest positive float16: evaluation probabilities are archived in float16, and losses are made of those.
TINY = 2.0**-24


class SegmentSource(Protocol):
    """What the trainer needs of its input: a length, and rows as float32, frames [B, 1, d, n] or vectors [B, d]."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one segment: frames (1, d, n) or a vector (d,)."""
        ...

    def __len__(self) -> int: ...

    def gather(self, rows: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Placement:
    """Where and in which precision a network runs."""

    device: torch.device
    precision: str  # "float32" or "bfloat16"

    def autocast(self) -> torch.autocast:
        """Return the autocast context of this placement (a no-op in float32)."""
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"
        )

    def put(self, array: np.ndarray) -> Tensor:
        """Return float32 [B, 1, d, n] on the device, channels last, or [B, d]."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            tensor = tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def place(device: str = "auto", precision: str = "auto") -> Placement:
    """Return the placement for "auto", "cpu" or "cuda" and "auto", "float32" or "bfloat16".

    "auto" takes the GPU where there is one, and bfloat16 where the hardware computes in it (every CUDA GPU that
    torch says supports it, CPUs with AVX512-BF16 or AMX).

    Raises
    ------
    MerKitError
        If a name is unknown, or "cuda" is asked for and absent.
    """
    check_choice("precision", precision, ("auto", "float32", "bfloat16"))
    available = ["auto", "cpu"] + (["cuda"] if torch.cuda.is_available() else [])
    check_choice("device (as found on this machine)", device, available)
    if device == "auto":
        device = available[-1] if torch.cuda.is_available() else "cpu"
    if precision == "auto":
        capable = torch.cuda.is_bf16_supported() if device == "cuda" else _cpu_has_bf16()
        precision = "bfloat16" if capable else "float32"
    return Placement(torch.device(device), precision)


def _cpu_has_bf16() -> bool:
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported()) if supported is not None else False


def batches(
    source: SegmentSource, rows: np.ndarray, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (rows [B], segments float32 [B, 1, d, n] or [B, d]), fetching one batch ahead in a thread."""
    parts = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    with ThreadPoolExecutor(1) as pool:
        pending = [pool.submit(source.gather, part) for part in parts[:1]]
        for number, part in enumerate(parts):
            if number + 1 < len(parts):
                pending.append(pool.submit(source.gather, parts[number + 1]))
            yield part, pending.pop(0).result()


def band_statistics(
    source: SegmentSource, *, batch_size: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of every feature over all segments, float32 [d] each; of log-mels in dB.

    D: taken from the training fold only, so that no test song leaks in. Constant features get standard deviation 1.
    """
    count, total, squares = 0.0, 0.0, 0.0
    for _, x in batches(source, np.arange(len(source)), batch_size):
        x = (x[:, 0] if x.ndim == 4 else x[:, :, None]).astype(np.float64)  # [B, d, n]
        count += x.shape[0] * x.shape[2]
        total = total + x.sum(axis=(0, 2))
        squares = squares + np.square(x).sum(axis=(0, 2))
    mean = np.asarray(total / count)
    sd = np.sqrt(np.maximum(np.asarray(squares / count) - mean**2, 0))
    return mean.astype(np.float32), np.where(sd < 1e-3, 1.0, sd).astype(np.float32)


class Standardise:
    """(x − mean) / sd of each feature, for frames [B, 1, d, n] or vectors [B, d]."""

    def __init__(self, mean: np.ndarray, sd: np.ndarray) -> None:
        self.mean, self.sd = mean, sd

    def __call__(self, x: np.ndarray) -> np.ndarray:
        shape = (1, 1, -1, 1) if x.ndim == 4 else (1, -1)
        scaled = (x - self.mean.reshape(shape)) / self.sd.reshape(shape)
        return np.ascontiguousarray(scaled, dtype=np.float32)


def probabilities(
    network: SegmentNetwork,
    source: SegmentSource,
    standardise: Standardise,
    placement: Placement,
    *,
    batch_size: int = 128,
) -> np.ndarray:
    """Return softmax probabilities float32 [S, K] with dropout off: the evaluation pass of the paper's partition."""
    network.eval()
    out = np.empty((len(source), network.n_classes), dtype=np.float32)
    with torch.inference_mode():
        for rows, x in batches(source, np.arange(len(source)), batch_size):
            with placement.autocast():
                logits = network(placement.put(standardise(x)))
            out[rows] = torch.softmax(logits.float(), dim=1).cpu().numpy()
    return out


def mean_probabilities(
    networks: Sequence[SegmentNetwork],
    source: SegmentSource,
    standardise: Standardise,
    placement: Placement,
) -> np.ndarray:
    """Return the mean of several networks' probabilities, float32 [S, K]; of one network, its own."""
    first, *others = (
        probabilities(network, source, standardise, placement) for network in networks
    )
    return first if not others else np.mean([first, *others], axis=0)


def losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the cross-entropy −log p(label) in nats, float64 [S], of float16 evaluation probabilities [S, K].

    Training and diagnostics both use the archived float16 values, so a replayed split equals the original bit for
    bit. Probabilities under 2⁻²⁴ count as 2⁻²⁴ (a loss of 16.6 nats; the mixture clips its tails anyway).

    Source: paper Eq. (2). Notebook: 02_noisy_labels

    Examples
    --------
    >>> import numpy as np
    >>> losses(np.array([[0.5, 0.5], [0.25, 0.75]], dtype=np.float16), np.array([0, 0])).round(4).tolist()
    [0.6931, 1.3863]
    """
    picked = (
        np.asarray(probabilities)[np.arange(len(labels)), labels]
        .astype(np.float16)
        .astype(np.float64)
    )
    return np.asarray(-np.log(np.maximum(picked, TINY)))


class ArraySegments:
    """Segments held in one array, frames [S, 1, d, n] or vectors [S, d]: for tests, small studies and `Trainer`'s example.

    Examples
    --------
    >>> ArraySegments(np.zeros((3, 1, 128, 43))).gather(np.array([0, 2])).shape
    (2, 1, 128, 43)
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = np.asarray(values, dtype=np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one segment."""
        return self.values.shape[1:]

    def __len__(self) -> int:
        return len(self.values)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows as float32 [B, 1, d, n] or [B, d]."""
        return np.asarray(self.values[rows])
