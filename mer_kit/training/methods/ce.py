"""Plain cross-entropy on the inherited labels: what every other method is compared with."""

from __future__ import annotations

from mer_kit.training.method import RDROP, SPLIT, BaseMethod

TITLE = "plain cross-entropy"
SAYS = "plain cross-entropy on the inherited labels, to the end"
SOURCE = "paper, Eq. (2)"
COLOUR, LINE = "#6d6d75", "-"
ORDER = 0


class Method(BaseMethod):
    """Nothing but the plain answers."""

    shares_warmup = True
    idle = frozenset((*SPLIT, *RDROP, "warmup_mixup", "alpha"))
