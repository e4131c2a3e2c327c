"""What will a big run cost? Measures unit costs here, then computes hours and disk of runs and tables from them.

    python benchmarks/costs.py --out costs.json [--data FOLDER_WITH_AUDIO] [--runs FOLDER …]    # measure, some minutes
    python benchmarks/costs.py --from costs.json [--seeds 3]                                    # print the tables

Measured are, on one thread and in processor time, which does not depend on what else the machine does (a GPU: in wall
time): training and evaluation of a thousand segments with the networks of the presets `cpu` and `paper`, the log-mel store,
reading from it, the mixture and the SVM. Read off finished runs (`--runs`, else one smoke run made on the spot) are the
bytes that a fold leaves, the seconds of the notebooks, and what trainings really took, to hold the arithmetic against.
A GPU's column says "not measured" unless the file holds its numbers.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from features import find_clips, synthesise
from mer_kit.batch import progress
from mer_kit.records import Clip
from mer_kit.results.paper import paper_table
from mer_kit.results.tables import markdown
from mer_kit.runs.defaults import PRESETS
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import RunFolder, all_runs
from mer_kit.runs.schema import read_json
from mer_kit.signal import segments, store
from mer_kit.signal.segments import DURATIONS
from mer_kit.songs import classifiers
from mer_kit.training import methods, objectives
from mer_kit.training.batch_loss import Batch, EpochSums, batch_loss
from mer_kit.training.evaluation import Placement, Standardise, batches, cut, place, probabilities
from mer_kit.training.networks.vgg16 import VGG16
from mer_kit.training.optimization import make_optimizer
from mer_kit.training.partition import fit_partition
from mer_kit.training.settings import TrainingSettings

#: Preset → segments that are measured. One batch of the whole VGG16 takes seconds; it needs no more.
MEASURED = {"cpu": 256, "paper": 64}
#: Times that each is measured; the least counts, since a busy machine only ever adds (caches, clock).
REPEATS = {"cpu": 4, "paper": 2}
#: The kinds of epochs, timed at three seconds, and by how much they cost more than the first.
KINDS = ("plain", "mixup", "sssl_no_kl", "sssl")
#: The methods whose epochs are of these kinds.
MEASURED_METHODS = ("ce", "mixup", "sssl_no_kl", "sssl")
#: Share of the segments in U where the preset sets no cap on it: that of benchmarks/epoch.py.
SHARE_IN_U = 0.4
N_CLASSES, CLIP_SECONDS, FOLDS = 4, 30.0, 10
#: Songs of each corpus that have labels; the segments of one song are the paper's table 1.
SONGS = {"4q": 900, "pmemo": 767, "eim": 744}
TITLES = {"4q": "4Q", "pmemo": "PMEmo", "eim": "EmotionInMusic"}
#: The songs of MTG-Jamendo.
MANY_SONGS, WHOLE_TRACK_SECONDS = 55_000, 240.0
SVM_SONGS = (800, 1600, 3200)
NOTEBOOKS = ("01_segmentation", "02_noisy_labels", "04_song_decisions", "05_emotion_curve")
TRAINING_NOTEBOOK = "03_sssl_training"
Costs = dict[str, Any]


def main() -> None:
    """Measure into a file, or print the tables of one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="measure, and write the unit costs to this JSON file")
    parser.add_argument("--from", dest="given", type=Path, help="print the tables of these unit costs")
    parser.add_argument("--data", type=Path, help="folder with audio files (default: clips synthesised on the spot)")
    parser.add_argument("--clips", type=int, default=32, help="how many clips of it (default 32)")
    parser.add_argument("--runs", type=Path, nargs="+", help="folders with finished runs (default: one smoke run)")
    parser.add_argument("--seeds", type=int, default=3, help="seeds in the last line of each table (default 3)")
    chosen = parser.parse_args()
    if not chosen.out and not chosen.given:
        parser.error("say --out FILE to measure, --from FILE to print, or both")
    if chosen.out:
        chosen.out.write_text(json.dumps(measure(chosen), indent=2) + "\n", "utf-8")
    report(json.loads((chosen.given or chosen.out).read_text("utf-8")), chosen.seeds)


