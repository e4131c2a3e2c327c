"""A trained segment classifier, read back from its file for prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mer_kit.checks import MerKitError
from mer_kit.sssl import checkpoint
from mer_kit.sssl.network import VGG16
from mer_kit.sssl.passes import SegmentSource, Standardise, place, probabilities


class SegmentClassifier:
    """Predict with a network that `Trainer.save_model` wrote.

    Parameters
    ----------
    path : model.safetensors of a fold
    device, precision : see `sssl.passes.place`

    Raises
    ------
    MerKitError
        If the file is missing, torn or no model file.

    Notebook: 05_emotion_curve
    """

    def __init__(self, path: str | Path, *, device: str = "auto", precision: str = "auto") -> None:
        stored = checkpoint.load(path)
        if not isinstance(stored, dict) or not {"n_classes", "model", "network", "bands"} <= set(stored):
            raise MerKitError(f"{Path(path).name} is no model file, expected model.safetensors of a fold: pass that")
        self.n_classes = int(stored["n_classes"])
        self._where = place(device, precision)
        self.network = VGG16(self.n_classes, generator=torch.Generator(), **stored["model"])
        self.network.load_state_dict(stored["network"])
        self.network.to(device=self._where.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._standardise = Standardise(*(band.numpy() for band in stored["bands"]))

    def predict_proba(self, segments: SegmentSource) -> np.ndarray:
        """Return class probabilities float32 [S, K] of segments [S]."""
        return probabilities(self.network, segments, self._standardise, self._where)
