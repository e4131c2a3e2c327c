"""Open a corpus for a run: its good clips, their features, what was left out, and a checksum.

Notebook: 00_start_here
"""

import dataclasses
import hashlib
import logging
from collections.abc import Iterable
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
from mer_kit.signal.store import FeatureStore, JoinedStore, open_store

_log = logging.getLogger("mer_kit")
#: Corpus, feature store and the skipped problems.
OpenedCorpus = tuple[Corpus, FeatureStore, tuple[Any, ...]]


def open_corpus(config: RunConfig, data_root: str | Path | None = None) -> OpenedCorpus:
    """Return the corpus without bad clips, the store of its features, and the skipped Problems.

    Clips without a label for the task (dropped ties) are left out too. A warning names labels that
    were found swapped.

    Raises
    ------
    MerKitError
        If there are problems and `config.on_bad_clip` is "stop" (one sentence for each of the
        first ones), or if only one class is left to learn.
    """
    corpus = corpora.load(config.corpus, data_root, **config.corpus_options).with_task(config.task)
    for note in corpus.notes:
        if note.kind == "swapped":  # the only one that changes what the labels mean
            _log.warning("%s: %s", corpus.name, note)
    if corpus.problems and config.on_bad_clip == "stop":
        first = "\n  ".join(str(problem) for problem in corpus.problems[:5])
        raise MerKitError(
            f"{corpus.name} has {len(corpus.problems)} problems:\n  {first}\n"
            "fix them, or leave these clips out with on_bad_clip='skip'"
        )
    plausible.check_classes(corpus, config.task)
    plausible.check_songs(corpus, config)
    store = open_features(corpus, config, on_bad_clip=config.on_bad_clip)
    short = segmentation.too_short(
        store.durations_s,
        config.segment_seconds,
        max_seconds=config.max_seconds,
        clip_ids=[clip.clip_id for clip in store.clips],
    )
    if short and config.on_bad_clip == "stop":
        raise MerKitError(f"{corpus.name}: {len(short)} clips are too short, first {short[0]}")
    skipped = (*corpus.problems, *store.skipped, *short)
    keep = {clip.clip_id for clip in store.clips} - {problem.clip_id for problem in short}
    if len(keep) < len(corpus.clips):
        corpus = corpus.select([i for i, clip in enumerate(corpus.clips) if clip.clip_id in keep])
        store = open_features(corpus, config)
    plausible.check_classes(corpus, config.task)
    _warn_of_truth_beyond(corpus, store, config.max_seconds)
    return corpus, store, skipped


def _warn_of_truth_beyond(corpus: Corpus, store: FeatureStore, limit: float | None) -> None:
    """Warn if ground truth ends long after its clip; clips cut at `limit` are left out."""
    seconds = zip((clip.clip_id for clip in corpus.clips), store.durations_s.tolist(), strict=True)
    lengths = {clip_id: length for clip_id, length in seconds if limit is None or length < limit}
    for problem in plausible.truth_beyond(corpus, lengths):
        _log.warning("%s: %s", corpus.name, problem)


def open_features(corpus: Corpus, config: RunConfig, *, on_bad_clip: str = "stop") -> FeatureStore:
    """Return the store of a corpus' features by the run's front-end, computing missing ones."""
    frontend = frontends.of(config.frontend)(config.frontend_settings)
    pools = frontend.pool is not None
    every_seconds = pooling_step(config.train_every_seconds) if pools else 1.0
    clips, stores = corpus.clips, []
    for part in frontend.parts:
        store = open_store(
            clips,
            store_folder(frontends.name_of(part)),
            frontend=part,
            segment_seconds=config.segment_seconds,
            every_seconds=every_seconds,
            padding=config.padding,
            on_bad_clip=on_bad_clip,
            max_seconds=config.max_seconds,
        )
        stores.append(store)
        clips = store.clips
    if len(stores) == 1:
        return stores[0]
    recipe = dataclasses.replace(stores[0].recipe, frontend=frontend)
    return JoinedStore(recipe, stores)


def open_logmel(corpus: Corpus, config: RunConfig, store: FeatureStore) -> FeatureStore:
    """Return a corpus' log-mels, for pictures and equal recordings; `store` if it has them."""
    if frontends.identity(store.frontend) == frontends.identity(frontends.make()):
        return store
    return open_store(corpus.clips, store_folder(frontends.DEFAULT), max_seconds=config.max_seconds)


def store_folder(frontend: str) -> Path:
    """Return the cache folder of a front-end's features.

    Examples
    --------
    >>> store_folder("logmel").name, store_folder("chroma").name
    ('mel', 'chroma')
    """
    return cache_root() / ("mel" if frontend == frontends.DEFAULT else frontend)


def pooling_step(train_every_seconds: float) -> float:
    """Return the seconds between the vectors that a front-end with `pool` stores for all segments.

    Evaluation needs a segment every second, training one every `train_every_seconds`.

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
        f"train_every_seconds is {train_every_seconds:g}, expected a multiple or a fraction of 1 s "
        "where the front-end pools segments: change train_every_seconds"
    )


def checksum(
    corpus: Corpus, store: FeatureStore, *, with_split: bool, more: Iterable[str] = ()
) -> str:
    """Return a digest of everything in the clips that can change a number: audio, labels, groups.

    `with_split` adds the official train/test split, which matters only for runs that use it, and
    `more` the checksums of further files.
    Groups are the corpus' own, before `runs.grouping` joins any, so a later rule for joining does
    not rename finished runs, whose folds are stored.
    """
    lines = []
    for clip, digest in zip(corpus.clips, store.digests, strict=True):
        line = f"{clip.clip_id} {digest} {sorted(clip.labels.items())} {clip.group}"
        if with_split:
            line += f" {clip.split}"
        lines.append(line)
    return hashlib.blake2b("\n".join([*lines, *more]).encode(), digest_size=8).hexdigest()
