"""What does it cost that freed memory goes back to the system? One epoch of a training, three times.

dask      as a kernel of dask's worker had it before: MALLOC_TRIM_THRESHOLD_=65536, and mer-kit leaves the C library alone
plain     the C library's defaults, left alone
kept      as mer-kit trains: freed memory is kept (mer_kit/training/malloc.py)

  python benchmarks/allocation.py [--clips 40]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from mer_kit.records import EpochRecord
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.training import malloc

KINDS = ("dask", "plain", "kept")


def child(kind: str, clips: int, runs: Path) -> None:
    """Train two epochs at the preset cpu; print the second one's seconds, and what the process took."""
    if kind != "kept":
        malloc.keep_freed_memory = lambda: False
    seconds: list[float] = []

    def note(_: int, record: EpochRecord) -> None:
        seconds.append(record.seconds)

    corpus = {"corpus_options": {"clips": clips, "seconds": 30.0}}
    config = resolve(corpus="demo", preset="cpu", method="ce", folds=2, epochs=2, warmup_epochs=1, **corpus)
    Experiment(config, runs_dir=runs, on_epoch=note).train(0)
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {"epoch_s": seconds[-1], "system_s": used.ru_stime, "page_faults": used.ru_minflt}
    print(json.dumps(told | {"peak_mb": used.ru_maxrss / 1024}))


def main() -> int:
    """Print the table and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--runs", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.clips, given.runs)
        return 0
    rows = {}
    with tempfile.TemporaryDirectory(prefix="mer-kit-allocation-") as scratch:
        for kind in KINDS:
            where = ["--child", kind, "--runs", f"{scratch}/{kind}"]
            command = [sys.executable, __file__, "--clips", str(given.clips), *where]
            env = {**os.environ, "OMP_NUM_THREADS": "1", "MER_CACHE": f"{scratch}/cache"}
            env |= {"MALLOC_TRIM_THRESHOLD_": "65536"} if kind == "dask" else {}
            done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True)
            rows[kind] = json.loads(done.stdout.splitlines()[-1])
    table = pd.DataFrame(rows).T.round(1)
    print(table.to_string())
    for kind in KINDS[:2]:
        print(f"an epoch: {kind} / kept = {table['epoch_s'][kind] / table['epoch_s']['kept']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
