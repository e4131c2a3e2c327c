"""Plots of the objectives and of a training's history: what is drawn equals the data."""

from __future__ import annotations

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mer_kit import plots
from mer_kit.plots import style
from mer_kit.records import EpochRecord
from mer_kit.training import Trainer, TrainingSettings
from mer_kit.training.evaluation import ArraySegments

CLASSES = ("Q1", "Q2", "Q3", "Q4")
NAN = float("nan")


@pytest.fixture(autouse=True)
def closed():
    style.use()
    yield
    plt.close("all")


def record(epoch: int, phase: str = "ssl", **more: object) -> EpochRecord:
    fields: dict[str, object] = {
        "epoch": epoch, "phase": phase, "loss": 1.0 / epoch, "loss_mix": 0.9 / epoch, "loss_kl": NAN, "lambda_kl": 0.0,
        "learning_rate": 0.01, "evaluation_loss": 0.8, "train_accuracy": 0.5 + 0.05 * epoch, "n_labelled": 100,
        "n_unlabelled": 0, "separated": False, "loss_gap": NAN, "pseudo_agreement": NAN, "pseudo_confidence": NAN,
        "labelled_class_share": (0.25, 0.25, 0.25, 0.25), "seconds": 1.0,
    }  # fmt: skip
    return EpochRecord(**{**fields, **more})  # type: ignore[arg-type]


HISTORY = [
    record(1, "warmup"),
    record(2, "warmup"),
    record(3, n_labelled=70, n_unlabelled=30, separated=True, loss_kl=0.3, lambda_kl=0.5, pseudo_agreement=0.4,
           pseudo_confidence=0.8, labelled_class_share=(0.4, 0.3, 0.2, 0.1)),
    record(4, note="no separation: …", lambda_kl=1.0),
    record(5, n_labelled=80, n_unlabelled=20, separated=True, loss_kl=0.2, lambda_kl=1.0, pseudo_agreement=0.6,
           pseudo_confidence=0.7, labelled_class_share=(0.25, 0.25, 0.25, 0.25)),
]  # fmt: skip


def texts(ax: plt.Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


# ---- objectives ----------------------------------------------------------------------------------------------------


def test_sharpening_is_the_formula_and_the_bars_show_it() -> None:
    p = np.array([0.5, 0.3, 0.15, 0.05])
    for temperature in (1.0, 0.5, 0.25):
        expected = p ** (1 / temperature) / (p ** (1 / temperature)).sum()
        assert plots.objectives.sharpen(p, temperature) == pytest.approx(expected, abs=1e-6)
    ax = plots.objectives.sharpening_bars(p, (1.0, 0.5), CLASSES)
    heights = sorted(bar.get_height() for bar in ax.patches if bar.get_height())
    assert heights == pytest.approx(sorted([*p, *(p**2 / (p**2).sum())]), abs=1e-6)
    legend = ax.get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == [
        "T = 1",
        "T = 0.5",
    ]


def test_the_sharpening_curve_is_that_of_two_classes() -> None:
    ax = plots.objectives.sharpening_curve((1.0, 0.5))
    x, y = ax.lines[1].get_data()
    p = float(x[140])
    assert y[140] == pytest.approx(plots.objectives.sharpen(np.array([p, 1 - p]), 0.5)[0], abs=1e-6)


def test_mixup_pictures_show_both_and_their_mean() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 40, 128)).astype(np.float32)
    axes = plots.objectives.mixup_pictures(first, second, 0.7)
    drawn = [np.asarray(ax.images[0].get_array()).T for ax in axes]
    np.testing.assert_array_equal(drawn[0], first)
    np.testing.assert_allclose(drawn[1], 0.7 * first + 0.3 * second, atol=1e-6)
    np.testing.assert_array_equal(drawn[2], second)
    assert axes[1].get_title(loc="left") == "mixed, δ = 0.70"


def test_the_density_of_delta_is_a_density() -> None:
    ax = plots.objectives.delta_density(2.0)
    whole, folded = (line.get_data() for line in ax.lines)
    assert np.trapezoid(whole[1], whole[0]) == pytest.approx(1, abs=0.01)
    assert np.trapezoid(folded[1], folded[0]) == pytest.approx(1, abs=0.02) and folded[
        0
    ].min() == pytest.approx(0.5)
    assert np.interp(0.5, *whole) == pytest.approx(1.5, abs=1e-3), "Beta(2, 2) at ½ is 6 · ¼"


def test_targets_and_dropout_passes_are_drawn_as_given() -> None:
    ax = plots.objectives.target_bars(np.array([0.7, 0, 0.3, 0]), CLASSES)
    assert [bar.get_height() for bar in ax.patches] == [0.7, 0, 0.3, 0]
    passes = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
    ax = plots.objectives.rdrop_bars(passes, CLASSES, ax=plt.figure().subplots())
    assert [bar.get_height() for bar in ax.patches if bar.get_height()] == pytest.approx(
        passes.ravel()
    )


def test_disagreement_is_cumulative_and_names_the_means() -> None:
    ax = plots.objectives.disagreement(
        {"X": np.array([0.3, 0.1]), "U": np.array([0.2, 0.6, 0.4]), "empty": np.array([])}
    )
    x, y = ax.lines[0].get_data()
    assert x.tolist() == [0.1, 0.3] and y.tolist() == [0.5, 1.0]
    legend = ax.get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["X (2 segments), mean 0.200", "U (3 segments), mean 0.400"]


