"""Hand-made descriptors of timbre, dynamics, rhythm, harmony and register, all from librosa.

A frame's descriptors are pooled over each segment (mean, standard deviation and the 10th and 90th
percentile). Tempo, pulse and key need longer music than a segment: they are computed once for a
clip, and every segment of it has the same values.

Source: the families of Panda, Malheiro and Paiva 2018, as far as open libraries compute them.

Notebook: 01_segmentation
"""

from typing import Any

import numpy as np

from mer_kit.signal.frontend import BaseFrontend

TITLE = "descriptors"
SAYS = "timbre, dynamics, rhythm, harmony and register in named columns, computed by librosa"
SOURCE = "after Panda, Malheiro and Paiva 2018; librosa"

SAMPLE_RATE, N_FFT, HOP = 22050, 2048, 1024
PITCHES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
#: Profiles of Krumhansl and Kessler 1982: how well each pitch class fits a major or minor key.
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
#: Lowest power on the scale of loudness (−100 dB).
FLOOR = 1e-10
#: Onset strength in dB varies by less than this in a steady tone or in silence.
STEADY = 0.1
#: Upper edges of the registers in Hz: bass, low, middle, high; above is the fifth.
REGISTERS = (130.8, 261.6, 523.3, 1046.5)

#: Columns of a frame.
OF_FRAME = (
    *(f"mfcc {n}" for n in range(1, 21)),
    "centroid", "bandwidth", "roll-off 85 %", "roll-off 95 %", "flatness", "flux",
    "zero crossings",
    *(f"contrast {n}" for n in range(1, 8)),
    "loudness", "crest",
    "onset strength",
    *(f"chroma {pitch}" for pitch in PITCHES), "chroma entropy",
    *(f"tonnetz {n}" for n in range(1, 7)),
    "percussive share",
    "bass", "low", "middle", "high", "very high",
)  # fmt: skip
#: Columns of a clip, the same in each of its segments.
OF_CLIP = (
    "tempo", "second tempo", "pulse clarity", "onsets per second",
    "major key", "minor key", "major − minor",
)  # fmt: skip
STATISTICS = ("mean", "sd", "p10", "p90")


class Frontend(BaseFrontend):
    """librosa's descriptors as a front-end that pools."""

    sample_rate = SAMPLE_RATE
    frames_per_second = SAMPLE_RATE / HOP
    columns = (*(f"{name} {kind}" for kind in STATISTICS for name in OF_FRAME), *OF_CLIP)

    def frames(self, samples: np.ndarray) -> np.ndarray:
        """Return the descriptors of samples [n], float32 [frames, d], the clip's in every frame."""
        y = np.asarray(samples, dtype=np.float32)
        n_frames = 1 + len(y) // HOP
        y = np.pad(y, (0, max(0, N_FFT - len(y))))
        import librosa

        spectrum = np.abs(librosa.stft(y, n_fft=N_FFT, hop_length=HOP))
        onsets = _onsets(spectrum)
        chroma = _chroma(spectrum)
        of_frame = np.concatenate(
            [_timbre(y, spectrum), _dynamics(y), onsets[None], _harmony(spectrum, chroma)]
        )
        of_clip = [*_rhythm(onsets), *_key(chroma)]
        frames = of_frame[:, :n_frames].T
        return np.hstack([frames, np.tile(of_clip, (len(frames), 1))]).astype(np.float32)

    def pool(self, frames: np.ndarray) -> np.ndarray:
        """Return a segment's vector, float32 [d′]."""
        rows, clip = frames[:, : len(OF_FRAME)].astype(np.float32), frames[0, len(OF_FRAME) :]
        low, high = np.percentile(rows, [10, 90], axis=0)
        return np.concatenate([rows.mean(axis=0), rows.std(axis=0), low, high, clip])


def _timbre(y: np.ndarray, spectrum: np.ndarray) -> np.ndarray:
    """Return mel-frequency cepstra and the shape of the spectrum, [34, frames]."""
    from librosa import feature

    power = spectrum**2
    mel = feature.melspectrogram(S=power, sr=SAMPLE_RATE)
    cepstra = feature.mfcc(S=10 * np.log10(np.maximum(mel, FLOOR)), n_mfcc=20)
    options: dict[str, Any] = {"S": spectrum, "sr": SAMPLE_RATE}
    # Of digital silence the centre of the spectrum is 0 Hz rather than undefined.
    rows = [
        feature.spectral_centroid(**options),
        feature.spectral_bandwidth(**options),
        feature.spectral_rolloff(**options, roll_percent=0.85),
        feature.spectral_rolloff(**options, roll_percent=0.95),
        feature.spectral_flatness(S=spectrum),
        _flux(spectrum)[None],
        feature.zero_crossing_rate(y, frame_length=N_FFT, hop_length=HOP),
        feature.spectral_contrast(**options),
    ]
    values: np.ndarray = np.nan_to_num(np.concatenate([cepstra, *rows]))
    return values


