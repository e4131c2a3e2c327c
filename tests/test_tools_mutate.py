"""The list of mutations follows the code, and trying one leaves every file as it was."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def mutate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutate", ROOT / "tools" / "mutate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate"] = module
    spec.loader.exec_module(module)
    return module


def test_every_mutation_stands_in_the_code_once_and_is_python(mutate: ModuleType):
    assert len(mutate.MUTATIONS) >= 60
    assert len({(m.file, m.old, m.new) for m in mutate.MUTATIONS}) == len(mutate.MUTATIONS)
    for mutation in mutate.MUTATIONS:
        assert mutate.mutated(mutation, ROOT) != (ROOT / "mer_kit" / mutation.file).read_text(
            "utf-8"
        )
        for test in mutation.tests:
            assert (ROOT / test).exists(), test


def test_a_text_that_has_gone_is_an_error(mutate: ModuleType):
    with pytest.raises(ValueError, match="0 times, expected once"):
        mutate.mutated(mutate.Mutation("checks.py", "no such text", "x", ()), ROOT)
    with pytest.raises(SyntaxError):
        mutate.mutated(
            mutate.Mutation("checks.py", "class MerKitError(ValueError):", "class (", ()), ROOT
        )


def test_the_file_is_restored_whatever_happens(
    mutate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "mer_kit").mkdir()
    file = tmp_path / "mer_kit" / "a.py"
    file.write_text("x = 1\n")
    seen: list[str] = []

    def interrupted(root: Path, tests: tuple[str, ...]) -> bool:
        seen.append(file.read_text())
        raise KeyboardInterrupt

    monkeypatch.setattr(mutate, "passes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mutate.attempt(mutate.Mutation("a.py", "x = 1", "x = 2", ()), tmp_path)
    assert seen == ["x = 2\n"] and file.read_text() == "x = 1\n"
