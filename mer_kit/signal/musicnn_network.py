"""The convolutional network of musicnn in numpy: log-mel frames to feature maps, vectors and tags.

Every convolution is a matrix product over views of the input, so that it runs at the speed of the
machine's BLAS, and nothing but numpy is needed.

Source: Pons and Serra 2019, musicnn: pre-trained convolutional neural networks for music audio
tagging; layers and constants as in the published code.

Notebook: 01_segmentation
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

#: Mel bands of a frame, and channels of the feature maps.
N_BANDS, N_MAPS = 96, 753
#: Batch normalisation's own constant.
EPSILON = 1e-3
#: Frames that one block of the computation covers: its arrays fit into a core's cache.
BLOCK_FRAMES = 128
#: Taps in time of the timbral and of the middle kernels, which lie symmetrically round a frame.
TAPS = 7
#: Frames that the temporal kernels compute from one window, and windows of a block.
FRAMES_AT_ONCE, TEMPORAL_ROWS = 8, 16
#: Taps in time of the temporal kernels.
TEMPORAL_TAPS = (128, 64, 32)


class Normalised(NamedTuple):
    """A layer, ReLU and batch normalisation: scale · max(x @ kernel + bias, 0) + shift."""

    kernel: np.ndarray
    bias: np.ndarray
    scale: np.ndarray
    shift: np.ndarray

    def activated(self, product: np.ndarray) -> np.ndarray:
        """Return the layer's output of its matrix product [n, channels]."""
        output: np.ndarray = self.scale * np.maximum(product + self.bias, 0) + self.shift
        return output


