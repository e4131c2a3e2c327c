"""Tables in every shape they come in, names that try to leave a folder, and where data and cache lie."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_kit.checks import MerKitError
from mer_kit.corpora import base

TEXT = "id , name\n 1,Zoë \n2,\t naïve\t\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_read_table_strips_and_decodes(tmp_path: Path, encoding: str, newline: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(TEXT.replace("\n", newline).encode(encoding))
    table = base.read_table(path, ["name", "id"])
    assert table.to_dict("list") == {"id": ["1", "2"], "name": ["Zoë", "naïve"]}


def test_read_table_keeps_text_as_text(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b,c\n007,NA,\n1.50,null,nan\n")
    assert base.read_table(path, []).to_dict("list") == {"a": ["007", "1.50"], "b": ["NA", "null"], "c": ["", "nan"]}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "table.csv cannot be read"),
        (b"", "table.csv is not a readable table"),
        (b"a,b\n1,2\n1,2,3\n", r"table.csv is not a readable table \(.*line 3.*\)"),
        (b"a,b\n", "table.csv holds a header but no rows"),
        (b"b;a\n1;2\n", r"table.csv lacks the column 'a' \(it has b;a\)"),
    ],
)
def test_unusable_table_gets_a_sentence(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MerKitError, match=sentence):
        base.read_table(path, ["a"])


def test_read_truth_gives_numbers(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("label,clip_id,start_s,end_s\nQ1,007,0,4\nQ3,007,4,9.5\n")
    truth = base.read_truth(path)
    assert list(truth.columns) == list(base.TRUTH_COLUMNS)
    assert truth["clip_id"].tolist() == ["007", "007"]
    np.testing.assert_array_equal(truth[["start_s", "end_s"]].to_numpy(), [[0.0, 4.0], [4.0, 9.5]])


@pytest.mark.parametrize("row", ["x,zero,4,Q1", "x,4,4,Q1", "x,-1,4,Q1", "x,0,,Q1", "x,0,4,happy"])
def test_wrong_truth_row_is_named_by_its_line(tmp_path: Path, row: str) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(f"clip_id,start_s,end_s,label\nx,0,4,Q1\n{row}\n")
    with pytest.raises(MerKitError, match="truth.csv line 3 has clip_id x"):
        base.read_truth(path)


PARTS = st.lists(st.sampled_from(["..", ".", "a", "b c", "/", "\\", "C:", "é", ""]), max_size=8).map("/".join)


@given(PARTS | st.text(max_size=20).filter(lambda text: "\0" not in text))
def test_what_stays_inside_never_resolves_to_an_outer_folder(name: str) -> None:
    joined = os.path.normpath(os.path.join("/data/root", name))
    if base.stays_inside(name):
        assert joined == "/data/root" or joined.startswith("/data/root/")


@pytest.mark.parametrize("name", ["..", "../x", "a/../../x", "/x", "//host/x", "\\x", "C:\\x", "C:x", "..\\x"])
def test_leaving_names_are_refused(name: str) -> None:
    assert not base.stays_inside(name)


def test_one_cache_for_the_whole_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MER_CACHE", raising=False)
    monkeypatch.delenv("MER_DATA", raising=False)
    project = tmp_path / "project"
    inner = project / "runs" / "one" / "notebooks"
    inner.mkdir(parents=True)
    (project / "pyproject.toml").write_text('[project]\nname = "mer-kit"\n')
    (project / "runs" / "pyproject.toml").write_text('[project]\nname = "other"\n')
    for folder in (project, inner):
        monkeypatch.chdir(folder)
        assert base.project_root() == project
        assert base.cache_root() == project / "cache"
        assert base.default_data_root() == project / "data"


def test_outside_every_project_the_home_folder_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MER_CACHE", raising=False)
    monkeypatch.delenv("MER_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(base, "__file__", str(tmp_path / "site-packages" / "mer_kit" / "corpora" / "base.py"))
    (tmp_path / "pyproject.toml").write_text("not toml [")
    assert base.project_root() is None
    assert base.cache_root() == tmp_path / "home" / ".cache" / "mer-kit"
    assert base.default_data_root() == tmp_path / "data"


def test_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MER_CACHE", str(tmp_path / "c"))
    monkeypatch.setenv("MER_DATA", str(tmp_path / "d"))
    assert (base.cache_root(), base.default_data_root()) == (tmp_path / "c", tmp_path / "d")
