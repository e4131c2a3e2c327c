"""The model that comes with mer-kit: the emotion curve of any recording before anything is trained.

A small network on musicnn's features, trained on all clips of 4Q. Its card, `ready/quadrant.json`,
says how, how many songs it gets right, and what it must not be used for; `tools/ready_model.py`
makes both files again from the corpus.

Notebook: 05_emotion_curve
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.analysis import predict
from mer_kit.training import SegmentClassifier

#: The network, float16, and beside it the card.
MODEL = Path(__file__).with_name("ready") / "quadrant.safetensors"


def card() -> dict[str, Any]:
    """Return the model's card: data, method, accuracy, limits.

    Examples
    --------
    >>> card()["frontend"], card()["corpus"], card()["clips"]
    ('musicnn', '4q', 900)
    """
    return dict(json.loads(MODEL.with_suffix(".json").read_text(encoding="utf-8")))


def sentence() -> str:
    """Return what is said with every result: how good the model is, and what it was trained on.

    Examples
    --------
    >>> print(sentence())  # doctest: +ELLIPSIS
    The network that comes with mer-kit is used: 7...
    """
    about = card()
    right, corpus = about["accuracy"], about["corpus"].upper()
    return (
        f"The network that comes with mer-kit is used: {right['songs']:.1%} of the songs right in "
        f"{right['folds']} folds of {corpus} that share no artist (95 % interval {right['low']:.1%}"
        f" to {right['high']:.1%}). It has learned from all {about['clips']} clips of {corpus}, so "
        f"its answers for these show memorisation. {about['use']}"
    )


def predict_curve(audio_path: str | Path, *, device: str = "auto") -> pd.DataFrame:
    """Return the class probabilities of every segment of an audio file, as a run's folds would.

    Parameters
    ----------
    audio_path : any file that `signal.audio` decodes, at least three seconds long

    Returns
    -------
    DataFrame as of `analysis.predict.predict_curve`, with the tags; its song is decided by the mean

    Raises
    ------
    MerKitError
        If musicnn's weights are not on this machine, or the file cannot be used.

    Notebook: 05_emotion_curve
    """
    path, about = Path(audio_path), card()
    source = predict.segments_of(path, about)
    network = SegmentClassifier(MODEL, device=device, precision="float32")
    p = network.predict_proba(source).astype(np.float64)
    curve = predict.curve_of(source, p, about)
    decided = about["classes"][int(p.mean(axis=0).argmax())]
    curve.attrs |= {
        "song": path.name, "clip_id": None, "run": "", "folds": [], "held_out": None,
        "note": sentence(), "decisions": {"mean": decided}, "svm_by_fold": {},
    }  # fmt: skip
    return curve
