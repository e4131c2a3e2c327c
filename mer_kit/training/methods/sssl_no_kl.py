"""SSSL without its consistency loss: the paper's “Proposed*”, λ = 0."""

from mer_kit.training.methods import sssl

TITLE = "SSSL without KL (Proposed*)"
SAYS = "SSSL with λ = 0, the paper's “Proposed*”"
SOURCE = "Sun, Zhang, Zhou, Li: the paper, table 3"
COLOUR, LINE = "#964a8b", "-."
ORDER = 2


class Method(sssl.Method):
    """SSSL without R-Drop."""

    # R-Drop acts after the warm-up only: until then this is SSSL itself, to the last bit.
    shares_warmup = True

    @classmethod
    def weight_kl(cls, settings: object) -> float:
        """Return 0: L_KL never enters the loss."""
        return 0.0
