"""Ids that a spreadsheet rewrote, and folders that an archive made: the same corpus as from the plain copy."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.corpora import deam, four_q, vgmidi
from mer_kit.records import Corpus
from tests.corpora import tiny


def essence(corpus: Corpus) -> tuple[list[object], pd.DataFrame | None]:
    """Return all of a corpus that must not depend on spelling: everything but the files' places."""
    return [dataclasses.replace(clip, path=Path()) for clip in corpus.clips], corpus.truth


def same(corpus: Corpus, wanted: Corpus) -> None:
    (clips, truth), (wanted_clips, wanted_truth) = essence(corpus), essence(wanted)
    assert clips == wanted_clips and corpus.problems == ()
    assert (truth is None) == (wanted_truth is None)
    if truth is not None and wanted_truth is not None:
        pd.testing.assert_frame_equal(truth, wanted_truth)


def float_ids(path: Path) -> None:
    """Write a table's first column as pandas does after a merge: 7 becomes 7.0."""
    path.write_bytes(re.sub(rb"(?m)^(\d+),", rb"\1.0,", path.read_bytes()))


TABLES = {
    "pmemo": (
        "annotations/static_annotations.csv",
        "annotations/dynamic_annotations.csv",
        "metadata.csv",
    ),
    "eim": (
        "annotations/static_annotations.csv",
        "annotations/valence_cont_average.csv",
        "annotations/songs_info.csv",
    ),
    "deam": (
        "annotations/annotations averaged per song/song_level/static_annotations_averaged_songs_1_2000.csv",
        "metadata/metadata_2013.csv",
        "metadata/metadata_2014.csv",
    ),
}
AUDIO = {"pmemo": "chorus", "eim": "clips_45seconds", "deam": "MEMD_audio"}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 1, 2)])
def test_ids_that_became_floats_are_the_same_clips(
    name: str, which: tuple[int, ...], tmp_path: Path
) -> None:
    build = {"pmemo": tiny.pmemo, "eim": tiny.eim, "deam": tiny.deam}[name]
    wanted = corpora.load(name, build(tmp_path / "plain" / name))
    root = build(tmp_path / "floats" / name)
    for k in which:
        float_ids(root / TABLES[name][k])
    corpus = corpora.load(name, root)
    same(corpus, wanted)
    assert sum(note.kind == "spelling" for note in corpus.notes) == len(which)


@pytest.mark.parametrize("name", TABLES)
def test_files_with_zeros_before_their_number_are_the_same_clips(name: str, tmp_path: Path) -> None:
    build = {"pmemo": tiny.pmemo, "eim": tiny.eim, "deam": tiny.deam}[name]
    wanted = corpora.load(name, build(tmp_path / "plain" / name))
    root = build(tmp_path / "zeros" / name)
    for path in (root / AUDIO[name]).iterdir():
        path.rename(path.with_name(f"{int(path.stem):05d}.MP3"))
    same(corpora.load(name, root), wanted)


def test_metadata_of_another_corpus_is_a_problem_and_of_some_songs_a_note(tmp_path: Path) -> None:
    root = tiny.pmemo(tmp_path)
    text = (root / "metadata.csv").read_text("latin-1")
    (root / "metadata.csv").write_text(re.sub(r"(?m)^(\d+),", r"x\1,", text), "latin-1")
    corpus = corpora.load("pmemo", root)
    assert [problem.kind for problem in corpus.problems] == [
        "nothing_matches"
    ] and corpus.groups() is None
    assert (
        "metadata.csv: none of its 6 ids matches a clip (first 'x1'; the first clip's id is '1')"
        in str(corpus.problems[0])
    )
    (root / "metadata.csv").write_text(text.replace("\n1,", "\nx1,", 1), "latin-1")
    corpus = corpora.load("pmemo", root)
    assert (
        corpus.problems == ()
        and "metadata.csv: 1 of 6 ids match no clip, first 'x1'" in "".join(map(str, corpus.notes))
    )


def test_an_artist_with_a_comma_is_no_other_artist(tmp_path: Path) -> None:
    root = tiny.pmemo(tmp_path)
    rows = [
        "musicId,fileName,title,artist,album,start,end",
        "1,1.mp3,T,Miller, Baker & Cook,A,00:10,00:50",
        "",
    ]
    (root / "metadata.csv").write_text("\n".join(rows))
    with pytest.raises(
        MerKitError, match=r"metadata.csv line 2 has 8 fields, the header 7: a ',' inside a cell\?"
    ):
        corpora.load("pmemo", root)


@pytest.mark.parametrize("what", ["a folder", "a link to nothing", "a link to itself"])
@pytest.mark.parametrize("name", ["metadata.csv", "annotations/dynamic_annotations.csv"])
def test_what_is_in_place_of_a_table_is_reported(name: str, what: str, tmp_path: Path) -> None:
    path = tiny.pmemo(tmp_path) / name
    path.unlink()
    if what == "a folder":
        path.mkdir()
    else:
        path.symlink_to(path.name if what == "a link to itself" else "nothing")
    with pytest.raises(MerKitError, match=rf"{path.name} (is not a readable table|cannot be read)"):
        corpora.load("pmemo", tmp_path)


# ---- 4Q and VGMIDI -----------------------------------------------------------------------------------------------------


