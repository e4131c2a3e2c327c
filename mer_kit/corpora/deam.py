"""DEAM: 1,802 songs of the MediaEval emotion tasks 2013-2015, rated for valence and arousal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mer_kit.checks import MerKitError, check_choice, check_folder
from mer_kit.corpora import base, emotion_in_music, rated
from mer_kit.records import Corpus, Problem

NAME = "deam"
TITLE = "DEAM (MediaEval Database for Emotional Analysis in Music)"
CITATION = (
    "A. Aljanaki, Y.-H. Yang, M. Soleymani: Developing a benchmark for emotional analysis of music. "
    "PLOS ONE 12(3), 2017. doi:10.1371/journal.pone.0173392"
)
LICENCE = "Annotations CC BY-NC 4.0; the songs are under Creative Commons licences of several kinds."
LAYOUT = """\
deam/
  MEMD_audio/<song_id>.mp3              … 1,802 files
  annotations/annotations averaged per song/song_level/
    static_annotations_averaged_songs_1_2000.csv      song_id, valence_mean, valence_std, arousal_mean, arousal_std
    static_annotations_averaged_songs_2000_2058.csv   the same, the evaluation set of 2015
  metadata/metadata_201?.csv                          (optional: artists)
Underscores in place of blanks are fine."""
REQUEST = "DEAM is offered at https://cvml.unige.ch/databases/DEAM/; unpack audio and annotations into data/deam."
#: Folder names under which people keep it, relative to the data root.
FOLDERS = ("deam", "DEAM", "MEMD", "DEAM/DEAM_Annotations", "deam/DEAM_Annotations")
_TABLES = {
    "development": "static_annotations_averaged_songs_1_2000.csv",
    "evaluation": "static_annotations_averaged_songs_2000_2058.csv",
}
_LEVELS = (
    "annotations/annotations averaged per song/song_level",
    "annotations/annotations_averaged_per_song/song_level",
    "annotations averaged per song/song_level",
    "annotations_averaged_per_song/song_level",
    "annotations",
    ".",
)
AUDIO = ("MEMD_audio", "audio", "DEAM_audio/MEMD_audio")
#: D: the middle of 1–9.
SCALE = rated.Scale(1, 9)
COLUMNS = ("song_id", "valence_mean", "arousal_mean")
#: Share of common songs whose valence is the other corpus' arousal from which on we speak of a swap.
SWAPPED_SHARE = 0.5
OPTIONS: tuple[str, ...] = ("ties",)
GENERATED = False


def find(data_root: Path, **_: Any) -> Path | None:
    """Return `data_root`, or the one of FOLDERS in it, that holds a label table of DEAM's."""
    folders = (data_root, *(data_root / name for name in FOLDERS))
    return next((folder for folder in folders if base.has_columns(_table(folder, "development"), COLUMNS)), None)


def load(root: str | Path, *, ties: str = "high") -> Corpus:
    """Load DEAM's clips, sorted by id, with labels of all three tasks; no audio is opened.

    744 songs are also in Emotion in Music, and there the two corpora's columns disagree: DEAM's valence is EiM's
    arousal and the reverse. Where both corpora lie side by side (or below the data root) their ratings are compared;
    if they are swapped, the shared songs take EiM's ratings, with which EiM's dynamic ratings agree, and a note says
    so. `split` is "evaluation" for the 58 songs of 2015's evaluation set.

    Parameters
    ----------
    ties : class of a rating of exactly 5: "high", "low", or "drop" (no label)

    Raises
    ------
    MerKitError
        If the folder, a label table or one of its columns is missing, or `ties` is unknown.

    Notebook: 00_start_here
    """
    check_choice("ties", ties, rated.TIES)
    root = check_folder(f"{TITLE} root", root, next_step=REQUEST)
    audio = next((root / name for name in AUDIO if (root / name).is_dir()), root / AUDIO[0])
    check_folder("MEMD_audio folder", audio, next_step="unpack DEAM_audio.zip")
    problems: list[Problem] = []
    notes: list[Problem] = []
    ratings, splits = _read_static(root, problems)
    compare(ratings, _eim_ratings(root), notes)
    artists = _read_metadata(root)
    about = {clip_id: rated.About(*artists.get(clip_id, ("", "")), splits[clip_id]) for clip_id in ratings}
    clips, unlisted = rated.rated_clips(
        root, ratings, base.list_audio(audio), scale=SCALE, ties=ties, table="DEAM's label tables",
        about=about, problems=problems,
    )  # fmt: skip
    return Corpus(
        NAME, root, clips, tuple(problems), None, notes=(*notes, *unlisted),
        title=TITLE, citation=CITATION, licence=LICENCE,
    )  # fmt: skip


