"""What the noise lab's browser side is given: the training's own numbers, as they are archived, small enough to send.

Notebook: 02_noisy_labels
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from mer_kit import plots
from mer_kit.analysis.passes import Passes
from mer_kit.checks import check_range
from mer_kit.records import EMOTIONS
from mer_kit.runs.experiment import Experiment
from mer_kit.training import diagnostics, partition
from mer_kit.training.partition import Mixture

#: D: more bytes than this are not sent at once; each pass then travels when it is looked at.
AT_ONCE_BYTES = 12_000_000
#: The settings of the partition that decide after ω is known.
RULES = ("max_unlabelled", "min_gap", "clean_share", "min_per_class")


class LabData:
    """One fold's passes as plain numbers and bytes; mixtures are fitted when first asked for. E passes, S segments."""

    def __init__(
        self, experiment: Experiment, passes: Passes, *, after_epoch: int | None = None
    ) -> None:
        self.experiment, self.passes = experiment, passes
        self.after_epoch = passes.last_separating_epoch if after_epoch is None else after_epoch
        check_range("after_epoch", self.after_epoch, 1, len(passes), whole=True)
        self._fits: dict[tuple[int, bool], list[dict[str, Any] | None]] = {}

    @property
    def per_class(self) -> bool:
        """The training fitted one mixture per class."""
        return self.passes.partition.per_class

    @property
    def at_once(self) -> bool:
        """All passes are small enough to be sent together: three bytes for each segment and epoch."""
        return 3 * len(self.passes) * len(self.passes.labels) <= AT_ONCE_BYTES

    def fit(self, after_epoch: int, *, per_class: bool) -> list[dict[str, Any] | None]:
        """Return the mixtures of one pass as plain numbers: one for all, or one per class (None: all losses equal)."""
        check_range("after_epoch", after_epoch, 1, len(self.passes), whole=True)
        key = (int(after_epoch), bool(per_class))
        if key not in self._fits:
            if key[1] == self.per_class:
                split = self.passes.partitions[key[0] - 1]
            else:
                settings = dataclasses.replace(self.passes.partition, per_class=key[1])
                one, labels = self.passes.probabilities[key[0] - 1], self.passes.labels
                split = diagnostics.replay(one, labels, settings=settings, seed=self.passes.seed)
            self._fits[key] = [_plain(mixture) for mixture in split.mixtures]
        return self._fits[key]

    def pass_bytes(self, after_epoch: int) -> dict[str, bytes]:
        """Return one pass: p (float16 [S], of the inherited label) and model (uint8 [S], the likeliest class)."""
        check_range("after_epoch", after_epoch, 1, len(self.passes), whole=True)
        one = self.passes.probabilities[after_epoch - 1]
        own = one[np.arange(len(self.passes.labels)), self.passes.labels]
        return {
            "p": own.astype("<f2").tobytes(),
            "model": one.argmax(axis=1).astype(np.uint8).tobytes(),
        }

    @functools.cached_property
    def arrays(self) -> dict[str, bytes]:
        """The segments' arrays as little-endian bytes: label, truth, clip, start, confidence, variability, correctness;
        in_u (bits [E·S]: what the training had in U); p and model of all passes, one after another, if `at_once`."""
        p = self.passes
        table = diagnostics.data_map(p.probabilities, p.labels)
        truth = np.full(len(p.labels), -1) if p.truth is None else p.truth
        in_u = np.stack(
            [~split.clean if used else np.zeros_like(split.clean) for split, used in self._used()]
        )
        arrays = {
            "label": p.labels.astype(np.uint8),
            "truth": truth.astype(np.int8),
            "clip": p.clip.astype("<u4"),
            "start": p.start_s.astype("<f4"),
            "in_u": np.packbits(in_u, bitorder="little"),
            **{
                name: table[name].to_numpy().astype("<f4")
                for name in ("confidence", "variability", "correctness")
            },
        }
        out = {name: values.tobytes() for name, values in arrays.items()}
        if self.at_once:
            passes = [self.pass_bytes(epoch) for epoch in range(1, len(p) + 1)]
            out |= {name: b"".join(one[name] for one in passes) for name in ("p", "model")}
        return out

    def _used(self) -> list[tuple[partition.Partition, bool]]:
        """Return the splits and whether the training used each."""
        return list(
            zip(
                self.passes.partitions,
                (self.passes.table()["phase"] == "ssl").tolist(),
                strict=True,
            )
        )

    def data(self) -> dict[str, Any]:
        """Return what the view is built from: plain data and, under "arrays", bytes."""
        p, classes = self.passes, self.experiment.classes
        native = [self.fit(epoch, per_class=self.per_class) for epoch in range(1, len(p) + 1)]
        clips = self.experiment.corpus.clips
        return {
            "title": self.experiment.corpus.title,
            "classes": [{"name": name, "word": EMOTIONS.get(name, "")} for name in classes],
            "segments": len(p.labels),
            "epochs": len(p),
            "after": self.after_epoch,
            "tau": p.tau,
            "seconds": self.experiment.config.segment_seconds,
            "per_class": self.per_class,
            "truth": p.wrong is not None,
            "clamp": p.partition.clamp,
            "rules": {name: getattr(p.partition, name) for name in RULES},
            "training": p.table()[["phase", "n_labelled", "n_unlabelled", "note"]].to_dict(
                "records"
            ),
            "fits": {"all": [], "class": [], ("class" if self.per_class else "all"): native},
            "clips": {
                str(at): [clips[at].clip_id, clips[at].title or ""]
                for at in np.unique(p.clip).tolist()
            },
            "bins": plots.losses.BINS,
            "arrays": self.arrays,
        }


def _plain(mixture: Mixture | None) -> dict[str, Any] | None:
    if mixture is None:
        return None
    return {name: getattr(mixture, name) for name in ("weights", "means", "sds", "low", "high")}
