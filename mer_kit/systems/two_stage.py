"""The two-stage model of He and Ferguson: a masked convolutional autoencoder, then an LSTM.

Stage 1 learns, without labels, to reconstruct segments of which a span of bands and one of frames
are hidden. Stage 2 freezes its encoder, and a bidirectional LSTM learns the songs' classes from
their sequences of contiguous, non-overlapping segments.

Source: He and Ferguson 2022 (doi:10.1007/s13735-022-00230-z). Not findable there: which songs its
early stopping watched (D: 10 % of the training songs, whole artists; the paper has only training
and test songs) and whether the autoencoder saw test audio (D: never).

Notebook: 04_song_decisions
"""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from sklearn.model_selection import GroupShuffleSplit
from torch import Tensor
from torch.nn import functional

from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.seeding import derive, torch_generator
from mer_kit.systems import BaseSystem, Songs
from mer_kit.systems._two_stage_parts import SHRINKS, Autoencoder, SongClassifier, Stage, masked
from mer_kit.systems._two_stage_segments import RATES, Segments, mel_settings
from mer_kit.training import checkpoint
from mer_kit.training.evaluation import place
from mer_kit.training.malloc import keep_freed_memory

TITLE = "masked autoencoder + LSTM"
SAYS = "a masked convolutional autoencoder of the songs' segments, then an LSTM over its features"
SOURCE = "He and Ferguson 2022 (IJMIR 11); the sizes cpu and smoke are our decision"
COLOUR, LINE = "#4a7c8c", "--"

#: P: batches of segments, then of songs.
SEGMENTS, SONGS = 64, 10


@dataclass(frozen=True)
class Size:
    """Channels, bands, units, and how long and fast both stages learn.

    With `pools`, the LSTM is given the encoder's features averaged over frequency, with mean 0 and
    standard deviation 1 over the training songs. `watched` is the
    fraction of the training songs (D: a tenth) that early stopping watches; 0 for all of them,
    which are then learned from as well.
    """

    widths: tuple[int, int, int]
    bands: int
    pools: bool
    units: int
    epochs: int
    rate: float
    song_epochs: int
    song_rate: float
    watched: float = 0.1
    patience: int = 10


#: P: "full" (the caps on epochs are D; the paper reports 100–200 and about 25). D: the others.
SIZES = {
    "full": Size((128, 64, 32), 128, False, 512, 200, 1e-3, 100, 1e-5),
    "cpu": Size((32, 16, 8), 64, True, 64, 25, 1e-3, 60, 1e-3),
    # A tenth of few songs says too little about an epoch.
    "smoke": Size((4, 4, 4), 32, True, 16, 5, 3e-3, 20, 5e-3, watched=0.0),
}


@dataclass(frozen=True)
class Settings:
    """The size, and what the paper varies.

    Attributes
    ----------
    size : "full" as published, "cpu" or "smoke"
    frequency_span, time_span : P: F of 128 bands (fewer bands: a span as much shorter) and T frames
    activity_penalty : P: weight of the squares of the first convolution's output (D, as in Keras:
        summed over a segment)
    epochs, song_epochs : the most epochs of the stages; 0 for those of the size
    patience : epochs without a better score until a stage ends; 0 for that of the size (P: 10)
    """

    size: str = "full"
    frequency_span: int = 30
    time_span: int = 32
    activity_penalty: float = 0.001
    epochs: int = 0
    song_epochs: int = 0
    patience: int = 0

    def __post_init__(self) -> None:
        check_choice("size", self.size, SIZES)
        for name in ("frequency_span", "time_span", "epochs", "song_epochs", "patience"):
            check_range(name, getattr(self, name), 0, 10_000, whole=True)
        check_range("activity_penalty", self.activity_penalty, 0)


