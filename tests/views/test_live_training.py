"""Live training: pictures and words follow the epochs; stopped in any way and started again, the result is the same."""

from __future__ import annotations

import contextlib
import io
import itertools
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from mer_kit import plots
from mer_kit.analysis.passes import read_passes
from mer_kit.checks import MerKitError
from mer_kit.records import EpochRecord
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import RunFolder
from mer_kit.training import Trainer, trainer
from mer_kit.views.live_training import LiveTraining, Paused

torch.set_num_threads(1)

Maker = Callable[[Path], Experiment]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def make() -> Maker:
    """Return an experiment of four epochs, two of them warm-up, in a folder of its own; the corpus is opened once."""
    config = resolve(
        corpus="demo",
        preset="smoke",
        folds=2,
        epochs=4,
        warmup_epochs=2,
        corpus_options={"clips": 16, "seconds": 8.0},
    )
    opened: list[Any] = []

    def made(runs_dir: Path) -> Experiment:
        known = opened[0] if opened else None
        said: list[EpochRecord] = []
        experiment = Experiment(
            config,
            runs_dir=runs_dir,
            opened=known,
            device="cpu",
            precision="float32",
            on_epoch=lambda _, record: said.append(record),
        )
        opened.append((experiment.corpus, experiment.store, experiment.skipped))
        experiment.said = said  # type: ignore[attr-defined]
        return experiment

    return made


