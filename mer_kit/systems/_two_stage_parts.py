"""The parts of `two_stage`: its masks, its two networks, and training with early stopping.

Source: He and Ferguson 2022. Not findable there: the last activation of the autoencoder (D: none),
the kind of its pooling (D: the maximum) and the initial weights (D: Keras' for convolutions,
torch's for the LSTM).

Notebook: 04_song_decisions
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from mer_kit.training.network import dropout

#: Poolings by two in the encoder: frames and bands must be multiples of 2³.
SHRINKS = 8


def masked(
    x: Tensor, *, frequency_span: int, time_span: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return segments with one span of bands and one of frames filled, and where these are.

    P: a span's length is uniform on 0…span − 1, its start on all places where it fits; a segment's
    spans are filled with its own mean (D: "the mean of the log-mel").

    Parameters
    ----------
    x : float32 [B, 1, frames, bands]
    frequency_span, time_span : F and T; a span of 0 or 1 hides nothing
    generator : on the CPU

    Returns
    -------
    the masked segments, and bool [B, 1, frames, bands], True where they are filled

    Examples
    --------
    >>> x = torch.arange(64.0).reshape(1, 1, 8, 8)
    >>> y, hidden = masked(x, frequency_span=3, time_span=3, generator=torch.Generator())
    >>> torch.equal(y[~hidden], x[~hidden]), set(y[hidden].tolist()) <= {31.5}
    (True, True)
    """
    n, _, n_frames, n_bands = x.shape
    frames = _spans(n, n_frames, time_span, generator)[:, None, :, None]
    bands = _spans(n, n_bands, frequency_span, generator)[:, None, None, :]
    hidden = (frames | bands).to(x.device)
    return torch.where(hidden, x.mean(dim=(2, 3), keepdim=True), x), hidden


def _spans(n: int, length: int, longest: int, generator: torch.Generator) -> Tensor:
    """Return bool [n, length], each row True within one span."""
    size = torch.randint(0, max(longest, 1), (n, 1), generator=generator)
    places = length - size  # D: starts 0…length − size − 1, as U[0, length − size) says
    start = (torch.rand(n, 1, generator=generator) * places).long()
    at = torch.arange(length)
    return (at >= start) & (at < start + size)


class Autoencoder(nn.Module):
    """The convolutional autoencoder: 3×3 convolutions with ReLU, pooling and up-sampling by two.

    Parameters
    ----------
    widths : channels of the encoder's three convolutions; P: 128, 64, 32
    generator : source of the initial weights

    Examples
    --------
    >>> network = Autoencoder((128, 64, 32), torch.Generator())
    >>> sum(p.numel() for p in network.encoder.parameters())
    93536
    >>> network.encoder(torch.zeros(1, 1, 216, 128)).shape
    torch.Size([1, 32, 27, 16])
    """

    def __init__(self, widths: tuple[int, int, int], generator: torch.Generator) -> None:
        super().__init__()
        first, second, third = widths
        # torch's layers draw weights of their own, which are replaced: its global state stays.
        with torch.random.fork_rng(devices=[]):
            self.encoder = nn.Sequential(
                *_convolution(1, first), nn.MaxPool2d(2),
                *_convolution(first, second), nn.MaxPool2d(2),
                *_convolution(second, third), nn.MaxPool2d(2),
            )  # fmt: skip
            self.decoder = nn.Sequential(
                *_convolution(third, third), nn.Upsample(scale_factor=2),
                *_convolution(third, second), nn.Upsample(scale_factor=2),
                *_convolution(second, first), nn.Upsample(scale_factor=2),
                *_convolution(first, 1)[:1],
            )  # fmt: skip
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the reconstruction of x [B, 1, frames, bands] and the first layer's output."""
        first = self.encoder[:2](x)  # [B, 128, frames, bands]
        return self.decoder(self.encoder[2:](first)), first


def _convolution(channels: int, width: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]


class SongClassifier(nn.Module):
    """The bidirectional LSTM over a song's segments, dropout 0.5, and the output layer.

    Its answer follows from the last state of each direction (D, as in Keras: that of the backward
    direction belongs to the first segment).

    Examples
    --------
    >>> network = SongClassifier(6, 4, 3, torch.Generator())
    >>> network.eval()(torch.zeros(5, 10, 6)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self, n_features: int, units: int, n_classes: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            self.lstm = nn.LSTM(n_features, units, batch_first=True, bidirectional=True)
            self.output = nn.Linear(2 * units, n_classes)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-(units**-0.5), units**-0.5, generator=generator)

    def states(self, x: Tensor) -> Tensor:
        """Return the last state of both directions, [2, B, units], of songs [B, n, features]."""
        last: Tensor = self.lstm(x)[1][0]
        return last

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return logits [B, K]; in training mode dropout is drawn from `generator`."""
        h = torch.cat(list(self.states(x)), dim=1)  # [B, 2 · units]
        if self.training:
            h = dropout(h, 0.5, generator)
        logits: Tensor = self.output(h)
        return logits


class Stage:
    """One of the two trainings: Adam, early stopping, and everything that it resumes from.

    Parameters
    ----------
    network : on its device
    rate : Adam's learning rate
    epochs : the most that are trained
    patience : epochs without a better score after which the training ends

    Attributes
    ----------
    history : one row per epoch: the training loss, then the scores of the watched songs, the first
        of which decides, the next where it is equal; larger is better
    """

    def __init__(self, network: nn.Module, *, rate: float, epochs: int, patience: int) -> None:
        self.network, self.epochs, self.patience = network, epochs, patience
        self.optimizer = torch.optim.Adam(network.parameters(), lr=rate)
        self.history: list[list[float]] = []
        self.best = self._weights()

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.network.state_dict().items()}

    @property
    def ended(self) -> bool:
        """Whether the last epoch has been trained, or there was no better one for long enough."""
        return len(self.history) >= self.epochs or self._since_best() >= self.patience

    def _since_best(self) -> int:
        scores = [row[1:] for row in self.history]
        if not scores:
            return 0
        return len(scores) - 1 - scores.index(max(scores))

    def run(
        self,
        losses: Callable[[int], Iterator[Tensor]],
        watch: Callable[[], list[float]],
        save: Callable[[], None],
    ) -> None:
        """Train to the end, then take the best epoch's weights (D: the source does not say).

        Parameters
        ----------
        losses : yields the loss of each batch of an epoch, numbered from 0
        watch : returns the scores of the watched songs
        save : called after each epoch
        """
        while not self.ended:
            self.network.train()
            total, n = 0.0, 0
            for loss in losses(len(self.history)):
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()
                total, n = total + float(loss.detach()), n + 1
            self.network.eval()
            with torch.no_grad():
                self.history.append([total / n, *watch()])
            if not self._since_best():
                self.best = self._weights()
            save()
        self.network.load_state_dict(self.best)
        self.network.eval()

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs."""
        return {
            "network": self.network.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue after the epoch in which `state` was called."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        device = next(self.network.parameters()).device
        self.best = {name: value.to(device) for name, value in state["best"].items()}
        self.history = [list(map(float, row)) for row in state["history"]]
