"""The demo corpus: music synthesised on this machine, with known emotion for every second.

It is written to disk in 4Q's folder layout with 4Q's tables and loaded by 4Q's loader. The
additional table `segment_truth.csv` gives the quadrant in which every second was composed.
"""

import contextlib
import dataclasses
import hashlib
import json
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from mer_kit.checks import MerKitError, check_range
from mer_kit.corpora import four_q, labels
from mer_kit.corpora.demo import score, synth
from mer_kit.corpora.demo.plan import ARTISTS, ClipPlan, make_plan
from mer_kit.records import EMOTIONS, Corpus
from mer_kit.seeding import numpy_generator

NAME = "demo"
ORDER = 0
TITLE = "Demo corpus (synthesised, 4Q's layout)"
CITATION = (
    "mer-kit's demo corpus, synthesised by mer_kit.corpora.demo; it demonstrates the method and "
    "proves nothing about music."
)
LICENCE = "CC0-1.0: it contains nobody's recording, use it as you like."
TRUTH = "segment_truth.csv"
RECIPE = "demo.json"
LAYOUT = f"""\
demo-<hash of its options>/
  Q1/MT9#########.wav  …  also Q2, Q3, Q4 (the folder is the quadrant)
  {four_q.ANNOTATIONS}   Song,Quadrant
  {four_q.METADATA}      as in 4Q; PQuad is the fraction of seconds with the label
  {TRUTH}                         clip_id,start_s,end_s,label
  {RECIPE}                                 the options it was generated with"""
REQUEST = "No request needed: it is generated on first use below the cache folder (MER_CACHE)."
OPTIONS: tuple[str, ...] = ("clips", "seconds", "drift", "seed")
GENERATED = True
#: Increase this with every change of a sample or a table: it is part of the folder's name.
VERSION = 3


def generate(
    root: str | Path,
    *,
    clips: int = 80,
    seconds: float = 20.0,
    drift: float = 0.15,
    seed: int = 0,
) -> Path:
    """Write the demo corpus below `root`, unless it exists already, and return its folder.

    The folder's name contains a hash of the options, so several corpora can coexist; the same
    options give the same bytes. Everything is written under a temporary name first, so an
    incomplete corpus is never used, and two processes may generate it at the same time.

    Parameters
    ----------
    root : a folder, which is created if missing, or a demo corpus (then its parent is used)
    clips : number of clips, a multiple of 4 (a quarter per quadrant)
    seconds : length of every clip, a whole number from 8 to 60 s
    drift : fraction of all seconds, 0 to 0.4, composed in a quadrant other than the clip's label
    seed : each seed gives another corpus

    Raises
    ------
    MerKitError
        If an option is out of range or the folder cannot be written.

    Source: D: our decision, since real corpora lack ground truth per second.
    Notebook: 02_noisy_labels

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as cache:
    ...     folder = generate(cache, clips=4, seconds=8)
    ...     sorted(path.name for path in folder.iterdir() if path.is_dir())
    ['Q1', 'Q2', 'Q3', 'Q4']
    """
    recipe = _recipe(clips=clips, seconds=seconds, drift=drift, seed=seed)
    folder = _folder(Path(root), recipe)
    if not (folder / RECIPE).is_file():
        with building(folder, RECIPE, "the demo corpus") as made:
            _write(made, recipe)
    return folder


