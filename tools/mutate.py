"""Break the code on purpose, one mistake at a time, and see whether the tests notice.

    python tools/mutate.py                  # all of MUTATIONS: prints what lived; exit 1 if more than two did
    python tools/mutate.py --only features  # those whose file or text holds this
    python tools/mutate.py --list

Each mutation replaces one text in one file of a copy of the checkout, never of the checkout itself, and runs the tests
that belong to that file until the first failure. It is run by hand: some minutes a round.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: What the tests need of a checkout.
COPIED = ("mer_kit", "tests", "notebooks", "pyproject.toml", "constraints.txt")
SECONDS = 300
MOST_SURVIVORS = 2


@dataclass(frozen=True)
class Mutation:
    """One plausible mistake: the text in a file of mer_kit, what stands there instead, and the tests to run."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def _of(file: str, tests: str, *changes: tuple[str, str]) -> list[Mutation]:
    return [Mutation(file, old, new, tuple(tests.split())) for old, new in changes]


MUTATIONS: tuple[Mutation, ...] = (
    *_of(
        "training/objectives.py",
        "tests/training/test_objectives.py mer_kit/training/objectives.py",
        ("return -(targets * functional.log_softmax", "return (targets * functional.log_softmax"),
        ("(log_p / temperature, dim=1)", "(log_p * temperature, dim=1)"),
        ("return max(delta, 1 - delta)", "return delta"),
        (
            "return delta * values + (1 - delta) * values[partner]",
            "return delta * values[partner] + (1 - delta) * values",
        ),
        (
            "mixed_in = segment_loss(logits, targets), segment_loss(logits, targets[partner])",
            "mixed_in = segment_loss(logits, targets), segment_loss(logits, targets)",
        ),
        (
            "return 0.5 * ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(dim=1)",
            "return (log_p.exp() * (log_p - log_q)).sum(dim=1)",
        ),
        ("return symmetric_kl(first, second).mean()", "return symmetric_kl(first, second).sum()"),
        ("weight * min(1.0, max(0.0,", "weight * min(2.0, max(0.0,"),
        (
            "return mixed + lambda_kl * consistency if lambda_kl else mixed",
            "return mixed + consistency if lambda_kl else mixed",
        ),
        (
            "    with torch.no_grad():\n        log_p = functional",
            "    if True:\n        log_p = functional",
        ),
    ),
    *_of(
        "training/batch_loss.py",
        "tests/training/test_batch_loss.py",
        ("second = network.head(h, generator=dropout)", "second = first"),
        (
            "guess = network.head_without_dropout(h.detach()).float()",
            "guess = network.head(h.detach(), generator=dropout).float()",
        ),
        ("with frozen_batch_norm(network), placement.autocast():", "with placement.autocast():"),
        (
            "return batch.targets.index_copy(0, batch.noisy, soft.to(batch.targets.dtype)), consistency",
            "return batch.targets, consistency",
        ),
        ("soft = objectives.sharpen(guess, temperature)", "soft = objectives.sharpen(guess, 1.0)"),
    ),
    *_of(
        "training/evaluation.py",
        "tests/training/test_evaluation.py tests/training/test_trainer.py",
        ("    network.eval()\n", "    network.train()\n"),
        ("count += x.shape[0] * x.shape[2]", "count += x.shape[0] * x.shape[1]"),
        (
            "scaled = (x - self.mean.reshape(shape)) / self.sd.reshape(shape)",
            "scaled = x - self.mean.reshape(shape)",
        ),
    ),
    *_of(
        "training/partition.py",
        "tests/training/test_partition.py mer_kit/training/partition.py",
        (
            "mixture.posterior(losses[rows], clamp=s.clamp)",
            "mixture.posterior(losses[rows], clamp=False)",
        ),
        ("_capped(omega > s.tau,", "_capped(omega >= s.tau,"),
        ("window = passes[-settings.loss_window :]", "window = passes[: settings.loss_window]"),
        ("omega[~candidates] = 1.0", "pass"),
        (
            "capped[np.lexsort((-losses, omega))[:most]] = False",
            "capped[np.lexsort((losses, omega))[:most]] = False",
        ),
        (
            "gap = float(losses[~clean].mean() - losses[clean].mean())",
            "gap = float(losses[clean].mean() - losses[~clean].mean())",
        ),
        ("if s.per_class else [everything]", "if not s.per_class else [everything]"),
    ),
    *_of(
        "training/mixture.py",
        "tests/training/test_partition.py mer_kit/training/mixture.py",
        (
            "np.maximum(x, vertex) if curvature > 0 else np.minimum(x, vertex)",
            "np.minimum(x, vertex) if curvature > 0 else np.maximum(x, vertex)",
        ),
        ("order = np.argsort(model.means_[:, 0])", "order = np.argsort(-model.means_[:, 0])"),
        (
            "low, high = np.percentile(losses, clip_percentiles)",
            "low, high = losses.min(), losses.max()",
        ),
    ),
    *_of(
        "training/bimodality.py",
        "tests/training/test_repairs.py",
        ("return bool(self.dip > self.critical)", "return True"),
        ("CRITICAL / np.sqrt(n_effective)", "CRITICAL / np.sqrt(len(values))"),
        ("gap[furthest] <= found + 1e-12", "True"),
    ),
    *_of(
        "training/trainer.py",
        "tests/training/test_trainer.py tests/training/test_batch_loss.py",
        ("if epoch <= s.warmup_epochs or", "if epoch < s.warmup_epochs or"),
        ("state.enter(epoch)", "pass"),
        (
            "return state.method.phase, epoch - state.split_epoch",
            "return state.method.phase, epoch",
        ),
        ("            scheduler.step()\n", "            pass\n"),
        (
            "torch.nn.utils.clip_grad_norm_(network.parameters(), self.settings.gradient_clip)",
            "pass",
        ),
    ),
    *_of(
        "training/methods/sssl.py",
        "tests/training/test_trainer.py tests/training/test_batch_loss.py",
        (
            "self.epoch.probabilities[rows].astype(np.float32)",
            "self.epoch.probabilities[rows[::-1]].astype(np.float32)",
        ),
        ("                settings=settings,\n", ""),
        (
            "np.flatnonzero(~self.partition.clean[rows])",
            "np.flatnonzero(self.partition.clean[rows])",
        ),
    ),
    *_of(
        "training/diagnostics.py",
        "tests/training/test_diagnostics.py mer_kit/training/diagnostics.py",
        ("roc_auc_score(truly, omega)", "roc_auc_score(~truly, omega)"),
        (
            "forgotten = (right[:-1] & ~right[1:]).sum(axis=0)",
            "forgotten = (~right[:-1] & right[1:]).sum(axis=0)",
        ),
        ("(~clean & ~truly).sum() / (~truly).sum()", "(~clean & ~truly).sum() / (~clean).sum()"),
        ("accepted = mean > tau", "accepted = mean >= tau"),
    ),
    *_of(
        "training/noise.py",
        "tests/training/test_noise.py mer_kit/training/noise.py",
        (
            "shift = generator.integers(1, n_classes, len(rows))",
            "shift = generator.integers(0, n_classes, len(rows))",
        ),
        (
            "shift = generator.choice([1, n_classes - 1], len(rows))",
            "shift = generator.choice([1, 2], len(rows))",
        ),
    ),
    *_of(
        "songs/features.py",
        "tests/songs/test_features.py mer_kit/songs/features.py",
        ("(p > theta).mean(axis=0)", "(p >= theta).mean(axis=0)"),
        ("columns = [p[-1], p[0], *quartiles", "columns = [p[0], p[-1], *quartiles"),
        ("return np.stack(columns, axis=1).ravel()", "return np.stack(columns, axis=0).ravel()"),
    ),
    *_of(
        "songs/classifier.py",
        "tests/songs/test_classifiers.py mer_kit/songs/classifier.py",
        ("mean_probabilities(p), -np.inf).argmax())", "1.0, -np.inf).argmax())"),
    ),
    *_of(
        "songs/classifiers/run_length.py",
        "tests/songs/test_classifiers.py mer_kit/songs/classifiers/run_length.py",
        (
            "np.flatnonzero(np.r_[True, chosen[1:] != chosen[:-1]])",
            "np.flatnonzero(np.r_[True, chosen[1:] == chosen[:-1]])",
        ),
    ),
    *_of(
        "songs/scores.py",
        "tests/songs/test_scores.py mer_kit/songs/scores.py",
        ("values.std(ddof=1)", "values.std(ddof=0)"),
        ("confusion_matrix(t, p, labels", "confusion_matrix(p, t, labels"),
        ('"macro_f1": float(f1.mean())', '"macro_f1": float(f1[f1 > 0].mean())'),
        ('result["positive_f1"] = float(f1[1])', 'result["positive_f1"] = float(f1[0])'),
    ),
    *_of(
        "songs/folds.py",
        "tests/songs/test_folds.py mer_kit/songs/folds.py",
        ("splitter = StratifiedGroupKFold(int(n_folds)", "splitter = StratifiedKFold(int(n_folds)"),
        ("if n_units < n_folds:", "if n_units < n_folds - 1:"),
    ),
    *_of(
        "songs/classifiers/svm.py",
        "tests/songs/test_svm.py",
        ('gamma="scale", class_weight="balanced")', 'gamma="scale", class_weight=None)'),
        (
            "x = features.pool(p, song, n_songs=n_songs, theta=self.theta)",
            "x = features.pool(p, song, n_songs=n_songs)",
        ),
    ),
    *_of(
        "signal/segments.py",
        "tests/signal/test_segments.py mer_kit/signal/segments.py",
        ("usable = min(duration_s, max_seconds or np.inf)", "usable = duration_s"),
        (
            "np.rint(start_s * frames_per_second).astype",
            "np.rint(start_s * int(frames_per_second)).astype",
        ),
        ("/ every_seconds)) + 1, 0)", "/ every_seconds)), 0)"),
    ),
    *_of(
        "signal/frontends/logmel.py",
        "tests/signal/frontends mer_kit/signal/frontends/logmel.py",
        (
            "power = spectrum.real**2 + spectrum.imag**2",
            "power = np.sqrt(spectrum.real**2 + spectrum.imag**2)",
        ),
        ('window="hann", center=True', 'window="hamming", center=True'),
        (
            "10.0 * np.log10(np.maximum(mel, FLOOR_POWER))",
            "10.0 * np.log10(np.maximum(mel, mel.max() * 1e-8))",
        ),
        ("rest = rest[n_frames * hop :]", "rest = rest[(n_frames - 1) * hop :]"),
    ),
    *_of(
        "signal/store.py",
        "tests/signal/test_store.py",
        (
            "values(clip)[start : start + self._count]",
            "values(clip)[start + 1 : start + 1 + self._count]",
        ),
        ('on_bad_clip == "stop" or len(problems) == len(clips)', 'on_bad_clip == "stop"'),
    ),
    *_of(
        "corpora/ratings.py",
        "tests/corpora/test_ratings.py tests/corpora/test_rated_corpora.py mer_kit/corpora/ratings.py",
        ("return (self.low + self.high) / 2", "return (self.high - self.low) / 2"),
        ('{"high": 1, "low": 0, "drop": None}[', '{"high": 0, "low": 1, "drop": None}['),
        (
            "if not scale.low <= text.number(cell) <= scale.high:",
            "if not text.number(cell) <= scale.high:",
        ),
        ("_QUADRANTS = ((1, 1), (0, 1)", "_QUADRANTS = ((0, 1), (1, 1)"),
    ),
    *_of(
        "runs/decisions.py",
        "tests/runs/test_decisions.py",
        ("theta=config.theta", "theta=0.5"),
        (
            "labels[fold.test][test_song], test_p.argmax(axis=1), len(class_names",
            "labels[fold.test][test_song], test_p.argmin(axis=1), len(class_names",
        ),
        (
            "majority=scores.majority(labels[fold.train], truth, n_classes)",
            "majority=scores.majority(truth, truth, n_classes)",
        ),
        (
            "train_p, train_song, labels[fold.train]\n",
            "train_p[::-1], train_song, labels[fold.train]\n",
        ),
    ),
    *_of(
        "runs/fold_training.py",
        "tests/runs/test_experiment.py tests/runs/test_inner_folds.py",
        (
            "fit(experiment, fold.train[part.train], name, folder, number)",
            "fit(experiment, fold.train, name, folder, number)",
        ),
        ("groups=None if groups is None else groups[fold.train]", "groups=None"),
    ),
    *_of(
        "runs/experiment.py",
        "tests/runs/test_experiment.py tests/runs/test_inner_folds.py",
        (
            "max_seconds=self.config.max_seconds,\n            frames_per_second",
            "max_seconds=30.0,\n            clip_ids",
        ),
    ),
)


