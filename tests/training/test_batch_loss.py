"""One step against a literal version of the paper: three whole passes, dropout masks as drawn, Eq.
4–10 spelled out.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from mer_kit.training.batch_loss import Batch, EpochSums, batch_loss, frozen_batch_norm
from mer_kit.training.evaluation import place
from mer_kit.training.networks.vgg16 import VGG16

WHERE = place("cpu", "float32")
B, K = 8, 4


def _network(batch_norm: bool) -> VGG16:
    """In training mode, with running statistics that some data have moved (every step moves them
    on: one network each).
    """
    network = VGG16(
        K,
        width=2,
        head_pool=2,
        batch_norm=batch_norm,
        dropout=0.5,
        generator=torch.Generator().manual_seed(0),
    ).train()
    with torch.no_grad():
        network.trunk(3 * torch.randn(6, 1, 32, 48, generator=torch.Generator().manual_seed(1)))
    return network


def _batch(lambda_kl: float, *, noisy: list[int] | None = None, mixing: bool = True) -> Batch:
    generator = torch.Generator().manual_seed(2)
    return Batch(
        x=torch.randn(B, 1, 32, 48, generator=generator),
        targets=torch.eye(K)[torch.randint(0, K, (B,), generator=generator)],
        noisy=torch.tensor([1, 2, 5] if noisy is None else noisy, dtype=torch.int64),
        delta=0.7 if mixing else None,
        partner=torch.randperm(B, generator=generator) if mixing else None,
        lambda_kl=lambda_kl,
    )


def _loss(
    network: VGG16, batch: Batch, sums: EpochSums | None = None, seed: int = 3
) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return batch_loss(
        network, batch, WHERE, sums or EpochSums(), temperature=0.5, dropout=generator
    )


def _masked_forward(
    network: VGG16, x: torch.Tensor, generator: torch.Generator | None
) -> torch.Tensor:
    """A whole pass from the input on, with torch's own layers and explicit dropout masks (None: no
    dropout).
    """
    h = torch.flatten(network.avgpool(network.features(x)), 1)
    for layer in network.classifier:
        if not isinstance(layer, torch.nn.Dropout):
            h = layer(h)
        elif generator is not None:
            h = h * torch.empty_like(h).bernoulli_(0.5, generator=generator) * 2
    return h


def _literal_loss(network: VGG16, batch: Batch, seed: int = 3) -> torch.Tensor:
    """The paper step by step; each of the passes over U goes through the whole network."""
    masks = torch.Generator().manual_seed(seed)
    partner, delta, u = batch.partner, batch.delta, batch.x[batch.noisy]
    mixed = _masked_forward(
        network, delta * batch.x + (1 - delta) * batch.x[partner], masks
    )  # Eq. 6
    with frozen_batch_norm(network):
        first, second = _masked_forward(network, u, masks), _masked_forward(network, u, masks)
        with torch.no_grad():
            p = functional.softmax(_masked_forward(network, u, None), dim=1)
    powered = p**2  # Eq. 4 at T = ½
    targets = batch.targets.clone()
    targets[batch.noisy] = powered / powered.sum(dim=1, keepdim=True)
    log_p = functional.log_softmax(mixed, dim=1)
    l_mix = -(
        delta * (targets * log_p).sum(1) + (1 - delta) * (targets[partner] * log_p).sum(1)
    ).mean()  # Eq. 8
    p1, p2 = functional.softmax(first, dim=1), functional.softmax(second, dim=1)
    forth, back = (p1 * (p1 / p2).log()).sum(1), (p2 * (p2 / p1).log()).sum(1)
    return l_mix + batch.lambda_kl * (0.5 * (forth + back)).mean()  # Eq. 9, 10


def _step(batch_norm: bool, batch: Batch, loss_of) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The loss of a fresh network and the gradient of each of its parameters."""
    network = _network(batch_norm)
    loss = loss_of(network, batch)
    loss.backward()
    return loss.detach(), {name: p.grad for name, p in network.named_parameters()}


def _assert_same_gradients(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    scale = max(
        float(g.abs().max()) for g in theirs.values()
    )  # a bias before a normalisation has gradient 0 + rounding
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-3, atol=1e-5 * scale, msg=name)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("lambda_kl", [0.8, 5.0])
def test_shared_trunk_equals_separate_passes_in_value_and_gradient(batch_norm, lambda_kl):
    batch = _batch(lambda_kl)
    shared, ours = _step(batch_norm, batch, _loss)
    literal, theirs = _step(batch_norm, batch, _literal_loss)
    torch.testing.assert_close(shared, literal, rtol=1e-5, atol=1e-6)
    _assert_same_gradients(ours, theirs)
    _, without = _step(batch_norm, dataclasses.replace(batch, lambda_kl=0.0), _literal_loss)
    assert any(
        not torch.allclose(without[n], theirs[n], rtol=1e-2) for n in theirs
    )  # L_KL does pull


@pytest.mark.parametrize("batch_norm", [False, True])
def test_lambda_0_equals_the_literal_proposed_star(batch_norm):
    shared, ours = _step(batch_norm, _batch(0.0), _loss)
    literal, theirs = _step(batch_norm, _batch(0.0), _literal_loss)
    torch.testing.assert_close(shared, literal, rtol=1e-5, atol=1e-6)
    _assert_same_gradients(ours, theirs)


def test_plain_step_is_cross_entropy_on_the_inherited_labels():
    batch = _batch(0.0, noisy=[], mixing=False)
    expected = functional.cross_entropy(
        _masked_forward(_network(True), batch.x, torch.Generator().manual_seed(3)),
        batch.targets.argmax(1),
    )
    torch.testing.assert_close(_loss(_network(True), batch), expected)


