"""Named streams: equal names repeat, different names and seeds share nothing."""

from __future__ import annotations

import numpy as np
import torch

from mer_kit.seeding import derive, numpy_generator, torch_generator


def test_a_stream_depends_on_its_seed_and_name_alone():
    drawn = {
        (seed, name): numpy_generator(seed, name).random(50)
        for seed in (0, 1)
        for name in ("order", "mixup")
    }
    for (seed, name), values in drawn.items():
        np.testing.assert_array_equal(numpy_generator(seed, name).random(50), values)
    stacked = np.array(list(drawn.values()))
    assert len(np.unique(stacked)) == stacked.size


def test_drawing_from_one_stream_does_not_move_another():
    numpy_generator(0, "order").random(1000)
    torch_generator(0, "dropout").manual_seed(5)
    assert torch.equal(
        torch.rand(4, generator=torch_generator(0, "a")),
        torch.rand(4, generator=torch_generator(0, "a")),
    )
    assert not torch.equal(
        torch.rand(4, generator=torch_generator(0, "a")),
        torch.rand(4, generator=torch_generator(0, "b")),
    )


def test_global_generators_are_left_alone():
    before = torch.random.get_rng_state()
    torch_generator(3, "weights")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_seeds_fit_every_generator_and_are_the_same_on_every_machine():
    assert (
        derive(0, "mixup") == 2504163738268912429
    )  # pinned: another value would change every stored run
    assert all(0 <= derive(seed, "x") < 2**63 for seed in range(100))
