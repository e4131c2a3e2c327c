"""Opening a corpus for a run: its clips without the bad ones, their features, what was left out, and their checksum.

Notebook: 00_start_here
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.paths import cache_root
from mer_kit.records import Corpus
from mer_kit.runs import plausible
from mer_kit.runs.config import RunConfig
from mer_kit.signal import frontends
from mer_kit.signal import segments as segmentation
from mer_kit.signal.store import FeatureStore, open_store

_log = logging.getLogger("mer_kit")
#: Corpus, store and what was skipped.
OpenedCorpus = tuple[Corpus, FeatureStore, tuple[Any, ...]]


def open_corpus(config: RunConfig, data_root: str | Path | None = None) -> OpenedCorpus:
    """Return the corpus without its bad clips, the store of their features, and the Problems that were skipped.

    Clips without a label for the task (dropped ties) are left out too; labels that were found swapped are warned of.

    Raises
    ------
    MerKitError
        If something is wrong and `config.on_bad_clip` is "stop": one sentence for each of the first problems; or if
        only one class is left to learn.
    """
    corpus = corpora.load(config.corpus, data_root, **config.corpus_options).with_task(config.task)
    for note in corpus.notes:
        if note.kind == "swapped":  # the one that changes what the labels mean
            _log.warning("%s: %s", corpus.name, note)
    if corpus.problems and config.on_bad_clip == "stop":
        first = "\n  ".join(str(problem) for problem in corpus.problems[:5])
        raise MerKitError(
            f"{corpus.name} has {len(corpus.problems)} problems:\n  {first}\nmend them, or leave these clips out with "
            "on_bad_clip='skip'"
        )
    plausible.check_classes(corpus, config.task)
    limit = config.max_seconds
    store = open_features(corpus, config, on_bad_clip=config.on_bad_clip)
    ids = [clip.clip_id for clip in store.clips]
    short = segmentation.too_short(
        store.durations_s, config.segment_seconds, max_seconds=config.max_seconds, clip_ids=ids
    )
    if short and config.on_bad_clip == "stop":
        raise MerKitError(f"{corpus.name}: {len(short)} clips are too short, first {short[0]}")
    skipped = (*corpus.problems, *store.skipped, *short)
    keep = {clip.clip_id for clip in store.clips} - {problem.clip_id for problem in short}
    if len(keep) < len(corpus.clips):
        corpus = corpus.select([i for i, clip in enumerate(corpus.clips) if clip.clip_id in keep])
        store = open_features(corpus, config)
    plausible.check_classes(corpus, config.task)
    stored = zip(corpus.clips, store.durations_s.tolist(), strict=True)
    lengths = {
        clip.clip_id: length for clip, length in stored if limit is None or length < limit
    }  # else maybe a part
    for problem in plausible.truth_beyond(corpus, lengths):
        _log.warning("%s: %s", corpus.name, problem)
    return corpus, store, skipped


def open_features(corpus: Corpus, config: RunConfig, *, on_bad_clip: str = "stop") -> FeatureStore:
    """Return the store of a corpus' features by the run's front-end, computing what is missing."""
    frontend = frontends.of(config.frontend)(config.frontend_settings)
    return open_store(
        corpus.clips,
        store_folder(config.frontend),
        frontend=frontend,
        segment_seconds=config.segment_seconds,
        every_seconds=pooling_step(config.train_every_seconds)
        if frontend.pool is not None
        else 1.0,
        on_bad_clip=on_bad_clip,
        max_seconds=config.max_seconds,
    )


def open_logmel(corpus: Corpus, config: RunConfig, store: FeatureStore) -> FeatureStore:
    """Return a corpus' log-mels, for pictures and for finding equal recordings: `store` itself where it holds those."""
    plain = frontends.make()
    if frontends.identity(store.frontend) == frontends.identity(plain):
        return store
    return open_store(corpus.clips, store_folder(frontends.DEFAULT), max_seconds=config.max_seconds)


def store_folder(frontend: str) -> Path:
    """Return where the cache keeps a front-end's features."""
    return cache_root() / ("mel" if frontend == frontends.DEFAULT else frontend)


def pooling_step(train_every_seconds: float) -> float:
    """Return the seconds between the vectors that a front-end with `pool` keeps: all segments that a run asks for.

    Evaluation asks for a segment every second, training for one every `train_every_seconds`.

    Raises
    ------
    MerKitError
        If neither is a multiple of the other.

    Examples
    --------
    >>> pooling_step(3.0), pooling_step(0.5)
    (1.0, 0.5)
    """
    for step, longer in ((1.0, train_every_seconds), (train_every_seconds, 1.0)):
        if abs(longer / step - round(longer / step)) < 1e-9:
            return step
    raise MerKitError(
        f"train_every_seconds is {train_every_seconds:g}, expected a multiple or a fraction of 1 s where the front-end pools "
        "segments: change train_every_seconds"
    )


def checksum(corpus: Corpus, store: FeatureStore, *, with_split: bool) -> str:
    """Return a digest of everything about the clips that can change a number: audio, labels, groups.

    `with_split` adds the official split, which matters only where a run divides by it. Groups count as the corpus has
    them, before `runs.grouping` joins any: a rule that joins others one day renames no finished run, whose folds are
    stored.
    """
    text = "\n".join(
        f"{clip.clip_id} {digest} {sorted(clip.labels.items())} {clip.group}"
        + (f" {clip.split}" if with_split else "")
        for clip, digest in zip(corpus.clips, store.digests, strict=True)
    )
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
