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
from typing import Any, Generic, TypeVar

from mer_kit.checks import MerKitError, check_choice, shortened

#: The environment variable that names your own folder.
VARIABLE = "MER_EXTENSIONS"
#: Kinds of settings: what is accepted, and how errors call it. A whole number is a number too.
_KINDS: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "True or False"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
}
_Member = TypeVar("_Member")


class Members(Generic[_Member]):
    """The members of one kind: a module for each file of a folder, which defines one class.

    Parameters
    ----------
    package : whose folder is listed
    kind : the member in words, for errors
    defines : the class that each module defines
    needed : what else every module must define, beside TITLE, SAYS and SOURCE
    reserved : names that a person's own file may not have

    Attributes
    ----------
    modules : the modules by name, see `modules`

    Examples
    --------
    >>> classifiers = Members("mer_kit.songs.classifiers", "classifier", "Classifier")
    >>> classifiers.texts("TITLE")["vote"], classifiers.of("vote").__name__
    ('vote', 'Classifier')
    """

    def __init__(
        self,
        package: str,
        kind: str,
        defines: str,
        *,
        needed: Sequence[str] = (),
        reserved: Iterable[str] = (),
    ) -> None:
        self.kind, self.defines = kind, defines
        needed = ("TITLE", "SAYS", "SOURCE", *needed, defines)
        self.modules = modules(package, needed=needed, reserved=reserved)

    def texts(self, constant: str) -> dict[str, str]:
        """Return a constant of every module, such as TITLE."""
        return {name: str(getattr(module, constant)) for name, module in self.modules.items()}

    def of(self, name: str) -> type[_Member]:
        """Return the class of a member; an unknown name gets an error that lists the known ones."""
        module = self.modules[check_choice(self.kind, name, self.modules)]
        member: type[_Member] = getattr(module, self.defines)
        return member

    def settings(self, name: str, given: Any) -> Any:
        """Return a member's settings, a record of its class's `settings`, see `settings_of`."""
        kind: Any = self.of(name)
        return settings_of(f"{self.kind} {name}", kind.settings, given)


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
    members = {
        found.name: importlib.import_module(f"{package}.{found.name}")
        for found in pkgutil.iter_modules(home.__path__)
        if not found.name.startswith("_")
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
    for name in files.keys() & set(taken):
        raise MerKitError(
            f"{name}.py in {VARIABLE} has a name that {package} uses itself: rename the file"
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
        accepted, words = _KINDS.get(wanted, ((object,), ""))
        # Python counts True as a whole number; here it is not one.
        is_truth = isinstance(value, bool) and wanted in _KINDS
        if not isinstance(value, accepted) or (is_truth and wanted is not bool):
            raise MerKitError(
                f"{field.name} is {shortened(value)}, expected {words}: change {field.name}"
            )
    return kind(**given)


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
