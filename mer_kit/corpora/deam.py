"""DEAM: 1,802 songs of the MediaEval emotion tasks 2013-2015, rated for valence and arousal."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from mer_kit import paths
from mer_kit.checks import MerKitError, check_choice, check_folder
from mer_kit.corpora import audio_files, emotion_in_music, ids, tables
from mer_kit.corpora.ratings import TIES, About, Rating, Scale, rated_corpus, read_ratings
from mer_kit.records import Corpus, Problem

NAME = "deam"
ORDER = 4
TITLE = "DEAM (MediaEval Database for Emotional Analysis in Music)"
CITATION = (
    "A. Aljanaki, Y.-H. Yang, M. Soleymani: Developing a benchmark for emotional analysis of "
    "music. PLOS ONE 12(3), 2017. doi:10.1371/journal.pone.0173392"
)
LICENCE = (
    "Annotations CC BY-NC 4.0; the songs are under Creative Commons licences of several kinds."
)
LAYOUT = """\
deam/
  MEMD_audio/<song_id>.mp3              … 1,802 files
  annotations/annotations averaged per song/song_level/
    static_annotations_averaged_songs_1_2000.csv      song_id, valence_mean, arousal_mean, …
    static_annotations_averaged_songs_2000_2058.csv   the same, the evaluation set of 2015
  metadata/metadata_201?.csv                          (optional: artists)
The folders may have underscores instead of blanks, may be the ones that the zip files create
(DEAM_Annotations, DEAM_audio, metadata/metadata), or may be missing."""
REQUEST = (
    "Download DEAM from https://cvml.unige.ch/databases/DEAM/ and unpack audio and annotations "
    "into data/deam."
)
#: Usual names of its folder, relative to the data root.
FOLDERS = ("deam", "DEAM", "Deam", "MEMD", "DEAM_dataset", "deam_dataset")
#: The name of its two label tables in messages.
TABLE = "DEAM's label tables"
_TABLES = {
    "development": "static_annotations_averaged_songs_1_2000.csv",
    "evaluation": "static_annotations_averaged_songs_2000_2058.csv",
}
AUDIO = ("MEMD_audio", "audio", "DEAM_audio")
#: How deep below its folder tables and audio are searched for, and in how many folders at most.
DEPTH, MOST_FOLDERS = 5, 500
#: D: the middle of 1–9.
SCALE = Scale(1, 9)
COLUMNS = ("song_id", "valence_mean", "arousal_mean")
#: Above this fraction of shared songs with exchanged ratings, the columns count as swapped.
SWAPPED_SHARE = 0.5
#: The names of the id and title columns in the metadata of 2013, 2014 and 2015.
KEYS = ("song_id", "id")
TITLES = ("song title", "title", "track")
OPTIONS: tuple[str, ...] = ("ties",)
GENERATED = False


def find(data_root: Path, **_: Any) -> Path | None:
    """Return the folder of FOLDERS, or else `data_root`, that contains a label table of DEAM."""
    return audio_files.find_folder(
        data_root,
        (*FOLDERS, ""),  # the tables may be deep inside, so `data_root` itself comes last
        lambda folder: tables.has_columns(_table(folder, "development"), COLUMNS),
    )


def load(root: str | Path, *, ties: str = "high") -> Corpus:
    """Load DEAM's clips, sorted by id, with labels of all three tasks; no audio is opened.

    744 songs are also in Emotion in Music (EiM), where the two corpora disagree: DEAM's valence is
    EiM's arousal and vice versa. If EiM is found next to DEAM or below the data root, the ratings
    are compared. If they are swapped, the shared songs get EiM's ratings, which agree with EiM's
    dynamic ratings, and a note reports it. `split` is "evaluation" for the 58 songs of the 2015
    evaluation set.

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
    corpus = rated_corpus(
        Corpus(NAME, root, (), title=TITLE, citation=CITATION, licence=LICENCE), ratings, files,
        table=TABLE, scale=SCALE, ties=ties, notes=notes, problems=problems,
        about=_read_metadata(root, [*rows, *files], notes, problems),
    )  # fmt: skip
    return dataclasses.replace(
        corpus,
        clips=tuple(
            dataclasses.replace(clip, split=rows[clip.clip_id][1]) for clip in corpus.clips
        ),
    )