@contextlib.contextmanager
def building(folder: Path, last: str, name: str) -> Iterator[Path]:
    """Yield a temporary folder, which is renamed to `folder` if the block succeeds.

    If another process was first, its identical folder stays; it is complete once it has the file
    `last`. `name` is what the folder holds, for messages.

    Raises
    ------
    MerKitError
        If the folder cannot be written.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as cache:
    ...     with building(Path(cache, "new"), "a.txt", "an example") as made:
    ...         _ = (made / "a.txt").write_text("complete")
    ...     [path.name for path in Path(cache).iterdir()]
    ['new']
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{folder.name}.", dir=folder.parent, ignore_cleanup_errors=True
        ) as made:
            yield Path(made)
            Path(made).chmod(0o755)
            Path(made).rename(folder)
    except OSError as error:
        if not (folder / last).is_file():
            raise MerKitError(
                f"{name} cannot be written to {str(folder.parent)!r} ({error.strerror or error}), "
                "expected a writable folder with 100 MB free: set MER_CACHE or data_root to one"
            ) from error


def find(data_root: Path, **options: Any) -> Path | None:
    """Return the folder of the corpus with these options in `data_root`, or None; creates nothing.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as cache:
    ...     folder = generate(cache, clips=4, seconds=8)
    ...     find(Path(cache), clips=4, seconds=8) == folder, find(Path(cache), clips=8)
    (True, None)
    """
    folder = _folder(data_root, _recipe(**options))
    return folder if (folder / RECIPE).is_file() else None


def load(root: str | Path, **options: Any) -> Corpus:
    """Load the demo corpus with these options (see `generate`) from `root`; generate it if missing.

    Raises
    ------
    MerKitError
        If an option is out of range or the folder cannot be written.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as cache:
    ...     corpus = load(cache, clips=4, seconds=8, drift=0.25)
    >>> list(corpus.truth.columns)
    ['clip_id', 'start_s', 'end_s', 'label']
    >>> [round(1 - clip.confidence, 3) for clip in corpus.clips]  # on average the drift
    [0.375, 0.375, 0.25, 0.0]
    """
    folder = generate(root, **options)
    return dataclasses.replace(
        four_q.load(folder), name=NAME, title=TITLE, citation=CITATION, licence=LICENCE,
        truth=labels.read_truth(folder / TRUTH),
    )  # fmt: skip


def _recipe(
    clips: int = 80, seconds: float = 20.0, drift: float = 0.15, seed: int = 0
) -> dict[str, Any]:
    """Return the checked options, as written to demo.json."""
    check_range("clips", clips, 4, 10_000, whole=True)
    if clips % 4:
        raise MerKitError(
            f"clips is {clips}, expected a multiple of 4 (a quarter per quadrant): change clips"
        )
    check_range("seconds", seconds, 8, 60, whole=True)
    check_range("drift", drift, 0, 0.4)
    check_range("seed", seed, whole=True)
    return {
        "version": VERSION, "clips": int(clips), "seconds": float(seconds), "drift": float(drift),
        "seed": int(seed),
    }  # fmt: skip


def _folder(root: Path, recipe: dict[str, Any]) -> Path:
    home = root.expanduser().absolute()
    if (home / RECIPE).is_file():
        home = home.parent
    digest = hashlib.blake2b(json.dumps(recipe, sort_keys=True).encode(), digest_size=5).hexdigest()
    return home / f"demo-{digest}"


def _write(folder: Path, recipe: dict[str, Any]) -> None:
    plan = make_plan(**{name: value for name, value in recipe.items() if name != "version"})
    for quadrant in four_q.QUADRANTS:
        (folder / quadrant).mkdir()
    for clip in plan:
        _write_clip(folder, clip, recipe["seed"])
    tables = {
        four_q.ANNOTATIONS: [{"Song": clip.clip_id, "Quadrant": clip.quadrant} for clip in plan],
        four_q.METADATA: list(map(_metadata_row, plan)),
        TRUTH: [
            {
                "clip_id": clip.clip_id, "start_s": section.start_s, "end_s": section.end_s,
                "label": section.quadrant,
            }
            for clip in plan
            for section in clip.sections
        ],
    }  # fmt: skip
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(folder / name, index=False, lineterminator="\n")
    (folder / RECIPE).write_text(json.dumps(recipe, indent=1) + "\n", encoding="utf-8")


def _write_clip(folder: Path, clip: ClipPlan, seed: int) -> None:
    """Compose, play, record and write one clip, with random generators of its own."""
    rng = numpy_generator(seed, f"demo/clip/{clip.clip_id}")
    artist_rng = numpy_generator(seed, f"demo/artist/{clip.artist}")
    production = synth.Production.draw(artist_rng).varied(rng)
    character = score.Character.draw(rng, favourite=ARTISTS.index(clip.artist))
    notes = [
        note
        for section in clip.sections
        for note in score.compose(section.quadrant, section.start_s, section.end_s, character, rng)
    ]
    sample_rate, channels = clip.format
    samples = synth.master(
        synth.play(notes, clip.sections[-1].end_s, rng), production, rng,
        sample_rate=sample_rate, channels=channels,
    )  # fmt: skip
    with wave.open(str(folder / clip.quadrant / f"{clip.clip_id}.wav"), "wb") as file:
        file.setparams((channels, 2, sample_rate, 0, "NONE", "not compressed"))
        file.writeframes(samples.astype("<i2").tobytes())


def _metadata_row(clip: ClipPlan) -> dict[str, Any]:
    return {
        "Song": clip.clip_id, "Artist": clip.artist, "Title": clip.title,
        "Quadrant": clip.quadrant, "PQuad": round(clip.kept_share, 4), "MoodsTotal": 1, "Moods": 1,
        "MoodsFoundStr": EMOTIONS[clip.quadrant], "MoodsStr": EMOTIONS[clip.quadrant].title(),
        "MoodsStrSplit": EMOTIONS[clip.quadrant].title(),
        "Genres": 1, "GenresStr": "Synthesised", "Sample": 1, "SampleURL": "",
    }  # fmt: skip