class System(BaseSystem):
    """Masked autoencoder → frozen encoder → bidirectional LSTM, all fitted on the training songs.

    Attributes
    ----------
    autoencoder_, classifier_ : the fitted networks, which have n_parameters_ together
    history_ : stage → one row per epoch, see `Stage`: training loss, then of the watched songs
        minus the Huber loss, or accuracy and minus the cross-entropy
    """

    settings = Settings
    accepts = ("logmel",)

    @classmethod
    def frontend(
        cls, settings: Any, *, corpus: str, segment_seconds: float
    ) -> tuple[str, dict[str, Any]]:
        """Return log-mels of 216 frames a segment."""
        rate = RATES[0]
        if corpus == "pmemo":
            rate = RATES[1]
        mel = mel_settings(segment_seconds, rate=rate)
        return "logmel", {**mel, "n_mels": SIZES[settings.size].bands}

    def read(self, songs: Songs) -> Segments:
        """Return the songs' segments, which are read when they are needed."""
        return Segments(songs, np.arange(len(songs)))

    def fit(self, features: Segments, labels: np.ndarray) -> Self:
        """Train both stages, or resume them from the checkpoint.

        Raises
        ------
        MerKitError
            If a segment has too few frames or bands, or the checkpoint does not fit.
        """
        keep_freed_memory()
        self._began = time.perf_counter()
        self._placement = place(self.device, self.precision)
        self._stages = self._fresh_stages(features)
        self._key = self._describe(features, labels)
        self._restore()
        learned, watched = self._inner_songs(len(labels))
        self._fit_autoencoder(features[learned], features[watched])
        y = torch.from_numpy(np.asarray(labels, dtype=np.int64))
        codes = self._encode(features)
        self._scale = torch.zeros(codes.shape[2]), torch.ones(codes.shape[2])
        if SIZES[self.s.size].pools:
            sd, mean = torch.std_mean(codes[learned].flatten(0, 1), dim=0)
            self._scale = mean, torch.where(sd > 0, sd, 1.0)
        codes = (codes - self._scale[0]) / self._scale[1]
        self._fit_classifier(codes[learned], y[learned], codes[watched], y[watched])
        self.autoencoder_ = self._stages["autoencoder"].network
        self.classifier_ = self._stages["classifier"].network
        self.n_parameters_ = sum(
            parameter.numel()
            for stage in self._stages.values()
            for parameter in stage.network.parameters()
        )
        self.history_ = {name: stage.history for name, stage in self._stages.items()}
        return self

    def predict_proba(self, features: Segments) -> np.ndarray:
        """Return float64 [songs, K], the LSTM's softmax."""
        codes = (self._encode(features) - self._scale[0]) / self._scale[1]
        p = self._logits(codes).double().softmax(dim=1)
        return np.asarray(p.numpy())

    # ---- stage 1 -------------------------------------------------------------------------------

    def _fit_autoencoder(self, learned: Segments, watched: Segments) -> None:
        """Learn to reconstruct masked segments; the watched ones are not masked."""
        n_bands = learned.gather(np.arange(1)).shape[3]
        spans = {
            "frequency_span": self.s.frequency_span * n_bands // 128,
            "time_span": self.s.time_span,
        }
        stage = self._stages["autoencoder"]

        def losses(epoch: int) -> Iterator[Tensor]:
            draws = torch_generator(self.seed, f"autoencoder epoch {epoch}")
            order = torch.randperm(len(learned) * learned.n_steps, generator=draws)
            for rows in torch.split(order, SEGMENTS):
                x = torch.from_numpy(learned.gather(rows.numpy()))
                y, _ = masked(x, **spans, generator=draws)
                reconstruction, first = self._reconstruct(stage.network, y)
                huber = functional.huber_loss(reconstruction, x.to(reconstruction.device))
                activity = first.square().sum() / len(x)
                yield huber + self.s.activity_penalty * activity

        def watch() -> list[float]:
            total, n = 0.0, len(watched) * watched.n_steps
            for rows in np.array_split(np.arange(n), -(-n // SEGMENTS)):
                x = torch.from_numpy(watched.gather(rows))
                reconstruction, _ = self._reconstruct(stage.network, x)
                huber = functional.huber_loss(reconstruction, x.to(reconstruction.device))
                total += float(huber) * len(rows)
            return [-total / n]

        stage.run(losses, watch, self._save)

    def _reconstruct(self, network: torch.nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return reconstruction and first output of the autoencoder, float32 on the device."""
        with self._placement.autocast():
            reconstruction, first = network(self._placement.put(x.numpy()))
        return reconstruction.float(), first.float()

    @torch.no_grad()
    def _encode(self, features: Segments) -> Tensor:
        """Return the frozen encoder's features of songs, float32 [songs, n_steps, D]."""
        encoder: Any = self._stages["autoencoder"].network.encoder
        n = len(features) * features.n_steps
        codes = []
        for rows in np.array_split(np.arange(n), -(-n // SEGMENTS)):
            with self._placement.autocast():
                code = encoder(self._placement.put(features.gather(rows))).float()
            if SIZES[self.s.size].pools:
                code = code.mean(dim=3)  # [B, 8, 27]
            codes.append(code.flatten(1).cpu())
        return torch.cat(codes).reshape(len(features), features.n_steps, -1)

    # ---- stage 2 -------------------------------------------------------------------------------

    def _fit_classifier(self, x: Tensor, y: Tensor, watched_x: Tensor, watched_y: Tensor) -> None:
        """Learn the songs' classes from their sequences of codes."""
        stage, device = self._stages["classifier"], self._placement.device

        def losses(epoch: int) -> Iterator[Tensor]:
            order = torch.randperm(
                len(x), generator=torch_generator(self.seed, f"order of songs, epoch {epoch}")
            )
            kept = torch_generator(self.seed, f"dropout of songs, epoch {epoch}", str(device))
            for songs in torch.split(order, SONGS):
                logits = stage.network(x[songs].to(device), kept)
                yield functional.cross_entropy(logits, y[songs].to(device))

        def watch() -> list[float]:
            logits = self._logits(watched_x)
            right = (logits.argmax(dim=1) == watched_y).double().mean()
            return [float(right), -float(functional.cross_entropy(logits, watched_y))]

        stage.run(losses, watch, self._save)

    @torch.no_grad()
    def _logits(self, codes: Tensor) -> Tensor:
        network, device = self._stages["classifier"].network, self._placement.device
        return torch.cat([network(some.to(device)).cpu() for some in torch.split(codes, SEGMENTS)])

    # ---- what both share -----------------------------------------------------------------------

    def _inner_songs(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the songs to learn from and those that early stopping watches, by artist.

        If the size watches none, or all songs are by one artist, they are both.
        """
        fraction = SIZES[self.s.size].watched
        groups = np.arange(n) if self.groups is None else self.groups
        if not fraction or len(np.unique(groups)) < 2:
            return np.arange(n), np.arange(n)
        split = GroupShuffleSplit(
            1, test_size=fraction, random_state=derive(self.seed, "watched songs") % 2**32
        )
        learned, watched = next(split.split(groups, groups=groups))
        return learned, watched

    def _fresh_stages(self, features: Segments) -> dict[str, Stage]:
        """Return both stages before their first epoch."""
        size = SIZES[self.s.size]
        n_frames, n_bands = features.gather(np.arange(1)).shape[2:]
        if n_frames % SHRINKS or n_bands % SHRINKS:
            raise MerKitError(
                f"segments have {n_frames} frames and {n_bands} bands, expected multiples of "
                f"{SHRINKS}, which three poolings halve: leave sample_rate, hop_length and n_mels "
                "as two_stage chooses them"
            )
        autoencoder = Autoencoder(size.widths, torch_generator(self.seed, "autoencoder"))
        self._placement.move(autoencoder)
        n_features = size.widths[-1] * (n_frames // SHRINKS)
        if not size.pools:
            n_features *= n_bands // SHRINKS
        classifier = SongClassifier(
            n_features, size.units, self.n_classes, torch_generator(self.seed, "song classifier")
        ).to(self._placement.device)
        patience = self.s.patience or size.patience
        epochs, song_epochs = self.s.epochs or size.epochs, self.s.song_epochs or size.song_epochs
        return {
            "autoencoder": Stage(autoencoder, rate=size.rate, epochs=epochs, patience=patience),
            "classifier": Stage(
                classifier, rate=size.song_rate, epochs=song_epochs, patience=patience
            ),
        }

    def _describe(self, features: Segments, labels: np.ndarray) -> str:
        """Return what a checkpoint must agree on."""
        data = hashlib.blake2b(np.asarray(labels, dtype=np.int64).tobytes(), digest_size=8)
        here = {"seed": self.seed, "classes": self.n_classes, "steps": features.n_steps}
        # Bits differ between devices and precisions, so a training must end where it began.
        placement = [self._placement.device.type, self._placement.precision]
        everything = {**asdict(self.s), **here, "place": placement, "data": data.hexdigest()}
        return json.dumps(everything, sort_keys=True)

    def _save(self) -> None:
        """Write the state of both stages."""
        if self.checkpoint_file is not None:
            states = {name: stage.state() for name, stage in self._stages.items()}
            seconds = self.seconds_before + time.perf_counter() - self._began
            state = {"key": self._key, "seconds": seconds, **states}
            checkpoint.save(self.checkpoint_file, state)

    def _restore(self) -> None:
        """Continue from the checkpoint, if there is one."""
        file = self.checkpoint_file
        if file is None or not file.exists():
            return
        stored = checkpoint.load(file)
        try:
            fits = stored["key"] == self._key
            if fits:
                self.seconds_before = float(stored["seconds"])
                for name, stage in self._stages.items():
                    stage.restore(stored[name])
        except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise MerKitError(
                f"checkpoint {file.name} cannot be resumed ({type(error).__name__}), expected "
                "what this training saved: delete it to train from the start"
            ) from error
        if not fits:
            raise MerKitError(
                f"checkpoint {file.name} belongs to another training, expected this one's: "
                "delete it to train from the start"
            )
