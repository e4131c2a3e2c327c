"""Dataset loaders: one module per dataset, all with the same interface, looked up by name.

To add a dataset, write a module with the names that `CorpusModule` lists, here or in a folder of your own
(`mer_kit.extensions`): a module with a NAME and a `load` is a corpus, and `tests/test_corpora_contract.py` loops over it too.

    audio_files              which files are audio, ids and paths that stay inside a folder
    tables, ids, labels      label and metadata tables of any spelling
    ratings, dynamic         valence and arousal on a scale, as a whole or second by second
    truth                    segment-level ground truth, where it is known
    demo/                    the synthesised corpus
"""

from __future__ import annotations

import functools
import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

from mer_kit import extensions, paths
from mer_kit.checks import MerKitError, check_choice
from mer_kit.records import Corpus

__all__ = ["CorpusModule", "load", "locate", "module", "names"]


class CorpusModule(Protocol):
    """The interface of a corpus module.

    LAYOUT shows what the folder looks like, REQUEST says whom to ask and where it goes, OPTIONS names the keywords of
    `load`, and GENERATED is True where `load` makes the corpus if it is not there. `find` returns the dataset's folder
    in or below a data root, or None; `load` reads it.
    """

    NAME: str
    TITLE: str
    CITATION: str
    LICENCE: str
    LAYOUT: str
    REQUEST: str
    OPTIONS: tuple[str, ...]
    GENERATED: bool

    def find(self, data_root: Path, **options: Any) -> Path | None:
        """Return the dataset's folder in or below `data_root`, or None."""

    def load(self, root: Path, **options: Any) -> Corpus:
        """Load the dataset that lies in `root`."""


def names() -> list[str]:
    """Return the names of all corpora that mer-kit knows.

    Examples
    --------
    >>> names()
    ['demo', '4q', 'pmemo', 'eim', 'deam', 'vgmidi', 'table']
    """
    return [*_packaged(), *_own()]


def module(name: str) -> CorpusModule:
    """Return the module of the corpus `name`, for its CITATION, LICENCE, LAYOUT and REQUEST.

    Raises
    ------
    MerKitError
        If there is no such corpus.
    """
    found = {**_packaged(), **_own()}
    return cast(CorpusModule, found[check_choice("corpus", name, found)])


@functools.cache
def _packaged() -> dict[str, ModuleType]:
    """Return the corpora of this folder by NAME, in the order of their ORDER."""
    found = [import_module(f"{__name__}.{entry.name}") for entry in pkgutil.iter_modules(__path__)]
    corpora = [module for module in found if hasattr(module, "NAME") and hasattr(module, "load")]
    return {module.NAME: module for module in sorted(corpora, key=lambda module: module.ORDER)}


def _own() -> dict[str, ModuleType]:
    """Return the person's own corpora by name."""
    needed = [name for name in (*CorpusModule.__annotations__, "find", "load")]
    return extensions.own_modules(__name__, taken=_packaged(), needed=needed)


def locate(name: str, data_root: str | Path | None = None, **options: Any) -> Path | None:
    """Return the folder of the corpus `name` on this machine, or None where it is not there; makes nothing.

    `data_root` is the dataset's folder or one that holds it under a usual name. Without it, datasets are looked for in
    MER_DATA, else `<project>/data`; the generated demo in MER_CACHE, else `<project>/cache`.

    Raises
    ------
    MerKitError
        If there is no such corpus or option.
    """
    corpus = module(name)
    _check_options(corpus, options)
    return corpus.find(_home(corpus, data_root), **options)


def load(name: str, data_root: str | Path | None = None, **options: Any) -> Corpus:
    """Load the corpus `name`; its clips are sorted by id, and what is wrong with single clips is in `problems`.

    `data_root` as for `locate`. `options` go to the corpus module (demo: clips, seconds, drift, seed; rated corpora:
    ties; see each module's `load`).

    Raises
    ------
    MerKitError
        If there is no such corpus or option, or the dataset is not on this machine: the sentence says whom to ask.

    Notebook: 00_start_here
    """
    corpus = module(name)
    _check_options(corpus, options)
    home = _home(corpus, data_root)
    if corpus.GENERATED:
        return corpus.load(home, **options)
    folder = corpus.find(home, **options)
    if folder is None:
        raise MerKitError(
            f"{corpus.TITLE} was not found in {str(home)!r}, expected\n{corpus.LAYOUT}\n{corpus.REQUEST} "
            "If it lies elsewhere, pass data_root or set the environment variable MER_DATA to that folder."
        )
    return corpus.load(folder, **options)


def _home(corpus: CorpusModule, data_root: str | Path | None) -> Path:
    if data_root:  # papermill parameters use "" for "not given"
        return Path(data_root).expanduser().absolute()
    return paths.cache_root() if corpus.GENERATED else paths.default_data_root()


def _check_options(corpus: CorpusModule, options: dict[str, Any]) -> None:
    for option in options:
        if not corpus.OPTIONS:
            raise MerKitError(f"corpus {corpus.NAME} takes no options, got {option!r}: remove it")
        check_choice(f"option of corpus {corpus.NAME}", option, corpus.OPTIONS)
