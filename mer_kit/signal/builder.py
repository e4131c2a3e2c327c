"""Bring a store up to date: check every clip's file, decode missing clips, write atomically.

`store` serves the result. No audio library is imported until a clip must be decoded.

Notebook: 01_segmentation
"""

import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from mer_kit.checks import MerKitError, check_range, plain
from mer_kit.files import checksum, sweep
from mer_kit.records import Clip, Problem
from mer_kit.signal import audio, frontends, midi, segments
from mer_kit.signal.frontend import BaseFrontend, checked
from mer_kit.signal.manifest import (
    FORMAT,
    Entry,
    Manifest,
    beginning_key,
    features_path,
    write_atomically,
)
from mer_kit.signal.sound import Unusable

#: Called with (number done, total).
Progress = Callable[[int, int], None]
#: The manifest is written this often while clips are decoded, so that an interruption loses little.
SAVE_EVERY_SECONDS = 5.0
#: A file changed this recently may change again without a new time stamp; its hash is not kept.
SETTLED_SECONDS = 2.0
#: A clip is stored whole unless it exceeds the requested seconds by more than this.
LONG_SECONDS = 60.0
#: Of such a clip, this much more than requested is decoded, for the last segment's frames.
SPARE_SECONDS = 1.0


@dataclass(frozen=True)
class Recipe:
    """A front-end and, if it pools, how segments are cut (in seconds).

    `padding` and `max_seconds` are those of whole clips, whose `segment_seconds` is infinite.
    """

    frontend: BaseFrontend
    segment_seconds: float = 0.0
    every_seconds: float = 1.0
    padding: str = "none"
    max_seconds: float | None = None

    @property
    def pools(self) -> bool:
        """Whether the store keeps one vector per segment."""
        return self.frontend.pool is not None

    def key(self, digest: str) -> str:
        """Return the name of a clip's features, from the hash of its audio and the front-end."""
        if not self.pools:
            return digest
        if self.segment_seconds == segments.WHOLE:
            return f"{digest}-clip-{self.padding}-{self.max_seconds}s"
        return f"{digest}-{self.segment_seconds:g}s-every-{self.every_seconds:g}s"


def file_features(
    path: Path, recipe: Recipe, *, max_seconds: float | None = None
) -> tuple[np.ndarray, float] | Problem:
    """Return a file's features and its duration in seconds, or why it has none.

    Features are float16 [frames, d], or float32 [segments, d′] if the front-end pools. The file is
    decoded in blocks, up to `max_seconds`: for a front-end that accepts blocks, memory holds the
    result and one block, however long the file is.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.wav")
    ...     soundfile.write(path, np.sin(np.arange(22050) / 10), 22050)
    ...     features, seconds = file_features(path, Recipe(frontends.make()))
    >>> features.shape, features.dtype, seconds
    ((44, 128), dtype('float16'), 1.0)
    """
    frontend = recipe.frontend
    rate, name = frontend.sample_rate, frontends.name_of(frontend)
    try:
        with audio.blocks(path, sample_rate=rate, max_seconds=max_seconds) as stream:
            frames, n_samples = frontend.frames_of_blocks(stream)
    except Unusable as error:
        return audio.problem(error, path)
    seconds = n_samples / rate
    if recipe.pools:
        return _pooled(checked(frames, n_samples, frontend, name), seconds, recipe), seconds
    return checked(frames.astype(np.float16, copy=False), n_samples, frontend, name), seconds


def _pooled(frames: np.ndarray, seconds: float, recipe: Recipe) -> np.ndarray:
    """Return what is stored of each segment of a clip's frames, [segments, d′]."""
    frontend = recipe.frontend
    index = segments.index(
        [seconds],
        recipe.segment_seconds,
        every_seconds=recipe.every_seconds,
        max_seconds=recipe.max_seconds,
        frames_per_second=frontend.frames_per_second,
        on_bad_clip="skip",
        padding=recipe.padding,
    )
    assert frontend.pool is not None  # because recipe.pools
    segment_frames = [frames[start : start + index.n_frames] for start in index.start_frame]
    if len(frames) < index.n_frames and recipe.padding != "none":
        whole = segments.pad(frames, index.n_frames, recipe.padding, frontend.silence)
        segment_frames = [whole]
    vectors = list(map(frontend.pool, segment_frames))
    rows = np.array(vectors, dtype=frontend.stored_as).reshape(len(index), frontend.n_stored)
    if not np.isfinite(rows).all():
        raise MerKitError(
            f"front-end {frontends.name_of(frontend)} returned a pooled feature that is not "
            "finite, expected finite numbers: correct its pool"
        )
    return rows


