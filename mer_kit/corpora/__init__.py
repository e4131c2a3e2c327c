"""Dataset loaders: one module per dataset, all with the same interface, looked up by name.

To add a dataset, write a module with the names that `CorpusModule` lists, either in your own
extensions folder (`mer_kit.extensions`) or here: both are found by listing the folder.
`tests/test_corpora_contract.py` tests it along with the others.

    audio_files              finding audio files; ids and paths that stay inside a folder
    tables, ids, labels      label, metadata and ground truth tables, however they are written
    text                     from a table's bytes to text and numbers
    ratings                  valence and arousal on a scale
    feature_table            features of songs that were computed elsewhere
    truth                    segment-level ground truth, for the corpora that have it
    demo/                    the synthesised corpus
"""

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

    LAYOUT shows the structure of the folder, REQUEST says where to obtain the dataset and where to
    put it, OPTIONS lists the keywords of `load`, and GENERATED is True if `load` creates a missing
    corpus. `find` returns the dataset's folder in or below a data root, or None; `load` reads it.
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
        """Load the dataset in the folder `root`."""


def names() -> list[str]:
    """Return the names of all corpora, mer-kit's own first.

    Examples
    --------
    >>> names()
    ['demo', '4q', 'pmemo', 'eim', 'deam', 'vgmidi', 'table']
    """
    return list(_modules())


def module(name: str) -> CorpusModule:
    """Return the module of the corpus `name`, for its CITATION, LICENCE, LAYOUT and REQUEST.

    Raises
    ------
    MerKitError
        If there is no such corpus.

    Examples
    --------
    >>> module("pmemo").TITLE, module("pmemo").OPTIONS
    ('PMEmo (PMEmo2019)', ('ties', 'middle'))
    """
    modules = _modules()
    return cast(CorpusModule, modules[check_choice("corpus", name, modules)])


def _modules() -> dict[str, ModuleType]:
    """Return all corpus modules by name: those of this folder by ORDER, then the user's own."""
    files = [import_module(f"{__name__}.{entry.name}") for entry in pkgutil.iter_modules(__path__)]
    corpora = [module for module in files if hasattr(module, "NAME") and hasattr(module, "load")]
    corpora.sort(key=lambda module: getattr(module, "ORDER", len(files)))
    packaged = {module.NAME: module for module in corpora}
    needed = [*CorpusModule.__annotations__, "find", "load"]
    return packaged | extensions.own_modules(__name__, taken=packaged, needed=needed)


def locate(name: str, data_root: str | Path | None = None, **options: Any) -> Path | None:
    """Return the folder of the corpus `name` on this machine, or None if absent; creates nothing.

    `data_root` is the dataset's folder or a folder that contains it under one of its usual names.
    By default, datasets are searched for in MER_DATA, or else in `<project>/data`; the generated
    demo in MER_CACHE, or else in `<project>/cache`.

    Raises
    ------
    MerKitError
        If there is no such corpus or option.

    Examples
    --------
    >>> print(locate("4q", "a folder without datasets"))
    None
    """
    corpus, home = _prepared(name, data_root, options)
    return corpus.find(home, **options)


def load(name: str, data_root: str | Path | None = None, **options: Any) -> Corpus:
    """Load the corpus `name`; clips are sorted by id, faulty clips are listed in `problems`.

    `data_root` as for `locate`. `options` are passed to the corpus module (demo: clips, seconds,
    drift, seed; rated corpora: ties; see each module's `load`).

    Raises
    ------
    MerKitError
        If there is no such corpus or option, or if the dataset is not on this machine; the message
        then says where to obtain it.

    Notebook: 00_start_here

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     corpus = load("demo", folder, clips=4, seconds=8)
    >>> corpus.clips[0].clip_id, sorted(corpus.labels("quadrant").tolist())
    ('MT9000000001', [0, 1, 2, 3])
    """
    corpus, home = _prepared(name, data_root, options)
    if corpus.GENERATED:
        return corpus.load(home, **options)
    folder = corpus.find(home, **options)
    if folder is None:
        raise MerKitError(
            f"{corpus.TITLE} was not found in {str(home)!r}, expected\n{corpus.LAYOUT}\n"
            f"{corpus.REQUEST} If it is in another folder, pass that folder as data_root or set "
            "the environment variable MER_DATA to it."
        )
    return corpus.load(folder, **options)


def _prepared(
    name: str, data_root: str | Path | None, options: dict[str, Any]
) -> tuple[CorpusModule, Path]:
    """Return a corpus module, and where to look for its dataset, once the options are checked."""
    corpus = module(name)
    for option in options:
        if not corpus.OPTIONS:
            raise MerKitError(f"corpus {corpus.NAME} takes no options, got {option!r}: remove it")
        check_choice(f"option of corpus {corpus.NAME}", option, corpus.OPTIONS)
    if data_root:  # papermill parameters use "" for "not given"
        return corpus, Path(data_root).expanduser().absolute()
    return corpus, paths.cache_root() if corpus.GENERATED else paths.default_data_root()