def test_labels_of_U_are_erased():
    """Whatever the inherited labels of U were, loss and gradient do not change; those of X do
    matter.
    """
    batch = _batch(0.5)
    other = batch.targets.clone()
    other[batch.noisy] = other[batch.noisy].roll(1, dims=1)
    erased = dataclasses.replace(batch, targets=other)
    (loss, gradient), (same_loss, same_gradient) = (
        _step(True, batch, _loss),
        _step(True, erased, _loss),
    )
    assert torch.equal(loss, same_loss) and all(
        torch.equal(gradient[n], same_gradient[n]) for n in gradient
    )
    x_changed = dataclasses.replace(batch, targets=batch.targets.roll(1, dims=1))
    assert not torch.equal(loss, _step(True, x_changed, _loss)[0])
    assert torch.equal(batch.targets.sum(1), torch.ones(B))  # the caller's targets are left alone


def test_batch_norm_statistics_move_with_the_mixed_pass_alone():
    """Pseudo-labels and R-Drop use the running statistics: how many samples are in U must not
    change them.
    """
    states = []
    for noisy in ([], [1, 2, 5], list(range(B))):
        network = _network(True)
        _loss(network, _batch(1.0, noisy=noisy))
        states.append({name: b.clone() for name, b in network.named_buffers()})
        assert network.training and all(m.training for m in network.modules())
    assert all(torch.equal(states[0][name], state[name]) for state in states for name in state)
    before = dict(_network(True).named_buffers())
    assert not torch.equal(states[0]["features.1.running_mean"], before["features.1.running_mean"])


def test_frozen_batch_norm_thaws_after_an_error():
    network = _network(True)
    with pytest.raises(RuntimeError), frozen_batch_norm(network):
        assert not network.features[1].training and network.classifier[2].training
        raise RuntimeError
    assert network.features[1].training


def test_archived_pseudo_labels_are_sharpened_instead_of_the_models_own():
    p = torch.full((B, K), 0.1)
    p[:, 2] = 0.7
    batch = dataclasses.replace(_batch(0.0, mixing=False), pseudo=p)
    squares = p[0] ** 2 / (p[0] ** 2).sum()
    targets = batch.targets.index_copy(0, batch.noisy, squares.repeat(3, 1))
    logits = _masked_forward(_network(True), batch.x, torch.Generator().manual_seed(3))
    expected = -(targets * functional.log_softmax(logits, dim=1)).sum(1).mean()
    sums = EpochSums()
    torch.testing.assert_close(_loss(_network(True), batch, sums), expected)
    assert sums.mean("confidence") == pytest.approx(0.49 / 0.52, rel=1e-5)


@pytest.mark.parametrize("omega", [1.0, 0.0, 0.3])
def test_soft_targets_keep_the_weight_omega_of_an_inherited_label(omega):
    p = torch.tensor([0.1, 0.2, 0.4, 0.3]).repeat(B, 1)
    batch = dataclasses.replace(_batch(0.0, mixing=False), pseudo=p, kept=torch.full((B,), omega))
    pseudo = p[0] ** 2 / (p[0] ** 2).sum()  # Eq. 4 at T = ½
    targets = batch.targets.clone()
    for row in (1, 2, 5):
        targets[row] = omega * batch.targets[row] + (1 - omega) * pseudo
    logits = _masked_forward(_network(True), batch.x, torch.Generator().manual_seed(3))
    expected = -(targets * functional.log_softmax(logits, dim=1)).sum(1).mean()
    loss = _loss(_network(True), batch)
    torch.testing.assert_close(loss, expected)
    # The two ends are steps without soft targets: nothing is in U, or its labels are erased.
    if omega == 1:
        inherited = dataclasses.replace(batch, noisy=batch.noisy[:0])
        torch.testing.assert_close(loss, _loss(_network(True), inherited))
    if omega == 0:
        erased = dataclasses.replace(batch, kept=None)
        assert torch.equal(loss, _loss(_network(True), erased))


def test_soft_targets_differ_from_row_to_row():
    omega = torch.linspace(0, 1, B)
    batch = dataclasses.replace(_batch(0.0, mixing=False), kept=omega)
    losses = []
    for one in (batch, dataclasses.replace(batch, kept=omega.flip(0))):
        losses.append(float(_loss(_network(True), one).detach()))
    assert losses[0] != losses[1]


def test_sums_hold_what_the_record_reports():
    network, sums = _network(False), EpochSums()
    totals = [
        float(_loss(network, _batch(0.5, noisy=noisy), sums).detach())
        for noisy in ([], [0, 3], [1, 2, 4, 6])
    ]
    assert sums.mean("loss") == pytest.approx(
        sum(totals) / 3
    )  # what was minimised, not put together from its parts
    batch = _batch(0.5)
    with torch.no_grad():
        guess = network.eval()(batch.x).argmax(1)
    network.train()
    right = (guess == batch.targets.argmax(1)).double()
    agreement = (right[[0, 3]].sum() + right[[1, 2, 4, 6]].sum()) / 6
    assert sums.mean("agreement") == pytest.approx(float(agreement))
    assert 0.25 <= sums.mean("confidence") <= 1
    assert sums.mean("kl") > 0


def test_empty_sums_are_nan():
    sums = EpochSums()
    assert sums.mean("kl") != sums.mean("kl")
    sums.add("kl", torch.tensor(2.0, requires_grad=True), 3)
    sums.add("kl", torch.tensor(4.0), 1)
    assert sums.mean("kl") == 2.5


def test_kl_is_not_counted_while_lambda_is_zero():
    sums = EpochSums()
    _loss(_network(False), _batch(0.0), sums)
    assert np.isnan(sums.mean("kl"))
    assert np.isfinite(sums.mean("agreement"))
