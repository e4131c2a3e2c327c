"""What does an epoch of SSSL cost, against a plain epoch and against SSSL written as the paper spells it?

Three ways to train the same network on the same made-up segments for one epoch, in turn, several times:

  plain    cross-entropy on every label
  sssl     this kit: one pass through the trunk serves both dropout passes of R-Drop and the pseudo-labels
  literal  three whole passes over U: one for the pseudo-labels, two for R-Drop

40 % of the segments are in U. Each epoch ends with the evaluation pass over all segments, which the loss split, the
diagnostics and every method's record need; an SSSL epoch also fits the mixture. The median processor time counts,
since it does not depend on what else the machine does. The two ratios that have an aim include the evaluation pass.

    python benchmarks/epoch.py [--segments 1000] [--repeats 3] [--threads 1]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mer_kit.runs.defaults import PRESETS
from mer_kit.training import objectives
from mer_kit.training.batch_loss import Batch, EpochSums, batch_loss, frozen_batch_norm
from mer_kit.training.evaluation import (
    ArraySegments,
    Placement,
    Standardise,
    batches,
    cut,
    losses,
    place,
    probabilities,
)
from mer_kit.training.networks.vgg16 import VGG16
from mer_kit.training.partition import fit_partition

N_CLASSES, BATCH_SIZE, SHARE_IN_U = 4, 64, 0.4
Loss = Callable[[VGG16, Batch, Placement, torch.Generator], Tensor]


def main() -> None:
    """Run the three ways in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=1000, help="how many segments (default 1000)")
    parser.add_argument("--seconds", type=float, default=3.0, help="their duration (default 3)")
    parser.add_argument("--width", type=int, default=8, help="the network's width (default 8)")
    parser.add_argument("--repeats", type=int, default=3, help="epochs of each way (default 3)")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads (default 1)")
    parser.add_argument("--precision", default="auto", help="auto, float32 or bfloat16")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    placement = place("cpu", chosen.precision)
    print(
        f"{chosen.segments} segments of {chosen.seconds:g} s, width {chosen.width} with batch normalisation, "
        f"{SHARE_IN_U:.0%} in U, {placement.precision}, {chosen.threads} thread(s), load {os.getloadavg()[0]:.1f}"
    )
    data = make_segments(chosen.segments, round(chosen.seconds * 22050 / 512))
    times: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
    for number in range(chosen.repeats + 1):
        for way in WAYS:
            network = make_network(chosen.width)
            seconds = one_epoch(way, network, *data, placement)
            if number:  # the first round warms up
                times[way].append(seconds)
    report({way: np.median(seconds, axis=0) for way, seconds in times.items()})


def report(median: dict[str, np.ndarray]) -> None:
    """Print processor seconds of training and evaluation, wall seconds, and the ratios."""
    print(f"{'way':<9}{'training':>10}{'+ evaluation':>14}{'wall':>8}   seconds, medians")
    for way, (training, evaluation, wall) in median.items():
        print(f"{way:<9}{training:>10.2f}{training + evaluation:>14.2f}{wall:>8.2f}")
    for above, below, aim in (("sssl", "plain", "at most 1.9"), ("literal", "sssl", "at least 1.2")):
        one, other = median[above], median[below]
        print(
            f"{above} / {below}: {one[:2].sum() / other[:2].sum():.2f} (aim: {aim}); "
            f"without the evaluation pass {one[0] / other[0]:.2f}, wall {one[2] / other[2]:.2f}"
        )


def make_segments(n_segments: int, n_frames: int) -> tuple[ArraySegments, np.ndarray, np.ndarray]:
    """Return made-up segments, their labels, and bool [S]: which are in U."""
    generator = np.random.default_rng(0)
    x = generator.normal(-40, 12, (n_segments, 1, 128, n_frames)).astype(np.float32)
    return (
        ArraySegments(x),
        np.arange(n_segments) % N_CLASSES,
        generator.permutation(n_segments) < SHARE_IN_U * n_segments,
    )


