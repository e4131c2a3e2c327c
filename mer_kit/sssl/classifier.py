"""A trained segment classifier, read back from its file for prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mer_kit.checks import MerKitError, check_range, shortened
from mer_kit.sssl import checkpoint
from mer_kit.sssl.network import VGG16, expected_shapes
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
        check_model(stored, Path(path).name)
        self.n_classes = int(stored["n_classes"])
        self._where = place(device, precision)
        self.network = VGG16(self.n_classes, generator=torch.Generator(), **stored["model"])
        self.network.load_state_dict(stored["network"])
        self.network.to(device=self._where.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._standardise = Standardise(*(band.numpy() for band in stored["bands"]))

    def predict_proba(self, segments: SegmentSource) -> np.ndarray:
        """Return class probabilities float32 [S, K] of segments [S]."""
        return probabilities(self.network, segments, self._standardise, self._where)


def check_model(stored: Any, name: str) -> None:
    """Check what a model file holds against the network that it describes, before that network is built.

    Raises
    ------
    MerKitError
        If something is missing, of another kind or shape, or not finite.
    """
    if not isinstance(stored, dict) or not {"n_classes", "model", "network", "bands"} <= set(stored):
        raise MerKitError(f"{name} is no model file, expected model.safetensors of a fold: pass that")
    model, tensors, bands = stored["model"], stored["network"], stored["bands"]
    if not isinstance(model, dict) or not isinstance(tensors, dict) or not all(isinstance(key, str) for key in model):
        raise MerKitError(
            f"{name} does not describe a network, expected its settings and weights: train the fold again"
        )
    check_range("n_classes", stored["n_classes"], 2, 1000, whole=True)
    wanted = expected_shapes(int(stored["n_classes"]), **model)
    wrong = [key for key in wanted if not isinstance(tensors.get(key), Tensor) or tensors[key].shape != wanted[key]]
    wrong += [str(key) for key in tensors if key not in wanted]
    if not wrong:
        wrong = [key for key, t in tensors.items() if t.is_floating_point() and not bool(torch.isfinite(t).all())]
    if wrong:
        raise MerKitError(
            f"{name} has weights that are not those of its network ({shortened(wrong[0])}, {len(wrong)} in all), expected "
            f"{len(wanted)} finite tensors: train the fold again, or ask the sender for the file"
        )
    fit = isinstance(bands, list) and len(bands) == 2 and all(isinstance(band, Tensor) for band in bands)
    if not fit or bands[0].ndim != 1 or bands[0].shape != bands[1].shape or not 1 <= len(bands[0]) <= 4096:
        raise MerKitError(f"{name} lacks the mean and spread of each band, expected two vectors: train the fold again")
    if not all(bool(torch.isfinite(band).all()) for band in bands) or not bool((bands[1] > 0).all()):
        raise MerKitError(f"{name} has bands that are not finite or have no spread: train the fold again")
