"""Puts the notebooks into the package when a wheel is built; everything else stands in pyproject.toml.

`notebooks/` at the top of the repository is the one source. An installed mer-kit finds its copy in `mer_kit/notebooks`.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithNotebooks(build_py):
    """Copy `notebooks/*.ipynb` into the built package; an editable install uses the checkout's."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "mer_kit" / "notebooks"
        target.mkdir(parents=True, exist_ok=True)
        for source in sorted(Path("notebooks").glob("*.ipynb")):
            self.copy_file(str(source), str(target / source.name))


setup(cmdclass={"build_py": BuildWithNotebooks})
