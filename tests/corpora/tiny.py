"""Tiny copies of every corpus' layout with the quirks of the real ones, made by tests and by nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

#: A placeholder for audio that no test decodes.
SOUND = b"audio"


def write(path: Path, content: bytes | str, encoding: str = "utf-8") -> Path:
    """Write a file and the folders above it; text goes out byte for byte as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def tone(
    path: Path,
    seconds: float = 12.0,
    *,
    hertz: float = 220.0,
    loud: float = 0.3,
    sample_rate: int = 22050,
) -> Path:
    """Write a plain chord as real audio (WAV inside, whatever the ending: decoders look at the content)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    rng = np.random.default_rng(round(hertz))
    y = loud * (
        np.sin(2 * np.pi * hertz * t) + 0.5 * np.sin(3 * np.pi * hertz * t)
    ) / 2 + rng.normal(0, 0.01, len(t))
    soundfile.write(path, y.astype(np.float32), sample_rate, format="WAV", subtype="PCM_16")
    return path


def pmemo(root: Path, rows: Mapping[str, tuple[str, str]] | None = None) -> Path:
    """Write PMEmo: arousal before valence, CRLF, Latin-1 metadata, a chorus that no row lists, truth from 15 s on."""
    rows = rows or {"1": ("0.4", "0.575"), "4": ("0.263", "0.287"), "5": ("0.8", "0.7"), "7": ("0.7", "0.5"),
                    "10": ("0.9", "0.2"), "12": ("0.2", "0.8")}  # fmt: skip
    table = [
        "musicId,Arousal(mean),Valence(mean)",
        *(f"{i},{a},{v}" for i, (a, v) in rows.items()),
        "",
    ]
    write(root / "annotations" / "static_annotations.csv", "\r\n".join(table))
    frames = ["musicId,frameTime,Arousal(mean),Valence(mean)"]
    frames += [f"{i},{time},{a},{v}" for i, (a, v) in rows.items() for time in (15.5, 16.0, 16.5)]
    frames += ["10,17.0,0.9,0.5", "999,15.5,0.1,0.1", ""]
    write(root / "annotations" / "dynamic_annotations.csv", "\n".join(frames))
    about = ["musicId,fileName,title,artist,album,duration,chorus_start_time,chorus_end_time"]
    about += [
        f'{i},{i}.mp3,"Title, {i}",{"Beyoncé" if i in ("1", "5") else f"Artist {i}"},A,200,00:10,00:50'
        for i in rows
    ]
    write(root / "metadata.csv", "\n".join(about), "latin-1")
    for clip_id in (*rows, "2"):
        write(root / "chorus" / f"{clip_id}.mp3", SOUND)
    return root


def eim(
    root: Path, rows: Mapping[str, tuple[str, str]] | None = None, *, flat: bool = False
) -> Path:
    """Write Emotion in Music: values padded with TABs, arousal first, a duplicate mp3 that the table leaves out."""
    rows = rows or {"2": ("3.1", "3"), "3": ("3.5", "3.3"), "4": ("5.7", "5.5"), "5": ("4.4", "5.3"), "7": ("5.8", "6.4"),
                    "8": ("5", "5"), "10": ("7", "2"), "12": ("6.2", "4.1")}  # fmt: skip
    home = root if flat else root / "annotations"
    table = ["song_id,mean_arousal,std_arousal,mean_valence,std_valence"]
    table += [f"{i},{a},0.9,{v},0.6" for i, (a, v) in rows.items()]
    write(home / "static_annotations.csv", "\n".join([*table, ""]))
    info = [
        "song_id,file_name,Artist,Song title,start of the segment (min.sec),Genre,Mediaeval 2013 set"
    ]
    for k, i in enumerate(rows):
        part = "evaluation" if k % 4 == 3 else "development"
        info.append(f"{i},{i}.mp3,\tThe  Band {k // 2}\t,\tSong {i}\t,1.10,Blues\t,{part}\t")
    write(home / "songs_info.csv", "\r\n".join([*info, ""]))
    header = "song_id," + ",".join(f"sample_{ms}ms" for ms in (15000, 15500, 45000))
    for name, column in (("arousal", 0), ("valence", 1)):
        lines = (
            [header]
            + [f"{i},{(float(r[column]) - 5) / 4:.3f},0.25,0.1" for i, r in rows.items()]
            + ["17,0,0,0"]
        )
        write(home / f"{name}_cont_average.csv", "\n".join([*lines, ""]))
    for clip_id in (*rows, "17"):
        write(root / "clips_45seconds" / f"{clip_id}.mp3", SOUND)
    return root


def deam(
    root: Path, rows: Mapping[str, tuple[str, str]] | None = None, *, underscores: bool = False
) -> Path:
    """Write DEAM: headers with leading spaces, valence first, two tables, folder names with blanks or underscores."""
    rows = rows or {"2": ("3.1", "3"), "3": ("3.5", "3.3"), "4": ("5.7", "5.5"), "5": ("4.4", "5.3"), "1001": ("6", "3"),
                    "2001": ("7", "7"), "2002": ("5", "4")}  # fmt: skip
    level = "annotations/annotations averaged per song/song_level"
    home = root / (level.replace(" ", "_") if underscores else level)
    header = "song_id, valence_mean, valence_std, arousal_mean, arousal_std"
    for name, first, last in (("1_2000", 1, 2000), ("2000_2058", 2001, 2058)):
        part = [f"{i}, {v}, 0.9, {a}, 0.7" for i, (v, a) in rows.items() if first <= int(i) <= last]
        if part:
            write(
                home / f"static_annotations_averaged_songs_{name}.csv",
                "\n".join([header, *part, ""]),
            )
    write(
        root / "metadata" / "metadata_2013.csv",
        "song_id,Artist,Song title\n2,\tAnn\t,\tOne\t\n3,Bob,Two\n",
    )
    write(root / "metadata" / "metadata_2014.csv", "Id,Artist,Track\n1001,Ann,Three\n")
    for clip_id in rows:
        write(root / "MEMD_audio" / f"{clip_id}.mp3", SOUND)
    return root


def midi_notes(path: Path, notes: tuple[int, ...] = (60, 64, 67, 72), seconds: float = 6.0) -> Path:
    """Write a small MIDI file of even notes, each a part of `seconds`."""
    import mido

    path.parent.mkdir(parents=True, exist_ok=True)
    song = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])
    ticks = round(seconds / len(notes) / 0.5 * 480)
    for note in notes:
        track += [
            mido.Message("note_on", note=note, velocity=90, time=0),
            mido.Message("note_off", note=note, time=ticks),
        ]
    song.tracks.append(track)
    song.save(path)
    return path


def vgmidi(root: Path, *, seconds: float = 6.0) -> Path:
    """Write VGMIDI: two annotation files whose ids repeat, an orphan file, an orphan annotation, a wrong length."""
    signs = {"piece0": (1, 1), "piece1": (-1, 1), "piece2": (-1, -1), "piece3": (1, -1)}
    for number in (1, 2):
        pieces, annotations = {}, {}
        for k, (piece, (v, a)) in enumerate(signs.items()):
            name = f"Saga_NES_Game {k % 2}_Tune {number}{k}.mid"
            pieces[piece] = {
                "name": f"Tune {number}{k}",
                "midi": name,
                "audio": "audio/x.wav",
                "duration": seconds,
                "measures": 3,
            }
            for listener in range(3):
                # the last bar leaves the clip's quadrant; the third listener rates the second bar differently
                bars = [0.5, -0.2 if listener == 2 else 0.4, -0.3]
                annotations[f"{piece}_{listener}"] = {
                    "valence": [v * bar for bar in bars],
                    "arousal": [a * 0.6] * 3,
                }
            midi_notes(
                root / "labelled" / "midi" / name,
                tuple(60 + 3 * k + step for step in (0, 4, 7, 12)),
                seconds,
            )
        annotations["piece0_9"] = {"valence": [0.1] * 4, "arousal": [0.1] * 4}
        annotations["piece7_0"] = {"valence": [0.1], "arousal": [0.1]}
        content = json.dumps({"pieces": pieces, "annotations": annotations})
        write(root / "labelled" / "annotations" / f"vgmidi_raw_{number}.json", content)
    midi_notes(root / "labelled" / "midi" / "Saga_NES_Game 1_Orphan.mid")
    return root


def table(root: Path) -> Path:
    """Write an own collection: a subfolder, an artist, an unlisted file, and ground truth."""
    rows = [
        "path,label,artist",
        "a/one.wav,Q1,Ann",
        "a/two.flac,Q2,Bob",
        "three.mp3,Q3,",
        "four.ogg,Q4,Ann",
        "five.wav,Q1,Cy",
    ]
    write(root / "clips.csv", "\n".join([*rows, ""]))
    for name in ("a/one.wav", "a/two.flac", "three.mp3", "four.ogg", "five.wav", "a/unlisted.wav"):
        write(root / name, SOUND)
    write(
        root / "segment_truth.csv",
        "clip_id,start_s,end_s,label\na/one,0,4,Q1\na/one,4,9,Q2\nthree,0,9,Q3\n",
    )
    return root