# ---- measuring -------------------------------------------------------------------------------------------------------


def measure(chosen: argparse.Namespace) -> Costs:
    """Return all unit costs."""
    torch.set_num_threads(1)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    precisions = {device: place(device).precision for device in devices}
    costs: Costs = {"machine": {"cores": os.cpu_count(), "threads": 1, "precision": precisions}}
    with tempfile.TemporaryDirectory() as folder:
        paths = find_clips(chosen.data, chosen.clips) if chosen.data else synthesise(folder, chosen.clips)
        source = f"{len(paths)} {paths[0].suffix} files" if chosen.data else f"{len(paths)} synthetic .mp3 of 30 s"
        costs["machine"]["clips"] = source
        costs["store"], opened = store_costs(paths, Path(folder) / "mel")
        costs["training"] = {
            device: {preset: training_costs(opened, preset, place(device)) for preset in PRESETS if preset in MEASURED}
            for device in devices
        }
        costs["songs"] = song_costs()
        costs["network"] = {preset: network_bytes(preset) for preset in MEASURED}
        costs |= run_costs(chosen.runs or [smoke_run(Path(folder) / "runs")])
    return costs


def timed(work: Callable[[], Any], device: str = "cpu") -> float:
    """Return the processor seconds of `work`, on a GPU the wall seconds until it is done."""
    if device == "cuda":
        torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        return time.perf_counter() - started
    started = time.process_time()
    work()
    return time.process_time() - started


def store_costs(paths: Sequence[Path], folder: Path) -> tuple[Costs, store.FeatureStore]:
    """Return what making, opening and reading the store cost, and the store."""
    clips = [Clip(f"{number:04d}", path, {}) for number, path in enumerate(paths)]

    def opening(which: Sequence[Clip], where: Path) -> store.FeatureStore:
        return store.open_store(which, where, workers=1, progress=lambda done, total: None)

    opening(clips[:1], folder.with_name("warm-up"))
    making = timed(lambda: opening(clips, folder))
    found: list[store.FeatureStore] = []
    again = min(timed(lambda: found.append(opening(clips, folder))) for _ in range(3))
    opened = found[-1]
    hours, size = opened.durations_s.sum() / 3600, sum(file.stat().st_size for file in folder.glob("*.npy"))
    view = store.SegmentView(opened, segments.index(opened.durations_s, 3))
    rows = np.random.default_rng(0).permutation(len(view))
    view.gather(rows)

    def anew() -> None:
        for row in rows:
            opened._maps.clear()
            view.gather(np.array([row]))

    return {
        "seconds_per_hour": making / hours,
        "bytes_per_hour": size / hours,
        "manifest_bytes_per_clip": (folder / "manifest.json").stat().st_size / len(clips),
        "open_seconds_per_gb": again / size * 1e9,
        "read_per_1000": timed(lambda: view.gather(rows)) / len(view) * 1e3,
        "read_anew_per_1000": timed(anew) / len(view) * 1e3,
    }, opened


def training_costs(opened: store.FeatureStore, preset: str, placement: Placement) -> Costs:
    """Return seconds per 1000 segments, training and evaluation by duration, and the ratios of the kinds of epochs.

    All are measured in turn, several times, so that a busy minute does not fall on one of them alone.
    """
    wanted = [*((seconds, "plain") for seconds in DURATIONS), *((3, kind) for kind in KINDS[1:])]
    times: dict[tuple[int, str], list[tuple[float, float]]] = {which: [] for which in wanted}
    for number in range(REPEATS[preset]):
        for seconds, kind in wanted:
            times[seconds, kind].append(_epoch(opened, preset, seconds, kind, placement))
        print(
            f"{placement.device.type}, {preset}: round {number + 1} of {REPEATS[preset]}", file=sys.stderr, flush=True
        )
    least = {which: np.min(pairs, axis=0) for which, pairs in times.items()}
    least[3, "plain"][1] = min(least[3, kind][1] for kind in KINDS)  # the evaluation pass is the same for all kinds
    table = {str(s): {"train": float(least[s, "plain"][0]), "evaluate": float(least[s, "plain"][1])} for s in DURATIONS}
    return {"seconds": table, "ratio": {kind: float(least[3, kind][0] / least[3, "plain"][0]) for kind in KINDS}}