def mutated(mutation: Mutation, root: Path) -> str:
    """Return the file's text with the mistake in it.

    Raises
    ------
    ValueError
        If the text does not occur exactly once, or what comes of it is no Python: the list has to follow the code.
    """
    text = (root / "mer_kit" / mutation.file).read_text("utf-8")
    if text.count(mutation.old) != 1:
        raise ValueError(
            f"{mutation.file}: {text.count(mutation.old)} times, expected once: {mutation.old!r}"
        )
    changed = text.replace(mutation.old, mutation.new)
    ast.parse(changed)
    return changed


def copied(place: Path) -> Path:
    """Copy what the tests need into a folder and return it."""
    place.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, place / name)
    return place


def passes(root: Path, tests: tuple[str, ...]) -> bool:
    """Run tests of a copy until the first failure; tell whether all passed. What hangs has not."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {
        **os.environ,
        "PYTHONPATH": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MER_CACHE": str(root / "cache"),
    }
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    if done.returncode not in (0, 1):
        raise SystemExit(
            f"pytest ended with {done.returncode} on {' '.join(tests)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.returncode == 0


def attempt(mutation: Mutation, root: Path) -> bool:
    """Apply a mutation to a copy, run its tests, restore the file; tell whether it lived."""
    file = root / "mer_kit" / mutation.file
    whole = file.read_text("utf-8")
    file.write_text(mutated(mutation, root), "utf-8")
    try:
        return passes(root, mutation.tests)
    finally:
        file.write_text(whole, "utf-8")


def main() -> None:
    """Try the mutations and print what lived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="mutations whose file or text holds this")
    parser.add_argument("--list", action="store_true", help="print them, run nothing")
    chosen = parser.parse_args()
    wanted = [m for m in MUTATIONS if chosen.only in f"{m.file} {m.old}"]
    if chosen.list:
        for mutation in wanted:
            print(f"{mutation.file}: {mutation.old!r} → {mutation.new!r}")
        return
    with tempfile.TemporaryDirectory() as folder:
        root = copied(Path(folder) / "copy")
        for tests in dict.fromkeys(mutation.tests for mutation in wanted):
            if not passes(root, tests):
                raise SystemExit(f"{' '.join(tests)} fail without any mutation: mend that first")
        lived = []
        for number, mutation in enumerate(wanted, start=1):
            began = time.monotonic()
            alive = attempt(mutation, root)
            lived += [mutation] if alive else []
            told = "LIVED" if alive else "died"
            print(
                f"[{number}/{len(wanted)}] {told} in {time.monotonic() - began:.0f} s  {mutation.file}: {mutation.old!r}"[
                    :160
                ],
                flush=True,
            )
    print(f"{len(wanted)} mutations, {len(lived)} lived")
    for mutation in lived:
        print(f"  {mutation.file}: {mutation.old!r} → {mutation.new!r}")
    sys.exit(1 if len(lived) > MOST_SURVIVORS else 0)


if __name__ == "__main__":
    main()