def compare(ratings: dict[str, Rating], eim: dict[str, Rating], notes: list[Problem]) -> float:
    """Use EiM's ratings for the shared songs if DEAM's are swapped; return the swapped fraction.

    A song counts as swapped if DEAM's (valence, arousal) is closer to EiM's (arousal, valence) than
    to EiM's (valence, arousal). NaN if no song is shared. `ratings` is changed in place; the result
    of the comparison is appended to `notes`.

    Examples
    --------
    >>> ratings = {"1": Rating(valence=7, arousal=2), "2": Rating(valence=3, arousal=8)}
    >>> eim = {"1": Rating(valence=2, arousal=7), "2": Rating(valence=8, arousal=3)}
    >>> compare(ratings, eim, notes := [])
    1.0
    >>> ratings == eim, notes[0].kind
    (True, 'swapped')
    """
    shared = sorted(set(ratings) & set(eim))
    if not shared:
        notes.append(
            audio_files.problem(
                "not_compared",
                TABLE,
                "744 songs are also in Emotion in Music, for which DEAM swaps valence and arousal",
                "place that corpus next to this one to have it checked",
            )
        )
        return float("nan")
    ours = np.array([[ratings[i].valence, ratings[i].arousal] for i in shared])
    theirs = np.array([[eim[i].valence, eim[i].arousal] for i in shared])
    straight, crossed = (np.abs(ours - other).sum(axis=1) for other in (theirs, theirs[:, ::-1]))
    fraction = float((crossed < straight).mean())
    if fraction > SWAPPED_SHARE:
        ratings.update({clip_id: eim[clip_id] for clip_id in shared})
        notes.append(
            audio_files.problem(
                "swapped",
                TABLE,
                "valence and arousal are swapped compared with Emotion in Music for "
                f"{fraction:.1%} of the {len(shared)} shared songs; they get that corpus' ratings",
                "be careful with results on the songs that only DEAM has",
            )
        )
    return fraction


def _eim_ratings(root: Path) -> dict[str, Rating]:
    """Return EiM's static ratings if it is next to DEAM or below the data root; else {}."""
    for data_root in (root.parent, paths.default_data_root()):
        folder = emotion_in_music.find(data_root)
        table = folder and audio_files.first_file(folder, emotion_in_music.STATIC)
        if table:
            return read_ratings(table, emotion_in_music.COLUMNS, emotion_in_music.SCALE, [])
    return {}


def _folders(root: Path) -> list[Path]:
    """Return `root` and the folders below it, upper ones first; skips audio and hidden folders."""
    folders = [root]
    for folder in folders:  # grows during the loop
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
        folders += below[: max(0, MOST_FOLDERS - len(folders))]
    return folders


def _table(root: Path, split: str) -> Path | None:
    return next(
        filter(audio_files.is_file, (folder / _TABLES[split] for folder in _folders(root))), None
    )


def _audio(root: Path) -> Path:
    """Return the folder of the audio: the first of AUDIO that contains any, or else `root` itself.

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
    expected = next(iter(named), root / AUDIO[0])
    check_folder("MEMD_audio folder", expected, next_step="unpack DEAM_audio.zip")
    raise MerKitError(
        f"MEMD_audio folder {str(expected)!r} contains no audio, expected mp3 files: "
        "unpack DEAM_audio.zip"
    )


def _read_static(root: Path, problems: list[Problem]) -> dict[str, tuple[Rating, str]]:
    """Return song id → rating and official split; the second table is optional."""
    found = {split: path for split in _TABLES if (path := _table(root, split)) is not None}
    if "development" not in found:
        raise MerKitError(
            f"{_TABLES['development']} was not found in {str(root)!r}, expected\n{LAYOUT}\n"
            f"{REQUEST}"
        )
    rated: dict[str, tuple[Rating, str]] = {}
    for split, path in found.items():
        rows = read_ratings(path, COLUMNS, SCALE, problems)
        problems += [
            audio_files.problem(
                "duplicate_id", f"{path.name}, id {clip_id!r}",
                "rows in both label tables, expected one; the first is kept",
                "delete the wrong row", clip_id,
            )
            for clip_id in sorted(set(rows) & set(rated))
        ]  # fmt: skip
        rated = {clip_id: (rating, split) for clip_id, rating in rows.items()} | rated
    return rated


def _read_metadata(
    root: Path, known: list[str], notes: list[Problem], problems: list[Problem]
) -> dict[str, About]:
    """Return song id → artist and title from the yearly tables; {} if there are none.

    Their headers differ. 2013: song_id, file_name, Artist, Song title, …; 2014: Id, Artist, Album,
    Track, …, last.fm labels; 2015: id, Filename, title, artist, album, genre. The labels of 2014
    and the genres of 2015 continue beyond the header.
    """
    about: dict[str, About] = {}
    yearly = {
        path.name: path
        for folder in reversed(_folders(root))
        for path in folder.glob("metadata_20*.csv")
    }
    for name, path in sorted(yearly.items()):
        columns = tables.header(path, [*KEYS, *TITLES, "artist"])
        key, title = (
            next((name for name in names if name in columns), names[0]) for names in (KEYS, TITLES)
        )
        try:
            rows = tables.read_rows(path, [key, "artist"], optional=[title], open_ended=True)
        except MerKitError as error:
            problems.append(
                audio_files.problem(
                    "metadata",
                    name,
                    f"its artists cannot be read ({error})",
                    "restore or remove it",
                )
            )
            continue
        about |= ids.rekeyed(
            name, {song: About(*texts) for song, *texts in rows}, known, notes, problems,
            what="artists",
        )  # fmt: skip
    return about
