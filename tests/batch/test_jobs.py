"""Executing notebooks: what counts as finished, failures, and copies without local paths."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

from mer_kit.batch import executed, jobs, kernel, planning
from mer_kit.checks import MerKitError
from mer_kit.corpora import truth
from mer_kit.records import Corpus
from mer_kit.runs import schema
from mer_kit.songs import folds


def notebook(path: Path, *cells: str) -> Path:
    parameters = new_code_cell(
        "value: int = 1  # what is written\nplace: str = ''", metadata={"tags": ["parameters"]}
    )
    book = new_notebook(cells=[parameters, *map(new_code_cell, cells)])
    book.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(book, path)
    return path


def job(folder: Path, *cells: str, **parameters: object) -> planning.Job:
    source = notebook(folder / "source.ipynb", *cells)
    return planning.Job("tiny", source, folder / "out" / "tiny.ipynb", parameters)


def test_a_finished_notebook_is_done_kept_and_without_paths(tmp_path: Path) -> None:
    tiny = job(
        tmp_path, "open(place, 'a').write(str(value))", value=7, place=str(tmp_path / "written")
    )
    lines: list[str] = []
    assert jobs.execute([tiny], mark="m", say=lines.append)[0].state == "done"
    assert jobs.execute([tiny], mark="m", say=lines.append)[0].state == "kept"
    assert (tmp_path / "written").read_text() == "7", "the second call ran the notebook again"
    text = tiny.target.read_text()
    assert str(tmp_path) not in json.dumps(json.loads(text)["metadata"])
    assert "input_path" not in text
    assert not [p for p in tiny.target.parent.iterdir() if "partial" in p.name]
    assert "done before" in lines[-1]


def test_places_do_not_stay_in_the_copy(tmp_path: Path) -> None:
    copy = new_notebook(
        cells=[new_code_cell("# Parameters\nruns_dir = '/home/x/runs'\nvalue = 3\n")]
    )
    copy.cells[0].metadata["tags"] = ["injected-parameters"]
    copy.metadata["papermill"] = {
        "parameters": {"runs_dir": "/home/x/runs"},
        "output_path": "/home/x",
        "duration": 1,
    }
    stripped = executed.strip_places(copy, {})
    assert "/home/x" not in json.dumps(stripped)
    assert "value = 3" in stripped.cells[0].source and stripped.metadata["papermill"] == {
        "duration": 1
    }


def test_what_a_cell_prints_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    cell = "import sys, pathlib; print(place + '/x.csv', sys.prefix); pathlib.Path(place + '/none').read_text()"
    tiny = job(tmp_path, cell, place=str(tmp_path), runs_dir=str(tmp_path))
    outcome = jobs.execute([tiny], mark="m")[0]
    assert str(tmp_path) in outcome.message, "the returned message names the folder"
    for file in (tiny.target, tiny.target.with_suffix(".status.json")):
        book = json.loads(file.read_text())
        book.pop("key", None)
        for cell in book.get("cells", []):
            cell["source"] = ""  # `place` is no parameter that says where things lie
        assert str(tmp_path) not in json.dumps(book) and "[runs]/none" in json.dumps(book)
    assert "[runs]/x.csv [python]" in json.dumps(json.loads(tiny.target.read_text())["cells"])


def test_the_last_lines_of_a_failure_are_kept(tmp_path: Path) -> None:
    tiny = job(tmp_path, "for k in range(40): print('epoch', k)\nraise ValueError('torn')")
    jobs.execute([tiny], mark="m")
    log = json.loads(tiny.target.with_suffix(".status.json").read_text())["log"]
    assert log[-1] == "ValueError: torn" and 1 < len(log) <= schema.LOG_LINES
    tiny = job(
        tmp_path, "print('the last epoch', flush=True); import os, time; time.sleep(1); os.abort()"
    )
    outcome = jobs.execute([tiny], mark="m")[0]
    assert "Dead" in outcome.message and outcome.log == ("the last epoch",)


def test_a_kernel_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ipykernel_launcher.py").write_text("raise ImportError('libsndfile is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = jobs.execute([job(tmp_path, "1")], mark="m")[0]
    assert outcome.state == "failed" and "ImportError: libsndfile is missing" in outcome.log


def test_another_run_parameter_or_source_is_executed_again(tmp_path: Path) -> None:
    tiny = job(tmp_path, "1 + 1", value=1)
    jobs.execute([tiny], mark="m")
    assert tiny.is_done("m")
    assert not tiny.is_done("other mark")
    parameters = {**tiny.parameters, "seed": 0, "overrides": {}, "runs_dir": "elsewhere"}
    assert planning.Job("tiny", tiny.source, tiny.target, parameters).is_done("m"), (
        "the mark stands for the settings"
    )
    assert not planning.Job("tiny", tiny.source, tiny.target, {"value": 2}).is_done("m")
    notebook(tiny.source, "1 + 2")
    assert not tiny.is_done("m")


def test_another_segment_truth_is_executed_again(tmp_path: Path) -> None:
    tiny = job(tmp_path, "value")
    for mark in ("", "a", "b"):
        changed = dataclasses.replace(tiny, truth=mark)
        assert not changed.is_done("m")
        jobs.execute([changed], mark="m", say=lambda line: None)
        assert changed.is_done("m")
    corpus = Corpus("made-up", tmp_path, ())
    table = pd.DataFrame({"clip_id": ["a"], "start_s": [0.0], "end_s": [9.0], "label": ["Q1"]})
    digests = {
        truth.digest(dataclasses.replace(corpus, truth=one))
        for one in (table, table.assign(label="Q2"), table[:0])
    }
    assert truth.digest(corpus) == "" and len(digests) == 3


def test_a_torn_status_file_is_not_done_and_a_full_disk_stops_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bad", "good"):
        (tmp_path / name).mkdir()
    bad, good = job(tmp_path / "bad", "1"), job(tmp_path / "good", "1")
    jobs.execute([bad], mark="m")
    bad.target.with_suffix(".status.json").write_text('{"state": "do')
    assert not bad.is_done("m")
    write = jobs.write_json

    def full(path: Path, content: dict[str, object]) -> None:
        if "bad" in path.parts[-3]:
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(jobs, "write_json", full)
    outcomes = jobs.execute([bad, good], mark="m")
    assert [outcome.state for outcome in outcomes] == ["failed", "done"] and "No space" in outcomes[
        0
    ].message


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
        ("import sys; sys.exit(0)", "SystemExit|never ran"),
        ("import os; os._exit(7)", "Dead|died"),
    ],
)
def test_failures_are_failed_with_the_true_reason_and_the_rest_goes_on(
    tmp_path: Path, cell: str, reason: str
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "good").mkdir()
    bad, good = (
        job(tmp_path / "bad", cell, "print('after')"),
        job(tmp_path / "good", "print('fine')"),
    )
    outcomes = jobs.execute([bad, good], mark="m")
    assert [outcome.state for outcome in outcomes] == ["failed", "done"]
    assert any(part in outcomes[0].message for part in reason.split("|")), outcomes[0].message
    assert not bad.is_done("m")
    assert json.loads(bad.target.with_suffix(".status.json").read_text())["state"] == "failed"


def test_an_error_whose_report_fails_is_named_by_what_was_printed(tmp_path: Path) -> None:
    cell = (
        "def broken(*given, **options): raise OSError(24, 'Too many open files')\n"
        "get_ipython().InteractiveTB.structured_traceback = broken\nraise ValueError('first')"
    )
    [outcome] = jobs.execute([job(tmp_path, cell)], mark="m", say=lambda line: None)
    assert outcome.state == "failed" and "Too many open files" in outcome.message


@pytest.mark.parametrize(
    "message", ["Kernel didn't respond in 90 seconds", "Kernel died before replying to kernel_info"]
)
def test_a_kernel_that_did_not_start_gets_a_second_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    tiny, tries, real = job(tmp_path, "1"), [], jobs._run_papermill

    def slow_start(*arguments: object) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError(message)
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "_run_papermill", slow_start)
    assert jobs.execute_one(tiny, mark="m").state == "done" and len(tries) == 2
    monkeypatch.setattr(
        jobs, "_run_papermill", lambda *_: (_ for _ in ()).throw(RuntimeError("Kernel died"))
    )
    assert jobs.execute_one(tiny, mark="m").message == "RuntimeError: Kernel died"


def test_two_kernels_never_share_their_sockets(tmp_path: Path) -> None:
    managers = [kernel.kernel_manager(str(tmp_path / name))() for name in ("a", "b")]
    assert len({manager.ip for manager in managers}) == 2
    for name, manager in zip("ab", managers, strict=True):
        short = len(str(tmp_path / name)) < 80 and os.name == "posix"
        assert (manager.transport, manager.ip.startswith(str(tmp_path))) == (
            ("ipc", True) if short else ("tcp", False)
        )
    far = kernel.kernel_manager("/tmp/" + "x" * 120)()  # a socket's path must not be that long
    assert far.transport == "tcp" and "x" not in far.ip


def test_nothing_of_the_kernel_stays_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    assert jobs.execute([job(tmp_path, "1")], mark="m")[0].state == "done"
    assert list((tmp_path / "t").iterdir()) == [] and sorted(
        p.name for p in tmp_path.iterdir()
    ) == [
        "out",
        "source.ipynb",
        "t",
    ]


def test_braces_in_paths_do_not_break_it(tmp_path: Path) -> None:
    folder = tmp_path / "a {value} b"
    folder.mkdir()
    assert jobs.execute([job(folder, "1", value=3)], mark="m")[0].state == "done"


def test_unfinished_sees_what_papermill_calls_completed() -> None:
    book = new_notebook(cells=[new_code_cell("1", execution_count=1), new_code_cell("2")])
    for cell in book.cells:
        cell.metadata["papermill"] = {"status": "completed"}
    assert "never ran" in executed.unfinished(book)
    book.cells[1].execution_count = 2
    assert executed.unfinished(book) == ""


@given(st.lists(st.integers(0, 9), min_size=1))
def test_parse_folds_reads_what_was_written(numbers: list[int]) -> None:
    assert folds.parse_folds(",".join(map(str, numbers)), 10) == list(dict.fromkeys(numbers))


@pytest.mark.parametrize("text", ["a", "1;2", "1-", "-1", "3", "2-1", "0,2-1"])
def test_parse_folds_refuses_in_one_sentence(text: str) -> None:
    with pytest.raises(MerKitError, match="folds|fold 3"):
        folds.parse_folds(text, 3)
