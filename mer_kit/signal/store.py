"""The log-mel of every clip, computed once, kept as float16 on disk and served as views.

A store is a folder with one `.npy` file per clip, named by the content of the audio and the settings, and a manifest
that remembers which audio file had which content. What is torn or changed is noticed when the store is opened, and
redone. Reading a finished store needs numpy only.

Notebook: 01_segmentation
"""

from __future__ import annotations

import logging
import mmap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mer_kit.checks import MerKitError, check_choice
from mer_kit.records import Clip, Problem, SegmentIndex
from mer_kit.signal import builder
from mer_kit.signal.manifest import Entry, content_digest, mel_path
from mer_kit.signal.mel import MelSettings

_log = logging.getLogger("mer_kit")

#: Maps kept open at once: each holds a file descriptor, of which many systems grant a process only 1024 (macOS 256).
MAX_OPEN_MAPS = 128
#: Bad clips that an error message spells out; the rest are counted.
SENTENCES_SHOWN = 5


def open_store(
    clips: Sequence[Clip],
    folder: str | Path,
    *,
    settings: MelSettings = MelSettings(),  # noqa: B008 (frozen)
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    on_bad_clip: str = "stop",
    max_seconds: float | None = None,
) -> MelStore:
    """Return the store of `clips` in `folder`, computing what it does not hold yet.

    Parameters
    ----------
    clips : the clips in the order that segment indices refer to
    folder : made if needed; several processes may open it at once, and several corpora and settings may share it
    workers : threads that decode (default: one per usable processor)
    progress : called with (clips done, clips to do); by default a bar where a person watches, else one line
    on_bad_clip : "stop" raises one error that lists all clips that cannot be used, "skip" leaves them out and keeps
        the reasons in `MelStore.skipped`; the other clips' numbers do not depend on it
    max_seconds : what lies later is of no use; of clips that go on long after it only the beginning is decoded and kept

    Raises
    ------
    MerKitError
        If a clip cannot be used and `on_bad_clip` is "stop", or no clip can be used.
    """
    check_choice("on_bad_clip", on_bad_clip, ("stop", "skip"))
    built = builder.build(
        clips, Path(folder).expanduser(), settings, workers=workers, progress=progress, max_seconds=max_seconds
    )
    for note in built.notes:
        _log.warning("%s", note)
    problems = [result for result in built.results if isinstance(result, Problem)]
    if problems and (on_bad_clip == "stop" or len(problems) == len(clips)):
        raise MerKitError(_all_sentences(problems, len(clips), on_bad_clip))
    kept = [
        (clip, result) for clip, result in zip(clips, built.results, strict=True) if not isinstance(result, Problem)
    ]
    return MelStore(
        Path(folder).expanduser(),
        tuple(clip for clip, _ in kept),
        tuple(entry for _, entry in kept),
        settings=settings,
        skipped=tuple(problems),
        notes=built.notes,
    )


class MelStore:
    """The log-mels of a list of clips; made by `open_store`.

    Attributes
    ----------
    clips : the clips that are kept, in the order given
    skipped : one Problem for each clip that was left out
    notes : one sentence for each file of the store that was found damaged and redone
    durations_s : float64 [clips], seconds of audio that the store has
    frames : int64 [clips], log-mel frames
    digests : for each clip the hash of its audio's bytes and the settings
    """

    def __init__(
        self,
        folder: Path,
        clips: tuple[Clip, ...],
        entries: tuple[Entry, ...],
        *,
        settings: MelSettings,
        skipped: tuple[Problem, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.clips = clips
        self.settings = settings
        self.skipped = skipped
        self.notes = notes
        self.durations_s = np.array([entry.duration_s for entry in entries], dtype=np.float64)
        self.frames = np.array([entry.frames for entry in entries], dtype=np.int64)
        self.digests = tuple(content_digest(entry.digest) for entry in entries)
        self._names = tuple(entry.digest for entry in entries)
        self._maps: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.clips)

    def mel(self, clip: int) -> np.ndarray:
        """Return the log-mel of the clip at this position, float16 [frames, n_mels] in dB, memory-mapped, read-only."""
        mapped = self._maps.get(clip)
        if mapped is None:
            mapped = _map(mel_path(self.folder, self._names[clip]), int(self.frames[clip]), self.settings.n_mels)
            self._maps[clip] = mapped
            if len(self._maps) > MAX_OPEN_MAPS:
                del self._maps[next(iter(self._maps))]  # the one opened first
        return mapped


class SegmentView:
    """The segments of an index as views into a store; what a trainer takes.

    Overlapping segments share the clip's frames: memory does not grow with the segments' duration.

    Raises
    ------
    MerKitError
        If the index was made from another list of clips than the store's, or reaches beyond a clip's frames.
    """

    def __init__(self, store: MelStore, index: SegmentIndex) -> None:
        if index.n_clips != len(store):
            raise MerKitError(
                f"the index was made from {index.n_clips} clips but the store holds {len(store)}: "
                "make the index from store.durations_s"
            )
        over = np.flatnonzero(index.start_frame + index.n_frames > store.frames[index.clip])
        if len(over):
            clip = int(index.clip[over[0]])
            raise MerKitError(
                f"a segment of clip {store.clips[clip].clip_id!r} ends beyond its {store.frames[clip]} frames: "
                "make the index from store.durations_s with the store's sample_rate and hop_length"
            )
        self.store = store
        self.index = index

    def __len__(self) -> int:
        return len(self.index)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return the segments at `rows` [B] of the index, float32 [B, 1, n_mels, n_frames] in dB, contiguous."""
        rows = np.asarray(rows, dtype=np.int64)
        n_frames = self.index.n_frames
        batch = np.empty((len(rows), 1, self.store.settings.n_mels, n_frames), dtype=np.float32)
        clips, starts = self.index.clip[rows].tolist(), self.index.start_frame[rows].tolist()
        for position, (clip, start) in enumerate(zip(clips, starts, strict=True)):
            batch[position, 0] = self.store.mel(clip)[start : start + n_frames].T
        return batch


def _map(path: Path, frames: int, n_mels: int) -> np.ndarray:
    """Map one `.npy` file, whose bytes were checked when the store was opened; five times faster than np.load."""
    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    offset = len(mapped) - frames * n_mels * 2  # the numbers stand at the file's end, behind the header
    return np.frombuffer(mapped, dtype=np.float16, offset=offset).reshape(frames, n_mels)


def _all_sentences(problems: Sequence[Problem], n_clips: int, on_bad_clip: str) -> str:
    """Join the problems of all bad clips into one message."""
    shown = "\n  ".join(str(problem) for problem in problems[:SENTENCES_SHOWN])
    more = f"\n  … and {len(problems) - SENTENCES_SHOWN} more" if len(problems) > SENTENCES_SHOWN else ""
    advice = 'mend them, or pass on_bad_clip="skip"' if on_bad_clip == "stop" else "check the corpus folder"
    return f"{len(problems)} of {n_clips} clips cannot be used, expected all of them: {advice}\n  {shown}{more}"