def build(
    clips: Sequence[Clip],
    folder: Path,
    recipe: Recipe,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    max_seconds: float | None = None,
) -> tuple[list[Entry | Problem], tuple[str, ...]]:
    """Bring the store up to date; return the content of each clip, and what was computed again.

    Of clips that are much longer than `max_seconds`, only the beginning is stored. The second
    result has a sentence for each file of the store that was missing, truncated or changed.

    Examples
    --------
    >>> import tempfile
    >>> clip = Clip("a", Path("no such file.wav"), {})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results, notes = build([clip], Path(folder), Recipe(frontends.make()))
    >>> [result.kind for result in results], notes
    (['missing_file'], ())
    """
    given = workers if workers is not None else usable_processors()
    n_workers = int(check_range("workers", given, 1, whole=True))
    with _writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)  # temporary files of processes that were killed
    manifest = Manifest.read(folder / "manifest.json")
    # Clips are computed in parallel, each on one thread: BLAS threads would compete with them.
    with ThreadPoolExecutor(n_workers) as pool, threadpool_limits(1):
        keys = list(pool.map(lambda clip: _identify(clip, manifest, recipe), clips))
        wanted = {key: clip for key, clip in zip(keys, clips, strict=True) if isinstance(key, str)}
        held = pool.map(lambda digest: _held(digest, folder, manifest, max_seconds), wanted)
        results: dict[str, Entry | Problem] = {
            digest: entry for digest, entry in zip(wanted, held, strict=True) if entry
        }
        todo = {digest: clip for digest, clip in wanted.items() if digest not in results}
        notes = tuple(
            f"the stored features of clip {clip.clip_id!r} were missing, truncated or changed: "
            "computed them again"
            for digest, clip in todo.items()
            if digest in manifest.entries
        )
        compute = functools.partial(_compute, folder=folder, recipe=recipe, max_seconds=max_seconds)
        results.update(_compute_all(todo, compute, recipe, manifest, pool, progress))
    outcomes = [results[key] if isinstance(key, str) else key for key in keys]
    for position, (outcome, clip) in enumerate(zip(outcomes, clips, strict=True)):
        if isinstance(outcome, Problem):  # so far it names the first file with this content
            where = f"clip {clip.clip_id!r} ({plain(str(clip.path))})"
            outcomes[position] = dataclasses.replace(outcome, clip_id=clip.clip_id, where=where)
    return outcomes, notes


def _identify(clip: Clip, manifest: Manifest, recipe: Recipe) -> str | Problem:
    """Return the key of a clip's features; its audio is read only if it may have changed."""
    try:
        audio.check_file(clip.path)
    except Unusable as error:
        return audio.problem(error, clip.path)
    stat = clip.path.stat()
    key = os.path.abspath(clip.path)
    stored = manifest.audio.get(key)
    if stored and stored[:2] == [stat.st_size, stat.st_mtime_ns]:
        content = str(stored[2])
    else:
        content = checksum(clip.path)
        if time.time() - stat.st_mtime_ns / 1e9 > SETTLED_SECONDS:
            manifest.audio[key] = [stat.st_size, stat.st_mtime_ns, content]
    about = {"format": FORMAT, "audio": content, **frontends.identity(recipe.frontend)}
    if midi.is_midi(clip.path):
        with contextlib.suppress(Unusable):  # reported when the clip is rendered
            about["synthesiser"] = midi.identity()
    described = json.dumps(about, sort_keys=True).encode()
    return recipe.key(hashlib.blake2b(described, digest_size=16).hexdigest())


def _held(digest: str, folder: Path, manifest: Manifest, max_seconds: float | None) -> Entry | None:
    """Return the Entry of a whole clip, else of its beginning if that is enough, else None.

    Its file must exist with its original bytes.
    """
    keys = [digest] if max_seconds is None else [digest, beginning_key(digest, max_seconds)]
    for entry in filter(None, map(manifest.entries.get, keys)):
        with contextlib.suppress(OSError):
            data = features_path(folder, entry.digest).read_bytes()
            if len(data) == entry.size and zlib.crc32(data) == entry.crc32:
                return entry
    return None