def make_network(width: int) -> VGG16:
    """Return the `cpu` preset's network at this width, with the same weights every time."""
    model = {**PRESETS["cpu"]["model"], "width": width}
    network = VGG16(N_CLASSES, generator=torch.Generator().manual_seed(0), **model)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def one_epoch(
    way: str, network: VGG16, segments: ArraySegments, labels: np.ndarray, noisy: np.ndarray, placement: Placement
) -> tuple[float, float, float]:
    """Train for one epoch and evaluate; return processor seconds of both and the wall seconds of the whole."""
    loss_of, standardise = WAYS[way], Standardise(np.full(128, -40, np.float32), np.full(128, 12, np.float32))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    order, dropout = np.random.default_rng(1), torch.Generator().manual_seed(1)
    one_hot = np.eye(N_CLASSES, dtype=np.float32)[labels]
    wall, started = time.perf_counter(), time.process_time()
    network.train()
    for part, x in batches(segments, cut(order.permutation(len(labels)), BATCH_SIZE)):
        batch = Batch(
            x=placement.put(standardise(x)),
            targets=torch.from_numpy(one_hot[part]),
            noisy=torch.from_numpy(np.flatnonzero(noisy[part])),
            delta=objectives.draw_delta(order),
            partner=torch.from_numpy(order.permutation(len(part))),
            lambda_kl=1.0,
        )
        loss = loss_of(network, batch, placement, dropout)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    trained = time.process_time()
    p = probabilities(network, segments, standardise, placement)
    if way != "plain":
        fit_partition(losses(p, labels), labels, n_classes=N_CLASSES)
    return trained - started, time.process_time() - trained, time.perf_counter() - wall


def plain_loss(network: VGG16, batch: Batch, placement: Placement, dropout: torch.Generator) -> Tensor:
    """Return cross-entropy on the inherited labels, as the kit's own step computes it."""
    plain = Batch(x=batch.x, targets=batch.targets, noisy=batch.noisy[:0])
    return batch_loss(network, plain, placement, EpochSums(), temperature=0.5, dropout=dropout)


def sssl_loss(network: VGG16, batch: Batch, placement: Placement, dropout: torch.Generator) -> Tensor:
    """Return the kit's own SSSL loss."""
    return batch_loss(network, batch, placement, EpochSums(), temperature=0.5, dropout=dropout)


def literal_loss(network: VGG16, batch: Batch, placement: Placement, dropout: torch.Generator) -> Tensor:
    """Return the same loss with three whole passes over U, formula by formula (paper Eq. 4 and 6–10)."""
    assert batch.delta is not None and batch.partner is not None
    u, targets = batch.x[batch.noisy], batch.targets.clone()

    def whole_pass(x: Tensor) -> Tensor:
        with placement.autocast():
            return network.head(network.trunk(x), generator=dropout).float()

    with torch.no_grad():
        network.eval()
        p = functional.softmax(whole_pass(u), dim=1) ** 2  # Eq. 4 at T = ½
        network.train()
    targets[batch.noisy] = p / p.sum(dim=1, keepdim=True)
    mixed = whole_pass(batch.delta * batch.x + (1 - batch.delta) * batch.x[batch.partner])  # Eq. 6
    target = batch.delta * targets + (1 - batch.delta) * targets[batch.partner]  # Eq. 7
    l_mix = -(target * functional.log_softmax(mixed, dim=1)).sum(dim=1).mean()  # Eq. 8
    with frozen_batch_norm(network):
        p1, p2 = (functional.softmax(whole_pass(u), dim=1).clamp_min(1e-12) for _ in range(2))
    l_kl = 0.5 * ((p1 * (p1 / p2).log()).sum(dim=1) + (p2 * (p2 / p1).log()).sum(dim=1)).mean()  # Eq. 9
    return l_mix + batch.lambda_kl * l_kl  # Eq. 10


WAYS: dict[str, Loss] = {"plain": plain_loss, "sssl": sssl_loss, "literal": literal_loss}

if __name__ == "__main__":
    main()