def _flux(spectrum: np.ndarray) -> np.ndarray:
    """Return how much the spectrum, scaled to sum 1, changes from frame to frame, [frames]."""
    share = spectrum / np.maximum(spectrum.sum(axis=0), FLOOR)
    steps = np.diff(share, axis=1, prepend=share[:, :1])
    change: np.ndarray = np.sqrt(np.square(steps).sum(axis=0))
    return change


def _dynamics(y: np.ndarray) -> np.ndarray:
    """Return loudness and crest (largest sample over root mean square) in dB, [2, frames]."""
    import librosa

    padded = np.pad(y, N_FFT // 2)
    blocks = librosa.util.frame(padded, frame_length=N_FFT, hop_length=HOP)
    power = np.maximum(np.square(blocks).mean(axis=0), FLOOR)
    peak = np.maximum(np.square(blocks).max(axis=0), FLOOR)
    loudness, peaks = 10 * np.log10(power), 10 * np.log10(peak)
    return np.stack([loudness, peaks - loudness])


def _onsets(spectrum: np.ndarray) -> np.ndarray:
    """Return the onset strength, [frames]."""
    import librosa

    mel = librosa.feature.melspectrogram(S=spectrum**2, sr=SAMPLE_RATE)
    decibels = 10 * np.log10(np.maximum(mel, FLOOR))
    strength: np.ndarray = librosa.onset.onset_strength(S=decibels, sr=SAMPLE_RATE)
    return strength


def _chroma(spectrum: np.ndarray) -> np.ndarray:
    """Return the share of each pitch class, [12, frames]; silence has equal shares."""
    from librosa import feature

    energy = feature.chroma_stft(S=spectrum**2, sr=SAMPLE_RATE, n_fft=N_FFT, tuning=0.0, norm=None)
    energy = energy + FLOOR
    return np.asarray(energy / energy.sum(axis=0))


def _harmony(spectrum: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """Return chroma, its entropy, tonnetz, percussive share and registers, [25, frames]."""
    import librosa

    entropy = -(chroma * np.log(chroma)).sum(axis=0) / np.log(len(PITCHES))
    tonnetz = librosa.feature.tonnetz(chroma=chroma)
    harmonic, percussive = librosa.decompose.hpss(spectrum)
    energy = np.square(harmonic).sum(axis=0) + np.square(percussive).sum(axis=0) + FLOOR
    share = np.square(percussive).sum(axis=0) / energy
    frequencies = librosa.fft_frequencies(sr=SAMPLE_RATE, n_fft=N_FFT)
    register = np.digitize(frequencies, REGISTERS)
    power = np.square(spectrum)
    shares = np.stack([power[register == n].sum(axis=0) for n in range(len(REGISTERS) + 1)])
    shares = shares / np.maximum(shares.sum(axis=0), FLOOR)
    return np.concatenate([chroma, entropy[None], tonnetz, share[None], shares])


def _rhythm(onsets: np.ndarray) -> list[float]:
    """Return two candidates of the tempo, pulse clarity and onsets per second of a clip."""
    import librosa

    # The edges of the sound are no beats of the music.
    onsets = onsets[3:-3] if len(onsets) > 12 else np.zeros(12)
    seconds = len(onsets) * HOP / SAMPLE_RATE
    peaks = librosa.util.peak_pick(
        onsets, pre_max=2, post_max=2, pre_avg=4, post_avg=4, delta=1.0, wait=2
    )
    centred = onsets - onsets.mean()
    correlation = librosa.autocorrelate(centred)
    lags = np.arange(1, len(correlation))
    tempi = 60 * SAMPLE_RATE / (HOP * lags)
    musical = (tempi >= 40) & (tempi <= 220)
    strength = correlation[1:] / max(float(correlation[0]), FLOOR)
    if not musical.any() or onsets.std() < STEADY:
        return [0.0, 0.0, 0.0, len(peaks) / seconds]
    # A preference for walking pace, one octave wide, decides between a tempo and its octaves.
    preference = np.exp(-0.5 * np.log2(tempi / 115) ** 2)
    weighted = np.where(musical, strength * preference, -np.inf)
    first = int(weighted.argmax())
    others = np.abs(np.log2(tempi / tempi[first])) > 0.2
    second = int(np.where(others, weighted, -np.inf).argmax())
    clarity = float(strength[musical].max())
    return [float(tempi[first]), float(tempi[second]), clarity, len(peaks) / seconds]


def _key(chroma: np.ndarray) -> list[float]:
    """Return the correlation with the best major and minor key, and their difference."""
    mean = chroma.mean(axis=1)
    if np.ptp(mean) < FLOOR:
        return [0.0, 0.0, 0.0]
    best = [
        max(float(np.corrcoef(np.roll(profile, tonic), mean)[0, 1]) for tonic in range(12))
        for profile in (MAJOR, MINOR)
    ]
    return [*best, best[0] - best[1]]