def _compute_all(
    todo: dict[str, Clip],
    compute: Callable[[Clip, str], Entry | Problem],
    recipe: Recipe,
    manifest: Manifest,
    pool: ThreadPoolExecutor,
    progress: Progress | None,
) -> dict[str, Entry | Problem]:
    """Compute the features of `todo` in parallel, writing the manifest regularly and at the end."""
    if not todo:
        manifest.write()
        return {}
    _warm_up(next(iter(todo.values())), recipe.frontend)
    results: dict[str, Entry | Problem] = {}
    futures = {pool.submit(compute, clip, digest): digest for digest, clip in todo.items()}
    saved = time.monotonic()
    name = frontends.name_of(recipe.frontend)
    what = {frontends.DEFAULT: "log-mel"}.get(name, name)
    try:
        with reporting(len(todo), progress, what=what, unit="clip", line_at_end=True) as report:
            for future in as_completed(futures):
                result = results[futures[future]] = future.result()
                if isinstance(result, Entry):
                    manifest.entries[result.digest] = result
                report(len(results), len(todo))
                if time.monotonic() - saved > SAVE_EVERY_SECONDS:
                    manifest.write()
                    saved = time.monotonic()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        manifest.write()
    return results


def _compute(
    clip: Clip, digest: str, *, folder: Path, recipe: Recipe, max_seconds: float | None
) -> Entry | Problem:
    """Decode one clip, write its features, and return its Entry."""
    wanted = _seconds_wanted(clip.path, max_seconds)
    result = file_features(clip.path, recipe, max_seconds=wanted)
    if isinstance(result, Problem) and result.kind == "silence" and wanted is not None:
        wanted = None  # only a clip that is silent to its end is unusable
        result = file_features(clip.path, recipe)
    if isinstance(result, Problem):
        return result
    features, seconds = result
    key = beginning_key(digest, max_seconds) if wanted and max_seconds else digest
    buffer = io.BytesIO()
    np.save(buffer, features, allow_pickle=False)
    data = buffer.getvalue()
    with _writable(folder):
        write_atomically(features_path(folder, key), data)
    return Entry(key, len(features), seconds, len(data), zlib.crc32(data))


def _seconds_wanted(path: Path, max_seconds: float | None) -> float | None:
    """Return how many seconds of a file to decode; None, for all, unless it is much too long."""
    if max_seconds is not None and not midi.is_midi(path):
        with contextlib.suppress(MerKitError):  # decoding reports what is wrong
            if audio.duration(path) > max_seconds + LONG_SECONDS:
                return max_seconds + SPARE_SECONDS
    return None


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """Turn the error of a folder in which no file can be written into a sentence."""
    try:
        yield
    except OSError as error:
        raise MerKitError(
            f"the store's folder {str(folder)!r} cannot be written "
            f"({error.strerror or type(error).__name__}), expected a folder with free space: "
            "free some space or choose another folder"
        ) from error


def _warm_up(clip: Clip, frontend: BaseFrontend) -> None:
    """Import the audio libraries once, before the threads do, or say how to do without them."""
    try:
        frontend.frames_of_blocks([np.zeros(frontend.sample_rate, dtype=np.float32)])
    except ImportError as error:
        raise MerKitError(
            f"clip {clip.clip_id!r} is not in the store yet and {error.name or 'librosa'} is not "
            "installed: install librosa, or open the store first on a machine that has it"
        ) from error


def usable_processors() -> int:
    """Return how many processors this process may use.

    Examples
    --------
    >>> usable_processors() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def reporting(
    total: int, progress: Progress | None = None, *, what: str, unit: str, line_at_end: bool = False
) -> Iterator[Progress]:
    """Yield a progress callback: the caller's, one that moves a bar, or one that does nothing.

    The bar is shown if standard error is a terminal.

    Parameters
    ----------
    total : number of items
    progress : the caller's callback, or None
    what, unit : the bar's name, and what it counts
    line_at_end : if there is neither a callback nor a bar, print one line with the time taken

    Examples
    --------
    >>> with reporting(2, print, what="checking", unit="file") as report:
    ...     report(1, 2)
    1 2
    """
    if progress is not None:
        yield progress
    elif sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=what, unit=unit) as bar:
            yield lambda done, _: bar.update(done - bar.n)
    else:
        started = time.monotonic()
        yield lambda done, _: None
        if line_at_end:
            print(f"{what}: {total} {unit}s in {time.monotonic() - started:.1f} s", file=sys.stderr)
