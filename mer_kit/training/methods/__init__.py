"""Methods: how a segment network learns from inherited labels. One file each, found by listing.

A file `<name>.py` sets TITLE (its name in tables), SAYS (one sentence), SOURCE, COLOUR and LINE
(matplotlib's, for its curve in figures), and defines `Method`, which derives from
`training.method.BaseMethod` and overrides what it does differently.

Notebook: 03_sssl_training
"""

from mer_kit.extensions import Members
from mer_kit.training.method import BaseMethod

_MEMBERS = Members[BaseMethod](__name__, "method", "Method", needed=("COLOUR", "LINE"))
#: Every method's module by name.
MODULES = _MEMBERS.modules
#: Method → what it does, in one sentence.
METHODS = _MEMBERS.texts("SAYS")
TITLES = _MEMBERS.texts("TITLE")


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
    return _MEMBERS.of(name)
