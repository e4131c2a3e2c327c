"""A network in an ONNX file, run window by window: sound or mel frames in, frames or vectors out.

Notebook: 01_segmentation
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mer_kit.checks import MerKitError, check_choice, check_range, plain, shortened

#: Scales of mel frames.
SCALES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "decibels": lambda power: 10 * np.log10(np.maximum(power, 1e-10)),
    "log10": lambda power: np.log10(10000 * power + 1),
    "power": lambda power: power,
}
#: Windows that are computed at once where the model does not fix their number.
BATCH = 4
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


@dataclass(frozen=True)
class OnnxSettings:
    """Which model, and what its file does not say; sizes that are fixed in the file win.

    onnx_file : an ONNX file, or basic-pitch, for which no other setting is used
    onnx_output : names of the outputs to use, separated by commas; empty for the first
    onnx_frames_last : whether outputs are [windows, d, frames] rather than [windows, frames, d]
    onnx_sample_rate : sample rate in Hz that the model was trained with
    onnx_seconds : seconds of a window if the model accepts any length
    onnx_every_seconds : seconds from window to window if the output is one vector for each
    onnx_overlap : share of a window's output frames that are left out, half at either side
    onnx_hop : samples from output frame to output frame; 0 spreads the frames over the window
    onnx_n_fft, onnx_mel_hop, onnx_n_mels, onnx_scale : of mel frames, if that is the input
    """

    onnx_file: str = "basic-pitch"
    onnx_output: str = ""
    onnx_frames_last: bool = False
    onnx_sample_rate: int = 22050
    onnx_seconds: float = 3.0
    onnx_every_seconds: float = 0.5
    onnx_overlap: float = 0.2
    onnx_hop: int = 0
    onnx_n_fft: int = 1024
    onnx_mel_hop: int = 512
    onnx_n_mels: int = 128
    onnx_scale: str = "decibels"

    def __post_init__(self) -> None:
        for name in ("onnx_sample_rate", "onnx_n_fft", "onnx_mel_hop", "onnx_n_mels"):
            check_range(name, getattr(self, name), 1, whole=True)
        for name in ("onnx_seconds", "onnx_every_seconds"):
            check_range(name, getattr(self, name), 0, 600, low_open=True)
        check_range("onnx_overlap", self.onnx_overlap, 0, 0.9)
        check_range("onnx_hop", self.onnx_hop, 0, whole=True)
        check_choice("onnx_scale", self.onnx_scale, SCALES)


class OnnxModel:
    """A model whose input is [B, n], [B, n, 1], [B, 1, n] or [n], or mel frames of two axes.

    Mel frames may be [B, T, d], [B, d, T] or have a further axis of size 1, as in [B, 1, d, T]. The
    outputs must be [B, d], one vector for each window, or [B, frames, d].

    Parameters
    ----------
    content : the bytes of the ONNX file
    settings : what the file does not say
    name : of the file, for errors

    Attributes
    ----------
    n_bands : mel bands of the input; None if it is given samples
    unit : samples of one step of the input, 1 or those from mel frame to mel frame
    has_frames : whether the output has an axis of frames
    frames_per_second : rate of the rows that `frames` returns, in Hz
    columns : names of the d outputs

    Raises
    ------
    MerKitError
        If this is no ONNX model, or one whose input or output has another shape.
    """

    def __init__(self, content: bytes, settings: OnnxSettings, name: str) -> None:
        self.s, self.name = settings, name
        self._session = _session(content, name)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _TYPES:
            found = ", ".join(f"{entry.name} ({entry.type})" for entry in inputs)
            raise MerKitError(
                f"{name} has the inputs {plain(found)}, expected one of floating-point "
                "numbers: export the model with its sound as the only input"
            )
        self._input, self._dtype = inputs[0].name, _TYPES[inputs[0].type]
        known = [output.name for output in self._session.get_outputs()]
        self._outputs = list(filter(None, settings.onnx_output.split(","))) or known[:1]
        for output in self._outputs:
            check_choice("onnx_output", output, known)
        self._rank = len(inputs[0].shape)
        self._lay_out(inputs[0].shape)
        silence = np.zeros((self._batch, self._window), dtype=np.float32)
        if self.n_bands is not None:
            silence = np.repeat(silence[..., None], self.n_bands, axis=-1)
        outputs = self._run(silence)
        self.columns = tuple(
            f"{output} {n}"
            for output, values in zip(self._outputs, outputs, strict=True)
            for n in range(values.shape[-1])
        )
        n_frames = outputs[0][0].size // outputs[0].shape[-1]
        self.has_frames = n_frames > 1
        self._take_steps(n_frames)

    def _lay_out(self, sizes: Sequence[Any]) -> None:
        """Find the axes of time and bands among the input's; sizes that are open are no numbers."""
        inner = [(axis, size) for axis, size in enumerate(sizes) if axis or self._rank == 1]
        axes = [axis for axis, size in inner if size != 1]
        if len(axes) not in (1, 2):
            raise MerKitError(
                f"{self.name} has an input of shape {list(sizes)}, expected samples [B, n] or mel "
                "frames [B, T, d] with further axes of size 1: export the model with such an input"
            )
        self._band, self.n_bands, self.unit = -1, None, 1
        if len(axes) == 2:
            self._band = self._band_axis(sizes, axes)
            axes.remove(self._band)
            self.n_bands = _fixed(sizes[self._band], self.s.onnx_n_mels)
            self.unit = self.s.onnx_mel_hop
        self._time = axes[0]
        steps = round(self.s.onnx_seconds * self.s.onnx_sample_rate / self.unit)
        self._window = _fixed(sizes[self._time], max(1, steps))
        self._batch = 1
        if self._rank > 1:
            self._batch = _fixed(sizes[0], BATCH)

    def _band_axis(self, sizes: Sequence[Any], axes: Sequence[int]) -> int:
        """Return which of two axes has the mel bands."""
        fixed = [axis for axis in axes if isinstance(sizes[axis], int)]
        matching = [axis for axis in fixed if sizes[axis] == self.s.onnx_n_mels]
        for candidates in (matching, fixed):
            if len(candidates) == 1:
                return candidates[0]
        if fixed and not matching:
            raise MerKitError(
                f"{self.name} has an input of shape {list(sizes)}, in which neither axis has "
                f"onnx_n_mels = {self.s.onnx_n_mels} bands: set onnx_n_mels to the number of bands"
            )
        # Either is possible: [B, T, d], but [B, 1, d, T].
        return axes[4 - self._rank]

    def _take_steps(self, n_frames: int) -> None:
        """Set what places windows in time, in steps of the input: rows, cut rows, hop and start."""
        rate = self.s.onnx_sample_rate / self.unit
        if self.has_frames:
            self._cut = min(round(n_frames * self.s.onnx_overlap / 2), (n_frames - 1) // 2)
            self._kept = n_frames - 2 * self._cut
            self._hop = (self.s.onnx_hop / self.unit) or self._window / n_frames
            self._first = -self._cut * self._hop
        else:
            self._cut, self._kept = 0, 1
            self._hop = self.s.onnx_every_seconds * rate
            # A vector belongs to the middle of its window.
            self._first = (self._hop - self._window) / 2
        self.frames_per_second = rate / self._hop

    def frames(
        self, samples: np.ndarray, as_input: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Return the outputs of samples [n], float32 [1 + ⌊n · frames per second / rate⌋, d].

        Windows overlap as the settings say, with zeros beyond both ends of the sound.

        Parameters
        ----------
        as_input : from samples to the model's input: the samples, or their mel frames
        """
        n_rows = 1 + int(len(samples) * self.frames_per_second / self.s.onnx_sample_rate + 1e-9)
        number = np.arange(-(-n_rows // self._kept))
        starts = np.rint(self._first + number * self._kept * self._hop).astype(int)
        lead = max(0, -int(starts[0]))
        starts += lead
        missing = (int(starts[-1]) + self._window - lead) * self.unit - len(samples)
        series = as_input(np.pad(samples, (lead * self.unit, max(0, missing))))
        steps = np.arange(self._window)
        rows = []
        for at in range(0, len(starts), self._batch):
            first = starts[at : at + self._batch, None]
            windows = series[first + steps]
            # Every call has the same number of windows: some models accept no other.
            spare = self._batch - len(windows)
            windows = np.pad(windows, [(0, spare), *[(0, 0)] * (windows.ndim - 1)])
            values = np.concatenate(self._run(windows), axis=-1)
            values = values.reshape(self._batch, -1, len(self.columns))
            kept = values[:, self._cut : self._cut + self._kept]
            rows.append(kept.reshape(-1, len(self.columns)))
        return np.concatenate(rows)[:n_rows]

    def _run(self, windows: np.ndarray) -> list[np.ndarray]:
        """Return the outputs of windows [B, n] or [B, T, bands], each [B, d] or [B, frames, d]."""
        if 0 < self._band < self._time:
            windows = windows.swapaxes(1, 2)
        axes = sorted({0, self._time, self._band} - {-1})
        sizes = dict(zip(axes, windows.shape[-len(axes) :], strict=True))
        given = windows.reshape([sizes.get(axis, 1) for axis in range(self._rank)])
        try:
            found = self._session.run(self._outputs, {self._input: given.astype(self._dtype)})
            outputs = [np.asarray(values, dtype=np.float32) for values in found]
        except Exception as error:  # onnxruntime's own, and values that are no arrays
            raise MerKitError(
                f"{self.name} fails on an input of shape {list(given.shape)} "
                f"({shortened(str(error))}), expected an output: correct onnx_seconds or "
                "onnx_n_mels, or export the model again"
            ) from error
        if self._rank == 1:
            outputs = [values[None] for values in outputs]
        if self.s.onnx_frames_last:
            outputs = [values.swapaxes(1, -1) for values in outputs]
        shapes = [values.shape for values in outputs]
        alike = len({shape[:-1] for shape in shapes}) == 1
        if not alike or len(shapes[0]) not in (2, 3) or shapes[0][0] != self._batch:
            raise MerKitError(
                f"{self.name} has outputs of shape {', '.join(map(str, shapes))} for {self._batch} "
                "windows, expected [windows, d] or [windows, frames, d]: choose others by "
                "onnx_output"
            )
        return outputs


def _fixed(size: Any, otherwise: int) -> int:
    """Return a size that the file fixes, or another one."""
    if isinstance(size, int):
        return size
    return otherwise


def _session(content: bytes, name: str) -> Any:
    """Open a model on one thread, since clips are computed in parallel."""
    try:
        import onnxruntime
    except ImportError:
        raise MerKitError(
            "onnxruntime is not installed, expected it for the front-end onnx: "
            "run pip install onnxruntime"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no narrower class in common
        raise MerKitError(
            f"{name} cannot be opened as an ONNX model ({shortened(str(error))}), expected a whole "
            "file without further files of weights: correct onnx_file"
        ) from error
