"""Opening a corpus for a run: its clips without the bad ones, their log-mels, what was left out, and their checksum.

Notebook: 00_start_here
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.corpora.base import cache_root
from mer_kit.records import Corpus
from mer_kit.runs import plausible
from mer_kit.runs.config import RunConfig
from mer_kit.signal import segments as segmentation
from mer_kit.signal.store import MelStore, open_store

_log = logging.getLogger("mer_kit")
#: Corpus, store and what was skipped.
Opened = tuple[Corpus, MelStore, tuple[Any, ...]]


def open_corpus(config: RunConfig, data_root: str | Path | None = None) -> Opened:
    """Return the corpus without its bad clips, the store of its log-mels, and the Problems that were skipped.

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
    folder, limit = cache_root() / "mel", config.max_seconds
    store = open_store(corpus.clips, folder, on_bad_clip=config.on_bad_clip, max_seconds=limit)
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
        store = open_store(corpus.clips, folder, max_seconds=limit)
    plausible.check_classes(corpus, config.task)
    stored = zip(corpus.clips, store.durations_s.tolist(), strict=True)
    lengths = {clip.clip_id: length for clip, length in stored if limit is None or length < limit}  # else maybe a part
    for problem in plausible.truth_beyond(corpus, lengths):
        _log.warning("%s: %s", corpus.name, problem)
    return corpus, store, skipped


def checksum(corpus: Corpus, store: MelStore, *, with_split: bool) -> str:
    """Return a digest of everything about the clips that can change a number: audio, labels, groups.

    `with_split` adds the official split, which matters only where a run divides by it. Groups count as the corpus has
    them, before `runs.grouping` joins any: a rule that joins others one day renames no finished run, whose folds are
    stored.
    """
    text = "\n".join(
        f"{clip.clip_id} {digest} {sorted(clip.labels.items())} {clip.group}" + (f" {clip.split}" if with_split else "")
        for clip, digest in zip(corpus.clips, store.digests, strict=True)
    )
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
