"""Any audio model in an ONNX file; without one, basic-pitch, which transcribes notes.

A model is given samples or mel frames in windows. If its output has an axis of frames, a segment is
described by their mean and standard deviation, otherwise by the mean of its windows' vectors. Of
basic-pitch's notes the features say how many begin, how many sound at once, how high and how long.

A window may reach beyond a segment's edges, so a segment depends a little on its neighbours.

Notebook: 01_segmentation
"""

import dataclasses
import functools
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from mer_kit.checks import MerKitError
from mer_kit.signal import notes, wheels
from mer_kit.signal.frontend import BaseFrontend
from mer_kit.signal.frontends.logmel import MelSettings, mel_power
from mer_kit.signal.onnx_model import SCALES, OnnxModel, OnnxSettings

TITLE = "ONNX model"
SAYS = "any audio model in an ONNX file, by default notes transcribed by basic-pitch"
SOURCE = "Bittner et al. 2022, a lightweight instrument-agnostic model for note transcription"
WHEEL = wheels.Wheel(
    name="basic-pitch",
    version="0.4.0",
    sha256="738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0",
    member="onnx",
    licence="Apache-2.0",
)
MEMBER = "basic_pitch/saved_models/icassp_2022/nmp.onnx"
#: Notes and onsets, 172 frames of 256 samples in a window, of which its authors leave out 15 at
#: either side.
BASIC_PITCH = OnnxSettings(
    onnx_output="StatefulPartitionedCall:1,StatefulPartitionedCall:2",
    onnx_overlap=30 / 172,
    onnx_hop=256,
)


class Frontend(BaseFrontend):
    """An ONNX model as a front-end that pools."""

    settings = OnnxSettings

    def __init__(self, settings: OnnxSettings | None = None) -> None:
        super().__init__(settings)
        self.transcribes = self.s.onnx_file == OnnxSettings.onnx_file
        if self.transcribes:  # known without the weights, which a finished store does not need
            self.sample_rate = BASIC_PITCH.onnx_sample_rate
            self.frames_per_second = self.sample_rate / BASIC_PITCH.onnx_hop
            self.columns = notes.COLUMNS
            return
        self.sample_rate = self.s.onnx_sample_rate
        self.frames_per_second = self.model.frames_per_second
        statistics = ("mean", "sd")[: 1 + self.model.has_frames]
        self.columns = tuple(
            f"{name} {statistic}" for statistic in statistics for name in self.model.columns
        )

    @functools.cached_property
    def model(self) -> OnnxModel:
        """The model of the file, opened once."""
        if self.transcribes:
            return OnnxModel(wheels.read(WHEEL, MEMBER)[0], BASIC_PITCH, MEMBER)
        return OnnxModel(self._content, self.s, Path(self.s.onnx_file).name)

    @functools.cached_property
    def _content(self) -> bytes:
        try:
            return Path(self.s.onnx_file).expanduser().read_bytes()
        except OSError as error:
            raise MerKitError(
                f"onnx_file {self.s.onnx_file!r} cannot be read ({error.strerror}), expected an "
                "ONNX file: give its full path as onnx_file"
            ) from error

    def identity(self) -> dict[str, Any]:
        """Return the settings, with the content of the file instead of its name."""
        if self.transcribes:
            return {"onnx_file": WHEEL.sha256}
        content = hashlib.sha256(self._content).hexdigest()
        return {**dataclasses.asdict(self.s), "onnx_file": content}

    def frames(self, samples: np.ndarray) -> np.ndarray:
        """Return the outputs of samples [n], float32 [frames, d], for basic-pitch its events."""
        rows = self.model.frames(np.asarray(samples, dtype=np.float32), self._as_input)
        if self.transcribes:
            return notes.events(rows)
        return rows

    def _as_input(self, samples: np.ndarray) -> np.ndarray:
        """Return the model's input for samples [n]: these, or mel frames [T, bands]."""
        if self.model.n_bands is None:
            return samples
        settings = MelSettings(
            self.s.onnx_sample_rate, self.s.onnx_n_fft, self.s.onnx_mel_hop, self.model.n_bands
        )
        return SCALES[self.s.onnx_scale](mel_power(samples, settings))

    def pool(self, frames: np.ndarray) -> np.ndarray:
        """Return a segment's vector, float32 [d′]."""
        if self.transcribes:
            return notes.summary(frames, self.frames_per_second)
        rows = frames.astype(np.float32)
        statistics = [rows.mean(axis=0), rows.std(axis=0)]
        return np.concatenate(statistics[: 1 + self.model.has_frames])
