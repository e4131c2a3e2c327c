"""What happens when a store is opened: check every clip's file, decode what is missing, remember it atomically.

Kept apart from `store`, which serves the result. Nothing here imports an audio library until a clip must be decoded.

Notebook: 01_segmentation
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import os
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mer_kit.checks import MerKitError, check_range
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
    pooled_key,
    write_atomically,
)
from mer_kit.signal.progress import Progress, reporting
from mer_kit.signal.sound import Unusable

#: The manifest is written at least this often while clips are decoded, so that an interrupted start keeps its work.
SAVE_EVERY_SECONDS = 5.0
#: A file changed this recently may change again within one tick of its time stamp; its hash is not remembered.
SETTLED_SECONDS = 2.0
#: A temporary file this old belongs to no living process.
LEFTOVER_SECONDS = 3600.0
#: A clip is stored whole, for every use, unless it goes on for more than this after the seconds that are wanted.
LONG_SECONDS = 60.0
#: So much more than wanted is decoded of such a clip, for the last segment's own frames.
SPARE_SECONDS = 1.0


@dataclass(frozen=True)
class Recipe:
    """What a store computes: a front-end, and for one that pools how segments are cut, in seconds."""

    frontend: BaseFrontend
    segment_seconds: float = 0.0
    every_seconds: float = 1.0

    @property
    def pools(self) -> bool:
        """Whether the store keeps one vector for each segment."""
        return self.frontend.pool is not None

    def key(self, digest: str) -> str:
        """Return the name of the features of a clip with this digest of audio and front-end."""
        return (
            pooled_key(digest, self.segment_seconds, self.every_seconds) if self.pools else digest
        )


@dataclass(frozen=True)
class StoreUpdate:
    """One Entry or Problem for each clip, and a sentence for each file that had to be redone."""

    results: tuple[Entry | Problem, ...]
    notes: tuple[str, ...]


def build(
    clips: Sequence[Clip],
    folder: Path,
    recipe: Recipe,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    max_seconds: float | None = None,
) -> StoreUpdate:
    """Bring the store up to date and return what it holds for each clip; of long ones only what `max_seconds` wants."""
    n_workers = (
        usable_processors()
        if workers is None
        else int(check_range("workers", workers, 1, whole=True))
    )
    _make_folder(folder)
    manifest = Manifest.read(folder / "manifest.json")
    with ThreadPoolExecutor(n_workers) as pool:
        identities = list(pool.map(lambda clip: _identify(clip, manifest, recipe), clips))
        wanted = {
            who: clip for who, clip in zip(identities, clips, strict=True) if isinstance(who, str)
        }
        held = pool.map(lambda digest: _held(digest, folder, manifest, max_seconds), wanted)
        results: dict[str, Entry | Problem] = {
            d: entry for d, entry in zip(wanted, held, strict=True) if entry
        }
        todo = {digest: clip for digest, clip in wanted.items() if digest not in results}
        notes = tuple(
            f"the stored features of clip {clip.clip_id!r} were missing, torn or changed: computed them anew"
            for digest, clip in todo.items()
            if digest in manifest.entries
        )
        compute = functools.partial(_compute, folder=folder, recipe=recipe, max_seconds=max_seconds)
        results.update(_compute_all(todo, compute, recipe, manifest, pool, progress))
    found = (results[who] if isinstance(who, str) else who for who in identities)
    return StoreUpdate(
        tuple(_with_clip(result, clip) for result, clip in zip(found, clips, strict=True)), notes
    )


def _with_clip(result: Entry | Problem, clip: Clip) -> Entry | Problem:
    """Name the clip in a Problem, which so far names the first file that had this content."""
    if isinstance(result, Entry):
        return result
    where = f"clip {clip.clip_id!r} ({audio.printable(clip.path)})"
    return dataclasses.replace(result, clip_id=clip.clip_id, where=where)


def _identify(clip: Clip, manifest: Manifest, recipe: Recipe) -> str | Problem:
    """Return the key of a clip's audio and the recipe, reading the audio only if it may have changed."""
    problem = audio.examine(clip.path)
    if problem is not None:
        return problem
    stat = os.stat(clip.path)
    key = os.path.abspath(clip.path)
    known = manifest.audio.get(key)
    if known is not None and known[:2] == [stat.st_size, stat.st_mtime_ns]:
        content = str(known[2])
    else:
        content = checksum(clip.path)
        if time.time() - stat.st_mtime_ns / 1e9 > SETTLED_SECONDS:
            manifest.audio[key] = [stat.st_size, stat.st_mtime_ns, content]
            manifest.changed = True
    about = {"format": FORMAT, "audio": content, **frontends.identity(recipe.frontend)}
    if midi.is_midi(clip.path):
        with contextlib.suppress(
            midi.NoSynthesiser
        ):  # the sentence comes when the clip is rendered
            about["synthesiser"] = midi.identity()
    described = json.dumps(about, sort_keys=True)
    return recipe.key(hashlib.blake2b(described.encode(), digest_size=16).hexdigest())


def _held(digest: str, folder: Path, manifest: Manifest, max_seconds: float | None) -> Entry | None:
    """Return what the store has of a clip: all of it, else its beginning where that is enough; or None."""
    keys = [digest] if max_seconds is None else [digest, beginning_key(digest, max_seconds)]
    return next((manifest.entries[key] for key in keys if _is_sound(key, folder, manifest)), None)


def _is_sound(digest: str, folder: Path, manifest: Manifest) -> bool:
    """Return whether the store's file of this digest is there and is, byte for byte, what was once written."""
    entry = manifest.entries.get(digest)
    if entry is None:
        return False
    try:
        data = features_path(folder, digest).read_bytes()
    except OSError:
        return False
    return len(data) == entry.size and zlib.crc32(data) == entry.crc32