def _epoch(
    opened: store.FeatureStore, preset: str, seconds: float, kind: str, placement: Placement
) -> tuple[float, float]:
    """Return seconds per 1000 segments of training batches and of an evaluation pass, after warming up."""
    base, n = PRESETS[preset], MEASURED[preset]
    settings = TrainingSettings.of(**base["training"], method="ce", model=base["model"])
    network = VGG16(N_CLASSES, generator=torch.Generator().manual_seed(0), **base["model"])
    network.to(device=placement.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(network, settings, fused=placement.device.type == "cuda")
    order, dropout = np.random.default_rng(1), torch.Generator(placement.device).manual_seed(1)
    view = store.SegmentView(opened, segments.index(opened.durations_s, seconds))
    rows = order.permutation(len(view))[:n]
    standardise = Standardise(np.full(128, -40, np.float32), np.full(128, 12, np.float32))
    in_u = 0.0 if kind in ("plain", "mixup") else min(SHARE_IN_U, settings.partition.max_unlabelled)

    def train(which: np.ndarray) -> None:
        network.train()
        for part, x in batches(view, cut(which, settings.batch_size)):
            partner = None if kind == "plain" else torch.from_numpy(order.permutation(len(part))).to(placement.device)
            batch = Batch(
                x=placement.put(standardise(x)),
                targets=torch.eye(N_CLASSES)[torch.from_numpy(part % N_CLASSES)].to(placement.device),
                noisy=torch.arange(round(in_u * len(part))).to(placement.device),
                delta=None if kind == "plain" else objectives.draw_delta(order),
                partner=partner,
                lambda_kl=float(kind == "sssl"),
            )
            loss = batch_loss(network, batch, placement, EpochSums(), temperature=settings.temperature, dropout=dropout)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_clip)
            optimizer.step()

    part = store.SegmentView(opened, view.index.take(np.sort(rows)))
    train(rows[: n // 4])
    probabilities(network, store.SegmentView(opened, part.index.take(np.arange(n // 4))), standardise, placement)
    training = timed(lambda: train(rows), placement.device.type)
    evaluation = timed(lambda: probabilities(network, part, standardise, placement), placement.device.type)
    return training / n * 1e3, evaluation / n * 1e3


def song_costs() -> Costs:
    """Return seconds of an SVM's choice and fit by the number of songs, and of a partition per 1000 segments."""
    rng, found = np.random.default_rng(0), {}
    for n in SVM_SONGS:
        labels, song = np.arange(n) % N_CLASSES, np.repeat(np.arange(n), 28)
        heard = np.where(
            rng.random(n) < 0.3, rng.integers(0, N_CLASSES, n), labels
        )  # what a network makes of real songs
        p = rng.dirichlet(np.ones(N_CLASSES), len(song)) + 0.3 * np.eye(N_CLASSES)[heard[song]]
        p = p / p.sum(axis=1, keepdims=True)
        answers = classifiers.make("svm")
        found[str(n)] = timed(lambda a=answers, q=p, s=song, y=labels: a.fit(q, s, y))  # type: ignore[misc]
        print(f"SVM, {n} songs: {found[str(n)]:.1f} s", file=sys.stderr, flush=True)
    losses = np.abs(np.r_[rng.normal(0.3, 0.2, 160_000), rng.normal(2, 0.5, 40_000)])
    labels = np.arange(len(losses)) % N_CLASSES
    splitting = timed(lambda: fit_partition(losses, labels, n_classes=N_CLASSES))
    return {"svm_seconds": found, "split_per_1000": splitting / len(losses) * 1e3}


def network_bytes(preset: str) -> Costs:
    """Return the bytes of a network's weights, and of its checkpoint's weights and optimizer."""
    base = PRESETS[preset]
    network = VGG16(N_CLASSES, generator=torch.Generator().manual_seed(0), **base["model"])
    weights = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    trained = sum(value.numel() * value.element_size() for value in network.parameters())
    moments = {"sgd": 1, "adamw": 2}[base["training"].get("optimizer", TrainingSettings.optimizer)]
    return {"weights": weights, "checkpoint": weights + moments * trained}


# ---- what finished runs tell -----------------------------------------------------------------------------------------


def smoke_run(folder: Path) -> Path:
    """Execute the notebooks of a smallest run and return the runs folder."""
    small = ("epochs=2", "warmup_epochs=1", 'corpus_options={"clips": 16, "seconds": 8.0}')
    command = [sys.executable, "-m", "mer_kit", "grid", "--corpus", "demo", "--preset", "smoke", "--folds", "2"]
    command += ["--only-folds", "0", *(part for text in small for part in ("--set", text)), "--runs", str(folder)]
    subprocess.run(command, check=True, stdout=sys.stderr, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return folder


def run_costs(folders: Sequence[Path]) -> Costs:
    """Return bytes of folds and runs, seconds of notebooks, and what the trainings of the folders really took."""
    sizes, beside, seen = defaultdict(list), [], {}
    runs = [run for folder in folders for run in all_runs(folder)]
    for run in runs:
        for fold in run.folds_done():
            for name, value in fold_bytes(run, fold).items():
                sizes[name].append(value)
            actual = trained(run, fold)
            seen[(actual["corpus"], actual["method"], actual["training_seconds"])] = actual
        if (run.path / "notebooks" / "05_emotion_curve.ipynb").exists():
            files = [f for f in run.path.rglob("*") if f.is_file() and (run.path / "folds") not in f.parents]
            beside.append(sum(file.stat().st_size for file in files))
    notebooks = pd.concat([progress.unit_costs(folder) for folder in folders])
    by_name = {
        str(name): {
            "median": float(rows.median()),
            "least": float(rows.min()),
            "most": float(rows.max()),
            "n": len(rows),
        }
        for name, rows in notebooks.groupby("what")["seconds"]
        if name != progress.TRAINING
    }
    fold = {name: float(np.median(values)) for name, values in sizes.items()}
    return {
        "fold_bytes": {**fold, "folds": len(sizes["segments_per_row"])},
        "run_bytes": float(np.median(beside)) if beside else None,
        "notebooks": by_name,
        "actual": list(seen.values()),
    }


def fold_bytes(run: RunFolder, fold: int) -> Costs:
    """Return the bytes of a fold's parts: by row of segments.csv, by evaluated segment, and what does not grow."""
    home, epochs = run.fold(fold), run.epochs(fold)
    size = {name: (home / name).stat().st_size for name in ("segments.csv", "epochs.npz", "model.safetensors")}
    fixed = sum(file.stat().st_size for file in home.rglob("*") if file.is_file()) - sum(size.values())
    found = {
        "segments_per_row": size["segments.csv"] / len(run.segments(fold)),
        "epochs_per_segment": size["epochs.npz"] / epochs["probabilities"][..., 0].size,
    }
    if (home / f"{TRAINING_NOTEBOOK}.ipynb").exists():  # with its notebook and figures
        found["fixed"] = float(fixed)
    return found


def trained(run: RunFolder, fold: int) -> Costs:
    """Return what one finished training was, and its wall seconds."""
    config, history = run.config, run.history(fold)
    about = {name: config[name] for name in ("corpus", "method", "preset", "segment_seconds", "model")}
    status = read_json(run.fold(fold) / "status.json")
    ssl = sum(record.phase == "ssl" for record in history)
    settings = TrainingSettings.of(**config["training"], method=config["method"])
    mixing = methods.of(settings.method).mixes(settings, "warmup")
    return {
        **about,
        "device": status.get("device", "cpu"),
        "segments": history[-1].n_labelled + history[-1].n_unlabelled,
        "songs": config["n_clips"],
        "epochs": len(history),
        "ssl_epochs": ssl,
        "warmup_mixes": mixing,
        "training_seconds": sum(record.seconds for record in history),
        "seconds_an_epoch": float(np.median([record.seconds for record in history])),
    }


# ---- arithmetic ------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Size:
    """How much a run has to do: songs, segments of each (one a second), and those trained (as the preset spaces them)."""

    songs: int
    starts: float
    preset: str

    @property
    def segments(self) -> float:
        """Segments of all songs, starting every second."""
        return self.songs * self.starts

    @property
    def trained(self) -> float:
        """Segments that one fold trains on: of nine tenths of the songs, as far apart as the preset says."""
        every = float(PRESETS[self.preset]["train_every_seconds"])
        return self.songs * (1 - 1 / FOLDS) * (1 + (self.starts - 1) // every)


def size(corpus: str, seconds: float, preset: str) -> Size:
    """Return a corpus' size at a duration, with the segments of a song of the paper's table 1."""
    row = paper_table(1).query("corpus == @corpus and segment_seconds == @seconds").iloc[0]
    return Size(SONGS[corpus], round(row["segments"] / row["songs"]), preset)


def epoch_seconds(costs: Costs, device: str, preset: str, seconds: float, kind: str, n_segments: float) -> float:
    """Return the seconds of one epoch with its evaluation pass."""
    unit = costs["training"][device][preset]
    per_1000 = unit["seconds"][f"{seconds:g}"]
    return n_segments / 1e3 * (per_1000["train"] * unit["ratio"][kind] + per_1000["evaluate"])


def fold_seconds(
    costs: Costs, device: str, preset: str, seconds: float, method: str, of: Size, *, shared: bool = False
) -> float:
    """Return the seconds of one fold: all epochs and the prediction of every segment; `shared`: without its warm-up."""
    settings = resolve(preset=preset, method=method).training
    later = settings.epochs - settings.warmup_epochs
    mixing = methods.of(method).mixes(settings, "warmup")
    kinds = {"warmup": "mixup" if mixing else "plain", "later": "plain" if method == "ce" else method}
    one = {name: epoch_seconds(costs, device, preset, seconds, kind, of.trained) for name, kind in kinds.items()}
    per_1000 = costs["training"][device][preset]["seconds"][f"{seconds:g}"]["evaluate"]
    total = later * one["later"] + (0 if shared else settings.warmup_epochs * one["warmup"])
    return float(total + of.segments / 1e3 * per_1000)


def notebook_seconds(costs: Costs, name: str) -> float:
    """Return a notebook's median, or the grid's own constant where it was not measured."""
    return float(costs["notebooks"].get(name, {}).get("median", progress.SECONDS_A_NOTEBOOK))


def run_hours(costs: Costs, device: str, preset: str, seconds: float, method: str, of: Size, **how: bool) -> float:
    """Return the hours of a whole run: ten folds and its notebooks."""
    notebooks = sum(notebook_seconds(costs, name) for name in NOTEBOOKS)
    fold = fold_seconds(costs, device, preset, seconds, method, of, **how) + notebook_seconds(costs, TRAINING_NOTEBOOK)
    return (FOLDS * fold + notebooks) / 3600


def fold_disk(costs: Costs, preset: str, of: Size) -> float:
    """Return the bytes that a finished fold leaves."""
    parts, epochs = costs["fold_bytes"], int(PRESETS[preset]["training"]["epochs"])
    grown = parts["segments_per_row"] * of.segments + parts["epochs_per_segment"] * of.trained * epochs
    return float(grown + parts.get("fixed", 0.0) + costs["network"][preset]["weights"])


def run_disk(costs: Costs, preset: str, of: Size) -> float:
    """Return the bytes of a finished run."""
    return FOLDS * fold_disk(costs, preset, of) + (costs["run_bytes"] or 0.0)


# ---- printing --------------------------------------------------------------------------------------------------------


def report(costs: Costs, seeds: int) -> None:
    """Print everything as Markdown."""
    for part in (unit_table(costs), other_units(costs), *(big_table(costs, corpus, seeds) for corpus in SONGS)):
        print(part + "\n")
    print(disk_lines(costs) + "\n")
    print(truth_table(costs) + "\n")
    print(many_songs(costs))


def unit_table(costs: Costs) -> str:
    """Return seconds per 1000 segments of every device, preset and duration."""
    rows = []
    for device, presets in costs["training"].items():
        for preset, unit in presets.items():
            for what in ("train", "evaluate"):
                values = {f"{s} s": f"{unit['seconds'][str(s)][what]:.3g}" for s in DURATIONS}
                rows.append({"device": device, "network of": preset, "s per 1000 segments": what, **values})
    if "cuda" not in costs["training"]:
        rows.append({"device": "GPU", "network of": "paper", "s per 1000 segments": "both"})
    return markdown(pd.DataFrame(rows).fillna("not measured"))


def other_units(costs: Costs) -> str:
    """Return the other unit costs, a line each."""
    made, notebooks, about = costs["store"], costs["notebooks"], costs["machine"]
    lines = [
        f"One thread of {about['cores']} cores, {about['precision']['cpu']} on the processor; {about['clips']}.",
        f"An hour of audio: {made['seconds_per_hour']:.0f} s to make its log-mels, {made['bytes_per_hour'] / 1e6:.1f} MB.",
        f"A thousand segments read at random: {made['read_per_1000']:.2f} s, and {made['read_anew_per_1000']:.2f} s where "
        f"each file must be opened anew. Opening a finished store: {made['open_seconds_per_gb']:.2f} s a GB.",
    ]
    for preset, unit in costs["training"]["cpu"].items():
        ratios = ", ".join(f"{kind} {unit['ratio'][kind]:.2f}" for kind in KINDS[1:])
        lines.append(f"A training epoch by kind, plain is 1, preset {preset}: {ratios}.")
    told = ", ".join(
        f"{name[:2]}: {row['median']:.0f} ({row['least']:.0f}–{row['most']:.0f})" for name, row in notebooks.items()
    )
    lines.append(f"Notebooks beside the training, s, median (least–most): {told}.")
    return "\n".join(f"- {line}" for line in lines)


def columns(costs: Costs) -> list[tuple[str, str, str]]:
    """Return the columns of hours: title, device, preset."""
    return [("h, CPU, `cpu`", "cpu", "cpu"), ("h, CPU, `paper`", "cpu", "paper"), ("h, GPU, `paper`", "cuda", "paper")]


def big_table(costs: Costs, corpus: str, seeds: int) -> str:
    """Return hours and disk of one run, of table 2 and of table 3 of a corpus."""
    one = {("sssl", 3.0, "quadrant")}
    table2 = {("sssl", float(s), task) for s in DURATIONS for task in ("valence", "arousal")}
    table3 = {(method, 3.0, task) for method in MEASURED_METHODS for task in ("valence", "arousal", "quadrant")}
    rows = []
    for name, runs, times in (
        ("one run, `sssl`, 3 s", one, 1), ("table 2: 5 durations × 2 tasks, `sssl`", table2, 1),
        ("table 3: 3 tasks × 4 methods, 3 s", table3, 1), (f"both, × {seeds} seeds", table2 | table3, seeds),
    ):  # fmt: skip
        row: dict[str, str] = {TITLES[corpus]: name, "runs": str(times * len(runs))}
        for title, device, preset in columns(costs):
            hours = [
                run_hours(costs, device, preset, seconds, method, size(corpus, seconds, preset))
                for method, seconds, _ in sorted(runs)
                if device in costs["training"]
            ]
            row[title] = _short(times * sum(hours)) if hours else "not measured"
        for preset in MEASURED:
            total = sum(run_disk(costs, preset, size(corpus, seconds, preset)) for _, seconds, _ in sorted(runs))
            row[f"GB, `{preset}`"] = _short(times * total / 1e9)
        rows.append(row)
    return markdown(pd.DataFrame(rows))


def _short(value: float) -> str:
    """Return a number with three digits, or with all before the point where there are more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def disk_lines(costs: Costs) -> str:
    """Return the bytes of folds, of stores and of a checkpoint, and what shared warm-ups save, in lines."""
    lines = []
    for corpus, songs in SONGS.items():
        hours = songs * CLIP_SECONDS / 3600
        lines.append(
            f"The store of {TITLES[corpus]}, first 30 s of each song: {hours:.1f} h, "
            f"{hours * costs['store']['bytes_per_hour'] / 1e6:.0f} MB, "
            f"{hours * costs['store']['seconds_per_hour'] / 60:.1f} minutes of one core to make."
        )
    for preset, network in costs["network"].items():
        of = size("4q", 3.0, preset)
        lines.append(
            f"A fold of 4Q at 3 s, preset {preset}: {fold_disk(costs, preset, of) / 1e6:.1f} MB, of which "
            f"{network['weights'] / 1e6:.1f} MB are the network; while it trains a checkpoint of "
            f"{network['checkpoint'] / 1e6:.0f} MB."
        )
    of = size("4q", 3.0, "cpu")
    whole = sum(run_hours(costs, "cpu", "cpu", 3.0, m, of) for m in MEASURED_METHODS)
    kept = sum(run_hours(costs, "cpu", "cpu", 3.0, m, of, shared=m.startswith("sssl")) for m in MEASURED_METHODS)
    lines.append(
        f"Preset cpu, one task of 4Q with all four methods: {whole:.1f} h; {kept:.1f} h where sssl and sssl_no_kl "
        "start from the warm-up that mixup left (they do if it is there when they begin)."
    )
    return "\n".join(f"- {line}" for line in lines)


def truth_table(costs: Costs) -> str:
    """Return prediction against truth for the trainings that were found: seconds of all epochs of a fold."""
    rows = []
    for actual in costs["actual"]:
        preset, device = actual["preset"], actual["device"]
        known = costs["training"].get(device, {}).get(preset)
        if (
            known is None
            or actual["model"] != PRESETS[preset]["model"]
            or f"{actual['segment_seconds']:g}" not in known["seconds"]
        ):
            continue
        after = actual["method"] if actual["method"] != "ce" else "plain"
        counts = {"mixup" if actual["warmup_mixes"] else "plain": actual["epochs"] - actual["ssl_epochs"]}
        counts[after] = counts.get(after, 0) + actual["ssl_epochs"]
        args = (costs, device, preset, actual["segment_seconds"])
        predicted = sum(n * epoch_seconds(*args, kind, actual["segments"]) for kind, n in counts.items())
        rows.append({**actual, "predicted": predicted, "typical": actual["epochs"] * actual["seconds_an_epoch"]})
    if not rows:
        return "No finished training of these presets was found to hold the arithmetic against."
    table = pd.DataFrame(rows)
    table["ratio"], table["to median"] = (
        table["predicted"] / table["training_seconds"],
        table["predicted"] / table["typical"],
    )
    grouped = table.groupby(["corpus", "method", "preset", "segment_seconds"])
    shown = grouped.agg(
        folds=("ratio", "size"), segments=("segments", "median"), predicted=("predicted", "median"),
        actual=("training_seconds", "median"), ratio=("ratio", "median"), least=("ratio", "min"), most=("ratio", "max"),
        to_median=("to median", "median"),
    ).reset_index()  # fmt: skip
    for name, digits in {
        "segments": 0,
        "predicted": 0,
        "actual": 0,
        "ratio": 2,
        "least": 2,
        "most": 2,
        "to_median": 2,
    }.items():
        shown[name] = [f"{value:.{digits}f}" for value in shown[name]]
    shown.attrs["note"] = (
        "Seconds of a fold's epochs: predicted from processor time, actual in wall time. `to_median`: against the number of "
        "epochs times the median epoch, which an interruption does not lengthen."
    )
    return markdown(shown)


def many_songs(costs: Costs) -> str:
    """Return what a hundred times the data costs, from the same unit costs."""
    made, lines = costs["store"], []
    for title, seconds in (("30 s each", CLIP_SECONDS), ("whole tracks of four minutes", WHOLE_TRACK_SECONDS)):
        hours = MANY_SONGS * seconds / 3600
        gb = hours * made["bytes_per_hour"] / 1e9
        lines.append(
            f"{MANY_SONGS:,} songs, {title}: {hours:,.0f} h of audio, a store of {gb:.1f} GB in {MANY_SONGS:,} files, "
            f"{hours * made['seconds_per_hour'] / 3600:.1f} h of one core to make, {gb * made['open_seconds_per_gb']:.0f} s of "
            "processor time to check at every opening."
        )
    few, many = (MANY_SONGS * (seconds - 3 + 1) for seconds in (CLIP_SECONDS, WHOLE_TRACK_SECONDS))
    lines.append(
        f"The store's manifest: {MANY_SONGS * made['manifest_bytes_per_clip'] / 1e6:.0f} MB. Segments of 3 s, one a second: "
        f"{few:,.0f} of 30 s each, {many:,.0f} of whole tracks, {many / few:.1f} times as many; their positions, three numbers "
        f"of 8 bytes each, are {24 * few / 1e6:.0f} and {24 * many / 1e6:.0f} MB in memory."
    )
    for preset in MEASURED:
        of = Size(MANY_SONGS, 28, preset)
        epochs = int(PRESETS[preset]["training"]["epochs"])
        a_pass = of.trained * N_CLASSES * 2
        network = costs["network"][preset]["checkpoint"]
        lines.append(
            f"Preset {preset}, 3 s, 30 s of each song: {of.segments:,.0f} segments, {of.trained:,.0f} trained in a fold; one "
            f"evaluation pass is {a_pass / 1e6:.1f} MB, all {epochs} are {epochs * a_pass / 1e6:.0f} MB, in memory "
            "(twice that for the moment in which one is added) and in the checkpoint "
            f"({(network + epochs * a_pass) / 1e9:.2f} GB at the end, written after every epoch, "
            f"{(epochs * network + epochs * (epochs + 1) / 2 * a_pass) / 1e9:.0f} GB in all)."
        )
        a_fold, read = fold_disk(costs, preset, of), of.trained / 1e3 * made["read_anew_per_1000"]
        lines.append(
            f"Preset {preset}: a fold leaves {a_fold / 1e9:.2f} GB, of which segments.csv "
            f"{costs['fold_bytes']['segments_per_row'] * of.segments / 1e6:.0f} MB; reading an epoch, each file opened anew, is "
            f"{read / 60:.1f} minutes of processor time; the mixture "
            f"{costs['songs']['split_per_1000'] * of.trained / 1e3:.1f} s an epoch."
        )
        for device in costs["training"]:
            hours = fold_seconds(costs, device, preset, 3.0, "sssl", of) / 3600
            lines.append(f"Preset {preset}: {hours:,.0f} h a fold on one {'thread' if device == 'cpu' else 'GPU'}.")
    if "cuda" not in costs["training"]:
        lines.append("GPU: not measured.")
    seconds = costs["songs"]["svm_seconds"]
    power = np.polyfit(np.log([int(n) for n in seconds]), np.log(list(seconds.values())), 1)[0]
    n, last = MANY_SONGS * (1 - 1 / FOLDS), max(seconds, key=int)
    told = ", ".join(f"{int(m):,} songs {s:.1f} s" for m, s in seconds.items())
    lines.append(
        f"The SVM with its inner grid: {told}, growing with the power {power:.1f}; carried on to {n:,.0f} songs that is "
        f"{seconds[last] * (n / int(last)) ** power / 60:,.0f} minutes a fold (extrapolated by a factor of {n / int(last):.0f})."
    )
    return "\n".join(f"- {line}" for line in lines)


if __name__ == "__main__":
    main()
