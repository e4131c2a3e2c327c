"""Each repair of SSSL, one switch at a time, on small trainings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import nn

from mer_kit.checks import MerKitError
from mer_kit.runs.presets import resolve
from mer_kit.training import bimodality, diagnostics, networks
from mer_kit.training.batch_loss import kept_statistics, renew_batch_norm
from mer_kit.training.evaluation import ArraySegments, losses, place
from mer_kit.training.methods import sssl
from mer_kit.training.methods.sssl import mixture_seed
from mer_kit.training.partition import PartitionSettings, fit_partition, losses_to_divide


@pytest.fixture(scope="module")
def vectors():
    """Return 160 vectors of 20 songs in two classes, a fifth of the labels wrong, and the truth."""
    rng = np.random.default_rng(0)
    songs = np.repeat(np.arange(20), 8)
    truth = songs % 2
    x = rng.normal(size=(160, 6)) + 2 * truth[:, None]
    labels = np.where(rng.random(160) < 0.2, 1 - truth, truth)
    return ArraySegments(x), labels, songs, truth


@pytest.fixture(scope="module")
def fit(vectors, trainer):
    def make(**changes):
        settings = {"network": "mlp", "model": {"hidden": 8}, "epochs": 6, "warmup_epochs": 2}
        x, labels, songs, _ = vectors
        return trainer(**(settings | changes)).fit(x, labels, songs)

    return make


# ---- schedules -----------------------------------------------------------------------------------


def test_the_second_phase_has_a_schedule_of_its_own(fit):
    """After a rise over one epoch, half a cosine to 0, in each phase."""
    rates = [record.learning_rate for record in fit(restart_schedule=True).history_]
    np.testing.assert_allclose(rates, 1e-2 * np.array([1, 0, 1, 0.75, 0.25, 0]), atol=1e-9)
    plain = [record.learning_rate for record in fit().history_]
    np.testing.assert_allclose(plain[-1], 0, atol=1e-9)
    assert min(plain[:-1]) > 0


def test_a_training_resumes_at_either_side_of_the_border(
    tmp_path, vectors, trainer, fit, same_training
):
    whole = fit(restart_schedule=True)
    x, labels, songs, _ = vectors
    for stop in (1, 2, 3):
        file = tmp_path / f"{stop}.safetensors"

        def interrupt(record, stop=stop):
            if record.epoch == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit(restart_schedule=True, checkpoint_file=file, on_epoch=interrupt)
        same_training(fit(restart_schedule=True, checkpoint_file=file), whole)


def test_lambda_rises_over_a_fraction_of_the_phase(fit):
    made = fit(ramp_fraction=0.5, lambda_kl=0.8)
    np.testing.assert_allclose([r.lambda_kl for r in made.history_], [0, 0, 0.4, 0.8, 0.8, 0.8])


# ---- batch normalisation -------------------------------------------------------------------------


def test_renewed_statistics_are_those_of_the_segments(toy):
    network = networks.build("vgg16", 2, n_features=32, width=1, head_pool=1, batch_norm=True)
    placement = place("cpu", "float32")
    x = torch.from_numpy(toy.segments.values)
    renew_batch_norm(network.train(), [(np.arange(32), x[:32]), (np.arange(32), x[32:])], placement)
    first = network.features[0](x)
    layer = network.features[1]
    torch.testing.assert_close(layer.running_mean, first.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-4)
    variance = (first[:32].var(dim=(0, 2, 3)) + first[32:].var(dim=(0, 2, 3))) / 2
    torch.testing.assert_close(layer.running_var, variance, rtol=1e-4, atol=1e-4)
    assert layer.momentum == 0.1


def test_mixed_batches_leave_the_statistics_as_they_are():
    layer = nn.BatchNorm1d(2)
    x = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    with kept_statistics(layer, True):
        normalised = layer(x)
    assert layer.running_mean.tolist() == [0, 0] and layer.running_var.tolist() == [1, 1]
    torch.testing.assert_close(normalised.mean(dim=0), torch.zeros(2), atol=1e-6, rtol=0)
    layer(x)
    assert layer.running_mean.tolist() != [0, 0]


def test_only_mixing_methods_renew(toy, trainer):
    def last(method, renew):
        made = trainer(method=method, epochs=1, renew_batch_norm=renew)
        return made.fit(toy.segments, toy.labels, toy.songs).eval_probabilities_.tobytes()

    assert last("ce", True) == last("ce", False)
    assert last("mixup", True) != last("mixup", False)


# ---- what is divided -----------------------------------------------------------------------------


def test_the_divided_losses_are_means_over_passes_minus_the_songs_median():
    rng = np.random.default_rng(1)
    passes = rng.dirichlet([1, 1, 1], size=(4, 6)).astype(np.float16)
    labels, songs = np.array([0, 1, 2, 0, 1, 2]), np.array([5, 5, 5, 7, 7, 7])
    each = np.stack([losses(one, labels) for one in passes])

    def divided(**given):
        return losses_to_divide(passes, labels, songs, PartitionSettings(**given))

    np.testing.assert_array_equal(divided(loss_window=1), each[-1])
    np.testing.assert_allclose(divided(loss_window=3), each[1:].mean(axis=0))
    np.testing.assert_allclose(divided(loss_window=9), each.mean(axis=0))
    medians = np.repeat(np.median(each[-1].reshape(2, 3), axis=1), 3)
    np.testing.assert_allclose(divided(loss_window=1, song_median=True), each[-1] - medians)


def test_every_switch_of_the_partition_reaches_the_training(fit, vectors):
    """The partition of each epoch is the replay of the passes before it."""
    _, labels, songs, _ = vectors
    chosen = {"loss_window": 3, "dip_test": True, "em_tolerance": 1e-5, "song_median": True}
    made = fit(epochs=5, **chosen)
    settings = PartitionSettings(min_gap=0.0, **chosen)
    for record in made.history_[2:]:
        before = made.eval_probabilities_[: record.epoch - 1]
        replayed = diagnostics.replay(
            before, labels, songs=songs, settings=settings, seed=mixture_seed(0)
        )
        assert (replayed.clean.sum(), replayed.note) == (record.n_labelled, record.note)


def test_soft_targets_keep_the_posterior_s_share_of_the_label(fit):
    """With ω at 1 everywhere nothing is erased: the targets of U are the inherited labels."""
    method = sssl.Method(fit(soft_targets=True, epochs=3).settings)
    made = fit(epochs=3)
    soft = fit(epochs=3, soft_targets=True)
    assert made.history_[-1].n_unlabelled == soft.history_[-1].n_unlabelled > 0
    assert made.eval_probabilities_[-1].tobytes() != soft.eval_probabilities_[-1].tobytes()
    method.training = made._trained().method.training
    method.partition = made._trained().method.partition
    kept = method._kept(np.arange(160))
    np.testing.assert_allclose(kept.numpy(), method.partition.omega, atol=1e-6)


# ---- one mode or two -----------------------------------------------------------------------------


def _closest_unimodal(x: np.ndarray) -> float:
    """Return the dip by linear programming: an independent solution for a handful of values."""
    x, n, best = np.sort(x), len(x), 1.0
    below = np.arange(n) / n
    for mode in range(n):
        # Unknown: the distribution just before each value, just after the mode, and the distance.
        after = [n if i == mode else i for i in range(n)]
        rows, bounds = [], []

        def require(coefficients, bound, rows=rows, bounds=bounds):
            row = np.zeros(n + 2)
            for at, value in coefficients:
                row[at] += value
            rows.append(row), bounds.append(bound)

        for i in range(n):
            for at, wanted in ((i, below[i]), (after[i], below[i] + 1 / n)):
                require([(at, 1), (n + 1, -1)], wanted), require([(at, -1), (n + 1, -1)], -wanted)
        require([(mode, 1), (n, -1)], 0)
        for i in range(n - 1):
            require([(after[i], 1), (i + 1, -1)], 0)
        for i in range(1, n - 1):
            before, behind = 1 / (x[i] - x[i - 1]), 1 / (x[i + 1] - x[i])
            rise = [(i, before), (after[i - 1], -before), (i + 1, -behind), (i, behind)]
            if i < mode:
                require(rise, 0)
            elif i > mode:
                require([(at, -value) for at, value in rise], 0)
        objective = np.append(np.zeros(n + 1), 1)
        found = linprog(objective, A_ub=np.array(rows), b_ub=bounds, bounds=[(0, 1)] * (n + 2))
        best = min(best, found.fun if found.success else 1.0)
    return best


@pytest.mark.parametrize("n", [4, 7, 12])
def test_the_dip_is_the_distance_to_the_closest_unimodal_distribution(n):
    rng = np.random.default_rng(n)
    for _ in range(4):
        x = rng.normal(size=n) + 4 * (rng.random(n) < 0.4)
        np.testing.assert_allclose(bimodality.dip(x), _closest_unimodal(x), atol=1e-9)


DRAWS = {
    "exponential": lambda rng, n: rng.exponential(size=n),
    "gamma": lambda rng, n: rng.gamma(2.0, size=n),
    "uniform": lambda rng, n: rng.uniform(size=n),
    "normal": lambda rng, n: rng.normal(size=n),
}


@pytest.mark.parametrize("kind", DRAWS)
def test_losses_of_one_kind_are_not_separated(kind):
    """benchmarks/bimodality.py has 200 draws of each at n = 5,000 and 20,000."""
    rng = np.random.default_rng(0)
    labels = np.arange(5000) % 2
    found = [
        fit_partition(
            DRAWS[kind](rng, 5000),
            labels,
            n_classes=2,
            settings=PartitionSettings(em_tolerance=1e-2),
        )
        for _ in range(5)
    ]
    assert not any(partition.separated for partition in found)
    assert all(partition.clean.all() and "one mode" in partition.note for partition in found)


def test_planted_mixtures_are_separated_and_songs_count_once():
    rng = np.random.default_rng(0)
    x = np.r_[rng.exponential(0.3, 4000), rng.normal(3, 0.6, 1000)]
    assert bimodality.dip_test(x).bimodal
    # The same values, each written down a hundred times for one song, prove no more than once.
    few = rng.uniform(size=20)
    assert not bimodality.dip_test(np.repeat(few, 100), np.repeat(np.arange(20), 100)).bimodal
    assert bimodality.dip_test(np.repeat(few, 100), np.repeat(np.arange(20), 100)).n_effective < 21
    independent = bimodality.dip_test(x, rng.permutation(np.arange(5000) // 10))
    assert independent.n_effective > 4000


def test_rounding_makes_no_modes():
    x = np.random.default_rng(0).exponential(size=4000)
    coarse = bimodality.dip(np.round(x, 1))
    assert bimodality.CRITICAL / np.sqrt(4000) > coarse > 0


def test_a_class_of_one_mode_keeps_its_labels_where_each_class_has_a_mixture():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 2000)
    values = np.r_[rng.exponential(0.3, 2000), rng.exponential(0.3, 1500), rng.normal(3, 0.4, 500)]
    result = fit_partition(values, labels, n_classes=2, settings=PartitionSettings(per_class=True))
    assert result.separated and result.clean[:2000].all()
    assert 400 < (~result.clean[2000:]).sum() < 600


# ---- variants ------------------------------------------------------------------------------------


def test_the_paper_s_form_is_a_variant_and_each_repair_a_switch():
    paper = resolve(preset="cpu", variant="paper")
    assert not paper.training.restart_schedule and paper.training.partition.loss_window == 1
    one = resolve(preset="cpu", variant="paper", loss_window=5)
    assert one.training.partition.loss_window == 5 and not one.training.partition.dip_test
    assert resolve(preset="cpu", variant="repaired") == resolve(preset="cpu")
    with pytest.raises(MerKitError, match="method ce has no variants"):
        resolve(method="ce", variant="paper")
    with pytest.raises(MerKitError, match="variant is 'papr'"):
        resolve(variant="papr")


@pytest.mark.parametrize(("name", "shape"), [("mlp", (20,)), ("vgg16", (1, 32, 32))])
def test_training_begins_near_a_uniform_guess(name, shape):
    """The first cross-entropy is log K up to 2 %; without the small output it is not."""
    x = torch.randn(64, *shape, generator=torch.Generator().manual_seed(0))
    settings = {"mlp": {"hidden": 64}, "vgg16": {"width": 2, "head_pool": 1, "batch_norm": True}}
    excess = {}
    for small in (True, False):
        network = networks.build(
            name,
            4,
            n_features=20,
            small_output=small,
            generator=torch.Generator().manual_seed(1),
            **settings[name],
        ).train()
        with torch.no_grad():
            logits = network.head_without_dropout(network.trunk(x))
        excess[small] = -float(torch.log_softmax(logits, dim=1).mean()) - np.log(4)
    assert 0 <= excess[True] < 0.02 * np.log(4) < 5 * 0.02 * np.log(4) < excess[False]
