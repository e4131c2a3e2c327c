"""The presets (smoke, demo, cpu, embedding, paper), and what a run gets that names none.

`presets.resolve` makes a full configuration from them.
"""

from typing import Any

from mer_kit.signal import frontends
from mer_kit.training import networks

_SLIM: dict[str, Any] = {"width": 8, "batch_norm": True, "head_pool": 2}


#: Preset → its settings. RunConfig and TrainingSettings give each number's origin; sizes are D.
PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {  # tests: seconds
        "model": {"width": 2, "batch_norm": True, "head_pool": 1},
        "training": {
            "epochs": 3,
            "warmup_epochs": 1,
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "min_gap": 0.01,
            "dip_test": False,
        },
        "train_every_seconds": 2.0,
        "two_stage": {"size": "smoke"},
    },
    "demo": {  # `make demo`, lectures: minutes on two cores
        "model": _SLIM,
        "training": {
            "epochs": 12,
            "warmup_epochs": 6,
            "batch_size": 32,
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "weight_decay": 0.02,
            "ramp_epochs": 4.0,
            "warmup_mixup": True,  # as in cpu
            "max_unlabelled": 0.15,
            # D: 14 % of the labels are known to be wrong, and ω finds them although the losses show
            # one mode; real corpora keep the test
            "dip_test": False,
            "share": 0.6,  # of each song's segments per epoch: a third less time; all are evaluated
        },
        "train_every_seconds": 1.0,
        "two_stage": {"size": "smoke"},
    },
    "cpu": {  # real corpora on a laptop
        "model": _SLIM,
        "training": {
            "epochs": 20,
            "warmup_epochs": 10,
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "weight_decay": 0.02,
            "ramp_epochs": 4.0,
            "warmup_mixup": True,  # this and the next: docs/results.md
            "max_unlabelled": 0.1,
        },
        "train_every_seconds": 3.0,
        "two_stage": {"size": "cpu"},
    },
    # real corpora on a laptop with a pretrained front-end, seconds a fold: sizes and epochs were
    # chosen for ce on inner folds, see docs/results.md, “The preset embedding”
    "embedding": {
        "frontend": "musicnn",
        "model": _SLIM,
        "mlp": {"hidden": 128, "dropout": 0.5},
        "training": {
            "epochs": 20,
            "warmup_epochs": 8,
            "batch_size": 64,
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "weight_decay": 0.02,
            "ramp_epochs": 4.0,
            "warmup_mixup": True,
            "max_unlabelled": 0.1,
        },
        "train_every_seconds": 3.0,
        "two_stage": {"size": "cpu"},
    },
    "paper": {  # GPU: full VGG16 and the defaults of TrainingSettings
        "model": {"width": 64, "batch_norm": True, "head_pool": 7},
        "training": {"epochs": 60, "warmup_epochs": 10},
        "train_every_seconds": 1.0,
    },
}


def default_preset(corpus: str, frontend: str | None = None, network: str | None = None) -> str:
    """Return the preset of a run that names none.

    Real corpora begin with a frozen music tagger, `embedding`: its folds train in seconds, and its
    scores on 4Q are the highest so far (docs/results.md). A front-end or a network of frames asks
    for `cpu`.

    Examples
    --------
    >>> default_preset("demo"), default_preset("4q"), default_preset("4q", "logmel")
    ('demo', 'embedding', 'cpu')
    >>> default_preset("4q", network="vgg16")
    'cpu'
    """
    if corpus == "demo":
        return "demo"
    frames = frontend is not None and frontends.of(frontend).pool is None
    takes_frames = frontend is None and network and not networks.takes_vectors(network)
    return "cpu" if frames or takes_frames else "embedding"


def default_method(corpus: str) -> str:
    """Return the method of a run that names none: the simplest, since none is better on 4Q.

    See docs/results.md. The demo corpus is there to show SSSL.

    Examples
    --------
    >>> default_method("demo"), default_method("4q")
    ('sssl', 'ce')
    """
    return "sssl" if corpus == "demo" else "ce"
