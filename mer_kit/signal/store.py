"""The features of every clip, computed once, kept on disk and served segment by segment.

A store is a folder with one `.npy` file per clip, named by the content of the audio and the front-end, and a manifest
that remembers which audio file had which content. Of a front-end without `pool` it keeps frames as float16, and segments
are views of them; with `pool` one float32 vector for each segment. What is torn or changed is noticed when the store is
opened, and redone. Reading a finished store needs numpy only.

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
from mer_kit.signal import builder, frontends
from mer_kit.signal.builder import Recipe
from mer_kit.signal.frontend import BaseFrontend
from mer_kit.signal.manifest import Entry, content_digest, features_path

_log = logging.getLogger("mer_kit")

#: Maps kept open at once: each holds a file descriptor, of which many systems grant a process only 1024 (macOS 256).
MAX_OPEN_MAPS = 128
#: Bad clips that an error message spells out; the rest are counted.
SENTENCES_SHOWN = 5


def open_store(
    clips: Sequence[Clip],
    folder: str | Path,
    *,
    frontend: BaseFrontend | None = None,
    segment_seconds: float = 0.0,
    every_seconds: float = 1.0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    on_bad_clip: str = "stop",
    max_seconds: float | None = None,
) -> FeatureStore:
    """Return the store of `clips` in `folder`, computing what it does not hold yet.

    Parameters
    ----------
    clips : the clips in the order that segment indices refer to
    folder : made if needed; several processes may open it at once, and several corpora and front-ends may share it
    frontend : from `signal.frontends.make`; None for the log-mel
    segment_seconds, every_seconds : how segments are cut, which a front-end that pools needs to know
    workers : threads that decode (default: one per usable processor)
    progress : called with (clips done, clips to do); by default a bar where a person watches, else one line
    on_bad_clip : "stop" raises one error that lists all clips that cannot be used, "skip" leaves them out and keeps
        the reasons in `FeatureStore.skipped`; the other clips' numbers do not depend on it
    max_seconds : what lies later is of no use; of clips that go on long after it only the beginning is decoded and kept

    Raises
    ------
    MerKitError
        If a clip cannot be used and `on_bad_clip` is "stop", or no clip can be used.
    """
    check_choice("on_bad_clip", on_bad_clip, ("stop", "skip"))
    recipe = Recipe(frontend or frontends.make(), segment_seconds, every_seconds)
    built = builder.build(
        clips,
        Path(folder).expanduser(),
        recipe,
        workers=workers,
        progress=progress,
        max_seconds=max_seconds,
    )
    for note in built.notes:
        _log.warning("%s", note)
    problems = [result for result in built.results if isinstance(result, Problem)]
    if problems and (on_bad_clip == "stop" or len(problems) == len(clips)):
        raise MerKitError(_all_sentences(problems, len(clips), on_bad_clip))
    kept = [
        (clip, result)
        for clip, result in zip(clips, built.results, strict=True)
        if not isinstance(result, Problem)
    ]
    return FeatureStore(
        Path(folder).expanduser(),
        tuple(clip for clip, _ in kept),
        tuple(entry for _, entry in kept),
        recipe=recipe,
        skipped=tuple(problems),
        notes=built.notes,
    )


class FeatureStore:
    """The features of a list of clips; made by `open_store`.

    Attributes
    ----------
    clips : the clips that are kept, in the order given
    skipped : one Problem for each clip that was left out
    notes : one sentence for each file of the store that was found damaged and redone
    durations_s : float64 [clips], seconds of audio that the store has
    recipe, frontend : what was computed
    frames : int64 [clips], frames of each clip, or its segments where the front-end pools
    digests : for each clip the hash of its audio's bytes and the front-end
    """

    def __init__(
        self,
        folder: Path,
        clips: tuple[Clip, ...],
        entries: tuple[Entry, ...],
        *,
        recipe: Recipe,
        skipped: tuple[Problem, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.clips = clips
        self.recipe, self.frontend = recipe, recipe.frontend
        self.skipped = skipped
        self.notes = notes
        self.durations_s = np.array([entry.duration_s for entry in entries], dtype=np.float64)
        self.frames = np.array([entry.frames for entry in entries], dtype=np.int64)
        self.digests = tuple(content_digest(entry.digest) for entry in entries)
        self._names = tuple(entry.digest for entry in entries)
        self._maps: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def n_features(self) -> int:
        """Features of a frame, or of a pooled segment."""
        return len(self.frontend.columns)

    def values(self, clip: int) -> np.ndarray:
        """Return a clip's features, memory-mapped and read-only: float16 [frames, d], pooled float32 [segments, d′]."""
        mapped = self._maps.get(clip)
        if mapped is None:
            dtype = np.float32 if self.recipe.pools else np.float16
            path = features_path(self.folder, self._names[clip])
            mapped = _map(path, int(self.frames[clip]), self.n_features, dtype)
            self._maps[clip] = mapped
            if len(self._maps) > MAX_OPEN_MAPS:
                del self._maps[next(iter(self._maps))]  # the one opened first
        return mapped


