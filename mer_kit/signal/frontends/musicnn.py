"""musicnn: a convolutional network that was trained to tag music, used as it is.

Its weights come from the Python package of that name (ISC licence), which is read, not installed.
The MSD model was trained on tags of the Million Song Dataset, among them words for moods (sad,
happy, mellow, chill), possibly for recordings of a corpus that it is evaluated on; the MTT model
was trained on tags of MagnaTagATune, without such words.

Notebook: 01_segmentation
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mer_kit.checks import check_choice
from mer_kit.signal import tensorflow_checkpoint, wheels
from mer_kit.signal.frontend import BaseFrontend
from mer_kit.signal.frontends.logmel import MelSettings, mel_power
from mer_kit.signal.musicnn_network import N_BANDS, N_MAPS, Musicnn, pooled

TITLE = "musicnn"
SAYS = "a frozen music tagger: what its last layers make of a segment"
SOURCE = "Pons and Serra 2019, musicnn: pre-trained convolutional neural networks for music tagging"
#: Said wherever scores that rest on these weights are shown.
NOTE = (
    "musicnn's weights (ISC licence) were trained on music tags; the MSD model's tags contain "
    "words for moods, possibly for recordings of this corpus"
)
WHEEL = wheels.Wheel(
    name="musicnn",
    version="0.1.0",
    sha256="f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa",
    member="musicnn",
    licence="ISC",
)

MEL = MelSettings(sample_rate=16000, n_fft=512, hop_length=256, n_mels=N_BANDS)
LAYERS = ("pooled", "penultimate", "tags")
CONTEXTS = ("clip", "segment")
#: The words that each model was trained on, in the order of its outputs.
TAGS: dict[str, tuple[str, ...]] = {
    "MSD": (
        "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance",
        "00s", "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists",
        "classic rock", "soul", "indie rock", "mellow", "electronica", "80s", "folk", "90s",
        "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient",
        "acoustic", "experimental", "female vocalist", "guitar", "hip-hop", "70s", "party",
        "country", "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal",
        "progressive rock", "60s", "rnb", "indie pop", "sad", "house", "happy",
    ),
    "MTT": (
        "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock",
        "fast", "piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian",
        "opera", "male", "singing", "vocals", "no vocals", "harpsichord", "loud", "quiet",
        "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man",
        "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal",
        "beats", "harp", "cello", "no voice", "weird", "country", "metal", "female voice",
        "choral",
    ),
}  # fmt: skip
#: What the setting `tagger` may be.
TAGGERS = (*TAGS, "+".join(TAGS))
#: Columns of the layer "pooled".
POOLED = tuple(f"{kind} {n}" for n in range(N_MAPS) for kind in ("max", "mean"))


@dataclass(frozen=True)
class Settings:
    """Which model, which of its layers, and whether a segment depends on its neighbours.

    tagger : MSD or MTT, after the tags that it was trained on, or MSD+MTT: both, side by side
    layer : pooled (maximum and mean over time of all feature maps, 1506), penultimate (200) or tags
        (50 probabilities)
    context : clip (feature maps are computed once for a clip; a frame depends on the 1.2 s before
        and after it) or segment (each segment alone, with zeros around it, as the published network
        does; needed where durations are compared, since otherwise a short segment depends on its
        neighbours)
    """

    tagger: str = "MSD"
    layer: str = "penultimate"
    context: str = "clip"

    def __post_init__(self) -> None:
        check_choice("tagger", self.tagger, TAGGERS)
        check_choice("layer", self.layer, LAYERS)
        check_choice("context", self.context, CONTEXTS)


@functools.lru_cache(maxsize=2)
def network(tagger: str) -> Musicnn:
    """Return the network with the weights of a model.

    Raises
    ------
    MerKitError
        If the weights were not fetched, or are not those that were tested.
    """
    folder = f"musicnn/{tagger}_musicnn"
    parts = wheels.read(WHEEL, f"{folder}/.index", f"{folder}/.data-00000-of-00001")
    return Musicnn(tensorflow_checkpoint.tensors(*parts))


class Frontend(BaseFrontend):
    """musicnn as a front-end that pools."""

    settings = Settings
    sample_rate = MEL.sample_rate
    frames_per_second = MEL.sample_rate / MEL.hop_length
    stored_as = np.float16

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self.taggers = tuple(self.s.tagger.split("+"))
        names = {tagger: self._columns(tagger) for tagger in self.taggers}
        self.columns = next(iter(names.values()))
        if len(names) > 1:
            self.columns = tuple(f"{tagger}: {one}" for tagger in names for one in names[tagger])

    def _columns(self, tagger: str) -> tuple[str, ...]:
        """Return the names of the chosen layer's numbers."""
        penultimate = tuple(f"penultimate {n}" for n in range(200))
        return {"pooled": POOLED, "penultimate": penultimate, "tags": TAGS[tagger]}[self.s.layer]

    def frames(self, samples: np.ndarray) -> np.ndarray:
        """Return what `pool` needs of samples [n], float32 [frames, d].

        That is the log-mel [frames, 96] for `context="segment"`, the feature maps [frames, 753] of
        each tagger for `context="clip"`.
        """
        # The published code rounds to float16 before the factor, where loud cells overflow.
        mel = np.log10(10000 * mel_power(samples, MEL) + 1)
        return mel if self.s.context == "segment" else self._maps(mel)

    def _maps(self, mel: np.ndarray) -> np.ndarray:
        """Return the feature maps of all taggers side by side, [frames, 753·taggers]."""
        return np.concatenate([network(tagger).maps(mel) for tagger in self.taggers], axis=1)

    def frames_of_blocks(self, blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, int]:
        """Return the frames in float32, since they are pooled before they are stored."""
        samples = np.concatenate([np.zeros(0, dtype=np.float32), *blocks])
        return self.frames(samples), len(samples)

    @property
    def n_stored(self) -> int:
        """The store keeps the pooled maps, from which the other two layers follow."""
        return len(POOLED) * len(self.taggers)

    def identity(self) -> dict[str, Any]:
        """Return the settings that the pooled maps depend on."""
        return {"tagger": self.s.tagger, "context": self.s.context}

    def pool(self, frames: np.ndarray) -> np.ndarray:
        """Return maximum and mean over time of a segment's maps, float32 [1506·taggers]."""
        maps = self._maps(frames) if self.s.context == "segment" else frames
        return np.concatenate([pooled(one) for one in self._of_each(maps)])

    def _of_each(self, rows: np.ndarray) -> list[np.ndarray]:
        """Return the columns of each tagger."""
        return np.split(rows, len(self.taggers), axis=1)

    def from_stored(self, rows: np.ndarray) -> np.ndarray:
        """Return the chosen layer, [segments, d′], of pooled maps [segments, 1506·taggers]."""
        if self.s.layer == "pooled":
            return rows
        parts = zip(self.taggers, self._of_each(rows.astype(np.float32)), strict=True)
        return np.concatenate([self._layer(tagger, its) for tagger, its in parts], axis=1)

    def _layer(self, tagger: str, rows: np.ndarray) -> np.ndarray:
        """Return a tagger's penultimate layer or tags, [segments, 200 or 50]."""
        model = network(tagger)
        return model.penultimate(rows) if self.s.layer == "penultimate" else model.tags(rows)

    def named_scores(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return the probability of each tag, [segments], of pooled maps [segments, 1506·taggers].

        A tag of both taggers has the first one's.
        """
        found: dict[str, np.ndarray] = {}
        for tagger, its in zip(self.taggers, self._of_each(rows.astype(np.float32)), strict=True):
            found = dict(zip(TAGS[tagger], network(tagger).tags(its).T, strict=True)) | found
        return found
