"""Find members (methods, classifiers, …) by listing folders: one file each.

The environment variable MER_EXTENSIONS names a folder whose subfolders have the names of the
package's own (classifiers/); each file there is one more member. It is the code of the person who
sets the variable and runs with their permissions.
"""

import dataclasses
import hashlib
import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from mer_kit.checks import MerKitError, check_choice, shortened

#: The environment variable that names your own folder.
VARIABLE = "MER_EXTENSIONS"
#: Kinds of settings, in words.
_KINDS: dict[type, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
}


def modules(
    package: str, *, needed: Sequence[str] = (), reserved: Iterable[str] = ()
) -> dict[str, ModuleType]:
    """Return the modules of a package by name, sorted by ORDER (default 100), then by name.

    Names that begin with an underscore are not members.

    Parameters
    ----------
    needed : what every module must define
    reserved : names that a person's own file may not have

    Raises
    ------
    MerKitError
        If a file of your own folder cannot be imported, is incomplete, or has a name that is taken.

    Examples
    --------
    >>> list(modules("mer_kit.songs.classifiers"))[0]
    'svm'
    """
    home = importlib.import_module(package)
    names = [found.name for found in pkgutil.iter_modules(home.__path__)]
    members = {
        name: importlib.import_module(f"{package}.{name}")
        for name in names
        if not name.startswith("_")
    }
    members |= own_modules(package, taken=[*members, *reserved], needed=needed)
    return dict(
        sorted(members.items(), key=lambda member: (getattr(member[1], "ORDER", 100), member[0]))
    )


def own_modules(
    package: str, *, taken: Iterable[str] = (), needed: Sequence[str] = ()
) -> dict[str, ModuleType]:
    """Return the modules that your own folder adds to a package, by name.

    Raises
    ------
    MerKitError
        If a file cannot be imported, is incomplete, or has a name that is taken.

    Examples
    --------
    >>> own_modules("mer_kit.no_such_kind")
    {}
    """
    files = {file.stem: file for file in _own_files(package.rpartition(".")[2])}
    for name in taken:
        if name in files:
            raise MerKitError(
                f"{files[name].name} in {VARIABLE} has a name that {package} uses itself: "
                "rename the file"
            )
    found = {name: _imported(f"{package}.{name}", file) for name, file in files.items()}
    for name, module in found.items():
        missing = [entry for entry in needed if not hasattr(module, entry)]
        if missing:
            raise MerKitError(
                f"{name}.py in {VARIABLE} lacks {missing[0]}, expected {', '.join(needed)}: add it"
            )
    return found


def settings_of(owner: str, kind: type, given: Any) -> Any:
    """Return a member's settings, a frozen dataclass, from a mapping; others keep their defaults.

    Parameters
    ----------
    owner : the member's name, for errors
    kind : the dataclass; it may check its own values
    given : a mapping, or the record itself

    Raises
    ------
    MerKitError
        If a setting is unknown, has no default, or is of another type than its default.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Settings:
    ...     decay: float = 0.9
    >>> settings_of("method elr", Settings, {"decay": 0.5})
    Settings(decay=0.5)
    """
    if isinstance(given, kind):
        return given
    if not isinstance(given, Mapping):
        raise MerKitError(
            f"settings of {owner} are {shortened(given)}, expected names and values: pass a mapping"
        )
    fields = dataclasses.fields(kind)
    for name in given:
        check_choice(f"setting of {owner}", name, sorted(field.name for field in fields))
    for field in fields:
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise MerKitError(
                f"setting {field.name} of {owner} has no default, expected one: give it one"
            )
        value, wanted = given.get(field.name, field.default), type(field.default)
        if wanted in _KINDS and not _is_kind(value, wanted):
            raise MerKitError(
                f"{field.name} is {shortened(value)}, expected {_KINDS[wanted]}: "
                f"change {field.name}"
            )
    return kind(**given)


def _is_kind(value: Any, wanted: type) -> bool:
    """Return whether a value is of a type; a whole number is a float, True is not a number."""
    if isinstance(value, bool):
        return wanted is bool
    return isinstance(value, wanted) or (wanted is float and isinstance(value, int))


def source_mark(module: ModuleType) -> str:
    """Return 8 hex digits of your own file, "" for a module of the package, which has a version.

    Examples
    --------
    >>> import mer_kit
    >>> source_mark(mer_kit)
    ''
    """
    file = Path(module.__file__ or "")
    own = os.environ.get(VARIABLE)
    if not own or not file.is_relative_to(own):
        return ""
    return hashlib.blake2b(file.read_bytes(), digest_size=4).hexdigest()


def _own_files(kind: str) -> list[Path]:
    """Return the files of your own folder for a kind of member, sorted by name."""
    if not os.environ.get(VARIABLE):
        return []
    folder = Path(os.environ[VARIABLE]).expanduser().absolute()
    if not folder.is_dir():
        raise MerKitError(
            f"{VARIABLE} names {str(folder)!r}, expected an existing folder: correct or unset it"
        )
    os.environ[VARIABLE] = str(folder)  # for kernels, which start in folders of their own
    return sorted(file for file in (folder / kind).glob("[!_]*.py") if file.stem.isidentifier())


def _imported(name: str, file: Path) -> ModuleType:
    """Import a file as a module of this name, once."""
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(file):
        return known
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None  # a file that ends in .py has both
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the code can raise anything
        del sys.modules[name]
        raise MerKitError(
            f"{file.name} in {VARIABLE} cannot be imported ({type(error).__name__}: {error}): "
            "correct it or move it away"
        ) from error
    return module
