"""A trained segment classifier, loaded from its file for prediction."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from mer_kit.checks import MerKitError
from mer_kit.training import checkpoint, networks
from mer_kit.training.evaluation import (
    SegmentSource,
    Standardise,
    mean_probabilities,
    n_features_of,
    place,
)
from mer_kit.training.network import SegmentNetwork
from mer_kit.training.tensor_files import check_model, check_values


class SegmentClassifier:
    """Predict with the network that `Trainer.save_model` wrote, or the mean of its networks.

    Parameters
    ----------
    path : model.safetensors of a fold
    device, precision : see `training.evaluation.place`

    Raises
    ------
    MerKitError
        If the file is missing, damaged or no model file.

    Notebook: 05_emotion_curve
    """

    def __init__(self, path: str | Path, *, device: str = "auto", precision: str = "auto") -> None:
        name = Path(path).name
        # Shapes are checked before any tensor is read, values once they are here.
        stored = checkpoint.load(path, check=lambda outline: check_model(outline, name))
        check_values(stored, name)
        self.n_classes = int(stored["n_classes"])
        self._placement = place(device, precision)
        # Methods with several networks store the others under "more".
        weights_of_each = [stored["network"], *stored.get("more", [])]
        self.networks = [self._network(stored, weights) for weights in weights_of_each]
        self.standardise = Standardise(*(band.numpy() for band in stored["bands"]))

    def predict_proba(self, segments: SegmentSource) -> np.ndarray:
        """Return class probabilities float32 [S, K] of segments [S].

        Raises
        ------
        MerKitError
            If the segments have another number of features than the network was trained on.
        """
        n_features, expected = n_features_of(segments.shape), len(self.standardise.mean)
        if len(segments) and n_features != expected:
            raise MerKitError(
                f"segments have {n_features} features, expected {expected} "
                "as in this network's training: use the same front-end, or train the fold again"
            )
        return mean_probabilities(self.networks, segments, self.standardise, self._placement)

    def _network(self, stored: dict[str, Any], weights: dict[str, torch.Tensor]) -> SegmentNetwork:
        """Return a network of the stored kind with these weights, on its device."""
        network = networks.build(
            stored.get("kind", networks.DEFAULT),
            self.n_classes,
            n_features=len(stored["bands"][0]),
            generator=torch.Generator(),  # initial weights are drawn, then replaced
            **stored["model"],
        )
        network.load_state_dict(weights)
        self._placement.move(network)
        return network