def test_4q_ids_in_another_case_with_endings_and_labels_in_lower_case(tmp_path: Path) -> None:
    for k, quadrant in enumerate(four_q.QUADRANTS):
        tiny.write(tmp_path / quadrant / f"MT000{k}.mp3", tiny.SOUND)
    tiny.write(
        tmp_path / four_q.ANNOTATIONS,
        "song;quadrant\n" + "".join(f"mt000{k}.MP3;q{k + 1}\n" for k in range(4)),
    )
    rows = "".join(f"MT000{k}.mp3,Ann {k},T,Q{k + 1},0.5\n" for k in range(4))
    tiny.write(tmp_path / four_q.METADATA, f"Song,Artist,Title,Quadrant,PQuad\n{rows}")
    corpus = corpora.load("4q", tmp_path)
    assert corpus.problems == () and [clip.group for clip in corpus.clips] == [
        "ann 0",
        "ann 1",
        "ann 2",
        "ann 3",
    ]
    assert [clip.labels["quadrant"] for clip in corpus.clips] == [0, 1, 2, 3]


def test_vgmidi_files_in_the_other_unicode_form_are_found(tmp_path: Path) -> None:
    root = tiny.vgmidi(tmp_path)
    for path in (root / "labelled" / "midi").glob("*Tune 1*.mid"):
        path.rename(path.with_name(path.name.replace("Tune", "Tune\u0301")))
    for path in (root / "labelled" / "annotations").glob("*.json"):
        path.write_text(path.read_text("utf-8").replace("Tune 1", "Tun\u00e9 1"), "utf-8")
    assert len(vgmidi.load(root).clips) == 8 and vgmidi.load(root).problems == ()


# ---- DEAM ------------------------------------------------------------------------------------------------------------

LEVEL = "annotations/annotations averaged per song/song_level"


def moved(plain: Path, root: Path, *, audio: str, tables: str, metadata: str) -> Path:
    for path in plain.rglob("*"):
        if path.is_file():
            home = {".mp3": audio}.get(
                path.suffix, metadata if path.name.startswith("meta") else tables
            )
            tiny.write(root / home / path.name, path.read_bytes())
    return root


@pytest.mark.parametrize(
    ("audio", "tables", "metadata"),
    [
        ("DEAM_audio/MEMD_audio", f"DEAM_Annotations/{LEVEL}", "metadata/metadata"),
        ("DEAM_audio/MEMD_audio", f"DEAM_Annotations/{LEVEL}", "metadata"),
        ("DEAM_audio", "DEAM_Annotations", "."),
        ("audio", LEVEL.replace(" ", "_"), "DEAM_Annotations/metadata/metadata"),
        ("MEMD_audio", "annotations", "annotations"),
        (".", ".", "."),
    ],
)
@pytest.mark.parametrize("folder", ["deam", "DEAM", "somewhere else"])
def test_deam_in_the_folders_that_its_archives_make(
    audio: str, tables: str, metadata: str, folder: str, tmp_path: Path
) -> None:
    wanted = corpora.load("deam", tiny.deam(tmp_path / "plain" / "deam"))
    root = moved(
        wanted.root, tmp_path / "here" / folder, audio=audio, tables=tables, metadata=metadata
    )
    same(corpora.load("deam", root), wanted)
    if folder != "somewhere else":
        assert corpora.locate("deam", tmp_path / "here") == root
        same(corpora.load("deam", tmp_path / "here"), wanted)


def test_deam_metadata_of_three_years_have_three_headers_and_open_ends(tmp_path: Path) -> None:
    root = tiny.deam(tmp_path / "deam")
    home = root / "metadata" / "metadata"
    for path in (root / "metadata").glob("*.csv"):
        path.unlink()
    header = "song_id,file_name,Artist,Song title,start of the segment (min.sec),end of the segment (min.sec),Genre"
    tiny.write(
        home / "metadata_2013.csv",
        f'{header}\n2,"\t2.mp3","Ann\t","\tOne\t","\t0.48\t","\t1.33\t","\tBlues\t"\n',
    )
    header = "Id,Artist,Album,Track,Genre,segment start,segment end,last.fm labels"
    tiny.write(
        home / "metadata_2014.csv",
        f"{header}\n1001,Bob,Two, Three,Four,Rock,12.0,16.1,1962,600,jazz,,,\n",
    )
    rows = "2001,Ann_Five,Five,Ann,n/a,Rock,\n2002,80504,Go,Cy,Album,rock,indie,1999,\n"
    tiny.write(home / "metadata_2015.csv", f"id,Filename,title,artist,album,genre,\n{rows}")
    corpus = deam.load(root)
    about = {
        clip.clip_id: (clip.artist, clip.title, clip.group) for clip in corpus.clips if clip.artist
    }
    assert about["2"] == ("Ann", "One", "ann") and about["1001"][0] == "Bob"
    assert (
        about["2001"] == ("Ann", "Five", "ann")
        and about["2002"] == ("Cy", "Go", "cy")
        and corpus.problems == ()
    )
    tiny.write(home / "metadata_2015.csv", "id,title\n2001,Five\n")
    assert "metadata_2015.csv: its artists cannot be read" in str(deam.load(root).problems[0])


def test_deam_without_audio_says_where_it_was_looked_for(tmp_path: Path) -> None:
    root = tiny.deam(tmp_path / "deam")
    (root / "MEMD_audio").rename(root / "sounds")
    (root / "DEAM_audio").mkdir()
    with pytest.raises(
        MerKitError,
        match=r"DEAM_audio' contains no audio, expected mp3 files: unpack DEAM_audio.zip",
    ):
        deam.load(root)
