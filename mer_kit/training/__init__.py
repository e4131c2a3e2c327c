"""How a segment network learns from inherited labels. Needs numpy, torch and scikit-learn only.

trainer                the training loop, in one function
method, methods/       what a method decides, and each method in a file of its own
network, networks/     the interface of networks, and each network in a file of its own
partition, mixture     the mixture of the losses: X and U (paper Eq. 1 and 3)
bimodality             whether the losses show two modes at all
objectives             cross-entropy, sharpening, mixup, R-Drop (Eq. 2, 4 to 10)
batch_loss             one batch of X and U becomes one loss
optimization           the optimizer and the learning-rate schedule
evaluation             batches of segments, and the evaluation pass
settings               every setting with its origin
training_state, checkpoint, tensor_files   what is saved, and how it is checked and restored
classifier             a trained network, loaded to predict
diagnostics, noise     quality of a partition, and wrong labels made on purpose
malloc                 memory that glibc keeps between epochs
"""

from mer_kit.training.classifier import SegmentClassifier
from mer_kit.training.methods import METHODS
from mer_kit.training.settings import TrainingSettings
from mer_kit.training.trainer import Trainer

#: Increased whenever the method's numbers change, so that old and new runs are not confused.
METHOD_VERSION = "1"

__all__ = ["METHODS", "METHOD_VERSION", "SegmentClassifier", "Trainer", "TrainingSettings"]
