"""The second opinion on labels: out-of-fold by artist, confident learning by hand, agreement and truth."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mer_kit.analysis import label_issues
from mer_kit.analysis.passes import Passes
from mer_kit.checks import MerKitError
from mer_kit.training.evaluation import ArraySegments
from mer_kit.training.partition import PartitionSettings

RNG = np.random.default_rng(0)


def _planted(n: int = 400, k: int = 4, rate: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """True classes and labels, a tenth of them wrong."""
    truth = np.arange(n) % k
    labels = truth.copy()
    wrong = RNG.permutation(n)[: round(rate * n)]
    labels[wrong] = (labels[wrong] + RNG.integers(1, k, len(wrong))) % k
    return truth, labels


def test_a_segment_is_judged_without_its_artist() -> None:
    """Artists have features of their own and random labels: only a leak could recognise them."""
    artist = np.repeat(np.arange(40), 10)
    labels = np.repeat(RNG.permutation(np.arange(40) % 4), 10)
    x = RNG.normal(size=(40, 30))[artist] + 0.01 * RNG.normal(size=(400, 30))
    p = label_issues.out_of_fold(x, labels, artist)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (p.argmax(axis=1) == labels).mean() < 0.5
    leaking = label_issues.out_of_fold(x, labels, np.arange(400))
    assert (leaking.argmax(axis=1) == labels).mean() > 0.95
    assert label_issues.out_of_fold(x[::10], labels[::10], artist[::10]).shape == (40, 4)
    with pytest.raises(MerKitError, match="songs of a single artist"):
        label_issues.out_of_fold(x, labels, np.where(labels == 0, 99, artist))


def test_frames_become_means_and_standard_deviations() -> None:
    x = RNG.normal(size=(600, 1, 5, 7)).astype(np.float32)
    expected = np.concatenate([x[:, 0].mean(axis=2), x[:, 0].std(axis=2)], axis=1)
    view = ArraySegments(x)
    np.testing.assert_allclose(label_issues.vectors(view), expected, rtol=1e-5, atol=1e-6)  # type: ignore[arg-type]
    np.testing.assert_array_equal(label_issues.vectors(ArraySegments(x[:, 0, :, 0])), x[:, 0, :, 0])  # type: ignore[arg-type]


def test_issues_are_those_of_confident_learning() -> None:
    """By hand: p(other class) reaches that class's mean self-confidence, and beats the label's."""
    pytest.importorskip("cleanlab", reason="an extra, and in dev")
    truth, labels = _planted()
    p = 0.6 * np.eye(4)[truth] + 0.4 * RNG.dirichlet(np.ones(4), len(truth))
    found, quality = label_issues.judged(labels, p)
    thresholds = np.array([p[labels == k, k].mean() for k in range(4)])
    confident = np.where(p >= thresholds, p, -1)
    suspected = (confident.max(axis=1) >= 0) & (confident.argmax(axis=1) != labels)
    suspected &= p.argmax(axis=1) != labels
    # cleanlab calibrates the counts of the joint distribution, and so finds some more.
    assert suspected.sum() > 20 and (found & suspected).sum() >= 0.9 * suspected.sum()
    assert found.sum() <= 1.5 * suspected.sum()
    np.testing.assert_allclose(quality, p[np.arange(len(p)), labels])
    assert (labels != truth)[found].mean() > 0.95


def test_without_cleanlab_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_issues, "is_installed", lambda: False)
    with pytest.raises(MerKitError, match=r"cleanlab is not installed.*pip install 'mer-kit"):
        label_issues.judged(np.array([0, 1]), np.eye(2))


def _passes(truth: np.ndarray | None, labels: np.ndarray, in_u: np.ndarray) -> Passes:
    n = len(labels)
    p = np.full((1, n, 4), 0.25)
    passes = Passes(
        p, labels, np.arange(n), np.zeros(n), np.ones(n), truth, [], PartitionSettings(), 0
    )
    omega = np.where(in_u, 0.1, 0.9) + 0.01 * RNG.random(n)
    partition = SimpleNamespace(separated=True, clean=~in_u, omega=omega)
    passes.__dict__["partitions"] = [partition]
    return passes


def test_opinions_are_counted_and_compared_with_the_truth() -> None:
    truth, labels = _planted()
    truth[:50] = -1  # unknown
    in_u, found = RNG.random(400) < 0.2, RNG.random(400) < 0.3
    quality = RNG.random(400)
    issues = label_issues.LabelIssues(np.zeros((400, 4)), found, quality)
    table = label_issues.opinions(issues, _passes(truth, labels, in_u), 1).set_index("who")
    known, wrong = truth >= 0, (truth >= 0) & (truth != labels)
    for who, doubted in (("partition (U)", in_u), ("cleanlab", found), ("both", in_u & found)):
        row = table.loc[who]
        assert row["segments"] == doubted.sum() and row["of_all"] == pytest.approx(doubted.mean())
        assert row["wrong_among_them"] == pytest.approx(
            (wrong & doubted).sum() / (known & doubted).sum()
        )
        assert row["found_of_wrong"] == pytest.approx((wrong & doubted).sum() / wrong.sum())
    assert table.loc["cleanlab", "roc_auc"] == pytest.approx(
        roc_auc_score(~wrong[known], quality[known])
    )
    agree = (in_u == found).mean()
    chance = in_u.mean() * found.mean() + (1 - in_u.mean()) * (1 - found.mean())
    np.testing.assert_allclose(table["kappa"], (agree - chance) / (1 - chance))
    blind = label_issues.opinions(issues, _passes(None, labels, in_u), 1)
    assert list(blind) == ["who", "segments", "of_all", "kappa"]
