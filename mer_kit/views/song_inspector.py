"""The song inspector: a test song's features beside its curve, what the SVM says, its neighbours, who is taken for whom.

Notebook: 04_song_decisions
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from mer_kit import plots
from mer_kit.analysis import feature_space, paper_fig2
from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.plots import style
from mer_kit.plots.names import escaped
from mer_kit.plots.picture import EmbeddedFigure
from mer_kit.plots.results import ROW_TITLES
from mer_kit.records import EMOTIONS, Clip
from mer_kit.runs.experiment import Experiment
from mer_kit.songs import features, scores
from mer_kit.songs.classifiers import NAMES as CLASSIFIERS
from mer_kit.views import curve_data as parts
from mer_kit.views import html_fragments, js
from mer_kit.views.curve_player import CurvePlayer
from mer_kit.views.sound import SongSound, song_bytes

#: D: so many neighbours are listed.
NEIGHBOURS = 5
#: D: a page without a kernel carries the sounds of so many songs at most, each of at most so many bytes.
MAX_SOUNDS, PAGE_SOUND_BYTES = 12, 250_000


class SongInspector(traitlets.HasTraits):
    """The test songs of one finished fold, looked at one by one; works without a browser.

    Attributes
    ----------
    song : the chosen test song, its place in `space.test`; set it and every view follows, choose in a view and it
        changes here
    space : the fold's songs as its SVM sees them (`analysis.feature_space`)

    Parameters
    ----------
    experiment, fold : a finished fold
    song : clip id of the test song shown first; "" takes the first that the SVM gets wrong, else the first

    Raises
    ------
    MerKitError
        If the fold is not finished, or the song is none of its test songs.

    Notebook: 04_song_decisions
    """

    song = traitlets.Int(0)

    def __init__(self, experiment: Experiment, fold: int, *, song: str = "") -> None:
        super().__init__()
        self.experiment, self.fold, self.classes = experiment, fold, experiment.classes
        self.space = feature_space.song_space(experiment, fold)
        self._answers = {name: feature_space.answered(self.space, name) for name in CLASSIFIERS}
        wrong = np.flatnonzero(self._answers["svm"] != self.space.test.label)
        ids = [self.clip("test", at).clip_id for at in range(len(self.space.test))]
        self.song = (
            ids.index(check_choice("song", song, ids))
            if song
            else int(wrong[0])
            if len(wrong)
            else 0
        )
        self._below: Any = None  # the player below the view; all views of one inspector share it
        self.observe(self._renew, names="song")

    @traitlets.validate("song")
    def _within(self, proposal: Any) -> int:
        check_range("song", proposal["value"], 0, len(self.space.test) - 1, whole=True)
        return int(proposal["value"])

    def clip(self, part: str, song: int) -> Clip:
        """Return the clip of a song of "test" or "train".

        Raises
        ------
        MerKitError
            If there is no such song.
        """
        songs = getattr(self.space, check_choice("part", part, ("test", "train")))
        check_range("song", song, 0, len(songs) - 1, whole=True)
        return self.experiment.corpus.clips[int(songs.clip[int(song)])]

    def confusion(self, classifier: str = "svm") -> np.ndarray:
        """Return int64 [K, K]: of this fold's test songs with label (row), how many a classifier gave which answer."""
        check_choice("classifier", classifier, CLASSIFIERS)
        return scores.confusion(self.space.test.label, self._answers[classifier], len(self.classes))

    def features(self) -> pd.DataFrame:
        """Return the chosen song's 7·K features: a row a class, a column a statistic."""
        rows = self.space.test.x[self.song].reshape(len(self.classes), len(features.STATISTICS))
        return pd.DataFrame(rows, index=list(self.classes), columns=list(features.STATISTICS))

    def sentence(self) -> str:
        """Return the chosen song's label and answers in words."""
        label = int(self.space.test.label[self.song])
        told = []
        for name in CLASSIFIERS:
            k = int(self._answers[name][self.song])
            told.append(
                f"{ROW_TITLES[name]} says {self._named(k)}, {'right' if k == label else 'wrong'}"
            )
        return f"{self.clip('test', self.song).clip_id}, label {self._named(label)}: {'; '.join(told)}."

    def _named(self, k: int) -> str:
        return f"{self.classes[k]} {EMOTIONS[self.classes[k]]}"

    # ---- what the browser needs ------------------------------------------------------------------------------------

    def data(self) -> dict[str, Any]:
        """Return what the view is built from: plain data and, under "arrays", bytes."""
        space, looks = self.space, [(name, *style.LOOK[name]) for name in self.classes]
        return {
            "title": self.experiment.corpus.title or self.experiment.corpus.name,
            "fold": self.fold,
            "classes": [
                {"name": n, "word": EMOTIONS[n], "colour": colour, "dash": parts.DASHES[line]}
                for n, colour, line in looks
            ],
            "statistics": list(features.STATISTICS),
            "theta": float(space.svm.theta),
            "deciders": {name: ROW_TITLES[name] for name in CLASSIFIERS},
            "test": [self._test_song(at) for at in range(len(space.test))],
            "train": [self._plain("train", at) for at in range(len(space.train))],
            "usual": space.usual_distance(),
            "confusion": {name: self.confusion(name).tolist() for name in CLASSIFIERS},
            "song": self.song,
            "arrays": {
                f"{part}_{name}": values
                for part in ("test", "train")
                for name, values in self._arrays(part)
            },
            "sounds": None,
        }

    def _plain(self, part: str, at: int) -> dict[str, Any]:
        songs, clip = getattr(self.space, part), self.clip(part, at)
        table = songs.segments[at]
        return {
            "id": clip.clip_id,
            "who": " – ".join(text for text in (clip.artist, clip.title) if text),
            "label": int(songs.label[at]),
            "segments": len(table),
            "end_s": float(table["end_s"].iloc[-1]),
        }

    def _test_song(self, at: int) -> dict[str, Any]:
        return self._plain("test", at) | {
            "answers": {name: int(self._answers[name][at]) for name in CLASSIFIERS},
            "decision": [float(v) if np.isfinite(v) else None for v in self.space.decisions[at]],
            "duels": self.space.duels(at),
            "nearest": self.space.nearest(at, min(NEIGHBOURS, len(self.space.train))),
        }

    def _arrays(self, part: str) -> list[tuple[str, bytes]]:
        """Return (name, little-endian bytes): x and z (float32 [songs·7·K]), p (float16 [segments·K]), centre (float32)."""
        songs = getattr(self.space, part)
        p = np.concatenate([table[list(self.classes)].to_numpy() for table in songs.segments])
        centre = np.concatenate([table["centre_s"].to_numpy() for table in songs.segments])
        arrays = {"x": songs.x.astype("<f4"), "z": songs.z.astype("<f4"), "p": p.astype("<f2")}
        return [
            (name, values.tobytes())
            for name, values in {**arrays, "centre": centre.astype("<f4")}.items()
        ]

    def play(self, part: str, song: int, *, max_bytes: int | None = None) -> SongSound:
        """Return the sound of a whole song of "test" or "train".

        Raises
        ------
        MerKitError
            If there is no such song, or its sound cannot be had.
        """
        path = self.clip(part, song).path
        return song_bytes(path) if max_bytes is None else song_bytes(path, max_bytes=max_bytes)

    def answer(self, message: Any) -> tuple[dict[str, Any], list[bytes]]:
        """Return the reply to one message of the browser and the bytes that go with it.

        {"kind": "play", "part", "song"} → a song's sound. What cannot be answered is "sorry" and why.
        """
        try:
            if not isinstance(message, Mapping):
                raise MerKitError(
                    f"message is {type(message).__name__}, expected an object with a kind: reload the view"
                )
            check_choice("kind", message.get("kind"), ("play",))
            part, song = str(message.get("part")), message.get("song")
            sound = self.play(part, song)  # type: ignore[arg-type]  # play checks it
        except MerKitError as error:
            return {"kind": "sorry", "text": str(error)}, []
        return {"kind": "play", "part": part, "song": song, "mime": sound.mime}, [sound.data]

    # ---- the three ways to show it ---------------------------------------------------------------------------------

    def player(self) -> CurvePlayer:
        """Return the player of the chosen song."""
        clip, test = self.clip("test", self.song), self.space.test
        curve = test.segments[self.song].copy()
        curve.attrs = {
            "song": clip.clip_id,
            "clip_id": clip.clip_id,
            "task": self.experiment.config.task,
        }
        truth = paper_fig2.truth_spans(self.experiment, clip.clip_id)
        label = self.classes[int(test.label[self.song])]
        return CurvePlayer(curve, clip.path, truth=truth, label=label, title=clip.clip_id)

    def widget(self) -> Any:
        """Return the view for a notebook with a kernel: the inspector, and below it the player of the chosen song."""
        import ipywidgets as w

        made = js.widget("inspector", self.data(), sides=_Sides, answer=self.answer, song=self.song)
        traitlets.link((self, "song"), (made, "song"))
        if not self._has_player:
            self._below = w.VBox([self.player().widget()])
        return w.VBox([made, self._below])

    @property
    def _has_player(self) -> bool:
        """Whether a player was made for some view and not closed since."""
        return self._below is not None and self._below.comm is not None

    def _renew(self, _: Any) -> None:
        """Put the chosen song's player below the view."""
        if not self._has_player:
            return
        before, self._below.children = self._below.children, [self.player().widget()]
        for view in before:
            view.close()

    def fragment(self, sounds: Sequence[str] | None = None) -> str:
        """Return the view as HTML for a page without a kernel: picture and words first, then the script.

        Parameters
        ----------
        sounds : clip ids of the songs whose sounds go with it, at most 12; by default the one shown first and its
            neighbours; a song whose file is gone or that is too long is left out, and its button does not play

        Raises
        ------
        MerKitError
            If a song is none of the fold's, or there are too many.
        """
        known = {self.clip(part, at).clip_id: (part, at) for part, at in self._places()}
        if sounds is None:
            near = [
                at
                for at, _ in self.space.nearest(self.song, min(NEIGHBOURS, len(self.space.train)))
            ]
            sounds = [
                self.clip("test", self.song).clip_id,
                *(self.clip("train", at).clip_id for at in near),
            ]
        if len(sounds) > MAX_SOUNDS:
            raise MerKitError(
                f"{len(sounds)} songs were named, expected at most {MAX_SOUNDS} in a page: name fewer"
            )
        data = self.data()
        data["arrays"] = {
            name: html_fragments.text(values) for name, values in data["arrays"].items()
        }
        data["sounds"] = {}
        for clip_id in sounds:
            part, at = known[check_choice("song", clip_id, known)]
            try:
                sound = self.play(part, at, max_bytes=PAGE_SOUND_BYTES)
            except MerKitError:
                continue  # the view says beside its button that the page does not carry it
            data["sounds"][f"{part} {at}"] = {
                "mime": sound.mime,
                "base64": html_fragments.text(sound.data),
            }
        return html_fragments.fragment("inspector", data, self._still())

    def to_html(
        self, path: str | Path | None = None, *, sounds: Sequence[str] | None = None
    ) -> str:
        """Return one page that needs nothing else, and write it to `path` if one is given.

        Notebook: 04_song_decisions
        """
        title = f"Songs of {self.experiment.corpus.title or self.experiment.corpus.name}, fold {self.fold}"
        return html_fragments.kept(html_fragments.page(title, self.fragment(sounds)), path)

    def _places(self) -> list[tuple[str, int]]:
        """Return (part, place) of every song of the fold."""
        return [
            (part, at) for part in ("train", "test") for at in range(len(getattr(self.space, part)))
        ]

    def _still(self) -> str:
        """Return picture and words for those without scripts."""
        table = self.space.test.segments[self.song]
        picture = EmbeddedFigure(1, 2, size=(9.6, 3.5), width_ratios=(3, 2))
        left, right = picture.axes
        plots.curve.emotion_curve(table, left, room=0.25)
        p = table[list(self.classes)].to_numpy()
        plots.songs.seven_numbers(p, self.classes, right, theta=self.space.svm.theta)
        alt = f"Curve of {self.clip('test', self.song).clip_id} and its seven numbers per class"
        image = f'<img alt="{escaped(alt)}" src="data:image/png;base64,{html_fragments.text(picture.png())}">'
        return f"{image}<p>{escaped(self.sentence())}</p>"


class _Sides(traitlets.HasTraits):
    """What the browser and the kernel share of an inspector."""

    song = traitlets.Int(0).tag(sync=True)

    @traitlets.validate("song")
    def _within(self, proposal: Any) -> int:
        check_range("song", proposal["value"], 0, len(self.data["test"]) - 1, whole=True)  # type: ignore[attr-defined]
        return int(proposal["value"])