class Musicnn:
    """The network of one checkpoint.

    Parameters
    ----------
    tensors : the checkpoint's tensors by name, as `tensorflow_checkpoint.tensors` returns them
    """

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        self._t = tensors
        self.input_scale, self.input_shift = self._normalisation("batch_normalization")
        # [7, bands, 1, C] → [bands · 7, C], in the order of a window of `_taps_last`.
        self.timbral = [self._pooled(f"conv2d{end}", n) for n, end in ((1, ""), (2, "_1"))]
        temporal = [self._pooled(f"conv2d_{n}", n + 1) for n in (2, 3, 4)]
        self.temporal = [layer._replace(kernel=_shifted(layer.kernel)) for layer in temporal]
        self.middle = [self._layer(f"conv2d_{n}", n + 1) for n in (5, 6, 7)]
        self.pooled_scale, self.pooled_shift = self._normalisation("batch_normalization_9")
        self.dense = self._layer("dense", 10)
        self.output = tensors["dense_1/kernel"], tensors["dense_1/bias"]

    def _normalisation(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return batch normalisation as a scale and a shift."""
        gamma, beta, mean, variance = (
            self._t[f"{name}/{part}"]
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        scale = gamma / np.sqrt(variance + EPSILON)
        return scale, beta - mean * scale

    def _layer(self, name: str, number: int) -> Normalised:
        kernel, bias = self._t[f"{name}/kernel"], self._t[f"{name}/bias"]
        return Normalised(kernel, bias, *self._normalisation(f"batch_normalization_{number}"))

    def _pooled(self, name: str, number: int) -> Normalised:
        """Return a layer whose maximum over the bands is taken before ReLU and normalisation.

        Both are monotone, so the maximum may be taken first; where the scale is negative,
        normalisation turns the order round, and the smallest product is wanted: the largest one of
        the negated kernel.
        """
        layer = self._layer(name, number)
        sign = np.where(layer.scale < 0, -1, 1).astype(np.float32)
        kernel = layer.kernel[:, :, 0].transpose(1, 0, 2).reshape(-1, layer.kernel.shape[-1])
        return layer._replace(kernel=np.ascontiguousarray(kernel * sign))

    def maps(self, mel: np.ndarray) -> np.ndarray:
        """Return the feature maps of log-mel frames [n, 96], float32 [n, 753].

        Outside the given frames all kernels see zeros: a segment's frames alone give what the
        published network gives for that segment, and a clip's frames give maps in which the frame
        at t depends on the 1.2 s around it: 64 frames of the temporal kernels, and nine of the
        three middle layers.
        """
        x = np.asarray(mel, dtype=np.float32) * self.input_scale + self.input_shift
        front = np.concatenate([*self._timbral(x), *self._temporal(x)], axis=1)
        first = _in_time(front, self.middle[0])
        second = _in_time(first, self.middle[1]) + first
        third = _in_time(second, self.middle[2]) + second
        return np.concatenate([front, first, second, third], axis=1)

    def _timbral(self, x: np.ndarray) -> list[np.ndarray]:
        """Return the maxima over bands of the 7 × 38 and 7 × 67 kernels, each [n, 204]."""
        padded = np.pad(x, ((TAPS // 2, TAPS // 2), (0, 0)))
        # [n, 96, 7]: a window of some bands with all seven taps is contiguous in a block's copy.
        taps_last = sliding_window_view(padded, TAPS, axis=0)
        found = [np.empty((len(x), 204), dtype=np.float32) for _ in self.timbral]
        for start in range(0, len(x), BLOCK_FRAMES):
            block = np.ascontiguousarray(taps_last[start : start + BLOCK_FRAMES])
            for layer, result in zip(self.timbral, found, strict=True):
                shape, step = (len(block), len(layer.kernel)), block.strides[0]
                best = np.full((len(block), 204), -np.inf, dtype=np.float32)
                product = np.empty_like(best)
                for band in range(N_BANDS - len(layer.kernel) // TAPS + 1):
                    window = as_strided(block[:, band:], shape, (step, block.itemsize))
                    np.matmul(window, layer.kernel, out=product)
                    np.maximum(best, product, out=best)
                result[start : start + len(block)] = _after_maximum(best, layer)
        return found

    def _temporal(self, x: np.ndarray) -> list[np.ndarray]:
        """Return the maxima over bands of the 128-, 64- and 32-tap kernels, each [n, 51].

        Eight frames are computed from one window, whose kernels are shifted by a frame each: so a
        block's windows are copied once for eight frames, and the product is wide.
        """
        n = -(-len(x) // FRAMES_AT_ONCE) * FRAMES_AT_ONCE
        found = []
        for taps, layer in zip(TEMPORAL_TAPS, self.temporal, strict=True):
            # TensorFlow pads an even kernel with one frame less before than after.
            after = taps // 2 + n - len(x)
            padded = np.pad(x.T, ((0, 0), ((taps - 1) // 2, after)))
            windows = sliding_window_view(padded, taps + FRAMES_AT_ONCE - 1, axis=1)
            result = np.empty((n // FRAMES_AT_ONCE, layer.kernel.shape[1]), dtype=np.float32)
            for start in range(0, len(result), TEMPORAL_ROWS):
                block = windows[:, ::FRAMES_AT_ONCE][:, start : start + TEMPORAL_ROWS]
                products = np.ascontiguousarray(block) @ layer.kernel  # [96, rows, 8 · 51]
                result[start : start + TEMPORAL_ROWS] = products.max(axis=0)
            found.append(_after_maximum(result.reshape(n, -1)[: len(x)], layer))
        return found

    def penultimate(self, pooled: np.ndarray) -> np.ndarray:
        """Return the last hidden layer [..., 200] of pooled maps [..., 1506]."""
        normalised = pooled * self.pooled_scale + self.pooled_shift
        return self.dense.activated(normalised @ self.dense.kernel)

    def tags(self, pooled: np.ndarray) -> np.ndarray:
        """Return the probability of each tag, [..., 50], of pooled maps [..., 1506]."""
        kernel, bias = self.output
        probabilities: np.ndarray = 1 / (1 + np.exp(-(self.penultimate(pooled) @ kernel + bias)))
        return probabilities


def pooled(maps: np.ndarray) -> np.ndarray:
    """Return maximum and mean over time of maps [n, 753], float32 [1506]: max 0, mean 0, max 1, …

    Examples
    --------
    >>> pooled(np.array([[1.0, 4.0], [3.0, 0.0]])).tolist()
    [3.0, 2.0, 4.0, 2.0]
    """
    return np.stack([maps.max(axis=0), maps.mean(axis=0, dtype=np.float32)], axis=1).ravel()


def _after_maximum(best: np.ndarray, layer: Normalised) -> np.ndarray:
    """Return the layer's output at the largest of its products over the bands, [n, C]."""
    return layer.activated(np.where(layer.scale < 0, -best, best))


def _shifted(kernel: np.ndarray) -> np.ndarray:
    """Return a kernel [taps, C] for eight frames at once: [taps + 7, 8 · C], zeros elsewhere."""
    taps, channels = kernel.shape
    wide = np.zeros((taps + FRAMES_AT_ONCE - 1, FRAMES_AT_ONCE, channels), dtype=np.float32)
    for frame in range(FRAMES_AT_ONCE):
        wide[frame : frame + taps, frame] = kernel
    return wide.reshape(len(wide), -1)


def _in_time(x: np.ndarray, layer: Normalised) -> np.ndarray:
    """Return a convolution of seven taps in time over x [n, C], zeros beyond both ends: [n, 64]."""
    taps, channels = layer.kernel.shape[0], layer.kernel.shape[-1]
    kernel = layer.kernel.reshape(taps, -1, channels)
    padded = np.pad(x, ((taps // 2, taps // 2), (0, 0)))
    # One product for all taps: [n + 6, C] @ [C, 7 · 64]; tap k is then shifted by k frames.
    products = (padded @ kernel.transpose(1, 0, 2).reshape(-1, taps * channels)).reshape(
        len(padded), taps, channels
    )
    return layer.activated(sum(products[k : k + len(x), k] for k in range(taps)))
