"""A finished fold's network under the lens: dropout passes, and what it says of mixed segments."""

from __future__ import annotations

import numpy as np
import torch

from mer_kit.analysis.passes import Passes
from mer_kit.checks import check_choice, check_range
from mer_kit.runs.experiment import Experiment
from mer_kit.seeding import torch_generator
from mer_kit.signal.store import SegmentView
from mer_kit.training import SegmentClassifier, objectives
from mer_kit.training.batch_loss import frozen_batch_norm


class DropoutProbe:
    """The network of a finished fold, on the CPU, and its training segments.

    Raises
    ------
    MerKitError
        If the fold is not finished.

    Notebook: 03_sssl_training
    """

    def __init__(self, experiment: Experiment, number: int) -> None:
        check_choice("fold", number, range(len(experiment.folds)))
        file = experiment.folder.fold(number) / "model.safetensors"
        classifier = SegmentClassifier(file, device="cpu", precision="float32")
        self.network, self._standardise = classifier.networks[0], classifier.standardise
        index = experiment.train_index
        self.index = index.take(index.rows_of(experiment.folds[number].train))
        self._segments = SegmentView(experiment.store, self.index)
        self.frontend = experiment.store.frontend
        self._seed = experiment.config.seed

    def features(self, row: int) -> np.ndarray:
        """Return one training segment as the network gets it, before standardising: float32 [frames, d], or [1, d′]."""
        segment = self._segments.gather(np.array([row]))[0]
        return np.asarray(segment[0].T if segment.ndim == 3 else segment[None])

    def dropout_passes(self, rows: np.ndarray, *, n: int = 2) -> np.ndarray:
        """Return n predictions of each segment with dropout on: float32 [n, B, K].

        As in training, the trunk is passed once and batch normalisation keeps its running statistics, so that the
        predictions differ by the head's dropout alone. Source: P₁ and P₂ of paper Eq. (9).
        """
        check_range("n", n, 1, whole=True)
        return np.asarray(torch.softmax(self._dropout_logits(rows, n), dim=2).numpy())

    def disagreement(self, rows: np.ndarray) -> np.ndarray:
        """Return the symmetric KL of two dropout passes for each segment, float32 [B], nats. Source: paper Eq. (9)."""
        first, second = self._dropout_logits(rows, 2)
        return np.asarray(objectives.symmetric_kl(first, second).numpy())

    def _dropout_logits(self, rows: np.ndarray, n: int) -> torch.Tensor:
        generator = torch_generator(self._seed, "lens")
        self.network.train()
        with frozen_batch_norm(self.network), torch.inference_mode():
            h = self.network.trunk(self._input(rows))
            return torch.stack([self.network.head(h, generator=generator) for _ in range(n)])

    def mixed(self, first: int, second: int, delta: float) -> np.ndarray:
        """Return the prediction for δ·first + (1 − δ)·second, float32 [K], dropout off. Source: paper Eq. (6)."""
        self.network.eval()
        with torch.inference_mode():
            x = objectives.mix(self._input(np.array([first, second])), torch.tensor([1, 0]), delta)[
                :1
            ]
            return np.asarray(torch.softmax(self.network(x), dim=1)[0].numpy())

    def _input(self, rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self._standardise(self._segments.gather(np.asarray(rows))))


def choose_pair(passes: Passes, after_epoch: int) -> tuple[int, int]:
    """Return two rows to mix: the trusted segment with the smallest loss, and a doubted one with another label.

    The second is one that the model takes for another class than the first's, where there is one: then its
    pseudo-label shows in the mixture. Of several, the one with the largest loss is taken.
    """
    losses, labels = passes.losses[after_epoch - 1], passes.labels
    guesses = passes.probabilities[after_epoch - 1].argmax(axis=1)
    doubted = passes.unlabelled_rows(after_epoch)
    trusted = np.setdiff1d(np.arange(len(labels)), doubted)
    first = int(trusted[np.argmin(losses[trusted])])
    others = [doubted[(labels[doubted] != labels[first]) & (guesses[doubted] != labels[first])]]
    others += [doubted[labels[doubted] != labels[first]], np.flatnonzero(labels != labels[first])]
    second = next(rows for rows in others if len(rows))
    return first, int(second[np.argmax(losses[second])])
