"""DEAM: 1,802 songs of the MediaEval emotion tasks 2013-2015, rated for valence and arousal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mer_kit import paths
from mer_kit.checks import MerKitError, check_choice, check_folder
from mer_kit.corpora import audio_files, emotion_in_music, ids, tables
from mer_kit.corpora.ratings import TIES, About, Rating, Scale, rated_clips, read_ratings
from mer_kit.records import Corpus, Problem

NAME = "deam"
ORDER = 4
TITLE = "DEAM (MediaEval Database for Emotional Analysis in Music)"
CITATION = (
    "A. Aljanaki, Y.-H. Yang, M. Soleymani: Developing a benchmark for emotional analysis of music. "
    "PLOS ONE 12(3), 2017. doi:10.1371/journal.pone.0173392"
)
LICENCE = (
    "Annotations CC BY-NC 4.0; the songs are under Creative Commons licences of several kinds."
)
LAYOUT = """\
deam/
  MEMD_audio/<song_id>.mp3              … 1,802 files
  annotations/annotations averaged per song/song_level/
    static_annotations_averaged_songs_1_2000.csv      song_id, valence_mean, valence_std, arousal_mean, arousal_std
    static_annotations_averaged_songs_2000_2058.csv   the same, the evaluation set of 2015
  metadata/metadata_201?.csv                          (optional: artists)
Underscores in place of blanks are fine, and so are the folders that its zip files make (DEAM_Annotations, DEAM_audio,
metadata/metadata), or none at all."""
REQUEST = "DEAM is offered at https://cvml.unige.ch/databases/DEAM/; unpack audio and annotations into data/deam."
#: Folder names under which people keep it, relative to the data root.
FOLDERS = ("deam", "DEAM", "Deam", "MEMD", "DEAM_dataset", "deam_dataset")
#: What sentences call its two label tables.
TABLE = "DEAM's label tables"
_TABLES = {
    "development": "static_annotations_averaged_songs_1_2000.csv",
    "evaluation": "static_annotations_averaged_songs_2000_2058.csv",
}
AUDIO = ("MEMD_audio", "audio", "DEAM_audio")
#: How deep below its folder a copy may hide its tables and audio, and how many folders are looked into.
DEPTH, MOST_FOLDERS = 5, 500
#: D: the middle of 1–9.
SCALE = Scale(1, 9)
COLUMNS = ("song_id", "valence_mean", "arousal_mean")
#: Share of common songs whose valence is the other corpus' arousal from which on we speak of a swap.
SWAPPED_SHARE = 0.5
#: The names of the id and title columns in the metadata of 2013, 2014 and 2015.
KEYS = ("song_id", "id")
TITLES = ("song title", "title", "track")
OPTIONS: tuple[str, ...] = ("ties",)
GENERATED = False


def find(data_root: Path, **_: Any) -> Path | None:
    """Return the one of FOLDERS in `data_root`, or `data_root` itself, that holds a label table of DEAM's."""
    folders = (*(data_root / name for name in FOLDERS), data_root)
    return next(
        (
            folder
            for folder in folders
            if tables.has_columns(_table(folder, "development"), COLUMNS)
        ),
        None,
    )


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
    check_choice("ties", ties, TIES)
    root = check_folder(f"{TITLE} root", root, next_step=REQUEST)
    files = audio_files.list_audio(_audio(root))
    problems: list[Problem] = []
    notes: list[Problem] = []
    rows, files = ids.settle(
        _read_static(root, problems), files, TABLE, notes=notes, problems=problems
    )
    ratings = {clip_id: rating for clip_id, (rating, _) in rows.items()}
    compare(ratings, _eim_ratings(root), notes)
    artists = _read_metadata(root, [*rows, *files], notes, problems)
    about = {
        clip_id: About(*artists.get(clip_id, ("", "")), part) for clip_id, (_, part) in rows.items()
    }
    clips, unlisted = rated_clips(
        root, ratings, files, scale=SCALE, ties=ties, table=TABLE, about=about, problems=problems
    )
    return Corpus(
        NAME, root, clips, tuple(problems), None, notes=(*notes, *unlisted),
        title=TITLE, citation=CITATION, licence=LICENCE,
    )  # fmt: skip


