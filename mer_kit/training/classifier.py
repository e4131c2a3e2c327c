"""A trained segment classifier, read back from its file for prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from mer_kit.checks import MerKitError
from mer_kit.training import checkpoint, networks
from mer_kit.training.evaluation import SegmentSource, Standardise, mean_probabilities, place
from mer_kit.training.network import SegmentNetwork
from mer_kit.training.tensor_files import check_model, check_values


class SegmentClassifier:
    """Predict with the network, or the mean of the networks, that `Trainer.save_model` wrote.

    Parameters
    ----------
    path : model.safetensors of a fold
    device, precision : see `training.evaluation.place`

    Raises
    ------
    MerKitError
        If the file is missing, torn or no model file.

    Notebook: 05_emotion_curve
    """

    def __init__(self, path: str | Path, *, device: str = "auto", precision: str = "auto") -> None:
        name = Path(path).name
        stored = checkpoint.load(path, check=lambda outline: check_model(outline, name))
        check_values(stored, name)
        self.n_classes = int(stored["n_classes"])
        self._where = place(device, precision)
        self.networks = [
            self._network(stored, weights)
            for weights in (stored["network"], *stored.get("more", []))
        ]
        self.standardise = Standardise(*(band.numpy() for band in stored["bands"]))

    def predict_proba(self, segments: SegmentSource) -> np.ndarray:
        """Return class probabilities float32 [S, K] of segments [S].

        Raises
        ------
        MerKitError
            If the segments have other features than those that the network was trained on.
        """
        shape, known = segments.shape, len(self.standardise.mean)
        found = shape[-2] if len(shape) == 3 else shape[-1]
        if len(segments) and found != known:
            raise MerKitError(
                f"segments have {found} features, expected {known} as in this network's training: use the same front-end, or "
                "train the fold again"
            )
        return mean_probabilities(self.networks, segments, self.standardise, self._where)

    def _network(self, stored: dict[str, Any], weights: dict[str, torch.Tensor]) -> SegmentNetwork:
        network = networks.build(
            stored.get("kind", networks.DEFAULT),
            self.n_classes,
            n_features=len(stored["bands"][0]),
            generator=torch.Generator(),
            **stored["model"],
        )
        network.load_state_dict(weights)
        network.to(device=self._where.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network
