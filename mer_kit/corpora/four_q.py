"""4Q: 900 clips of 30 s, 225 per quadrant of Russell's plane (Panda, Malheiro and Paiva, 2018)."""

import dataclasses
from collections import defaultdict
from pathlib import Path

from mer_kit.checks import check_folder
from mer_kit.corpora import audio_files, ids, ratings, tables, text
from mer_kit.corpora.labels import label_named
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
                                        confidence)
  top100_features.csv                   SongID,F0525,…  (optional, for --method handcrafted_svm)"""
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
METADATA_COLUMNS = ("Song", "Artist", "Title", "Quadrant", "PQuad")
QUADRANTS = TASKS["quadrant"]
#: Labels agree → what happens to a clip with several rows.
_KEPT = {True: "kept once, the labels agree", False: "left out, the labels differ"}
OPTIONS: tuple[str, ...] = ()
GENERATED = False


def find(data_root: Path) -> Path | None:
    """Return `data_root`, or the folder of FOLDERS in it, that holds 4Q.

    That is a folder with the label table or with the four quadrant folders.
    """
    return audio_files.find_folder(data_root, ("", *FOLDERS), _holds_4q)


def _holds_4q(folder: Path) -> bool:
    return (folder / ANNOTATIONS).is_file() or all((folder / name).is_dir() for name in QUADRANTS)


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
    notes: list[Problem] = []
    files = audio_files.list_audio(*(root / quadrant for quadrant in QUADRANTS))
    labels, files = ids.settle(
        _read_labels(root, problems), files, ANNOTATIONS, notes=notes, problems=problems
    )
    rows = {song: rest for song, *rest in tables.read_rows(root / METADATA, METADATA_COLUMNS)}
    about = ids.rekeyed(METADATA, rows, [*labels, *files], notes, problems, what="artists")
    names = ids.Names(stem for stem in files if stem not in labels)
    clips = []
    for clip_id, label in sorted(labels.items()):
        path = _find_audio(root, clip_id, label, files.pop(clip_id, []), names, problems)
        if path is not None:
            clips.append(_make_clip(clip_id, path, label, about.get(clip_id), problems))
    problems += ids.not_listed(
        root,
        {problem.clip_id for problem in problems if problem.clip_id},
        files,
        ANNOTATIONS,
        "add a row or remove the file",
    )
    return Corpus(
        NAME, root, tuple(clips), tuple(problems), None, tuple(notes), TITLE, CITATION, LICENCE
    )


def _read_labels(root: Path, problems: list[Problem]) -> dict[str, str]:
    """Return clip id → quadrant of every usable row; appends the others to `problems`."""
    columns = ["Song", "Quadrant"]
    rows: defaultdict[str, list[str]] = defaultdict(list)
    for song, quadrant in tables.read_table(root / ANNOTATIONS, columns)[columns].to_numpy():
        rows[song].append(label_named(quadrant) or quadrant)
    labels = {}
    for song, quadrants in rows.items():
        wrong = _wrong_row(song, quadrants)
        if wrong is not None:
            problems.append(wrong)
        if wrong is None or (wrong.kind == "duplicate_id" and len(set(quadrants)) == 1):
            labels[song] = quadrants[0]
    return labels


def _wrong_row(song: str, quadrants: list[str]) -> Problem | None:
    """Return the problem of one song's table rows, or None."""
    wrong = ratings.wrong_id(ANNOTATIONS, song, len(quadrants))
    if wrong is not None and wrong.kind != "duplicate_id":
        return wrong
    unknown = [quadrant for quadrant in quadrants if quadrant not in QUADRANTS]
    if unknown:
        return audio_files.problem(
            "unknown_label",
            f"{ANNOTATIONS}, id {song!r}",
            f"label {unknown[0]!r}, expected one of {', '.join(QUADRANTS)}",
            "correct the table",
            song,
        )
    if wrong is None:
        return None
    return dataclasses.replace(
        wrong,
        what=f"{len(quadrants)} rows ({', '.join(quadrants)}), expected one; "
        f"{_KEPT[len(set(quadrants)) == 1]}",
    )


def _find_audio(
    root: Path,
    clip_id: str,
    label: str,
    paths: list[Path],
    names: ids.Names,
    problems: list[Problem],
) -> Path | None:
    """Return the clip's audio file in the folder of its label; appends to `problems`."""
    problems += [
        audio_files.problem(
            "wrong_folder",
            audio_files.place(root, path),
            f"is in folder {path.parent.name}, but the table says {label}",
            "move the file or correct the table",
            clip_id,
        )
        for path in paths
        if path.parent.name != label
    ]
    if not paths:
        problems.append(
            ids.no_such_file(names, ids.Match(None), f"{label}/{clip_id}", clip_id, ANNOTATIONS)
        )
    return audio_files.pick_file(
        root, clip_id, [path for path in paths if path.parent.name == label], problems
    )


def _make_clip(
    clip_id: str, path: Path, label: str, about: list[str] | None, problems: list[Problem]
) -> Clip:
    """Return one clip; `about` is its metadata: artist, title, quadrant and PQuad."""
    artist, title, quadrant, pquad = about or ("", "", label, "")
    where = f"{METADATA}, id {clip_id!r}"
    if label_named(quadrant) != label:
        problems.append(
            audio_files.problem(
                "metadata_label",
                where,
                f"quadrant {quadrant!r}, but {ANNOTATIONS} and the folder say {label}; "
                f"the clip keeps {label}",
                "correct one of the tables",
                clip_id,
            )
        )
    sure = 0 <= text.number(pquad) <= 1
    if pquad and not sure:
        problems.append(
            audio_files.problem(
                "off_scale",
                where,
                f"PQuad {pquad!r}, expected a fraction from 0 to 1; the clip has no confidence",
                "correct the value",
                clip_id,
            )
        )
    return Clip(
        clip_id, path, labels_from_quadrant(QUADRANTS.index(label)),
        group=artist.casefold() or None, title=title or None, artist=artist or None,
        confidence=text.number(pquad) if sure else None,
    )  # fmt: skip
