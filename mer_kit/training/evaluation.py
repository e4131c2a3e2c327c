"""Batches of segments: standardisation, the evaluation pass, and the losses that follow from it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from mer_kit.checks import check_choice
from mer_kit.training.network import SegmentNetwork

#: The smallest positive float16: evaluation probabilities are archived in float16, and losses are
#: computed from those.
TINY = 2.0**-24


class SegmentSource(Protocol):
    """What the trainer needs of its input: a length, the shape of a segment, and rows by number."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one segment: frames (1, d, n) or a vector (d,)."""
        ...

    def __len__(self) -> int: ...

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return these rows as float32, frames [B, 1, d, n] or vectors [B, d]."""
        ...


@dataclass(frozen=True)
class Placement:
    """The device and the precision of a network."""

    device: torch.device
    precision: str  # "float32" or "bfloat16"

    def autocast(self) -> torch.autocast:
        """Return the autocast context of this placement (a no-op in float32)."""
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"
        )

    def move(self, network: nn.Module) -> None:
        """Move a network to the device, its convolutions with the channels last."""
        network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def put(self, array: np.ndarray) -> Tensor:
        """Return float32 [B, 1, d, n] on the device, channels last, or [B, d]."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            # From pinned memory the copy runs while the GPU still works on the batch before.
            tensor = tensor.pin_memory().to(self.device, non_blocking=True)
        if tensor.ndim == 4:
            # Convolutions are faster with the channels last; shape and values stay the same.
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        return tensor


def place(device: str = "auto", precision: str = "auto") -> Placement:
    """Return the placement for "auto", "cpu" or "cuda" and "auto", "float32" or "bfloat16".

    "auto" chooses a GPU if there is one, and bfloat16 if the hardware computes in it (every CUDA
    GPU for which torch reports support, CPUs with AVX512-BF16 or AMX).

    Raises
    ------
    MerKitError
        If a name is unknown, or "cuda" is asked for on a machine without it.

    Examples
    --------
    >>> place("cpu", "float32")
    Placement(device=device(type='cpu'), precision='float32')
    """
    check_choice("precision", precision, ("auto", "float32", "bfloat16"))
    available = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    check_choice("device (as found on this machine)", device, ["auto", *available])
    if device == "auto":
        device = available[-1]
    if precision == "auto":
        # Whether the hardware computes in bfloat16 itself, instead of emulating it slowly. The
        # CPU's answer is not part of torch's public interface; a version without it counts as no.
        cpu_has_it = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)
        supported = {"cuda": torch.cuda.is_bf16_supported, "cpu": cpu_has_it}[device]
        precision = "bfloat16" if supported() else "float32"
    return Placement(torch.device(device), precision)