def _compute_all(
    todo: dict[str, Clip],
    compute: Callable[[Clip, str], Entry | Problem],
    recipe: Recipe,
    manifest: Manifest,
    pool: ThreadPoolExecutor,
    progress: Progress | None,
) -> dict[str, Entry | Problem]:
    """Decode and transform the clips of `todo` in parallel, writing the manifest now and then and at the end."""
    if not todo:
        manifest.write()
        return {}
    _warm_up(next(iter(todo.values())), recipe.frontend)
    results: dict[str, Entry | Problem] = {}
    futures = {pool.submit(compute, clip, digest): digest for digest, clip in todo.items()}
    saved = time.monotonic()
    try:
        with reporting(
            len(todo),
            progress,
            what=frontends.name_of(recipe.frontend).replace("logmel", "log-mel"),
            unit="clip",
            line_at_end=True,
        ) as report:
            for future in as_completed(futures):
                result = results[futures[future]] = future.result()
                if isinstance(result, Entry):
                    manifest.add(result)
                report(len(results), len(todo))
                if time.monotonic() - saved > SAVE_EVERY_SECONDS:
                    manifest.write()
                    saved = time.monotonic()
    finally:
        for future in futures:
            future.cancel()
        manifest.write()
    return results


def file_features(
    path: Path, recipe: Recipe, *, max_seconds: float | None = None
) -> tuple[np.ndarray, float] | Problem:
    """Return a file's features and its seconds of sound, or why there are none.

    Features are float16 [frames, d], or float32 [segments, d′] where the front-end pools. The file is decoded in blocks, up
    to `max_seconds`: a front-end that takes blocks keeps the result and one block in memory, however long the file is.
    """
    frontend = recipe.frontend
    try:
        with audio.blocks(path, sample_rate=frontend.sample_rate, max_seconds=max_seconds) as (
            _,
            stream,
        ):
            frames, n_samples = frontend.frames_of_blocks(stream)
    except Unusable as error:
        return audio.problem(error, path)
    name, seconds = frontends.name_of(frontend), n_samples / frontend.sample_rate
    if recipe.pools:
        return _pooled(checked(frames, n_samples, frontend, name), seconds, recipe), seconds
    return checked(frames.astype(np.float16, copy=False), n_samples, frontend, name), seconds


def _pooled(frames: np.ndarray, seconds: float, recipe: Recipe) -> np.ndarray:
    """Return one vector for each segment of a clip's frames, float32 [segments, d′]."""
    frontend = recipe.frontend
    index = segments.index(
        [seconds],
        recipe.segment_seconds,
        every_seconds=recipe.every_seconds,
        max_seconds=None,
        frames_per_second=frontend.frames_per_second,
        on_bad_clip="skip",
    )
    assert frontend.pool is not None  # what recipe.pools says
    rows = np.zeros((len(index), len(frontend.columns)), dtype=np.float32)
    for row, start in zip(rows, index.start_frame.tolist(), strict=True):
        row[:] = frontend.pool(frames[start : start + index.n_frames])
    if not np.isfinite(rows).all():
        raise MerKitError(
            f"front-end {frontends.name_of(frontend)} pooled a feature that is no finite number: correct its pool"
        )
    return rows


def _compute(
    clip: Clip, digest: str, *, folder: Path, recipe: Recipe, max_seconds: float | None
) -> Entry | Problem:
    """Decode one clip, write its features, and return its Entry."""
    wanted = _seconds_wanted(clip.path, max_seconds)
    found = file_features(clip.path, recipe, max_seconds=wanted)
    if isinstance(found, Problem) and found.kind == "silence" and wanted is not None:
        wanted = None  # only a clip that is silent to its end is left out
        found = file_features(clip.path, recipe)
    if isinstance(found, Problem):
        return found
    features, seconds = found
    key = digest if wanted is None or max_seconds is None else beginning_key(digest, max_seconds)
    buffer = io.BytesIO()
    np.save(buffer, features, allow_pickle=False)
    data = buffer.getvalue()
    try:
        write_atomically(features_path(folder, key), data)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return Entry(key, len(features), seconds, len(data), zlib.crc32(data))


def _seconds_wanted(path: Path, max_seconds: float | None) -> float | None:
    """Return how much of a file to decode: all of it (None), unless it goes on long after what is wanted."""
    if max_seconds is None or midi.is_midi(path):
        return None
    try:
        seconds = audio.duration(path)
    except MerKitError:
        return None  # decoding says what is wrong
    return max_seconds + SPARE_SECONDS if seconds > max_seconds + LONG_SECONDS else None


def _make_folder(folder: Path) -> None:
    """Make the store's folder and sweep out what processes that were killed while writing have left in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    sweep(folder)
    for leftover in folder.glob(".*.tmp"):  # as earlier versions named them
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > LEFTOVER_SECONDS:
                leftover.unlink()


def _cannot_write(folder: Path, error: OSError) -> MerKitError:
    """Word the error for a folder that takes no files."""
    reason = error.strerror or type(error).__name__
    return MerKitError(
        f"the store's folder {str(folder)!r} cannot be written ({reason}), expected a folder with free space: "
        "free some or choose another place"
    )


def _warm_up(clip: Clip, frontend: BaseFrontend) -> None:
    """Import the audio libraries before threads do it at once, or say what to do on a machine that lacks them."""
    try:
        frontend.frames_of_blocks([np.zeros(frontend.sample_rate, dtype=np.float32)])
    except ImportError as error:
        raise MerKitError(
            f"clip {clip.clip_id!r} is not in the store yet and {error.name or 'librosa'} is not installed: "
            "install librosa, or open the store first on a machine that has it"
        ) from error


def usable_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
