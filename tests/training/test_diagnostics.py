"""Diagnostics from passes and labels alone, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_kit.checks import MerKitError
from mer_kit.training import diagnostics
from mer_kit.training.evaluation import losses
from mer_kit.training.partition import PartitionSettings as P
from mer_kit.training.partition import fit_partition

# Three passes over four segments of two classes; p of class 0.
P0 = np.array([[0.75, 0.25, 0.5, 0.0], [0.25, 0.25, 1.0, 0.25], [0.75, 0.75, 0.25, 0.5]])
EPOCHS = np.stack([P0, 1 - P0], axis=2).astype(np.float16)
LABELS = np.array([0, 0, 1, 1])


def test_loss_table_by_hand():
    table = diagnostics.loss_table(EPOCHS, LABELS)
    expected = -np.log(
        [[0.75, 0.25, 0.5, 1.0], [0.25, 0.25, 2.0**-24, 0.75], [0.75, 0.75, 0.75, 0.5]]
    )
    np.testing.assert_allclose(table, expected, rtol=1e-12, atol=1e-12)


def test_data_map_by_hand():
    table = diagnostics.data_map(EPOCHS, LABELS)
    own = np.array([[0.75, 0.25, 0.75], [0.25, 0.25, 0.75], [0.5, 0.0, 0.75], [1.0, 0.75, 0.5]])
    np.testing.assert_allclose(table["confidence"], own.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(
        table["variability"], np.sqrt(((own.T - own.mean(axis=1)) ** 2).mean(axis=0))
    )
    # A tie goes to the smaller class: segment 2 is wrong in pass 1, segment 3 in pass 3.
    np.testing.assert_allclose(table["correctness"], [2 / 3, 1 / 3, 1 / 3, 2 / 3])


def test_data_map_of_float16_does_not_lose_digits():
    epochs = np.full((1000, 1, 2), 0.9996, dtype=np.float16)  # a float16 sum would stall at 2048
    table = diagnostics.data_map(epochs, np.array([0]))
    assert table["confidence"][0] == float(np.float16(0.9996)) and table["variability"][
        0
    ] == pytest.approx(0, abs=1e-12)


def test_forgetting_by_hand():
    # Right and wrong per pass: 1 0 1 | 0 0 1 | 0 0 1 | 1 1 0
    assert diagnostics.forgetting(EPOCHS, LABELS).tolist() == [1, 0, 0, 1]
    assert diagnostics.forgetting(EPOCHS[1:2], LABELS).tolist() == [-1, -1, -1, 0]


@given(st.lists(st.booleans(), min_size=1, max_size=12))
@settings(deadline=None, max_examples=60)
def test_forgetting_counts_the_falls(right):
    p = np.array([0.9 if r else 0.1 for r in right])
    epochs = np.stack([p, 1 - p], axis=1)[:, None]
    falls = "".join("1" if r else "0" for r in right).count("10")
    assert diagnostics.forgetting(epochs, np.array([0]))[0] == (falls if any(right) else -1)


def test_flips_by_hand():
    clean = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 1, 1, 0], [0, 1, 1, 1]])
    assert diagnostics.flips(clean).tolist() == [3, 0, 1, 1]
    assert diagnostics.flips(clean[:1]).tolist() == [0, 0, 0, 0]
    with pytest.raises(MerKitError, match=r"clean_by_epoch has shape \(4,\)"):
        diagnostics.flips(clean[0])


# ---- split quality -------------------------------------------------------------------------------


def test_split_quality_by_hand():
    clean = np.array([1, 1, 1, 0, 0, 0, 0, 0], bool)
    truly = np.array([1, 1, 0, 1, 1, 0, 0, 0], bool)
    omega = np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.3, 0.1, 0.2])
    quality = diagnostics.partition_quality(clean, omega, truly)
    # Of the 16 pairs (clean, wrong): 0.9 and 0.8 win 4 each, 0.6 wins 3, 0.2 wins 1 and ties 1.
    expected = {
        "precision": 2 / 3,
        "recall": 2 / 4,
        "noise_recall": 3 / 4,
        "roc_auc": 12.5 / 16,
        "share_labelled": 3 / 8,
        "true_noise": 4 / 8,
    }
    assert quality == pytest.approx(expected) and all(
        type(value) is float for value in quality.values()
    )


def test_split_quality_is_nan_where_there_is_nothing_to_ask():
    yes, no = np.ones(3, bool), np.zeros(3, bool)
    all_true = diagnostics.partition_quality(yes, np.ones(3), yes)
    assert (
        np.isnan([all_true["noise_recall"], all_true["roc_auc"]]).all()
        and all_true["precision"] == 1
    )
    none_kept = diagnostics.partition_quality(no, np.ones(3), no)
    assert (
        np.isnan([none_kept["precision"], none_kept["recall"]]).all()
        and none_kept["noise_recall"] == 1
    )


# ---- rejected seconds ----------------------------------------------------------------------------


def test_disowned_by_hand_with_overlapping_segments():
    """3 s segments each second: second [3, 4) is covered by segments 1, 2, 3; ω̄ there is (0.6 +
    0.1 + 0.2) / 3 = 0.3.
    """
    start = np.arange(5.0)
    omega = np.array([0.9, 0.6, 0.1, 0.2, 0.9])
    spans = diagnostics.rejected(start, start + 3, omega)
    # Means per second: 0.9, 0.75, 0.5333, 0.3, 0.4, 0.55, 0.9
    assert spans.to_dict("records") == [
        {"start_s": 3.0, "end_s": 5.0, "omega": pytest.approx(0.35)}
    ]
    assert diagnostics.rejected(start, start + 3, omega, tau=0.2).empty
    wide = diagnostics.rejected(start, start + 3, omega, tau=0.8)
    assert wide[["start_s", "end_s"]].to_numpy().tolist() == [[1.0, 6.0]]
    assert wide["omega"][0] == pytest.approx(np.mean([0.75, 0.8 / 1.5, 0.3, 0.4, 0.55]))


def test_disowned_spans_weigh_by_their_length_and_stop_at_gaps():
    start, end = np.array([0.0, 0.5, 2.0]), np.array([0.5, 1.5, 3.0])
    spans = diagnostics.rejected(start, end, np.array([0.4, 0.1, 0.2]))
    assert spans[["start_s", "end_s"]].to_numpy().tolist() == [[0.0, 1.5], [2.0, 3.0]]
    np.testing.assert_allclose(spans["omega"], [(0.5 * 0.4 + 1.0 * 0.1) / 1.5, 0.2])


def test_disowned_includes_tau_itself_as_U_does():
    assert len(diagnostics.rejected(np.array([0.0]), np.array([1.0]), np.array([0.5]))) == 1


# ---- replay --------------------------------------------------------------------------------------


def test_replay_is_the_split_of_the_archived_losses_at_any_tau():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 400)
    right = np.where(
        generator.random(400) < 0.75,
        generator.uniform(0.7, 0.99, 400),
        generator.uniform(0.01, 0.3, 400),
    )
    p = np.where(labels[:, None] == np.arange(2), right[:, None], 1 - right[:, None]).astype(
        np.float16
    )
    for tau in (0.1, 0.5, 0.9):
        ours = diagnostics.replay(p[None], labels, seed=5, settings=P(tau=tau))
        direct = fit_partition(losses(p, labels), labels, n_classes=2, seed=5, settings=P(tau=tau))
        np.testing.assert_array_equal(ours.clean, direct.clean)
        np.testing.assert_array_equal(ours.omega, direct.omega)
    sizes = [
        diagnostics.replay(p[None], labels, settings=P(tau=tau, clean_share=(0, 1))).clean.sum()
        for tau in (0.01, 0.5, 0.99)
    ]
    assert sizes[0] >= sizes[1] >= sizes[2] and sizes[0] > sizes[2]
    assert len(diagnostics.replay(p[None], labels, settings=P(per_class=True)).mixtures) == 2
    assert not diagnostics.replay(
        p[None], labels, settings=P(min_gap=50.0)
    ).separated  # options reach the split


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function", [diagnostics.loss_table, diagnostics.data_map, diagnostics.forgetting]
)
def test_shapes_that_do_not_belong_together_get_a_sentence(function):
    with pytest.raises(
        MerKitError, match=r"epochs have shape \(4, 2\), expected \[epochs, segments, classes\]"
    ):
        function(EPOCHS[0], LABELS)
    with pytest.raises(MerKitError, match="labels has 3 entries, expected 4"):
        function(EPOCHS, LABELS[:3])
    with pytest.raises(MerKitError, match=r"labels\[0\] is 2, expected 0 to 1"):
        function(EPOCHS, LABELS + 2)


def test_replay_checks_its_labels():
    with pytest.raises(MerKitError, match="labels has 3 entries, expected 4"):
        diagnostics.replay(EPOCHS, LABELS[:3])
    with pytest.raises(MerKitError, match="expected 0 to 1"):
        diagnostics.replay(EPOCHS, LABELS + 2)
