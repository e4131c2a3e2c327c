"""VGMIDI: 200 piano arrangements of game music as MIDI, rated bar by bar (2019)."""

import dataclasses
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError, check_choice, check_folder, check_range
from mer_kit.corpora import audio_files, ids, labels
from mer_kit.corpora.ratings import (
    TIES,
    About,
    Rating,
    Scale,
    classes,
    make_clips,
)
from mer_kit.records import Corpus, Problem

NAME = "vgmidi"
ORDER = 5
TITLE = "VGMIDI (labelled part)"
CITATION = (
    "L. N. Ferreira, J. Whitehead: Learning to generate music with sentiment. "
    "International Society for Music Information Retrieval Conference (ISMIR), 2019."
)
LICENCE = (
    "No licence is stated; the pieces belong to their owners, so mer-kit never ships or copies "
    "them."
)
LAYOUT = """\
vgmidi/
  labelled/midi/*.mid                            … 204 files, rendered by fluidsynth on first use
  labelled/annotations/vgmidi_raw_1.json         pieces and annotations, 95 pieces
  labelled/annotations/vgmidi_raw_2.json         the same, 105 pieces"""
REQUEST = "Clone https://github.com/lucasnfe/vgmidi as data/vgmidi."
#: Usual names of its folder, relative to the data root.
FOLDERS = ("vgmidi", "VGMIDI", "vgmidi-master", "vgmidi/vgmidi-master")
ANNOTATIONS = ("vgmidi_raw_1.json", "vgmidi_raw_2.json")
MIDI_ENDINGS = (".mid", ".midi")
#: D: the middle of −1…1.
SCALE = Scale(-1, 1)
OPTIONS: tuple[str, ...] = ("ties", "min_agreement")
GENERATED = False


@dataclass(frozen=True)
class _Piece:
    """One annotated piece; `valence` and `arousal` are ratings float64 [listeners, bars]."""

    clip_id: str
    title: str
    midi: str
    duration_s: float
    valence: np.ndarray
    arousal: np.ndarray

    @property
    def game(self) -> str:
        """The game, from the file name `<series>_<console>_<game>_<piece>.mid`, or ""."""
        parts = Path(self.midi).stem.split("_")
        return parts[2] if len(parts) > 3 else ""


def find(data_root: Path, **_: Any) -> Path | None:
    """Return `data_root`, or the folder of FOLDERS in it, that contains labelled/annotations."""
    return audio_files.find_folder(
        data_root,
        ("", *FOLDERS),
        lambda folder: (folder / "labelled" / "annotations" / ANNOTATIONS[0]).is_file(),
    )


def load(root: str | Path, *, ties: str = "high", min_agreement: float = 0.0) -> Corpus:
    """Load the annotated pieces, sorted by id, with labels of all three tasks; no MIDI is rendered.

    A clip is a MIDI file, which `signal` renders on first use. Its label is the quadrant of the
    mean over all bars and listeners; its group is the game. The ground truth has one row per bar:
    the quadrant of the listeners' mean, with `valence`, `arousal` and `agreement`, the fraction of
    listeners whose own rating of the bar is in that quadrant. Bars are spread evenly over the
    piece's duration, which is approximate if the tempo changes. A clip's confidence is the mean
    agreement of its bars. MIDI files without annotations, annotations of unknown pieces and
    annotations with a wrong number of bars become notes.

    Parameters
    ----------
    ties : class of a mean rating of exactly 0: "high", "low", or "drop"
    min_agreement : bars with a lower agreement get no ground truth, 0 to 1

    Raises
    ------
    MerKitError
        If the folder or an annotation file is missing or unreadable, or an option is out of range.

    Notebook: 02_noisy_labels
    """
    check_choice("ties", ties, TIES)
    check_range("min_agreement", min_agreement, 0, 1)
    root = check_folder(f"{TITLE} root", root, next_step=REQUEST)
    files = audio_files.list_audio(
        check_folder(
            "MIDI folder", root / "labelled" / "midi", next_step="restore it from the repository"
        ),
        endings=MIDI_ENDINGS,
    )
    notes: list[Problem] = []
    problems: list[Problem] = []
    pieces = [
        piece
        for name in ANNOTATIONS
        for piece in _read_pieces(root / "labelled" / "annotations" / name, notes)
    ]
    names = ids.Names(files)
    stems = {piece.clip_id: names.find(Path(piece.midi).stem).name for piece in pieces}
    own = {clip_id: files[stem] for clip_id, stem in stems.items() if stem is not None}
    labels = {
        piece.clip_id: classes(
            Rating(float(piece.valence.mean()), float(piece.arousal.mean())), SCALE.middle, ties
        )
        for piece in pieces
    }
    about = {piece.clip_id: About(piece.game, piece.title) for piece in pieces}
    clips = make_clips(root, labels, own, table="the annotations", about=about, problems=problems)
    notes += ids.not_listed(root, filter(None, stems.values()), files, "the annotations")
    bars = {piece.clip_id: _bars(piece, ties) for piece in pieces}
    agreement = {
        clip_id: round(float(rows["agreement"].mean()), 4)
        for clip_id, rows in bars.items()
        if len(rows)
    }
    agreed = [
        bars[clip.clip_id].loc[lambda rows: rows["agreement"] >= min_agreement] for clip in clips
    ]
    truth = pd.concat(agreed, ignore_index=True) if clips else None
    return Corpus(
        NAME, root,
        tuple(dataclasses.replace(clip, confidence=agreement.get(clip.clip_id)) for clip in clips),
        tuple(problems), truth, tuple(notes), TITLE, CITATION, LICENCE,
    )  # fmt: skip


