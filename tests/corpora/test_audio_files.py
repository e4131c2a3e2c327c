"""Names that try to leave a folder, and where data and cache lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_kit import paths
from mer_kit.corpora import audio_files

PARTS = st.lists(
    st.sampled_from(["..", ".", "a", "b c", "/", "\\", "C:", "é", ""]), max_size=8
).map("/".join)


@given(PARTS | st.text(max_size=20).filter(lambda text: "\0" not in text))
def test_what_stays_inside_never_resolves_to_an_outer_folder(name: str) -> None:
    joined = os.path.normpath(os.path.join("/data/root", name))
    if audio_files.stays_inside(name):
        assert joined == "/data/root" or joined.startswith("/data/root/")


@pytest.mark.parametrize(
    "name", ["..", "../x", "a/../../x", "/x", "//host/x", "\\x", "C:\\x", "C:x", "..\\x"]
)
def test_leaving_names_are_refused(name: str) -> None:
    assert not audio_files.stays_inside(name)


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
        assert paths.project_root() == project
        assert paths.cache_root() == project / "cache"
        assert paths.default_data_root() == project / "data"


def test_outside_every_project_the_home_folder_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MER_CACHE", raising=False)
    monkeypatch.delenv("MER_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "site-packages" / "mer_kit" / "paths.py"))
    (tmp_path / "pyproject.toml").write_text("not toml [")
    assert paths.project_root() is None
    assert paths.cache_root() == tmp_path / "home" / ".cache" / "mer-kit"
    assert paths.default_data_root() == tmp_path / "data"


def test_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MER_CACHE", str(tmp_path / "c"))
    monkeypatch.setenv("MER_DATA", str(tmp_path / "d"))
    assert (paths.cache_root(), paths.default_data_root()) == (tmp_path / "c", tmp_path / "d")
