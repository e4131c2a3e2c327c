"""Scores for wrong labels: by hand, against scikit-learn, and that planted wrong labels are found."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from mer_kit.analysis import ranking, suspicion
from mer_kit.analysis.passes import Passes
from mer_kit.checks import MerKitError
from mer_kit.corpora import truth
from mer_kit.records import Clip, Corpus
from mer_kit.training.partition import PartitionSettings

RNG = np.random.default_rng(0)
SONG = np.repeat(np.arange(40), 10)
WRONG = RNG.random(400) < 0.15


def passes(n: int = 8) -> Passes:
    """Return passes in which the label of a segment becomes more probable, unless it is wrong."""
    sure = np.linspace(0.3, 0.9, n)[:, None] + RNG.normal(0, 0.05, (n, 400))
    p_label = np.clip(np.where(WRONG, 0.25, sure), 0.02, 0.98)
    rest = (1 - p_label)[..., None] * np.array([0.8, 0.15, 0.05])
    p = np.concatenate([p_label[..., None], rest], axis=2).astype(np.float16)
    true_class = np.where(WRONG, 1, 0)
    start_s = np.tile(np.arange(10.0), 40)
    return Passes(p, np.zeros(400, int), SONG, start_s, start_s + 3, true_class, [],
                  PartitionSettings(dip_test=False), 0)  # fmt: skip


def corpus_of(bars: pd.DataFrame) -> Corpus:
    clips = tuple(Clip(f"c{k}", Path(f"{k}.wav"), {}) for k in range(40))
    return Corpus("", Path(), clips, truth=bars)


def test_weighted_aucs_are_scikit_learns() -> None:
    score = RNG.integers(0, 12, 400).astype(float)  # many ties
    weights = RNG.integers(0, 4, (5, 400))
    found = ranking.weighted_auc(WRONG, score, weights)
    expected = [roc_auc_score(WRONG, score, sample_weight=one) for one in weights]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_every_score_is_larger_for_planted_wrong_labels() -> None:
    one = passes()
    scores = suspicion.of_passes(one, 8)
    ranked = ranking.ranking(scores, WRONG, SONG).set_index("score")
    assert list(ranked.index) == list(suspicion.OF_PASSES)
    assert (ranked["auc"] > 0.9).all() and (ranked["low"] <= ranked["auc"]).all()
    assert (ranked["high"] >= ranked["auc"]).all() and (ranked["precision"] > 0.9).all()
    np.testing.assert_allclose(scores["loss"], one.losses[7])
    np.testing.assert_allclose(scores["mean loss"], one.losses[3:8].mean(axis=0))
    median = scores["mean loss"].groupby(SONG).transform("median")
    np.testing.assert_allclose(scores["mean loss − song's median"], scores["mean loss"] - median)
    np.testing.assert_allclose(scores["1 − ω"], 1 - one.partition_after(8).omega)
    p = one.probabilities[7, SONG == 3].astype(float)
    by_hand = np.abs(p - p.mean(axis=0)).sum(axis=1) / 2
    np.testing.assert_allclose(scores["distance from the song"][SONG == 3], by_hand)
    assert not np.allclose(suspicion.of_passes(one, 4)["loss"], scores["loss"])


def test_a_score_that_knows_the_song_only_is_worthless_within_songs() -> None:
    level = RNG.random(40)
    wrong = RNG.random(400) < level[SONG]
    table = pd.DataFrame({"song": level[SONG], "gap": np.where(SONG < 20, level[SONG], np.nan)})
    ranked = ranking.ranking(table, wrong, SONG).set_index("score")
    assert ranked.loc["song", "auc"] > 0.7 and ranked.loc["song", "within_songs"] == 0.5
    assert ranked["segments"].tolist() == [400, 200]
    with pytest.raises(MerKitError, match="0 of 400 labels are wrong, expected some of either"):
        ranking.ranking(table, np.zeros(400, bool), SONG)


def test_the_intraclass_correlation_is_that_of_the_plan() -> None:
    shared = RNG.normal(size=2000)[np.repeat(np.arange(2000), 5)]
    own = RNG.normal(size=10_000)
    songs = np.repeat(np.arange(2000), 5)
    for part, expected in ((0.0, 0.0), (1.0, 0.5), (3.0, 0.9)):
        found = ranking.shared_by_song(part * shared + own, songs)
        assert found == pytest.approx(expected, abs=0.03)


def test_losses_come_from_the_fold_that_tested_the_song() -> None:
    one = passes()
    ids = [f"c{k}" for k in range(40)]
    tables = {}
    for fold in (0, 1):  # fold k tests the songs of its parity; a third one is not trained
        clip, at = SONG[fold == SONG % 3], one.start_s[fold == SONG % 3]
        p = np.full((len(clip), 4), 0.2) + 0.2 * np.eye(4)[fold]
        about = {"clip_id": [ids[c] for c in clip], "start_s": at, "part": "test"}
        tables[fold] = pd.DataFrame(about).assign(**dict(zip("abcd", p.T, strict=True)))
        tables[fold].loc[0, "part"] = "train"
    folder = SimpleNamespace(fold_done=lambda k: k in tables, segments=tables.__getitem__)
    experiment = SimpleNamespace(
        classes="abcd", clip_ids=ids, folder=folder,
        folds=[SimpleNamespace(number=k) for k in range(3)],
    )  # fmt: skip
    found = suspicion.without_the_song(experiment, one)  # type: ignore[arg-type]
    np.testing.assert_allclose(found[SONG == 3], -np.log(0.4), rtol=1e-3)  # floored, see `losses`
    np.testing.assert_allclose(found[SONG == 1][1:], -np.log(0.2), rtol=1e-3)
    assert np.isnan(found[SONG % 3 == 2]).all() and np.isnan(found[0]) and np.isnan(found[10])


def test_listeners_agreement_is_averaged_over_the_segment() -> None:
    bars = pd.DataFrame(
        {"clip_id": "c0", "start_s": [0.0, 2.0], "end_s": [2.0, 9.0], "agreement": [1.0, 0.4]}
    )
    corpus, one = corpus_of(bars), passes()
    found = truth.agreement(corpus, one.clip, one.start_s, one.end_s)
    np.testing.assert_allclose(found[:3], [(2 * 1 + 0.4) / 3, (1 + 2 * 0.4) / 3, 0.4])
    assert np.isnan(found[10:]).all()
    corpus = corpus_of(bars.drop(columns="agreement"))
    assert np.isnan(truth.agreement(corpus, one.clip, one.start_s, one.end_s)).all()


def test_what_cannot_be_told_is_nan_and_not_an_error() -> None:
    scores = pd.DataFrame({"none": np.full(400, np.nan), "one kind": np.where(WRONG, 1.0, np.nan)})
    ranked = ranking.ranking(scores, WRONG, SONG)
    assert ranked["auc"].isna().all() and ranked["segments"].tolist() == [0, WRONG.sum()]
    assert np.isnan(ranking.shared_by_song(WRONG, np.zeros(400)))
    assert np.isnan(ranking.shared_by_song(np.ones(400), SONG))
    assert abs(ranking.shared_by_song(WRONG, SONG)) < 0.1
    experiment = SimpleNamespace(folder=SimpleNamespace(fold_done=lambda _: False), folds=[
        SimpleNamespace(number=0)], clip_ids=[], classes="abcd")  # fmt: skip
    assert np.isnan(suspicion.without_the_song(experiment, passes())).all()  # type: ignore[arg-type]
    bars = pd.DataFrame({"clip_id": "c0", "start_s": [0.0, 4.0], "end_s": [4.0, 6.0],
                         "agreement": [0.5, np.nan]})  # fmt: skip
    one = passes()
    found = truth.agreement(corpus_of(bars), one.clip, one.start_s, one.end_s)
    assert found[:4].tolist() == [0.5] * 4 and np.isnan(found[4:]).all()