def compare(ratings: dict[str, Rating], eim: dict[str, Rating], notes: list[Problem]) -> float:
    """Compare shared songs with EiM's ratings and take EiM's where they are swapped; return the swapped share.

    A song counts as swapped where DEAM's (valence, arousal) lies nearer to EiM's (arousal, valence) than to its
    (valence, arousal). NaN where no song is shared. `ratings` is changed in place; `notes` receives what was found.
    """
    shared = sorted(set(ratings) & set(eim))
    if not shared:
        what = "744 songs are also in Emotion in Music, where valence and arousal are the other way round in DEAM"
        notes.append(
            audio_files.problem(
                "not_compared", TABLE, what, "put that corpus beside this one to have it checked"
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
        notes.append(audio_files.problem("swapped", TABLE, what, step))
    return share


def _eim_ratings(root: Path) -> dict[str, Rating]:
    """Return EiM's static ratings where it lies beside DEAM or below the data root; else {}."""
    for place in (root.parent, paths.default_data_root()):
        found = emotion_in_music.find(place)
        if found is not None:
            return emotion_in_music.read_static(found)
    return {}


def _folders(root: Path) -> list[Path]:
    """Return `root` and the folders below it, the upper ones first; audio and hidden folders are not opened."""
    found = [root] if root.is_dir() else []
    for folder in found:  # grows while it is walked
        if len(folder.relative_to(root).parts) >= DEPTH or folder.name == AUDIO[0]:
            continue
        try:
            below = sorted(
                path
                for path in folder.iterdir()
                if not audio_files.is_hidden(path.name) and path.is_dir()
            )
        except OSError:
            continue
        found += below[: max(0, MOST_FOLDERS - len(found))]
    return found


def _table(root: Path, part: str) -> Path | None:
    return next(
        (
            folder / _TABLES[part]
            for folder in _folders(root)
            if audio_files.is_file(folder / _TABLES[part])
        ),
        None,
    )


def _audio(root: Path) -> Path:
    """Return the folder of the audio: one that is called so, else `root` itself where audio lies in it.

    Raises
    ------
    MerKitError
        If there is no audio.
    """
    folders = _folders(root)
    named = [
        folder for name in AUDIO for folder in folders if folder.name.casefold() == name.casefold()
    ]
    for folder in (*named, root):
        if audio_files.list_audio(folder):
            return folder
    place = named[0] if named else root / AUDIO[0]
    check_folder("MEMD_audio folder", place, next_step="unpack DEAM_audio.zip")
    raise MerKitError(
        f"MEMD_audio folder {str(place)!r} holds no audio, expected mp3 files: unpack DEAM_audio.zip"
    )


def _read_static(root: Path, problems: list[Problem]) -> dict[str, tuple[Rating, str]]:
    """Return song id → ratings and official part; the second table is optional."""
    found: dict[str, tuple[Rating, str]] = {}
    for part in _TABLES:
        path = _table(root, part)
        if path is None and part == "development":
            raise MerKitError(
                f"{_TABLES[part]} was not found in {str(root)!r}, expected\n{LAYOUT}\n{REQUEST}"
            )
        rows = read_ratings(path, COLUMNS, SCALE, problems) if path else {}
        for clip_id in sorted(set(rows) & set(found)):
            what = "rows in both label tables, expected one; the first is kept"
            where = f"{_TABLES[part]}, id {clip_id!r}"
            problems.append(
                audio_files.problem("duplicate_id", where, what, "delete the wrong row", clip_id)
            )
        found = {clip_id: (rating, part) for clip_id, rating in rows.items()} | found
    return found


def _read_metadata(
    root: Path, known: list[str], notes: list[Problem], problems: list[Problem]
) -> dict[str, tuple[str, str]]:
    """Return song id → (artist, title) from the yearly tables, whose headers differ; {} where there are none.

    2013: song_id, file_name, Artist, Song title, …; 2014: Id, Artist, Album, Track, …, last.fm labels, which go on
    beyond the header; 2015: id, Filename, title, artist, album, genre, which do so too.
    """
    about: dict[str, tuple[str, str]] = {}
    paths = {
        path.name: path
        for folder in reversed(_folders(root))
        for path in folder.glob("metadata_20*.csv")
    }
    for name, path in sorted(paths.items()):
        columns = tables.header(path, [*KEYS, *TITLES, "artist"])
        key = next((column for column in KEYS if column in columns), KEYS[0])
        title = [column for column in TITLES if column in columns][:1]
        try:
            table = tables.read_table(path, [key, "artist"], optional=title, open_ended=True)
        except MerKitError as error:
            what = f"its artists are not known ({error})"
            problems.append(
                audio_files.problem("metadata", name, what, "restore it, or take it away")
            )
            continue
        titles = table[title[0]] if title else [""] * len(table)
        rows = {i: (a, t) for i, a, t in zip(table[key], table["artist"], titles, strict=True)}
        about |= ids.rekeyed(name, rows, known, notes, problems, what="artists")
    return about
