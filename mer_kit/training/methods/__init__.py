"""Methods: how a segment network learns from inherited labels. One file each, found by listing.

A file `<name>.py` sets TITLE (its name in tables), SAYS (one sentence), SOURCE, COLOUR and LINE
(matplotlib's, for its curve in figures), and defines `Method`, which derives from
`training.method.BaseMethod` and overrides what it does differently.

Notebook: 03_sssl_training
"""

from types import ModuleType

from mer_kit import extensions
from mer_kit.checks import check_choice
from mer_kit.training.method import BaseMethod

#: Every method's module by name.
MODULES: dict[str, ModuleType] = extensions.modules(
    __name__, needed=("TITLE", "SAYS", "SOURCE", "COLOUR", "LINE", "Method")
)
#: Method → what it does, in one sentence.
METHODS: dict[str, str] = {name: str(module.SAYS) for name, module in MODULES.items()}
TITLES: dict[str, str] = {name: str(module.TITLE) for name, module in MODULES.items()}


def of(name: str) -> type[BaseMethod]:
    """Return the class of a method.

    Raises
    ------
    MerKitError
        If there is no method of that name.

    Examples
    --------
    >>> of("sssl").makes_partition, of("ce").makes_partition
    (True, False)
    """
    method: type[BaseMethod] = MODULES[check_choice("method", name, MODULES)].Method
    return method