def test_the_loop_names_every_equation_and_its_arrows_stay_on_the_page() -> None:
    ax = plots.objectives.loop()
    shown = " ".join(texts(ax))
    for equation in ("Eq. 2", "Eq. 3", "Eq. 4", "Eq. 6–8", "Eq. 9", "Eq. 10"):
        assert equation in shown
    for start, end in plots.objectives._ARROWS:
        assert start[0] in plots.objectives._BOXES and end[0] in plots.objectives._BOXES


# ---- history -------------------------------------------------------------------------------------------------------


def test_curves_hold_the_records_and_leave_out_what_is_not_there() -> None:
    ax = plots.history.loss_curves(HISTORY)
    lines = {tuple(line.get_xdata()): line for line in ax.lines}
    assert lines[(3, 5)].get_ydata().tolist() == [0.3, 0.2], "L_KL exists in epochs 3 and 5 only"
    assert ax.lines[0].get_ydata().tolist() == pytest.approx([1 / e for e in range(1, 6)])
    assert "first partition " in texts(ax) and "L_KL on U" in texts(ax)
    plain = plots.history.loss_curves(
        [record(1, "warmup"), record(2, "plain")], ax=plt.figure().subplots()
    )
    assert "L_KL on U" not in texts(plain) and "first partition " not in texts(plain)


def test_agreement_has_chance_for_comparison() -> None:
    ax = plots.history.agreement_curve(HISTORY, n_classes=4)
    assert ax.lines[0].get_ydata().tolist() == pytest.approx([r.train_accuracy for r in HISTORY])
    assert set(ax.lines[-1].get_ydata()) == {0.25}


def test_the_ramp_passes_through_what_the_epochs_ended_with() -> None:
    flat = plots.history.ramp_curve(
        [record(1, "plain")], TrainingSettings(method="ce"), ax=plt.figure().subplots()
    )
    assert set(flat.lines[0].get_ydata()) == {0.0}


@pytest.mark.parametrize(
    "settings", [{"ramp_fraction": 0.5}, {"ramp_fraction": 0, "ramp_epochs": 2}]
)
def test_the_ramp_passes_through_what_a_training_ended_its_epochs_with(settings) -> None:
    x = np.random.default_rng(0).normal(size=(40, 3))
    songs, labels = np.arange(40) // 4, np.arange(40) // 4 % 2
    about = {"network": "mlp", "epochs": 9, "warmup_epochs": 2, "batch_size": 8, "lambda_kl": 0.7}
    trainer = Trainer(n_classes=2, device="cpu", precision="float32", **about, **settings)
    trainer.fit(ArraySegments(x), labels, songs)
    ax = plots.history.ramp_curve(trainer.history_, TrainingSettings(**about, **settings))
    line, dots = ax.lines
    assert max(dots.get_ydata()) == pytest.approx(0.7) and 0 < dots.get_ydata()[2] < 0.7
    for epoch, weight in zip(*dots.get_data(), strict=True):
        assert np.interp(epoch, *line.get_data()) == pytest.approx(weight), epoch


def test_x_and_u_are_stacked_to_all_segments_and_refusals_are_hatched() -> None:
    ax = plots.history.x_u_sizes(HISTORY)
    tops = [part.get_paths()[0].vertices[:, 1].max() for part in ax.collections]
    assert tops == [100, 100, 70, 100, 100, 100, 80, 100]
    assert [bool(part.get_hatch()) for part in ax.collections].count(True) == 1
    assert {"30%", "20%", "X", "U"} <= set(texts(ax))


def test_pseudo_label_curves_hold_the_epochs_that_had_a_u() -> None:
    ax = plots.history.pseudo_label_curves(HISTORY)
    confidence, agreement = ax.lines[:2]
    assert confidence.get_data()[0].tolist() == [3, 5] and agreement.get_ydata().tolist() == [
        0.4,
        0.6,
    ]
    empty = plots.history.pseudo_label_curves([record(1, "plain")], ax=plt.figure().subplots())
    assert texts(empty) == ["this training had no U"] and "this training had no U" not in texts(ax)


def test_pseudo_labels_against_the_truth() -> None:
    table = pd.DataFrame(
        {
            "after_epoch": [1, 2, 3],
            "label_is_true": [NAN, 0.7, 0.6],
            "guess_is_true": [NAN, 0.4, 0.8],
        }
    )
    ax = plots.history.pseudo_truth_curves(table)
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.7, 0.6], [0.4, 0.8]]
    assert ax.lines[0].get_xdata().tolist() == [2, 3]


def test_class_fractions_follow_their_class_with_the_base_for_comparison() -> None:
    ax = plots.history.class_shares(HISTORY, [0.25] * 4, CLASSES)
    q4 = next(
        line
        for line in ax.lines
        if line.get_color() == style.LOOK["Q4"][0] and len(line.get_xdata()) == 5
    )
    assert q4.get_ydata().tolist() == [0.25, 0.25, 0.1, 0.25, 0.25]


def test_methods_are_at_their_scores() -> None:
    table = pd.DataFrame(
        {"method": ["ce", "sssl"], "segments": [0.6, 0.65], "songs": [0.7, 0.72], "songs_error": [0.05, 0.04],
         "majority": [0.3, 0.3]}
    )  # fmt: skip
    ax = plots.history.method_scores(table)
    assert {"songs 70.0%", "segments 65.0%", "majority class"} <= set(texts(ax))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ce", "sssl"]


def test_the_history_table_has_one_row_per_epoch() -> None:
    table = plots.history.history_table(HISTORY)
    assert table["n_unlabelled"].tolist() == [0, 0, 30, 0, 20]
    assert (
        len(table.columns) == len(dataclasses.fields(EpochRecord)) - 1
    )  # "own" is a column for each of its numbers
