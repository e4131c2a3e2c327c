"""Plain cross-entropy on the inherited labels: the baseline of every other method."""

from mer_kit.training.method import MIXUP, RDROP, SPLIT, BaseMethod

TITLE = "plain cross-entropy"
SAYS = "plain cross-entropy on the inherited labels, to the last epoch"
SOURCE = "paper, Eq. (2)"
COLOUR, LINE = "#6d6d75", "-"
ORDER = 0


class Method(BaseMethod):
    """The defaults of `BaseMethod`: no mixup, no partition, no pseudo-labels."""

    shares_warmup = True
    # Nothing is divided, mixed or compared, so that these settings cannot change a number.
    idle = frozenset((*SPLIT, *RDROP, *MIXUP))
