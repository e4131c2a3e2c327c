"""The method: network, objectives, loss split, trainer and diagnostics. Needs numpy, torch and scikit-learn only."""

from mer_kit.sssl.classifier import SegmentClassifier
from mer_kit.sssl.settings import METHODS, TrainingSettings
from mer_kit.sssl.trainer import Trainer

#: Raised whenever the method's numbers change, so that old runs are not taken for new ones.
METHOD_VERSION = "1"

__all__ = ["METHODS", "METHOD_VERSION", "SegmentClassifier", "Trainer", "TrainingSettings"]