class FileStore:
    """The features of one audio file, in memory, as a store: equal to what a store on disk would hold.

    Raises
    ------
    MerKitError
        If the file cannot be decoded, or the front-end's features are not what it promises.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        found = builder.file_features(path, recipe)
        if isinstance(found, Problem):
            raise MerKitError(str(found))
        self._values, seconds = found
        self.recipe, self.frontend = recipe, recipe.frontend
        self.clips = (Clip(path.name, path, {}),)
        self.durations_s = np.array([seconds])
        self.frames = np.array([len(self._values)], dtype=np.int64)

    def __len__(self) -> int:
        return 1

    def values(self, clip: int) -> np.ndarray:
        """Return the file's features."""
        return self._values


class SegmentView:
    """The segments of an index, from a store; what a trainer needs.

    Overlapping segments share the clip's frames: memory does not grow with the segments' duration.

    Raises
    ------
    MerKitError
        If the index was made from another list of clips than the store's, reaches beyond a clip's frames, or has segments
        that a store of pooled vectors does not hold.
    """

    def __init__(self, store: FeatureStore | FileStore, index: SegmentIndex) -> None:
        if index.n_clips != len(store):
            raise MerKitError(
                f"the index was made from {index.n_clips} clips but the store holds {len(store)}: "
                "make the index from store.durations_s"
            )
        self.store, self.index = store, index
        self._pools = store.recipe.pools
        self._first = self._vectors() if self._pools else index.start_frame
        self._count = 1 if self._pools else index.n_frames
        over = np.flatnonzero(self._first + self._count > store.frames[index.clip])
        if len(over):
            clip = int(index.clip[over[0]])
            raise MerKitError(
                f"a segment of clip {store.clips[clip].clip_id!r} ends beyond its {store.frames[clip]} frames: "
                "make the index from store.durations_s with store.frontend.frames_per_second"
            )

    def _vectors(self) -> np.ndarray:
        """Return which of its clip's pooled vectors belongs to each segment."""
        recipe, index = self.store.recipe, self.index
        number = index.start_s / recipe.every_seconds
        rows = np.rint(number).astype(np.int64)
        if (
            index.segment_seconds != recipe.segment_seconds
            or np.abs(number - rows).max(initial=0.0) > 1e-6
        ):
            raise MerKitError(
                f"the store holds vectors of {recipe.segment_seconds:g} s segments every {recipe.every_seconds:g} s, "
                f"expected the index's {index.segment_seconds:g} s at its own starts: open the store for those"
            )
        return np.asarray(rows)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one segment: frames (1, d, n_frames), or a pooled vector (d′,)."""
        width = len(self.store.frontend.columns)
        return (width,) if self._pools else (1, width, self._count)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return the segments at `rows` [B], float32, contiguous: [B, 1, d, n_frames], or pooled [B, d′]."""
        rows = np.asarray(rows, dtype=np.int64)
        clips, starts = self.index.clip[rows].tolist(), self._first[rows].tolist()
        batch = np.empty((len(rows), *self.shape), dtype=np.float32)
        for position, (clip, start) in enumerate(zip(clips, starts, strict=True)):
            values = self.store.values(clip)
            if self._pools:
                batch[position] = values[start]
            else:
                batch[position, 0] = values[start : start + self._count].T
        return batch


def _map(path: Path, rows: int, columns: int, dtype: type[np.floating]) -> np.ndarray:
    """Map one `.npy` file, whose bytes were checked when the store was opened; five times faster than np.load."""
    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    offset = (
        len(mapped) - rows * columns * np.dtype(dtype).itemsize
    )  # the numbers are at the end, behind the header
    return np.frombuffer(mapped, dtype=dtype, offset=offset).reshape(rows, columns)


def _all_sentences(problems: Sequence[Problem], n_clips: int, on_bad_clip: str) -> str:
    """Join the problems of all bad clips into one message."""
    shown = "\n  ".join(str(problem) for problem in problems[:SENTENCES_SHOWN])
    more = (
        f"\n  … and {len(problems) - SENTENCES_SHOWN} more"
        if len(problems) > SENTENCES_SHOWN
        else ""
    )
    advice = (
        'mend them, or pass on_bad_clip="skip"'
        if on_bad_clip == "stop"
        else "check the corpus folder"
    )
    return f"{len(problems)} of {n_clips} clips cannot be used, expected all of them: {advice}\n  {shown}{more}"