def cut(rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Return rows [n] as batches of at most `batch_size` rows.

    Examples
    --------
    >>> [batch.tolist() for batch in cut(np.arange(5), 3)]
    [[0, 1, 2], [3, 4]]
    """
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def batches(
    source: SegmentSource, subsets: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (rows [B], segments float32 [B, 1, d, n] or [B, d]), reading one batch ahead.

    Examples
    --------
    >>> source = ArraySegments(np.zeros((5, 3)))
    >>> subsets = cut(np.arange(5), 3)
    >>> [(rows.tolist(), x.shape) for rows, x in batches(source, subsets)]
    [([0, 1, 2], (3, 3)), ([3, 4], (2, 3))]
    """
    if len(source.shape) == 1:  # vectors lie in memory: a thread would cost more than it saves
        yield from ((subset, source.gather(subset)) for subset in subsets)
        return
    with ThreadPoolExecutor(1) as pool:
        pending = [pool.submit(source.gather, subset) for subset in subsets[:1]]
        for number, subset in enumerate(subsets):
            # The thread reads the next batch while the caller computes on this one.
            if number + 1 < len(subsets):
                pending.append(pool.submit(source.gather, subsets[number + 1]))
            yield subset, pending.pop(0).result()


def band_statistics(
    source: SegmentSource, *, batch_size: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of every feature over all segments, float32 [d] each.

    The unit is the front-end's, dB for log-mels. D: measured on the training fold only, so that no
    test song leaks in. Constant features get standard deviation 1.

    Examples
    --------
    >>> mean, sd = band_statistics(ArraySegments([[0.0, 5.0], [2.0, 5.0]]))
    >>> mean.tolist(), sd.tolist()
    ([1.0, 5.0], [1.0, 1.0])
    """
    # Sums over batches in float64, since a whole fold need not fit into memory.
    count, total, squares = 0.0, 0.0, 0.0
    for _, x in batches(source, cut(np.arange(len(source)), batch_size)):
        # [B, 1, d, n] or [B, d] becomes [B, d, n], with n = 1 for vectors.
        x = x.reshape(len(x), n_features_of(x.shape[1:]), -1).astype(np.float64)
        count += x.shape[0] * x.shape[2]
        total = total + x.sum(axis=(0, 2))
        squares = squares + np.square(x).sum(axis=(0, 2))
    mean = np.asarray(total / count)
    # E[x²] − E[x]² can be slightly negative from rounding.
    sd = np.sqrt(np.maximum(np.asarray(squares / count) - mean**2, 0))
    return mean.astype(np.float32), np.where(sd < 1e-3, 1.0, sd).astype(np.float32)


def n_features_of(shape: tuple[int, ...]) -> int:
    """Return d, the number of features, from a segment's shape (1, d, n) or (d,).

    Examples
    --------
    >>> n_features_of((1, 128, 43)), n_features_of((24,))
    (128, 24)
    """
    return shape[-2] if len(shape) == 3 else shape[-1]


class Standardise:
    """(x − mean) / sd of each feature, for frames [B, 1, d, n] or vectors [B, d]."""

    def __init__(self, mean: np.ndarray, sd: np.ndarray) -> None:
        self.mean, self.sd = mean, sd

    def __call__(self, x: np.ndarray) -> np.ndarray:
        # [1, 1, d, 1] or [1, d]: one mean and one sd per feature, the same in every frame.
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
    """Return softmax probabilities float32 [S, K] with dropout off.

    This is the evaluation pass from which the next epoch's partition is made.

    Examples
    --------
    >>> from mer_kit.training import networks
    >>> network = networks.build("vgg16", 2, n_features=32, width=1, head_pool=1)
    >>> source = ArraySegments(np.zeros((5, 1, 32, 32)))
    >>> standardise = Standardise(*band_statistics(source))
    >>> probabilities(network, source, standardise, place("cpu", "float32")).shape
    (5, 2)
    """
    network.eval()
    out = np.empty((len(source), network.n_classes), dtype=np.float32)
    # Every segment in its own order, whatever the training's draw: row i of `out` is segment i.
    with torch.inference_mode():
        for rows, x in batches(source, cut(np.arange(len(source)), batch_size)):
            with placement.autocast():
                logits = network(placement.put(standardise(x)))
            # Softmax in float32: bfloat16 rows would not sum to 1.
            out[rows] = torch.softmax(logits.float(), dim=1).cpu().numpy()
    return out


def mean_probabilities(
    networks: Sequence[SegmentNetwork],
    source: SegmentSource,
    standardise: Standardise,
    placement: Placement,
) -> np.ndarray:
    """Return the mean of one or several networks' probabilities, float32 [S, K].

    Examples
    --------
    >>> from mer_kit.training import networks
    >>> network = networks.build("vgg16", 2, n_features=32, width=1, head_pool=1)
    >>> source = ArraySegments(np.zeros((5, 1, 32, 32)))
    >>> scale, cpu = Standardise(*band_statistics(source)), place("cpu", "float32")
    >>> twice = mean_probabilities([network, network], source, scale, cpu)
    >>> bool(np.allclose(twice, probabilities(network, source, scale, cpu)))
    True
    """
    # [networks, S, K]; the mean of a single network is its own answer, to the last bit.
    each = [probabilities(network, source, standardise, placement) for network in networks]
    return np.asarray(np.mean(each, axis=0))


def losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the cross-entropy −log p(label) of evaluation probabilities [S, K]: float64 [S], nats.

    Training and diagnostics both use the archived float16 values, so that a replayed partition
    equals the original bit for bit. Probabilities under 2⁻²⁴ count as 2⁻²⁴ (a loss of 16.6 nats;
    the mixture clips its tails anyway).

    Source: paper Eq. (2). Notebook: 02_noisy_labels

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[0.5, 0.5], [0.25, 0.75]], dtype=np.float16)
    >>> losses(p, np.array([0, 0])).round(4).tolist()
    [0.6931, 1.3863]
    """
    own = np.asarray(probabilities)[np.arange(len(labels)), labels]  # [S], p(label)
    # Rounding through float16 makes fresh probabilities equal to those of epochs.npz.
    picked = own.astype(np.float16).astype(np.float64)
    return np.asarray(-np.log(np.maximum(picked, TINY)))


class ArraySegments:
    """Segments in one array, frames [S, 1, d, n] or vectors [S, d]: for examples and small studies.

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
