"""How a segment network learns from inherited labels. Needs numpy, torch and scikit-learn only.

trainer                the one visible loop
method, methods/       what a method decides, and each method in a file of its own
network, networks/     the same for networks
partition              the mixture of the losses: X and U (paper Eq. 1 and 3)
objectives             cross-entropy, sharpening, mixup, R-Drop (Eq. 2, 4 to 10)
batch_loss             one batch of X and U becomes one loss
evaluation             batches of segments, and the evaluation pass
settings               every setting with its origin
training_state, checkpoint, tensor_files   what is kept, and how it is read back
classifier             a trained network, loaded to predict
diagnostics, noise     quality of a partition, and false labels made on purpose
malloc                 memory that glibc keeps between epochs
"""

from mer_kit.training.classifier import SegmentClassifier
from mer_kit.training.settings import METHODS, TrainingSettings
from mer_kit.training.trainer import Trainer

#: Raised whenever the method's numbers change, so that old runs are not taken for new ones.
METHOD_VERSION = "1"

__all__ = ["METHODS", "METHOD_VERSION", "SegmentClassifier", "Trainer", "TrainingSettings"]
