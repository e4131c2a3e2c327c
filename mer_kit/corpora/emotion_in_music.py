"""Emotion in Music (1000 songs, 2013): 744 clips of 45 s, rated as a whole and twice a second."""

from pathlib import Path
from typing import Any

import pandas as pd

from mer_kit.checks import check_choice, check_folder
from mer_kit.corpora import audio_files, ids, labels, tables
from mer_kit.corpora.ratings import TIES, About, Scale, rated_corpus, read_ratings
from mer_kit.records import Corpus, Problem

NAME = "eim"
ORDER = 3
TITLE = "Emotion in Music (1000 songs)"
CITATION = (
    "M. Soleymani, M. N. Caro, E. M. Schmidt, C.-Y. Sha, Y.-H. Yang: 1000 songs for emotional "
    "analysis of music. ACM International Workshop on Crowdsourcing for Multimedia (CrowdMM), "
    "2013. doi:10.1145/2506364.2506365"
)
LICENCE = (
    "Music from the Free Music Archive under various Creative Commons licences; annotations for "
    "research."
)
LAYOUT = """\
eim/
  clips_45seconds/<song_id>.mp3         … 744 of them have a row in the label table
  annotations/static_annotations.csv    song_id,mean_arousal,mean_valence,…  744 rows, 1 to 9
  annotations/valence_cont_average.csv  song_id,sample_15000ms,…  (optional: ground truth,
  annotations/arousal_cont_average.csv  the same                   with both tables)
  annotations/songs_info.csv            song_id,Artist,Song title,…  (optional: artists, split)
The tables may also be in eim/ itself."""
REQUEST = (
    "Request the 1000 songs dataset at https://cvml.unige.ch/databases/emoMusic/ and unpack it as "
    "data/eim."
)
#: Usual names of its folder, relative to the data root.
FOLDERS = (
    "eim",
    "EiM",
    "emotion_in_music",
    "Emotion_in_Music",
    "emoMusic",
    "emomusic",
    "emoMusic45s",
    "1000songs",
)
STATIC = ("annotations/static_annotations.csv", "static_annotations.csv")
INFO = ("annotations/songs_info.csv", "songs_info.csv")
VALENCE = ("annotations/valence_cont_average.csv", "valence_cont_average.csv")
AROUSAL = ("annotations/arousal_cont_average.csv", "arousal_cont_average.csv")
SPLITS = {name: name for name in ("development", "evaluation")}
#: D: the middle of 1–9.
SCALE = Scale(1, 9)
#: The dynamic ratings have another scale, −1 to 1.
DYNAMIC_SCALE = Scale(-1, 1)
COLUMNS = ("song_id", "mean_valence", "mean_arousal")
#: Seconds that one dynamic rating covers, starting at its time; the last one is at the clip's end.
FRAME_SECONDS = 0.5
CLIP_SECONDS = 45.0
OPTIONS: tuple[str, ...] = ("ties",)
GENERATED = False


def find(data_root: Path, **_: Any) -> Path | None:
    """Return `data_root`, or the folder of FOLDERS in it, whose label table has EiM's columns."""
    return audio_files.find_folder(
        data_root,
        ("", *FOLDERS),
        lambda folder: tables.has_columns(audio_files.first_file(folder, STATIC), COLUMNS),
    )


def load(root: str | Path, *, ties: str = "high") -> Corpus:
    """Load the 744 rated clips, sorted by id, with labels of all three tasks; no audio is opened.

    The label table defines the corpus: mp3 files without a row (the duplicates that the authors
    removed) become notes. The group is the artist; `split` is MediaEval 2013's development or
    evaluation set. The ground truth has one row per half second with dynamic ratings, from 15 s on;
    their own scale is divided at 0.

    Parameters
    ----------
    ties : class of a rating of exactly 5: "high", "low", or "drop" (no label)

    Raises
    ------
    MerKitError
        If the folder, the label table or one of its columns is missing, or `ties` is unknown.

    Notebook: 00_start_here
    """
    check_choice("ties", ties, TIES)
    root = check_folder(f"{TITLE} root", root, next_step=REQUEST)
    audio = check_folder(
        "clips_45seconds folder",
        root / "clips_45seconds",
        next_step="unpack clips_45seconds.tar.gz",
    )
    problems: list[Problem] = []
    notes: list[Problem] = []
    table = audio_files.first_file(root, STATIC) or root / STATIC[0]
    ratings, files = ids.settle(
        read_ratings(table, COLUMNS, SCALE, problems), audio_files.list_audio(audio), table.name,
        notes=notes, problems=problems,
    )  # fmt: skip
    known = [*ratings, *files]
    return rated_corpus(
        Corpus(NAME, root, (), title=TITLE, citation=CITATION, licence=LICENCE), ratings, files,
        table=table.name, scale=SCALE, ties=ties, notes=notes, problems=problems,
        about=ids.rekeyed(INFO[1], _read_info(root), known, notes, problems, what="artists"),
        truth=labels.truth_of(
            _read_frames(root), known, middle=DYNAMIC_SCALE.middle, ties=ties, notes=notes,
            problems=problems,
        ),
    )  # fmt: skip


def _read_info(root: Path) -> dict[str, About]:
    """Return song id → artist, title and official split; {} without the optional table."""
    rows = tables.read_rows(
        audio_files.first_file(root, INFO),
        ["song_id", "Artist", "Song title"],
        optional=["Mediaeval 2013 set"],
    )
    return {
        clip_id: About(artist, title, SPLITS.get(split.casefold()))
        for clip_id, artist, title, split in rows
    }


def _read_frames(root: Path) -> dict[str, pd.DataFrame]:
    """Return the dynamic ratings by the names of their tables; {} without both optional tables."""
    valence, arousal = audio_files.first_file(root, VALENCE), audio_files.first_file(root, AROUSAL)
    if valence is None or arousal is None:
        return {}
    return {
        path.name: labels.read_frames(path, "song_id", name, FRAME_SECONDS).loc[
            lambda frame: frame["start_s"] < CLIP_SECONDS
        ]
        for path, name in ((valence, "valence"), (arousal, "arousal"))
    }