@pytest.fixture(scope="module")
def whole(make: Maker, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The fold as papermill trains it: without a pause, without a view."""
    return make(tmp_path_factory.mktemp("whole")).train(0)


def assert_same(folder: RunFolder, whole: RunFolder) -> None:
    """The numbers of two trainings agree bit for bit; only the seconds differ."""
    histories = [
        pd.read_csv(one.fold(0) / "history.csv").drop(columns="seconds") for one in (folder, whole)
    ]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    mine, theirs = folder.epochs(0), whole.epochs(0)
    for name in theirs:
        np.testing.assert_array_equal(mine[name], theirs[name])
    for name in ("model.safetensors", "segments.csv"):
        assert (folder.fold(0) / name).read_bytes() == (whole.fold(0) / name).read_bytes()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the pictures where a test is about numbers."""
    monkeypatch.setattr(plots.live, "panels", lambda passes: [])


def stop_after(live: LiveTraining, epoch: int) -> Any:
    """Return a view through which somebody presses stop as soon as this epoch is over."""
    view = live.widget()
    view.observe(
        lambda change: live.reply({"kind": "stop"}) if change.new["done"] == epoch else None,
        names="state",
    )
    return view


# ---- stopping and going on -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("epoch", [1, 3])
def test_stopped_between_epochs_and_started_again_equals_no_pause(
    make: Maker, whole: RunFolder, tmp_path: Path, epoch: int
) -> None:
    live = LiveTraining(make(tmp_path))
    stop_after(live, epoch)
    with pytest.raises(
        Paused,
        match=f"Paused with {epoch} of 4 epochs done. The next start resumes with epoch {epoch + 1}.",
    ):
        live.train()
    assert (live.state, live.done) == ("paused", epoch)
    begun: list[int] = []
    again = LiveTraining(make(tmp_path))
    again.widget().observe(lambda change: begun.append(change.new["done"]), names="state")
    assert again.words() == "Resumes after the last finished epoch."
    assert_same(again.train(), whole)
    assert min(done for done in begun if done) == epoch, (
        "what was done is seen before the first epoch's end"
    )


def interrupted(interrupt: Callable[[], None]) -> Callable[..., Iterator[Any]]:
    """Return `trainer.batches` with an interrupt at the end of its third call."""
    original, calls = trainer.batches, itertools.count(1)

    def batches(*wanted: Any) -> Iterator[Any]:
        yield from original(*wanted)
        if next(calls) == 3:
            interrupt()

    return batches


def test_interrupted_within_an_epoch_and_started_again_equals_no_pause(
    make: Maker, whole: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the notebook's stop button does it: KeyboardInterrupt at whatever line is running, here with weights moved."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    original, live = trainer.batches, LiveTraining(make(tmp_path))
    monkeypatch.setattr(trainer, "batches", interrupted(interrupt))
    with pytest.raises(KeyboardInterrupt, match="Paused with 2 of 4"):
        live.train()
    monkeypatch.setattr(trainer, "batches", original)
    assert not live.experiment.folder.fold_done(0)
    assert_same(live.train(), whole)
    assert live.state == "done"


@pytest.mark.usefixtures("undrawn")
def test_an_interrupt_that_a_library_swallows_pauses_at_the_end_of_the_epoch(
    make: Maker, whole: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swallowed() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    original, live = trainer.batches, LiveTraining(make(tmp_path))
    monkeypatch.setattr(trainer, "batches", interrupted(swallowed))
    with pytest.raises(Paused, match="Paused with [23] of 4"):
        live.train()
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.setattr(trainer, "batches", original)
    assert_same(live.train(), whole)


@pytest.mark.usefixtures("undrawn")
def test_in_a_thread_started_paused_and_started_again_equals_no_pause(
    make: Maker, whole: RunFolder, tmp_path: Path
) -> None:
    live = LiveTraining(make(tmp_path))
    view = stop_after(live, 3)
    live.reply({"kind": "start"})
    live.start()  # a second press while it runs starts nothing
    live.wait()
    assert view.state["state"] == "paused" and view.state["since"] is None
    view.unobserve_all()
    live.start()
    live.wait()
    assert live.state == "done" and view.state["done"] == 4
    assert_same(live.experiment.folder, whole)


@pytest.mark.usefixtures("undrawn")
def test_a_stop_after_the_last_epoch_comes_too_late_to_pause(
    make: Maker, whole: RunFolder, tmp_path: Path
) -> None:
    live = LiveTraining(make(tmp_path))
    stop_after(live, 4)
    assert_same(live.train(), whole)


def test_a_finished_fold_is_read_and_not_trained(
    make: Maker, whole: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "fit", lambda *_: pytest.fail("trained again"))
    live = LiveTraining(make(whole.path.parent))
    assert live.words() == "This fold is trained."
    live.train()
    assert live.state == "done" and live.done == 4 and len(live.pictures()) == 3


def test_what_fails_is_told_and_raised(
    make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise MerKitError("the disk is full: make room")

    live = LiveTraining(make(tmp_path))
    monkeypatch.setattr(live.experiment, "train", broken)
    view = live.widget()
    with pytest.raises(MerKitError, match="disk is full"):
        live.train()
    assert (
        view.state["state"] == "failed"
        and view.state["words"] == "Failed: the disk is full: make room"
    )
    live.start()
    live.wait()  # a thread raises nothing, the view says it
    assert live.state == "failed"


# ---- what is seen ----------------------------------------------------------------------------------------------------


def test_words_and_pictures_follow_every_epoch(make: Maker, tmp_path: Path) -> None:
    live = LiveTraining(make(tmp_path))
    view = live.widget()
    assert live.words() == "4 epochs, none started." and view.pictures == []
    told: list[str] = []
    drawn: list[list[bytes]] = []
    view.observe(lambda change: told.append(change.new["words"]), names="state")
    view.observe(lambda change: drawn.append(change.new), names="pictures")
    live.train()
    assert told[:2] == ["Starting.", "Epoch 1 of 4 is running."]
    assert told[2].startswith("Epoch 1 of 4 is finished: loss ") and told[2].endswith(
        "Epoch 2 of 4 is running."
    )
    assert told[5].endswith("The songs are being predicted.") and told[-1].endswith(
        "The training is done."
    )
    history = live.experiment.folder.history(0)
    for words, record in zip(told[2:6], history, strict=True):
        assert f"loss {record.loss:.3f}" in words
        assert (
            f"{record.n_labelled} segments in X and {record.n_unlabelled} in U" in words
        ) == bool(record.n_unlabelled)
    assert len({pictures[0] for pictures in drawn}) >= 4, (
        "the losses are drawn anew as each epoch ends"
    )
    assert [Image.open(io.BytesIO(png)).format for png in drawn[-1]] == ["PNG"] * 3
    assert live.experiment.said == [], "the view says what the printed lines would have said"  # type: ignore[attr-defined]
    assert plt.get_fignums() == []


@pytest.mark.usefixtures("undrawn")
def test_the_live_histogram_is_that_of_the_finished_fold(make: Maker, tmp_path: Path) -> None:
    live = LiveTraining(make(tmp_path))
    live.train()
    finished = read_passes(live.experiment, 0)
    assert live.passes is not None and len(live.passes) == 4
    for mine, theirs in zip(live.passes.fitted_mixture(4), finished.fitted_mixture(4), strict=True):
        assert (
            (mine == theirs) if not isinstance(mine, np.ndarray) else np.array_equal(mine, theirs)
        )


def test_the_picture_that_stays_shows_losses_histogram_and_sizes(
    make: Maker, whole: RunFolder
) -> None:
    passes = read_passes(make(whole.path.parent), 0)
    losses, histogram, sizes = plots.live.picture(passes).axes
    assert losses.lines[0].get_ydata().tolist() == pytest.approx(
        [record.loss for record in passes.history]
    )
    assert histogram.get_title(loc="left") == "segments after epoch 4"
    assert len(histogram.lines) == 2, "both Gaussians"
    assert sizes.get_ylim()[1] == pytest.approx(1.02 * len(passes.labels))


def test_a_pause_is_one_sentence_in_a_notebook_and_still_an_interrupt() -> None:
    assert Paused("Paused here.")._render_traceback_() == ["Paused here."]
    assert issubclass(Paused, KeyboardInterrupt) and not issubclass(Paused, Exception)


@pytest.mark.parametrize("message", [None, "start", {}, {"kind": "delete"}])
def test_a_view_may_ask_for_start_and_stop_alone(make: Maker, tmp_path: Path, message: Any) -> None:
    live = LiveTraining(make(tmp_path))
    with pytest.raises(MerKitError, match="kind is|expected an object with a kind"):
        live.reply(message)
    assert live.state == "ready"


@pytest.mark.usefixtures("undrawn")
def test_in_a_cell_the_view_goes_at_the_end_and_stays_at_a_pause(
    make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.setattr("IPython.display.clear_output", lambda wait: shown.append(wait))
    live = LiveTraining(make(tmp_path))
    widget = live.widget

    def stopping(**options: Any) -> Any:
        view = widget(**options)
        view.observe(lambda change: live.stop() if change.new["done"] == 1 else None, names="state")
        return view

    monkeypatch.setattr(live, "widget", stopping)
    with pytest.raises(Paused):
        live.run()
    assert len(shown) == 1 and shown[0].data["buttons"] is False and shown[0].comm is not None
    shown[0].unobserve_all()
    monkeypatch.setattr(live, "widget", widget)
    assert live.run().fold_done(0)
    assert shown[2] is True and shown[1].comm is None, (
        "the view is closed, and cleared when a picture comes"
    )


# ---- rehearsal -------------------------------------------------------------------------------------------------------


def test_a_rehearsal_leaves_the_real_run_alone_and_begins_afresh(
    make: Maker, whole: RunFolder
) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.path.parent.rglob("*")}
    live = LiveTraining.rehearsal(make(whole.path.parent), 0, epochs=2)
    first = live.experiment.folder
    assert live.words() == "2 epochs, none started.", "though the real fold is done"
    for _ in range(2):
        live.start()
        live.wait()
        assert live.state == "done" and live.done == 2 and live.experiment.folder.fold_done(0)
    assert live.experiment.folder.path != first.path
    history, again = first.history(0), live.experiment.folder.history(0)
    assert [r.loss for r in history] == [r.loss for r in again], "the same seed, the same rehearsal"
    assert {path: path.stat().st_mtime_ns for path in whole.path.parent.rglob("*")} == before
    scratch = live.experiment.runs_dir.parent
    assert scratch.exists()
    del live
    assert not scratch.exists(), "the scratch folder goes with the rehearsal"
