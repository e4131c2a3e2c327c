"""Plots of the partition: what is drawn equals the data."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from mer_kit import plots
from mer_kit.analysis.passes import Passes
from mer_kit.plots import axes, style
from mer_kit.records import EpochRecord
from mer_kit.training.mixture import Mixture
from mer_kit.training.partition import PartitionSettings

MIXTURE = Mixture(weights=(0.7, 0.3), means=(0.2, 0.7), sds=(0.05, 0.15), low=0.1, high=2.1)


@pytest.fixture(autouse=True)
def closed():
    style.use()
    yield
    plt.close("all")


def record(epoch: int, phase: str) -> EpochRecord:
    return EpochRecord(
        epoch=epoch, phase=phase, loss=1.0, loss_mix=1.0, loss_kl=0.0, lambda_kl=0.0, learning_rate=1e-3,
        evaluation_loss=1.0, train_accuracy=0.5, n_labelled=1, n_unlabelled=0, separated=False, loss_gap=0.0,
        pseudo_agreement=0.0, pseudo_confidence=0.0, labelled_class_share=(0.5, 0.5), seconds=1.0,
    )  # fmt: skip


def make_passes(*, truth: bool = True, tau: float = 0.5) -> Passes:
    """Two classes, 200 segments of 10 songs, every fifth label wrong; the model comes to doubt the wrong ones."""
    rng = np.random.default_rng(0)
    n = 200
    labels = np.arange(n) % 2
    wrong = np.arange(n) % 5 == 0
    own = []
    for sure in (0.5, 0.7, 0.85):
        p = np.where(wrong, 1 - sure, sure) + rng.normal(0, 0.04, n)
        own.append(np.clip(p, 0.02, 0.98))
    table = np.stack(own)
    probabilities = np.where(
        labels[None, :, None] == np.arange(2), table[:, :, None], 1 - table[:, :, None]
    )
    return Passes(
        probabilities=probabilities.astype(np.float16),
        labels=labels,
        clip=np.repeat(np.arange(10), 20),
        start_s=np.tile(np.arange(20.0), 10),
        end_s=np.tile(np.arange(20.0), 10) + 3,
        truth=np.where(wrong, 1 - labels, labels) if truth else None,
        history=[record(1, "warmup"), record(2, "ssl"), record(3, "ssl")],
        partition=PartitionSettings(tau=tau, min_gap=0.2, loss_window=1, dip_test=False),
        seed=0,
    )


def texts(ax: plt.Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


# ---- losses and mixture --------------------------------------------------------------------------------------------


def test_the_lines_over_the_epochs_are_medians_of_the_groups() -> None:
    passes = make_passes()
    ax = plots.losses.loss_over_epochs(passes.losses, passes.groups)
    right, wrong = ax.lines
    np.testing.assert_allclose(
        right.get_ydata(), np.median(passes.losses[:, ~passes.wrong], axis=1)
    )
    np.testing.assert_allclose(wrong.get_ydata(), np.median(passes.losses[:, passes.wrong], axis=1))
    assert sorted(texts(ax)) == ["right label (n = 160)", "wrong label (n = 40)"]
    bare = plots.losses.loss_over_epochs(
        passes.losses, passes.groups, counts=False, ax=plt.figure().subplots()
    )
    assert sorted(texts(bare)) == ["right label", "wrong label"]


def test_the_histogram_shows_every_loss_once_as_a_density() -> None:
    losses = np.r_[np.full(30, 0.5), np.full(10, 1.5)]
    ax = plots.losses.loss_histogram(losses, MIXTURE)
    (polygon,) = ax.patches
    points = polygon.get_xy()
    assert points[:, 1].max() == pytest.approx(30 / 40 * plots.losses.BINS)
    top = points[np.isclose(points[:, 1], points[:, 1].max()), 0]
    assert top.min() <= (0.5 - 0.1) / 2.0 <= top.max(), "the bar is not at its normalised loss"


def test_wrong_labels_are_stacked_on_the_right_ones_and_hatched() -> None:
    losses = np.full(40, 0.5)
    ax = plots.losses.loss_histogram(losses, MIXTURE, wrong=np.arange(40) < 10)
    (right,), (wrong,) = (
        [p for p in ax.patches if bool(p.get_hatch()) is hatched] for hatched in (False, True)
    )
    assert right.get_xy()[:, 1].max() == pytest.approx(0.75 * plots.losses.BINS)
    assert wrong.get_xy()[:, 1].max() == pytest.approx(1.0 * plots.losses.BINS)
    assert wrong.get_xy()[:, 1][wrong.get_xy()[:, 1] > 0].min() == pytest.approx(
        0.75 * plots.losses.BINS
    )


def test_both_gaussians_are_those_of_the_mixture() -> None:
    ax = plots.losses.loss_histogram(np.array([0.5, 1.5]), MIXTURE)
    for line, k in zip(ax.lines, (0, 1), strict=True):
        x, y = line.get_data()
        z = (x - MIXTURE.means[k]) / MIXTURE.sds[k]
        expected = MIXTURE.weights[k] * np.exp(-0.5 * z**2) / (MIXTURE.sds[k] * np.sqrt(2 * np.pi))
        np.testing.assert_allclose(y, expected)
        assert np.trapezoid(y, x) == pytest.approx(MIXTURE.weights[k], abs=0.02)


def test_ticks_carry_the_normalised_loss_and_nats() -> None:
    ax = plots.losses.loss_histogram(np.array([0.5, 1.5]), MIXTURE)
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        "0\n0.10", "0.25\n0.60", "0.5\n1.10", "0.75\n1.60", "1\n2.10",
    ]  # fmt: skip


def test_without_a_mixture_the_losses_are_in_nats_and_the_reason_is_named() -> None:
    ax = plots.losses.loss_histogram(np.full(20, 1.2), None)
    assert ax.get_xlabel() == "loss (nats)" and "all losses are equal" in texts(ax)[0]
    upper, lower = plots.losses.histogram_with_posterior(np.full(20, 1.2), None, tau=0.5)
    assert len(lower.lines) == 1


def test_the_posterior_is_drawn_clamped_and_raw_and_cut_at_tau() -> None:
    # The narrow clean component loses in both tails, so the raw posterior falls again at small losses.
    mixture = Mixture(weights=(0.6, 0.4), means=(0.4, 0.6), sds=(0.05, 0.3), low=0.0, high=1.0)
    ax = plots.losses.posterior_curve(mixture, tau=0.5)
    cut, raw, clamped = ax.lines
    assert set(cut.get_ydata()) == {0.5}
    np.testing.assert_allclose(clamped.get_ydata(), mixture.posterior(np.linspace(0, 1, 401)))
    np.testing.assert_allclose(
        raw.get_ydata(), mixture.posterior(np.linspace(0, 1, 401), clamp=False)
    )
    assert raw.get_ydata()[0] < 0.1 < 0.5 < clamped.get_ydata()[0]
    assert texts(ax) == ["X", "U"]
    (left, right) = ax.patches
    edge = left.get_x() + left.get_width()
    assert edge == pytest.approx(right.get_x())
    assert (
        mixture.posterior(np.array([edge - 0.005]))[0]
        > 0.5
        >= mixture.posterior(np.array([edge + 0.005]))[0]
    )
    assert (to_hex(left.get_facecolor()), to_hex(right.get_facecolor())) == (
        style.CLEAN,
        style.NOISY,
    )


def test_small_multiples_show_the_passes_asked_for_and_say_where_nothing_separates() -> None:
    passes = make_passes()
    mixtures = [partition.mixtures[0] for partition in passes.partitions]
    notes = ["no separation: X and U differ by 0.05 nat, under 0.1", "", ""]
    drawn = plots.losses.loss_multiples(
        passes.losses, mixtures, after_epochs=[1, 3], tau=0.5, wrong=passes.wrong, notes=notes
    )
    assert [upper.get_title(loc="left") for upper, _ in drawn] == [
        "after epoch 1: no separation",
        "after epoch 3",
    ]
    last = mixtures[2]
    assert last is not None
    np.testing.assert_allclose(
        drawn[1][0].lines[0].get_ydata(), last.densities(np.linspace(0, 1, 401))[0]
    )
    assert drawn[1][1].get_xticklabels()[0].get_text() == f"0\n{last.low:.2f}"


# ---- how good the partition is ---------------------------------------------------------------------------------------


def test_x_and_u_bars_count_right_and_wrong_labels() -> None:
    clean = np.array([1, 1, 1, 0, 0], dtype=bool)
    ax = plots.quality.x_u_bars(clean, wrong=np.array([0, 0, 1, 1, 1], dtype=bool))
    assert [bar.get_width() for bar in ax.patches] == [2, 1, 0, 2]
    assert texts(ax) == [" 3 (1 wrong)", " 2 (2 wrong)"]
    assert texts(plots.quality.x_u_bars(clean, ax=plt.figure().subplots())) == [" 3", " 2"]


def test_the_tau_table_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    omega, right = rng.random(300), rng.random(300) < 0.8
    table = plots.quality.tau_table(omega, right=right, steps=10)
    for row in table.iloc[:-1].to_dict("records"):
        inside = omega > row["tau"]
        assert row["share in X"] == pytest.approx(inside.mean())
        assert row["precision"] == pytest.approx(precision_score(right, inside))
        assert row["recall"] == pytest.approx(recall_score(right, inside))
    assert np.isnan(table["precision"].iloc[-1]) and (np.diff(table["share in X"]) <= 0).all()


def test_the_tau_curve_draws_the_table_and_marks_tau() -> None:
    omega, right = np.linspace(0, 1, 50), np.arange(50) > 20
    ax = plots.quality.tau_curve(omega, right=right, tau=0.3)
    table = plots.quality.tau_table(omega, right=right)
    drawn = {colour: line for line in ax.lines for colour in [line.get_color()]}
    np.testing.assert_allclose(drawn[style.CLEAN].get_ydata(), table["precision"])
    assert {"precision", "recall", "fraction in X", "τ = 0.3"} <= set(texts(ax))
    blind = plots.quality.tau_curve(omega, tau=0.3, ax=plt.figure().subplots())
    assert "precision" not in texts(blind) and "fraction in X" in texts(blind)


def test_roc_curves_name_their_areas_and_the_areas_are_drawn_over_the_epochs() -> None:
    rng = np.random.default_rng(2)
    right = rng.random(200) < 0.7
    omegas = {1: rng.random(200), 4: np.clip(right * 0.4 + rng.random(200) * 0.6, 0, 1)}
    ax = plots.quality.roc_curves(omegas, right)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        f"after epoch {epoch}: {roc_auc_score(right, omega):.2f}" for epoch, omega in omegas.items()
    ]
    over = plots.quality.auc_over_epochs({"a": [0.5, 0.7], "b": [0.6, 0.9, 0.8]})
    assert over.lines[1].get_ydata().tolist() == [0.6, 0.9, 0.8] and sorted(texts(over)) == [
        "a",
        "b",
    ]


# ---- single labels -------------------------------------------------------------------------------------------------


def test_the_data_map_places_each_segment() -> None:
    table = pd.DataFrame(
        {"confidence": [0.9, 0.2], "variability": [0.1, 0.05], "correctness": [1.0, 0.0]}
    )
    groups = {"right label": np.array([True, False]), "wrong label": np.array([False, True])}
    ax = plots.labels.data_map_scatter(table, groups)
    assert [dots.get_offsets().tolist() for dots in ax.collections] == [[[0.1, 0.9]], [[0.05, 0.2]]]
    single = plots.labels.data_map_scatter(
        table, {"all segments": np.ones(2, dtype=bool)}, ax=plt.figure().subplots()
    )
    assert np.asarray(single.collections[0].get_array()).tolist() == [1.0, 0.0]


def test_counts_become_fractions_of_their_group_and_large_ones_have_one_bar() -> None:
    counts = np.array([-1, 0, 0, 9, 5, 1])
    groups = {
        "right label": np.array([1, 1, 1, 1, 0, 0], bool),
        "wrong label": np.array([0, 0, 0, 0, 1, 1], bool),
    }
    ax = plots.labels.count_bars(counts, groups, xlabel="times", never="never")
    assert [bar.get_height() for bar in ax.patches][:7] == [0.25, 0.5, 0, 0, 0, 0, 0.25]
    assert [bar.get_height() for bar in ax.patches][7:] == [0, 0, 0.5, 0, 0, 0, 0.5]
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        "never",
        "0",
        "1",
        "2",
        "3",
        "4",
        "5+",
    ]


def test_the_strip_shows_omega_by_the_second_and_the_rejected_span_and_the_truth() -> None:
    start = np.arange(4.0)
    omega = np.array([1.0, 0.0, 0.2, 1.0])
    truth = pd.DataFrame({"start_s": [0.0, 2.0], "end_s": [2.0, 9.0], "leader": ["Q1", "Q3"]})
    ax = plots.labels.song_strip(start, start + 2, omega, label="Q1", tau=0.5, truth=truth)
    rows = {
        row: [bar for bar in ax.patches if bar.get_y() == pytest.approx(row - 0.4)]
        for row in range(4)
    }
    assert [(bar.get_x(), bar.get_width()) for bar in rows[1]] == [
        (float(x), 1.0) for x in range(5)
    ]
    assert [text for text in texts(ax) if "." in text or text in ("1.0", "0")] == [
        "1.0",
        ".5",
        ".1",
        ".6",
        "1.0",
    ]
    assert [(bar.get_x(), bar.get_width()) for bar in rows[2]] == [(1.0, 2.0)], (
        "mean ω of seconds 1 and 2 is at most ½"
    )
    assert [(bar.get_x(), bar.get_width()) for bar in rows[3]] == [(0.0, 2.0), (2.0, 3.0)], (
        "cut where the segments end"
    )
    blind = plots.labels.song_strip(start, start + 2, omega, label="Q1", tau=0.5)
    assert len(blind.get_yticks()) == 3


def test_telling_songs_show_a_success_and_a_failure() -> None:
    clip = np.repeat([3, 5, 8], 4)
    wrong = np.array([1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], dtype=bool)
    clean = np.array([0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1], dtype=bool)
    assert plots.labels.telling_songs(clip, clean, wrong=wrong) == [3, 5]
    assert plots.labels.telling_songs(clip, clean) == [3, 5], "half of song 3 is in U"


def test_names_at_line_ends_never_cover_one_another() -> None:
    ax = plt.figure().subplots()
    ax.set_ylim(0, 1)
    axes.end_labels(
        ax, 1.0, [(0.5, "a", "k"), (0.5, "b", "k"), (0.51, "c\nd", "k"), (np.nan, "e", "k")]
    )
    places = sorted(text.xy[1] for text in ax.texts)
    assert len(places) == 3 and min(np.diff(places)) >= 0.07 - 1e-9
    axes.end_labels(ax, 1.0, [(1.0, "top", "k"), (1.0, "too", "k")])
    assert max(text.xy[1] for text in ax.texts) <= 1.0
