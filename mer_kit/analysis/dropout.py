"""A finished fold's network: repeated dropout passes, and predictions for mixed segments."""

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
    """The network of a finished fold on the CPU, with its training segments.

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
        """Return one training segment before standardisation: float32 [frames, d], or [1, d′]."""
        segment = self._segments.gather(np.array([row]))[0]
        return np.asarray(segment[0].T if segment.ndim == 3 else segment[None])

    def dropout_passes(self, rows: np.ndarray, *, n: int = 2) -> np.ndarray:
        """Return n predictions of each segment with dropout on: float32 [n, B, K].

        As in training, the trunk is evaluated once and batch normalisation keeps its running
        statistics, so that the predictions differ only by the dropout of the head.
        Source: P₁ and P₂ of paper Eq. (9).
        """
        check_range("n", n, 1, whole=True)
        return np.asarray(torch.softmax(self._dropout_logits(rows, n), dim=2).numpy())

    def disagreement(self, rows: np.ndarray) -> np.ndarray:
        """Return the symmetric KL between two dropout passes of each segment: float32 [B], nats.

        Source: paper Eq. (9).
        """
        first, second = self._dropout_logits(rows, 2)
        return np.asarray(objectives.symmetric_kl(first, second).numpy())

    def _dropout_logits(self, rows: np.ndarray, n: int) -> torch.Tensor:
        generator = torch_generator(self._seed, "lens")
        self.network.train()
        with frozen_batch_norm(self.network), torch.inference_mode():
            h = self.network.trunk(self._input(rows))
            return torch.stack([self.network.head(h, generator=generator) for _ in range(n)])

    def mixed(self, first: int, second: int, delta: float) -> np.ndarray:
        """Return the prediction for δ·first + (1 − δ)·second: float32 [K], dropout off.

        Source: paper Eq. (6).
        """
        self.network.eval()
        with torch.inference_mode():
            x = self._input(np.array([first, second]))
            mixed = objectives.mix(x, torch.tensor([1, 0]), delta)[:1]
            return np.asarray(torch.softmax(self.network(mixed), dim=1)[0].numpy())

    def _input(self, rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self._standardise(self._segments.gather(np.asarray(rows))))


def choose_pair(passes: Passes, after_epoch: int) -> tuple[int, int]:
    """Return two rows to mix: the X segment with the smallest loss, and one of U.

    The second is, if possible, one that the model also assigns to another class than the label of
    the first, so that its pseudo-label shows in the mixture; of several, the one with the largest
    loss. If U has no other label, it is taken from all segments.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> passes = SimpleNamespace(
    ...     losses=np.array([[0.1, 0.4, 1.6, 0.9]]),
    ...     labels=np.array([0, 0, 1, 1]),
    ...     probabilities=np.array([[[0.9, 0.1], [0.7, 0.3], [0.8, 0.2], [0.4, 0.6]]]),
    ...     unlabelled_rows=lambda after_epoch: np.array([2, 3]),
    ... )
    >>> choose_pair(passes, 1)
    (0, 3)
    """
    losses, labels = passes.losses[after_epoch - 1], passes.labels
    predicted = passes.probabilities[after_epoch - 1].argmax(axis=1)
    unlabelled = passes.unlabelled_rows(after_epoch)
    labelled = np.setdiff1d(np.arange(len(labels)), unlabelled)
    first = int(labelled[np.argmin(losses[labelled])])
    other_label = np.flatnonzero(labels != labels[first])
    in_u = np.intersect1d(other_label, unlabelled)
    predicted_so = in_u[predicted[in_u] != labels[first]]
    candidates = next(rows for rows in (predicted_so, in_u, other_label) if len(rows))
    return first, int(candidates[np.argmax(losses[candidates])])
