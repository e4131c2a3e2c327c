"""The three lists of packages agree, versions agree, and nothing tracked depends on where it was written."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import mer_kit

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
#: Names that differ between the Python package index and conda-forge.
CONDA_NAMES = {
    "jupyter-client": "jupyter_client",
    "matplotlib": "matplotlib-base",
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
    assert all(len(pin) == 2 and re.fullmatch(r"[0-9.a-z]+", pin[1]) for pin in pins), "a line is not NAME==VERSION"
    assert len({name for name, _ in pins}) == len(pins), "a package is pinned twice"
    return {name: version for name, version in pins}


def test_conda_lists_the_same_packages_with_the_same_floors():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    listed = [line for line in environment["dependencies"] if isinstance(line, str) and line != "pip"]
    expected = [_split(line) for line in PROJECT["dependencies"] + EXTRAS["dev"]]
    expected = [(CONDA_NAMES.get(name, name), floor) for name, floor in expected]
    assert [_split(line) for line in listed] == [_split("python" + PROJECT["requires-python"]), *expected]
    assert environment["dependencies"][-1] == {"pip": ["-e ."]}


@pytest.mark.parametrize("requirement", PROJECT["dependencies"] + [line for extra in EXTRAS.values() for line in extra])
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
    assert [(str(path), host) for path, text in texts.items() for host in hosts if host in text] == []