def _bars(piece: _Piece, ties: str) -> pd.DataFrame:
    """Return one piece's ground truth, one row per bar."""
    edges = np.linspace(0, piece.duration_s, piece.valence.shape[1] + 1)
    mean_v, mean_a = piece.valence.mean(axis=0), piece.arousal.mean(axis=0)
    sides = [
        labels.high(ratings, SCALE.middle, ties) == labels.high(mean, SCALE.middle, ties)
        for ratings, mean in ((piece.valence, mean_v), (piece.arousal, mean_a))
    ]
    spans = pd.DataFrame(
        {
            "clip_id": piece.clip_id,
            "start_s": edges[:-1],
            "end_s": edges[1:],
            "valence": mean_v,
            "arousal": mean_a,
            "agreement": np.logical_and(*sides).mean(axis=0),
            "listeners": len(piece.valence),
        }
    )
    return labels.truth(spans, middle=SCALE.middle, ties=ties)


def _read_pieces(path: Path, notes: list[Problem]) -> list[_Piece]:
    """Return the rated pieces of one annotation file; appends everything else to `notes`."""
    content = _read_json(path)
    ratings = _ratings_by_piece(path.name, content, notes)
    notes += [
        audio_files.problem(
            "no_ratings", f"{path.name}, {piece}", "no usable annotation", "leave it out"
        )
        for piece in content["pieces"]
        if piece not in ratings
    ]
    return [
        _Piece(
            f"{path.stem.rpartition('_')[2]}-{piece}", str(about["name"]), str(about["midi"]),
            float(about["duration"]),
            *(np.array(values, dtype=np.float64) for values in zip(*ratings[piece], strict=True)),
        )
        for piece, about in content["pieces"].items()
        if piece in ratings
    ]  # fmt: skip


def _ratings_by_piece(
    name: str, content: dict[str, Any], notes: list[Problem]
) -> dict[str, list[tuple[Any, Any]]]:
    """Return piece → (valence, arousal) of each usable listener; appends the others to `notes`."""
    ratings: defaultdict[str, list[tuple[Any, Any]]] = defaultdict(list)
    pieces = {key: key.rpartition("_")[0] for key in content["annotations"]}
    unknown = Counter(piece for piece in pieces.values() if piece not in content["pieces"])
    for key, annotation in content["annotations"].items():
        piece = pieces[key]
        if piece in unknown:
            continue
        rated = (annotation.get("valence"), annotation.get("arousal"))
        wrong = _wrong_ratings(rated, int(content["pieces"][piece]["measures"]))
        if wrong:
            notes.append(
                audio_files.problem(
                    "wrong_length",
                    f"{name}, {key}",
                    wrong,
                    "nothing to do: there are enough other listeners",
                )
            )
        else:
            ratings[piece].append(rated)
    notes += [
        audio_files.problem(
            "orphan",
            f"{name}, {piece}",
            f"{count} annotations of a piece that the file does not describe; they are not used",
            "nothing to do: the piece cannot be identified",
        )
        for piece, count in sorted(unknown.items())
    ]
    return ratings


def _wrong_ratings(rated: tuple[Any, Any], n_bars: int) -> str:
    """Return why one listener's ratings cannot be used, or ""."""
    for name, values in zip(("valence", "arousal"), rated, strict=True):
        n = len(values) if isinstance(values, list) else "no"
        if n != n_bars:
            return f"{n} {name} ratings, expected {n_bars}, one per bar; this listener is left out"
        if not all(isinstance(v, (int, float)) and SCALE.low <= v <= SCALE.high for v in values):
            return (
                f"a {name} rating outside the scale of {SCALE.low:g} to {SCALE.high:g}; "
                "this listener is left out"
            )
    return ""


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise MerKitError(
            f"{path.name} cannot be read ({type(error).__name__}), expected VGMIDI's annotations "
            f"as JSON at {str(path)!r}: restore it from the repository"
        ) from error
    if not isinstance(content, dict) or not {"pieces", "annotations"} <= set(content):
        raise MerKitError(
            f"{path.name} lacks 'pieces' or 'annotations': restore it from the repository"
        )
    return content
