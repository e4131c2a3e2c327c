"""PMEmo: 767 choruses of popular songs, rated as a whole and every half second (2018)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from mer_kit.checks import check_choice, check_folder
from mer_kit.corpora import audio_files, ids, labels, tables, text
from mer_kit.corpora.ratings import TIES, About, Scale, rated_corpus, read_ratings
from mer_kit.records import Corpus, Problem

NAME = "pmemo"
ORDER = 2
TITLE = "PMEmo (PMEmo2019)"
CITATION = (
    "K. Zhang, H. Zhang, S. Li, C. Yang, L. Sun: The PMEmo dataset for music emotion recognition. "
    "ACM International Conference on Multimedia Retrieval (ICMR), 2018. doi:10.1145/3206025.3206037"
)
LICENCE = (
    "For research; the choruses belong to their owners, so mer-kit never ships or copies them."
)
LAYOUT = """\
pmemo/
  chorus/<musicId>.mp3                  … 794 files
  annotations/static_annotations.csv    musicId,Arousal(mean),Valence(mean)   767 rows, 0 to 1
  annotations/dynamic_annotations.csv   musicId,frameTime,Arousal(mean),Valence(mean)
                                        (optional: ground truth every 0.5 s)
  metadata.csv                          musicId,fileName,title,artist,…   (optional: artists)
  features/static_features.csv          musicId,…   (optional, for --method handcrafted_svm)"""
REQUEST = "Request PMEmo2019 at https://github.com/HuiZhangDB/PMEmo and unpack it as data/pmemo."
#: Usual names of its folder, relative to the data root.
FOLDERS = ("pmemo", "PMEmo", "PMEmo2019", "pmemo/PMEmo2019", "PMEmo/PMEmo2019")
STATIC = "annotations/static_annotations.csv"
DYNAMIC = "annotations/dynamic_annotations.csv"
METADATA = "metadata.csv"
#: Option `middle` → where valence and arousal are divided. D: the middle of 0–1. "published": the
#: cuts of He and Ferguson 2022 (after Yin 2019), midpoints of two k-means centres fitted on all
#: songs, test songs too; with them, high valence has 61 % of the songs instead of 73 %, high
#: arousal 62 % instead of 75 %.
MIDDLES = {"0.5": (0.5, 0.5), "published": (0.567, 0.586)}
SCALE = Scale(0, 1)
COLUMNS = ("musicId", "Valence(mean)", "Arousal(mean)")
#: Seconds that one dynamic rating covers, ending at its frameTime (D: the first is at 15.5 s).
FRAME_SECONDS = 0.5
OPTIONS: tuple[str, ...] = ("ties", "middle")
GENERATED = False


def find(data_root: Path, **_: Any) -> Path | None:
    """Return `data_root`, or the folder of FOLDERS in it, whose label table has PMEmo's columns."""
    return audio_files.find_folder(
        data_root, ("", *FOLDERS), lambda folder: tables.has_columns(folder / STATIC, COLUMNS)
    )


def load(root: str | Path, *, ties: str = "high", middle: float | str = 0.5) -> Corpus:
    """Load PMEmo's clips, sorted by id, with labels of all three tasks; no audio is opened.

    The static table defines the corpus: choruses without a row become notes. The group is the
    artist. The ground truth has one row per half second with a dynamic rating, from 15 s on.

    Parameters
    ----------
    ties : class of a rating exactly at the middle: "high" (as on the authors' own page), "low", or
        "drop" (no label)
    middle : 0.5, or "published", where the literature that the paper compares itself with divides
        valence (0.567) and arousal (0.586); see `MIDDLES`

    Raises
    ------
    MerKitError
        If the folder, the label table or one of its columns is missing, or an option is unknown.

    Notebook: 00_start_here
    """
    check_choice("ties", ties, TIES)
    cuts = MIDDLES[check_choice("middle", str(middle), MIDDLES)]
    root = check_folder(f"{TITLE} root", root, next_step=REQUEST)
    audio = check_folder(
        "chorus folder", root / "chorus", next_step="restore it from the dataset's archive"
    )
    problems: list[Problem] = []
    notes: list[Problem] = []
    table = root / STATIC
    ratings, files = ids.settle(
        read_ratings(table, COLUMNS, SCALE, problems), audio_files.list_audio(audio), table.name,
        notes=notes, problems=problems,
    )  # fmt: skip
    known = [*ratings, *files]
    return rated_corpus(
        Corpus(NAME, root, (), title=TITLE, citation=CITATION, licence=LICENCE), ratings, files,
        table=table.name, scale=replace(SCALE, cuts=cuts), ties=ties, notes=notes,
        problems=problems,
        about=ids.rekeyed(METADATA, _read_metadata(root), known, notes, problems, what="artists"),
        truth=labels.truth_of(
            _read_frames(root / DYNAMIC), known, middle=cuts, ties=ties, notes=notes,
            problems=problems,
        ),
    )  # fmt: skip


def _read_metadata(root: Path) -> dict[str, About]:
    """Return clip id → artist and title; {} without the optional table."""
    return {
        clip_id: About(artist, title)
        for clip_id, title, artist in tables.read_rows(
            root / METADATA, ["musicId", "title", "artist"]
        )
    }


def _read_frames(path: Path) -> dict[str, pd.DataFrame]:
    """Return the dynamic ratings by the name of their table; {} without the optional table."""
    if not audio_files.is_there(path):
        return {}
    names = ["musicId", "frameTime", "Valence(mean)", "Arousal(mean)"]
    frames = tables.read_table(path, names)[names].set_axis(
        ["clip_id", "end_s", "valence", "arousal"], axis=1
    )
    for name in ("end_s", "valence", "arousal"):
        frames[name] = frames[name].map(text.number)
    return {path.name: frames.assign(start_s=frames["end_s"] - FRAME_SECONDS)}