def compare(ratings: dict[str, rated.Rating], eim: dict[str, rated.Rating], notes: list[Problem]) -> float:
    """Compare shared songs with EiM's ratings and take EiM's where they are swapped; return the swapped share.

    A song counts as swapped where DEAM's (valence, arousal) lies nearer to EiM's (arousal, valence) than to its
    (valence, arousal). NaN where no song is shared. `ratings` is changed in place; `notes` receives what was found.
    """
    shared = sorted(set(ratings) & set(eim))
    if not shared:
        what = "744 songs are also in Emotion in Music, where valence and arousal are the other way round in DEAM"
        notes.append(
            base.problem(
                "not_compared", "DEAM's label tables", what, "put that corpus beside this one to have it checked"
            )
        )
        return float("nan")
    ours = np.array([[ratings[i].valence, ratings[i].arousal] for i in shared])
    theirs = np.array([[eim[i].valence, eim[i].arousal] for i in shared])
    straight, crossed = (np.abs(ours - other).sum(axis=1) for other in (theirs, theirs[:, ::-1]))
    share = float((crossed < straight).mean())
    if share > SWAPPED_SHARE:
        ratings.update({clip_id: eim[clip_id] for clip_id in shared})
        what = (
            f"valence and arousal are swapped against Emotion in Music for {share:.1%} of the {len(shared)} shared songs; "
            "these songs take that corpus' ratings"
        )
        step = "look twice at results on the songs that only DEAM has"
        notes.append(base.problem("swapped", "DEAM's label tables", what, step))
    return share


def _eim_ratings(root: Path) -> dict[str, rated.Rating]:
    """Return EiM's static ratings where it lies beside DEAM or below the data root; else {}."""
    for place in (root.parent, base.default_data_root()):
        found = emotion_in_music.find(place)
        if found is not None:
            return emotion_in_music.read_static(found)
    return {}


def _table(root: Path, part: str) -> Path | None:
    return base.first_file(root, [f"{level}/{_TABLES[part]}" for level in _LEVELS])


def _read_static(root: Path, problems: list[Problem]) -> tuple[dict[str, rated.Rating], dict[str, str]]:
    """Return song id → ratings, and song id → official part; the second table is optional."""
    ratings: dict[str, rated.Rating] = {}
    splits: dict[str, str] = {}
    for part in _TABLES:
        path = _table(root, part)
        if path is None and part == "development":
            raise MerKitError(f"{_TABLES[part]} was not found in {str(root)!r}, expected\n{LAYOUT}\n{REQUEST}")
        rows = rated.read_ratings(path, COLUMNS, SCALE, problems) if path else {}
        for clip_id in sorted(set(rows) & set(ratings)):
            what = "rows in both label tables, expected one; the first is kept"
            where = f"{_TABLES[part]}, id {clip_id!r}"
            problems.append(base.problem("duplicate_id", where, what, "delete the wrong row", clip_id))
        splits |= {clip_id: part for clip_id in rows if clip_id not in ratings}
        ratings = rows | ratings
    return ratings, splits


def _read_metadata(root: Path) -> dict[str, tuple[str, str]]:
    """Return song id → (artist, title) from the yearly tables, whose headers differ; {} where there are none."""
    about: dict[str, tuple[str, str]] = {}
    for path in sorted((root / "metadata").glob("metadata_20*.csv")):
        table = base.read_table(path, [])
        names = {column.casefold(): column for column in table.columns}
        key = next((names[name] for name in ("song_id", "id") if name in names), None)
        title = next((names[name] for name in ("song title", "title", "track") if name in names), None)
        if key is None or "artist" not in names:
            continue
        titles = table[title] if title else [""] * len(table)
        about |= {i: (a, t) for i, a, t in zip(table[key], table[names["artist"]], titles, strict=True)}
    return about
