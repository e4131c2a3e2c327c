"""The song inspector: confusion matrix, and a test song's features, curve, answers, neighbours.

Notebook: 04_song_decisions
"""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from mer_kit import plots
from mer_kit.analysis import feature_space
from mer_kit.analysis.curve import truth_spans
from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.plots.picture import EmbeddedFigure
from mer_kit.plots.results import ROW_TITLES
from mer_kit.records import Clip, with_word
from mer_kit.runs.experiment import Experiment
from mer_kit.songs import features, scores
from mer_kit.songs.classifiers import NAMES as CLASSIFIERS
from mer_kit.views.curve_player import CurvePlayer
from mer_kit.views.sound import MAX_SONG_BYTES, SongSound, song_bytes
from mer_kit.views.view import Position, Reply, View, class_entries, credit, still_picture

#: D: the number of neighbours that are listed.
NEIGHBOURS = 5
#: D: the most songs whose sound a page without a kernel carries, and the most bytes of each.
MAX_SOUNDS, PAGE_SOUND_BYTES = 12, 250_000


class _Sides(traitlets.HasTraits):
    """The traits that the browser and the kernel share."""

    song = Position(lambda view: len(view.data["test"])).tag(sync=True)


class SongInspector(View, traitlets.HasTraits):
    """The test songs of one finished fold, one by one; works without a browser.

    Attributes
    ----------
    song : the chosen test song, its position in `space.test`; it is the same in this object and in
        all its views
    space : the fold's songs as its SVM sees them (`analysis.feature_space`)

    Parameters
    ----------
    experiment, fold : a finished fold
    song : clip id of the test song shown first; "" takes the first that the SVM gets wrong, else
        the first

    Raises
    ------
    MerKitError
        If the fold is not finished, or the song is none of its test songs.

    Notebook: 04_song_decisions
    """

    module, sides = "inspector", (_Sides,)
    song = Position(lambda inspector: len(inspector.space.test))

    def __init__(self, experiment: Experiment, fold: int, *, song: str = "") -> None:
        super().__init__()
        self.experiment, self.fold, self.classes = experiment, fold, experiment.classes
        self.title = experiment.corpus.title or experiment.corpus.name
        self.page_title = f"Songs of {self.title}, fold {fold}"
        self.space = feature_space.song_space(experiment, fold)
        self._answers = {name: feature_space.answered(self.space, name) for name in CLASSIFIERS}
        wrong = np.flatnonzero(self._answers["svm"] != self.space.test.label)
        ids = [self.clip("test", at).clip_id for at in range(len(self.space.test))]
        if song:
            self.song = ids.index(check_choice("song", song, ids))
        elif len(wrong):
            self.song = int(wrong[0])
        self._below: Any = None  # the player below the view; all views of one inspector share it
        self.observe(self._renew, names="song")

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
        """Return the test songs' confusion matrix, int64 [K, K]: rows label, columns answer."""
        check_choice("classifier", classifier, CLASSIFIERS)
        return scores.confusion(self.space.test.label, self._answers[classifier], len(self.classes))

    def features(self) -> pd.DataFrame:
        """Return the chosen song's 7·K features: one row per class, one column per statistic."""
        rows = self.space.test.x[self.song].reshape(len(self.classes), -1)
        return pd.DataFrame(rows, index=list(self.classes), columns=list(features.STATISTICS))

    def sentence(self) -> str:
        """Return the chosen song's label and answers in words."""
        label = int(self.space.test.label[self.song])
        answers = "; ".join(
            f"{ROW_TITLES[name]} says {self._named(k)}, {('wrong', 'right')[k == label]}"
            for name, k in ((name, int(self._answers[name][self.song])) for name in CLASSIFIERS)
        )
        return f"{self.clip('test', self.song).clip_id}, label {self._named(label)}: {answers}."

    def _named(self, k: int) -> str:
        return with_word(self.classes[k])

    # ---- what the browser is given ---------------------------------------------------------------

    def data(self) -> dict[str, Any]:
        """Return what the view is built from: plain data and, under "arrays", bytes."""
        space = self.space
        return {
            "title": self.title,
            "fold": self.fold,
            "classes": class_entries(self.classes),
            "statistics": list(features.STATISTICS),
            "theta": float(space.svm.theta),
            "classifiers": {name: ROW_TITLES[name] for name in CLASSIFIERS},
            "test": [self._test_song(at) for at in range(len(space.test))],
            "train": [self._plain("train", at) for at in range(len(space.train))],
            "usual": space.usual_distance(),
            "confusion": {name: self.confusion(name).tolist() for name in CLASSIFIERS},
            "song": self.song,
            "arrays": self._arrays("test") | self._arrays("train"),
            "sounds": None,
        }

    def _plain(self, part: str, at: int) -> dict[str, Any]:
        songs, clip = getattr(self.space, part), self.clip(part, at)
        return {
            "id": clip.clip_id,
            "who": credit(clip),
            "label": int(songs.label[at]),
            "segments": len(songs.segments[at]),
            "end_s": float(songs.segments[at]["end_s"].iloc[-1]),
        }

    def _test_song(self, at: int) -> dict[str, Any]:
        return self._plain("test", at) | {
            "answers": {name: int(self._answers[name][at]) for name in CLASSIFIERS},
            "decision": [float(v) if np.isfinite(v) else None for v in self.space.decisions[at]],
            "duels": self.space.duels(at),
            "nearest": self.space.nearest(at, min(NEIGHBOURS, len(self.space.train))),
        }

    def _arrays(self, part: str) -> dict[str, bytes]:
        """Return the songs' arrays as little-endian bytes.

        x and z are float32 [songs·7·K], p is float16 [segments·K], centre is float32 [segments]."""
        songs = getattr(self.space, part)
        table = pd.concat(songs.segments)
        return {
            f"{part}_x": songs.x.astype("<f4").tobytes(),
            f"{part}_z": songs.z.astype("<f4").tobytes(),
            f"{part}_p": table[list(self.classes)].to_numpy().astype("<f2").tobytes(),
            f"{part}_centre": table["centre_s"].to_numpy().astype("<f4").tobytes(),
        }

    def play(self, part: str, song: int, *, max_bytes: int = MAX_SONG_BYTES) -> SongSound:
        """Return the sound of a whole song of "test" or "train".

        Raises
        ------
        MerKitError
            If there is no such song, or its sound cannot be decoded.
        """
        return song_bytes(self.clip(part, song).path, max_bytes=max_bytes)

    def _on_play(self, message: Mapping[str, Any]) -> Reply:
        """{"part", "song"} → a song's sound."""
        part, song = str(message.get("part")), message.get("song")
        sound = self.play(part, song)  # type: ignore[arg-type]  # play checks it
        return {"part": part, "song": song, "mime": sound.mime}, [sound.data]

    # ---- widget and page -------------------------------------------------------------------------

    def player(self) -> CurvePlayer:
        """Return the player of the chosen song."""
        clip, test = self.clip("test", self.song), self.space.test
        curve, name = test.segments[self.song].copy(), clip.clip_id
        curve.attrs = {"song": name, "clip_id": name, "task": self.experiment.config.task}
        label = self.classes[int(test.label[self.song])]
        truth = truth_spans(self.experiment, name)
        return CurvePlayer(curve, clip.path, truth=truth, label=label, title=name)

    def widget(self, **values: Any) -> Any:
        """Return the view for a notebook with a kernel: inspector and player of the chosen song."""
        import ipywidgets as w

        made = super().widget(song=self.song, **values)
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
        if self._has_player:
            (before,), self._below.children = self._below.children, [self.player().widget()]
            before.close()

    def page_data(self, sounds: Sequence[str] | None = None) -> dict[str, Any]:
        """Return `data` with the sounds of some songs.

        Parameters
        ----------
        sounds : clip ids of at most 12 songs; by default the one shown first and its neighbours. A
            song whose file is missing or that is too long is left out, and its button is disabled

        Raises
        ------
        MerKitError
            If a song is not in the fold, or there are too many.
        """
        places = [(p, i) for p in ("train", "test") for i in range(len(getattr(self.space, p)))]
        known = {self.clip(part, i).clip_id: (part, i) for part, i in places}
        if sounds is None:
            near = self.space.nearest(self.song, min(NEIGHBOURS, len(self.space.train)))
            chosen = [("test", self.song), *(("train", i) for i, _ in near)]
            sounds = [self.clip(part, i).clip_id for part, i in chosen]
        if len(sounds) > MAX_SOUNDS:
            raise MerKitError(
                f"{len(sounds)} songs were named, expected at most {MAX_SOUNDS} in a page: "
                "name fewer"
            )
        carried = {}
        for clip_id in sounds:
            part, i = known[check_choice("song", clip_id, known)]
            with contextlib.suppress(MerKitError):  # the view disables a missing sound's button
                sound = self.play(part, i, max_bytes=PAGE_SOUND_BYTES)
                carried[f"{part} {i}"] = dataclasses.asdict(sound)
        return self.data() | {"sounds": carried}

    def still(self, data: Mapping[str, Any]) -> str:
        """Return picture and sentence of the chosen song."""
        table = self.space.test.segments[self.song]
        picture = EmbeddedFigure(1, 2, size=(9.6, 3.5), width_ratios=(3, 2))
        plots.curve.emotion_curve(table, picture.axes[0], room=0.25)
        p = table[list(self.classes)].to_numpy()
        plots.songs.seven_numbers(p, self.classes, picture.axes[1], theta=self.space.svm.theta)
        alt = f"Curve of {self.clip('test', self.song).clip_id} and its seven numbers per class"
        return still_picture(picture, alt, self.sentence())
