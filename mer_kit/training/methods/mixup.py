"""Mixup on the inherited labels from the first epoch to the last."""

from mer_kit.training.method import RDROP, SPLIT, BaseMethod

TITLE = "mixup, no partition"
SAYS = "mixup on the inherited labels from the first epoch, no partition"
SOURCE = "Zhang et al. 2018; paper, Eq. (6) to (8), without its partition"
COLOUR, LINE = "#f89c20", "--"
ORDER = 1


class Method(BaseMethod):
    """Each segment is mixed with another of its batch, and so are their labels."""

    shares_warmup = True
    # α counts here, unlike for ce; whether the warm-up mixes is not asked, since every epoch does.
    idle = frozenset((*SPLIT, *RDROP, "warmup_mixup"))

    @classmethod
    def mixes(cls, settings: object, phase: str) -> bool:
        """Mix in every epoch."""
        return True
