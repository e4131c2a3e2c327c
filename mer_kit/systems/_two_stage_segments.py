"""What `two_stage` reads of the songs: contiguous segments, each 216 frames of a log-mel.

Source: He and Ferguson 2022. D: samples are as decoded, from −1 to 1. The source normalises 4Q's
audio into [−1, 1] (PMEmo's is there already) and does not say whether each clip's peak becomes 1.

Notebook: 04_song_decisions
"""

import numpy as np

from mer_kit.checks import MerKitError
from mer_kit.systems import Songs

#: P: frames of a segment, whatever its duration, and seconds of a clip.
FRAMES, SECONDS = 216, 30.0
#: P: the sample rate of 4Q; PMEmo's, also where no hop gives FRAMES at 4Q's (D).
RATES = (22050, 44100)


def mel_settings(segment_seconds: float, *, rate: int = RATES[0]) -> dict[str, int]:
    """Return sample rate, FFT and hop of log-mels that have 216 frames a segment.

    Of the hops that give 216 frames it is a power of two if one of them is, else the largest one:
    so in all seven cases of the paper. The FFT has 1024 samples, or 2048 for hops from 1024 on.

    Raises
    ------
    MerKitError
        If no hop does, or a hop would be longer than the FFT.

    Examples
    --------
    >>> mel_settings(3.0), mel_settings(10.0, rate=44100)["hop_length"]
    ({'sample_rate': 22050, 'n_fft': 1024, 'hop_length': 307}, 2048)
    """
    for sample_rate in (rate, RATES[1]):
        n = round(segment_seconds * sample_rate)
        hops = range(n // FRAMES + 1, n // (FRAMES - 1) + 1)
        powers = [hop for hop in hops if hop & (hop - 1) == 0]
        if hops and hops[0] <= 2048:
            hop, n_fft = hops[-1], 1024
            if powers:
                hop = powers[-1]
            if hop >= 1024:
                n_fft = 2048
            return {"sample_rate": sample_rate, "n_fft": n_fft, "hop_length": hop}
    raise MerKitError(
        f"segment_seconds is {segment_seconds:g}, for which two_stage has no log-mel of {FRAMES} "
        "frames, expected 1, 2, 3, 4, 5 or 10 s: change segment_seconds"
    )


class Segments:
    """The contiguous segments of songs, cut from the store's log-mels when they are read.

    P: the first 30 s of a clip; a shorter one is repeated from its start. A run's `max_seconds`
    may shorten them further.
    """

    def __init__(self, songs: Songs, of: np.ndarray) -> None:
        self.songs, self.of = songs, of
        seconds = min(songs.max_seconds or SECONDS, SECONDS)
        self.n_steps = int(seconds / songs.segment_seconds + 1e-9)
        self.n_frames = 1 + int(songs.segment_seconds * songs.per_second + 1e-9)

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, songs: slice | np.ndarray) -> "Segments":
        return Segments(self.songs, self.of[songs])

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return segments by song · n_steps + step: float32 [B, 1, frames, bands], log10(S + 1)."""
        batch = [self._segment(*divmod(int(row), self.n_steps)) for row in rows]
        decibels = np.stack(batch)[:, None].astype(np.float32)
        # D: from the store's decibels; its float16 is as fine as float16 of log10(S + 1) would be.
        return np.log10(1 + 10 ** (decibels / 10), dtype=np.float32)

    def _segment(self, song: int, step: int) -> np.ndarray:
        values = self.songs.values(int(self.of[song]))
        first = int(step * self.songs.segment_seconds * self.songs.per_second + 1e-9)
        return values[(first + np.arange(self.n_frames)) % len(values)]
