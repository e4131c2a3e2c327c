"""VGG16 against what is known of it: parameter counts and names, dropout, and weights that
torchvision would write.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mer_kit.checks import MerKitError
from mer_kit.training import network as network_module
from mer_kit.training.networks import vgg16 as module
from mer_kit.training.networks.vgg16 import VGG16

# Where torchvision's vgg16 and vgg16_bn have their convolutions and normalisations, as its
# checkpoints name them.
PLAIN = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
CONV_BN = [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40]
FILTERS = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]


def _names(batch_norm: bool) -> list[str]:
    names = []
    for at in CONV_BN if batch_norm else PLAIN:
        names += [f"features.{at}.weight", f"features.{at}.bias"]
        if batch_norm:
            parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
            names += [f"features.{at + 1}.{part}" for part in parts]
    return names + [f"classifier.{at}.{part}" for at in (0, 3, 6) for part in ("weight", "bias")]


def _standard(monkeypatch: pytest.MonkeyPatch, **settings) -> VGG16:
    """A network without memory behind its weights, since the standard size has half a gigabyte of
    them.
    """
    monkeypatch.setattr(module, "_initialise", lambda *_: None)
    with torch.device("meta"):
        return VGG16(4, in_channels=3, **settings)


def _tiny(**settings) -> VGG16:
    settings = {
        "width": 2,
        "head_pool": 1,
        "generator": torch.Generator().manual_seed(0),
    } | settings
    return VGG16(settings.pop("n_classes", 4), **settings)


def test_standard_size_has_vgg16s_parameters(monkeypatch):
    count = sum(p.numel() for p in _standard(monkeypatch).parameters())
    # 13 convolutions, then 25088 → 4096 → 4096 → 4, each with its biases.
    convolutions = sum(9 * a * b + b for a, b in zip([3, *FILTERS], FILTERS, strict=False))
    head = 25088 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 4 + 4
    assert count == convolutions + head == 134_276_932


@pytest.mark.parametrize("batch_norm", [False, True])
def test_names_are_torchvisions(monkeypatch, batch_norm):
    network = _standard(monkeypatch, batch_norm=batch_norm)
    assert list(network.state_dict()) == _names(batch_norm)
    shapes = [
        tuple(network.state_dict()[f"features.{at}.weight"].shape)
        for at in (CONV_BN if batch_norm else PLAIN)
    ]
    assert shapes == [(b, a, 3, 3) for a, b in zip([3, *FILTERS], FILTERS, strict=False)]


@pytest.mark.parametrize("seconds", [1, 2, 3, 4, 5])
def test_segments_of_every_duration_fit(seconds):
    frames = round(seconds * 22050 / 512)
    network = _tiny().eval()
    x = torch.randn(2, 1, 128, frames, generator=torch.Generator().manual_seed(1))
    assert network(x).shape == (2, 4) and bool(torch.isfinite(network(x)).all())
    assert network.trunk(x).shape == (2, 16)


def test_smaller_segments_get_a_sentence():
    assert _tiny()(torch.zeros(1, 1, 32, 32)).shape == (1, 4)
    with pytest.raises(
        MerKitError,
        match="128 bands and 31 frames, expected at least 32 of each: raise segment_seconds",
    ):
        _tiny()(torch.zeros(1, 1, 128, 31))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_classes": 1}, "n_classes is 1"),
        ({"width": 0}, "width is 0"),
        ({"width": 1.5}, "width is 1.5, expected a whole number"),
        ({"head_pool": 0}, "head_pool is 0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"batch_norm": "no"}, "batch_norm is 'no'"),
    ],
)
def test_settings_out_of_range_get_a_sentence(settings, message):
    with pytest.raises(MerKitError, match=message):
        _tiny(**settings)


def test_same_generator_same_weights_and_torchs_global_state_is_left_alone():
    before = torch.random.get_rng_state()
    one, same = _tiny().state_dict(), _tiny().state_dict()
    other = _tiny(generator=torch.Generator().manual_seed(1)).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["classifier.3.weight"], other["classifier.3.weight"])


def test_he_initialisation_keeps_the_scale_through_sixteen_layers():
    """Weights of a layer have variance 2 / fan, biases are 0; so the logits neither vanish nor
    explode.
    """
    network = _tiny(width=16, head_pool=2)
    wide = network.features[17].weight  # 128 filters from 64: fan out 128·9
    assert float(wide.detach().std()) == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    head = network.classifier[3].weight
    assert float(head.detach().std()) == pytest.approx((2 / 1024) ** 0.5, rel=0.02)
    assert all(
        float(p.detach().abs().sum()) == 0
        for name, p in network.named_parameters()
        if name.endswith("bias")
    )


# ---- dropout -------------------------------------------------------------------------------------


def test_dropout_sits_in_the_head_only_and_evaluation_repeats():
    network = _tiny(batch_norm=True, dropout=0.5)
    modules = dict(network.named_modules())
    assert [name for name, m in modules.items() if isinstance(m, torch.nn.Dropout)] == [
        "classifier.2",
        "classifier.5",
    ]
    x = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        h = network.eval().trunk(x)
        assert torch.equal(network(x), network(x))
        network.train()
        first, second = (
            network.head(h, generator=torch.Generator().manual_seed(s)) for s in (0, 1)
        )
        assert torch.equal(first, network.head(h, generator=torch.Generator().manual_seed(0)))
        assert not torch.equal(first, second)
        undropped = network.head_without_dropout(h)
        assert torch.equal(undropped, network.eval().head(h))
        assert torch.equal(undropped, network.head(h, generator=torch.Generator()))


def test_head_in_training_draws_from_torch_where_no_generator_is_given():
    network, h = _tiny(width=8).train(), torch.ones(4, 64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first = network.head(h)
        assert not torch.equal(first, network.head(h))


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_its_share(p):
    """Of 200,000 ones a share 1 − p becomes 1/(1 − p), the rest 0 (four standard errors)."""
    n = 200_000
    out = network_module.dropout(torch.ones(n), p, torch.Generator().manual_seed(3)).numpy()
    np.testing.assert_allclose(np.unique(out), [0, 1 / (1 - p)], rtol=1e-6)
    assert abs((out > 0).mean() - (1 - p)) < 4 * (p * (1 - p) / n) ** 0.5


def test_dropout_scales_values_and_gradients_alike():
    h = torch.arange(1.0, 101, requires_grad=True)
    out = network_module.dropout(h, 0.5, torch.Generator().manual_seed(4))
    out.sum().backward()
    torch.testing.assert_close(out.detach(), h.detach() * h.grad)
    assert set(h.grad.tolist()) == {0.0, 2.0}
    assert network_module.dropout(h, 0.0, None) is h
    assert (
        network_module.dropout(h.to(torch.bfloat16), 0.5, torch.Generator()).dtype == torch.bfloat16
    )
