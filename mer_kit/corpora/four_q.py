"""4Q: 900 clips of 30 s, 225 per quadrant of Russell's plane (Panda, Malheiro and Paiva, 2018)."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from mer_kit.checks import check_folder
from mer_kit.corpora import audio_files, ids, tables
from mer_kit.corpora.labels import label_named
from mer_kit.corpora.matching import Match, Names
from mer_kit.records import TASKS, Clip, Corpus, Problem, labels_from_quadrant

NAME = "4q"
ORDER = 1
TITLE = "4Q (MER audio dataset, TAFFC 2018)"
CITATION = (
    "R. Panda, R. Malheiro, R. P. Paiva: Novel audio features for music emotion recognition. "
    "IEEE Transactions on Affective Computing 11(4), 614-626, 2020. "
    "doi:10.1109/TAFFC.2018.2820691"
)
LICENCE = (
    "No licence is stated; the 30 s previews are for research only, so mer-kit never ships or "
    "copies them."
)
LAYOUT = """\
4q/
  Q1/MT##########.mp3  … 225 files, also Q2, Q3, Q4 (the folder is the quadrant)
  panda_dataset_taffc_annotations.csv   Song,Quadrant
  panda_dataset_taffc_metadata.csv      Song,Artist,Title,Quadrant,PQuad,…  (optional: artists,
                                        confidence)"""
REQUEST = (
    "Request the '4Q audio emotion dataset' (MER_audio_taffc_dataset) from the University of "
    "Coimbra's MIR group, http://mir.dei.uc.pt/downloads.html, and unpack it as data/4q."
)
#: Usual names of its folder, relative to the data root.
FOLDERS = (
    "4q",
    "4Q",
    "MER_audio_taffc_dataset",
    "Dataset",
    "4q/Dataset",
    "4Q/Dataset",
    "4q/MER_audio_taffc_dataset",
)
ANNOTATIONS = "panda_dataset_taffc_annotations.csv"
METADATA = "panda_dataset_taffc_metadata.csv"
QUADRANTS = TASKS["quadrant"]
OPTIONS: tuple[str, ...] = ()
GENERATED = False


@dataclass(frozen=True)
class _About:
    """One row of the metadata table."""

    artist: str
    title: str
    quadrant: str
    pquad: str


def find(data_root: Path) -> Path | None:
    """Return `data_root`, or the folder of FOLDERS in it, that holds 4Q.

    That is a folder with the label table or with the four quadrant folders.
    """
    return audio_files.find_folder(data_root, ("", *FOLDERS), _holds_4q)


def _holds_4q(folder: Path) -> bool:
    quadrants = [folder / quadrant for quadrant in QUADRANTS]
    return (folder / ANNOTATIONS).is_file() or all(path.is_dir() for path in quadrants)


def load(root: str | Path) -> Corpus:
    """Load 4Q's clips, sorted by id, with labels of all three tasks; no audio is opened.

    The group is the artist, case folded; the confidence is PQuad (the fraction of the song's mood
    tags that belong to its quadrant). Clips with a problem are left out and the problem is
    recorded, and so are files that no table lists.

    Raises
    ------
    MerKitError
        If the folder, a quadrant's folder, the label table or one of its columns is missing.

    Notebook: 00_start_here
    """
    root = check_folder(f"{TITLE} root", root, next_step=REQUEST)
    for quadrant in QUADRANTS:
        check_folder(
            f"quadrant folder {quadrant}",
            root / quadrant,
            next_step="restore it from the dataset's archive",
        )
    problems: list[Problem] = []
    labels = _read_labels(root, problems)
    notes: list[Problem] = []
    files = audio_files.list_audio(*(root / quadrant for quadrant in QUADRANTS))
    labels, files = ids.settle(labels, files, ANNOTATIONS, notes=notes, problems=problems)
    known = [*labels, *files]
    about = ids.rekeyed(METADATA, _read_metadata(root), known, notes, problems, what="artists")
    names = Names(stem for stem in files if stem not in labels)
    clips = []
    for clip_id in sorted(labels):
        path = _find_audio(root, clip_id, labels[clip_id], files.pop(clip_id, []), names, problems)
        if path is not None:
            clips.append(_make_clip(clip_id, path, labels[clip_id], about.get(clip_id), problems))
    reported = [problem.clip_id for problem in problems if problem.clip_id]
    problems += ids.not_listed(root, reported, files, ANNOTATIONS, "add a row or remove the file")
    return Corpus(
        NAME, root, tuple(clips), tuple(problems), None, tuple(notes), TITLE, CITATION, LICENCE
    )


def _read_labels(root: Path, problems: list[Problem]) -> dict[str, str]:
    """Return clip id → quadrant of every usable row; appends the others to `problems`."""
    table = tables.read_table(root / ANNOTATIONS, ["Song", "Quadrant"])
    rows: defaultdict[str, list[str]] = defaultdict(list)
    for song, quadrant in zip(table["Song"], table["Quadrant"], strict=True):
        rows[song].append(label_named(quadrant) or quadrant)
    labels = {}
    for song, quadrants in rows.items():
        if (wrong := _wrong_row(song, quadrants)) is not None:
            problems.append(wrong)
        if (
            len(set(quadrants)) == 1
            and quadrants[0] in QUADRANTS
            and song
            and audio_files.stays_inside(song)
        ):
            labels[song] = quadrants[0]
    return labels


def _wrong_row(song: str, quadrants: list[str]) -> Problem | None:
    """Return the problem of one song's table rows, or None."""
    where = f"{ANNOTATIONS}, song {song!r}"
    if not song:
        return audio_files.problem(
            "empty_id", ANNOTATIONS, f"{len(quadrants)} rows without a song id", "fill in or delete"
        )
    if not audio_files.stays_inside(song):
        what = "the id points outside the dataset, expected a file name"
        return audio_files.problem("leaves_root", where, what, "correct the id", song)
    unknown = [quadrant for quadrant in quadrants if quadrant not in QUADRANTS]
    if unknown:
        what = f"label {unknown[0]!r}, expected one of {', '.join(QUADRANTS)}"
        return audio_files.problem("unknown_label", where, what, "correct the table", song)
    if len(quadrants) > 1:
        what = f"{len(quadrants)} rows ({', '.join(quadrants)}), expected one; "
        if len(set(quadrants)) == 1:
            what += "kept once, the labels agree"
        else:
            what += "left out, the labels differ"
        return audio_files.problem("duplicate_id", where, what, "delete the wrong rows", song)
    return None


