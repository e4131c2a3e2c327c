"""The features of every clip: computed once, kept on disk and served segment by segment.

A store is a folder with one `.npy` file per clip, named by a hash of the audio's content and the
front-end, and a manifest that records the content of each audio file. For a front-end without
`pool` it keeps float16 frames, and segments are views of them; with `pool` it keeps one vector per
segment, and serves all of them from memory. Truncated or changed files are detected when the store
is opened, and computed again. Reading a finished store needs only numpy.

Notebook: 01_segmentation
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import logging
import mmap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from mer_kit.checks import MerKitError, check_choice
from mer_kit.records import Clip, Problem, SegmentIndex
from mer_kit.signal import builder, frontends
from mer_kit.signal.builder import Recipe
from mer_kit.signal.frontend import BaseFrontend
from mer_kit.signal.manifest import Entry, features_path
from mer_kit.signal.segments import WHOLE, pad

_log = logging.getLogger("mer_kit")

#: Memory maps kept open at once: each holds a file descriptor, and many systems allow a process
#: only 1024 of them (macOS 256).
MAX_OPEN_MAPS = 128
#: Stored vectors from which a front-end's features are computed at once.
ROWS_AT_ONCE = 8192
#: Unusable clips that an error message lists; the others are only counted.
SENTENCES_SHOWN = 5


def open_store(
    clips: Sequence[Clip],
    folder: str | Path,
    *,
    frontend: BaseFrontend | None = None,
    segment_seconds: float = 0.0,
    every_seconds: float = 1.0,
    padding: str = "none",
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    on_bad_clip: str = "stop",
    max_seconds: float | None = None,
) -> FeatureStore:
    """Return the store of `clips` in `folder`, computing what it does not hold yet.

    Parameters
    ----------
    clips : the clips, in the order that segment indices refer to
    folder : created if needed; several processes may open it at once, and several corpora and
        front-ends may share it
    frontend : from `signal.frontends.make`; None for the log-mel
    segment_seconds, every_seconds, padding : how segments are cut, see `signal.segments`; used only
        by front-ends that pool
    workers : number of decoding threads (default: one per usable processor)
    progress : called with (clips done, clips to do); by default a progress bar on a terminal,
        otherwise one line at the end
    on_bad_clip : "stop" raises one error that lists all unusable clips, "skip" leaves them out and
        keeps the reasons in `FeatureStore.skipped`; it does not change the other clips' features
    max_seconds : nothing after this time is used; only the beginning of much longer clips is
        decoded and kept

    Raises
    ------
    MerKitError
        If a clip cannot be used and `on_bad_clip` is "stop", or no clip can be used.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.wav")
    ...     soundfile.write(path, np.sin(np.arange(22050) / 10), 22050)
    ...     store = open_store([Clip("a", path, {})], folder, progress=lambda done, total: None)
    ...     store.values(0).shape, store.durations_s.tolist()
    ((44, 128), [1.0])
    """
    check_choice("on_bad_clip", on_bad_clip, ("stop", "skip"))
    folder = Path(folder).expanduser()
    recipe = Recipe(frontend or frontends.make(), segment_seconds, every_seconds)
    if segment_seconds == WHOLE:
        recipe = dataclasses.replace(recipe, padding=padding, max_seconds=max_seconds)
    results, notes = builder.build(
        clips, folder, recipe, workers=workers, progress=progress, max_seconds=max_seconds
    )
    for note in notes:
        _log.warning("%s", note)
    problems = [result for result in results if isinstance(result, Problem)]
    if problems and (on_bad_clip == "stop" or len(problems) == len(clips)):
        raise MerKitError(_all_sentences(problems, len(clips), on_bad_clip))
    return FeatureStore(
        folder,
        tuple(itertools.compress(clips, (isinstance(result, Entry) for result in results))),
        tuple(result for result in results if isinstance(result, Entry)),
        recipe=recipe,
        skipped=tuple(problems),
        notes=notes,
    )


class FeatureStore:
    """The features of a list of clips, as returned by `open_store`.

    Attributes
    ----------
    clips : the clips that are kept, in the order given
    skipped : one Problem for each clip that was left out
    notes : one sentence for each damaged file of the store that was computed again
    durations_s : float64 [clips], seconds of audio in the store
    recipe, frontend : what was computed
    frames : int64 [clips], frames of each clip, or its segments if the front-end pools
    digests : for each clip, the hash of its audio's bytes and the front-end
    named_scores : {}; of a `FileStore` name → [segments], what the front-end says in words (tags)
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
        self.digests = tuple(entry.digest.partition("-")[0] for entry in entries)
        self._names = tuple(entry.digest for entry in entries)
        self._maps: dict[int, np.ndarray] = {}
        self.named_scores: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def n_features(self) -> int:
        """Number of features of a frame, or of a pooled segment."""
        return len(self.frontend.columns)

    def values(self, clip: int) -> np.ndarray:
        """Return a clip's features, memory-mapped and read-only.

        They are float16 [frames, d], or [segments, d′] if the front-end pools.
        """
        if self.recipe.pools:
            first = self.first_row[clip]
            rows: np.ndarray = self.table[first : first + self.frames[clip]]
            return rows
        if clip not in self._maps:
            self._maps[clip] = self._map(clip, np.float16, self.n_features)
            if len(self._maps) > MAX_OPEN_MAPS:
                del self._maps[next(iter(self._maps))]  # the one opened first
        return self._maps[clip]

    @functools.cached_property
    def table(self) -> np.ndarray:
        """The vectors of all clips in memory, [segments, d′]; only if the front-end pools."""
        kept, width = self.frontend.stored_as, self.frontend.n_stored
        stored = np.concatenate([self._map(clip, kept, width) for clip in range(len(self))])
        # Many clips at once: a product for each clip alone is slow, and all of them need memory.
        parts = np.array_split(stored, 1 + len(stored) // ROWS_AT_ONCE)
        return np.concatenate([self.frontend.from_stored(part) for part in parts])

    @functools.cached_property
    def first_row(self) -> np.ndarray:
        """Where each clip's vectors begin in `table`, int64 [clips]."""
        return np.cumsum(self.frames) - self.frames

    def _map(self, clip: int, dtype: type[np.floating], columns: int) -> np.ndarray:
        # The file was checked when the store was opened; this is faster than np.load.
        rows = int(self.frames[clip])
        with open(features_path(self.folder, self._names[clip]), "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        header = len(mapped) - rows * columns * np.dtype(dtype).itemsize
        return np.frombuffer(mapped, dtype, offset=header).reshape(rows, columns)


class JoinedStore(FeatureStore):
    """The vectors of several front-ends that pool, side by side: a store like the others.

    Parameters
    ----------
    recipe : of the joined front-end
    stores : one for each of its parts, of the same clips

    Raises
    ------
    MerKitError
        If the stores do not hold the same clips.
    """

    def __init__(self, recipe: Recipe, stores: Sequence[FeatureStore]) -> None:
        self.recipe, self.frontend, self.stores = recipe, recipe.frontend, tuple(stores)
        first = self.stores[0]
        if any(store.clips != first.clips for store in self.stores):
            raise MerKitError(
                "the front-ends' stores hold different clips, expected the same: open each with "
                "the clips that all of them hold"
            )
        self.clips, self.durations_s, self.folder = first.clips, first.durations_s, first.folder
        self.skipped, self.notes = first.skipped, first.notes
        # Sample rates differ, so the last segment of a clip may be in one store alone.
        self.frames = np.minimum.reduce([store.frames for store in self.stores])
        self.digests = tuple(
            hashlib.blake2b("+".join(of_clip).encode(), digest_size=16).hexdigest()
            for of_clip in zip(*(store.digests for store in self.stores), strict=True)
        )

    @functools.cached_property
    def table(self) -> np.ndarray:
        """The vectors of all clips, float32 [segments, d′]."""
        clips = [
            np.concatenate(
                [store.values(clip)[:n] for store in self.stores], axis=1, dtype=np.float32
            )
            for clip, n in enumerate(self.frames.tolist())
        ]
        return np.concatenate(clips)


class FileStore(FeatureStore):
    """A store of one audio file, in memory: its features equal those of a store on disk.

    Raises
    ------
    MerKitError
        If the file cannot be decoded, or the front-end's features do not match its interface.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        tables = []
        scores: dict[str, np.ndarray] = {}
        for frontend in recipe.frontend.parts:
            with threadpool_limits(1):  # several BLAS threads would wait for each other
                features = builder.file_features(
                    path, dataclasses.replace(recipe, frontend=frontend)
                )
            if isinstance(features, Problem):
                raise MerKitError(str(features))
            values, seconds = features
            scores |= frontend.named_scores(values)
            tables.append(frontend.from_stored(values) if recipe.pools else values)
        n_rows = min(map(len, tables))
        values = np.concatenate([table[:n_rows] for table in tables], axis=1)
        entry = Entry(path.name, n_rows, seconds, values.nbytes, 0)
        super().__init__(path.parent, (Clip(path.name, path, {}),), (entry,), recipe=recipe)
        self.table = self._maps[0] = values
        self.named_scores = scores


class SegmentView:
    """The segments of an index, read from a store in the form that a trainer needs.

    Overlapping segments share the clip's frames: memory does not grow with the segment duration.

    Raises
    ------
    MerKitError
        If the index was made from a different list of clips, if a segment ends after its clip's
        last frame, or if a store of pooled vectors does not hold its segments.
    """

    def __init__(self, store: FeatureStore, index: SegmentIndex) -> None:
        if index.n_clips != len(store):
            raise MerKitError(
                f"the index was made from {index.n_clips} clips but the store holds {len(store)}: "
                "make the index from store.durations_s"
            )
        self.store, self.index = store, index
        self._pools = store.recipe.pools
        self._first = self._vectors() if self._pools else index.start_frame
        self._count = 1 if self._pools else index.n_frames
        frames = store.frames[index.clip]
        over = np.flatnonzero(self._first + self._count > frames)
        if index.segment_seconds == WHOLE and not self._pools:
            over = over[:0]
            self._check_lengths(np.minimum(frames, self._count))
        if len(over):
            clip = int(index.clip[over[0]])
            raise MerKitError(
                f"a segment of clip {store.clips[clip].clip_id!r} ends beyond its "
                f"{store.frames[clip]} frames: "
                "make the index from store.durations_s with store.frontend.frames_per_second"
            )

    def _check_lengths(self, frames: np.ndarray) -> None:
        """Raise a MerKitError if whole clips differ in length and are not filled up."""
        if self.index.padding == "none" and frames.min(initial=self._count) < self._count:
            raise MerKitError(
                f"whole clips have {frames.min()} to {frames.max()} frames, expected one length "
                "for a network on frames without padding: choose padding zero or repeat, or a "
                "front-end that pools"
            )

    def _vectors(self) -> np.ndarray:
        """Return, for each segment, the row of its vector among its clip's pooled vectors."""
        recipe, index = self.store.recipe, self.index
        number = index.start_s / recipe.every_seconds
        rows = np.asarray(np.rint(number), dtype=np.int64)
        misplaced = np.abs(number - rows).max(initial=0.0) > 1e-6
        if misplaced or index.segment_seconds != recipe.segment_seconds:
            raise MerKitError(
                f"the store holds vectors of {recipe.segment_seconds:g} s segments every "
                f"{recipe.every_seconds:g} s, but the index has {index.segment_seconds:g} s "
                "segments or other starts: open the store with the index's segment_seconds and "
                "every_seconds"
            )
        return rows

    def __len__(self) -> int:
        return len(self.index)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one segment: frames (1, d, n_frames), or a pooled vector (d′,)."""
        width = self.store.n_features
        return (width,) if self._pools else (1, width, self._count)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return the segments at `rows` [B], float32 [B, 1, d, n_frames], or pooled [B, d′]."""
        rows = np.asarray(rows, dtype=np.int64)
        if self._pools:
            at = self.store.first_row[self.index.clip[rows]] + self._first[rows]
            vectors: np.ndarray = self.store.table[at].astype(np.float32)
            return vectors
        clips, starts = self.index.clip[rows].tolist(), self._first[rows].tolist()
        batch = np.empty((len(rows), *self.shape), dtype=np.float32)
        for position, (clip, start) in enumerate(zip(clips, starts, strict=True)):
            frames = self.store.values(clip)[start : start + self._count]
            if len(frames) < self._count:  # a whole clip
                padding, silence = self.index.padding, self.store.frontend.silence
                frames = pad(frames, self._count, padding, silence)
            batch[position, 0] = frames.T
        return batch


def _all_sentences(problems: Sequence[Problem], n_clips: int, on_bad_clip: str) -> str:
    """Join the problems of all unusable clips into one message."""
    advice = {"stop": 'fix them, or pass on_bad_clip="skip"', "skip": "check the corpus folder"}
    lines = [
        f"{len(problems)} of {n_clips} clips cannot be used, expected all of them: "
        f"{advice[on_bad_clip]}",
        *(str(problem) for problem in problems[:SENTENCES_SHOWN]),
    ]
    if len(problems) > SENTENCES_SHOWN:
        lines.append(f"… and {len(problems) - SENTENCES_SHOWN} more")
    return "\n  ".join(lines)