def _read_metadata(root: Path) -> dict[str, _About]:
    """Return clip id → metadata; {} without the optional table."""
    columns = ["Song", "Artist", "Title", "Quadrant", "PQuad"]
    return {song: _About(*rest) for song, *rest in tables.read_rows(root / METADATA, columns)}


def _find_audio(
    root: Path, clip_id: str, label: str, paths: list[Path], names: Names, problems: list[Problem]
) -> Path | None:
    """Return the clip's audio file in the folder of its label; appends to `problems`."""
    for path in [path for path in paths if path.parent.name != label]:
        what = f"is in folder {path.parent.name}, but the table says {label}"
        where, step = audio_files.place(root, path), "move the file or correct the table"
        problems.append(audio_files.problem("wrong_folder", where, what, step, clip_id))
    if not paths:
        problems.append(
            ids.no_such_file(names, Match(None), f"{label}/{clip_id}", clip_id, ANNOTATIONS)
        )
    in_place = [path for path in paths if path.parent.name == label]
    return audio_files.pick_file(root, clip_id, in_place, problems)


def _make_clip(
    clip_id: str, path: Path, label: str, about: _About | None, problems: list[Problem]
) -> Clip:
    labels = labels_from_quadrant(QUADRANTS.index(label))
    if about is None:
        return Clip(clip_id, path, labels)
    where = f"{METADATA}, song {clip_id!r}"
    if label_named(about.quadrant) != label:
        what = (
            f"quadrant {about.quadrant!r}, but {ANNOTATIONS} and the folder say {label}; "
            f"the clip keeps {label}"
        )
        problems.append(
            audio_files.problem("metadata_label", where, what, "correct one of the tables", clip_id)
        )
    confidence = _fraction(about.pquad)
    if confidence is None and about.pquad:
        what = f"PQuad {about.pquad!r}, expected a fraction from 0 to 1; the clip has no confidence"
        problems.append(audio_files.problem("off_scale", where, what, "correct the value", clip_id))
    return Clip(
        clip_id, path, labels, group=about.artist.casefold() or None, title=about.title or None,
        artist=about.artist or None, confidence=confidence,
    )  # fmt: skip


def _fraction(text: str) -> float | None:
    """Return `text` as a number from 0 to 1, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None
