"""A fitted scaler and SVM as plain arrays in a safetensors file, and back.

libsvm trusts its arrays and reads beyond their ends if the counts are wrong, so every shape and
number of a file is checked before it is used.

Notebook: 04_song_decisions
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mer_kit import files
from mer_kit.checks import MerKitError

#: The SVM of a fold has some thousand numbers; a file larger than this is something else.
MOST_BYTES = 64 << 20
#: What reading a damaged file, or one of another program, may raise.
_DAMAGED = (
    OSError, MemoryError, RecursionError, SafetensorError, ValueError, KeyError, TypeError,
    AttributeError,
)  # fmt: skip
#: The types of the arrays that are not float64.
_KINDS = {"classes": np.int64, "n_support": np.int64}


def write(path: Path, pipeline: Pipeline, about: dict[str, Any]) -> None:
    """Write a fitted StandardScaler and RBF SVC, with `about` as JSON in the file's header.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "svm.safetensors"
    >>> x = np.arange(28.0).reshape(2, 14)  # 14 features of two classes
    >>> pipeline = make_pipeline(StandardScaler(), SVC(class_weight="balanced")).fit(x, [0, 1])
    >>> write(path, pipeline, {"theta": 0.5, "n_classes": 2})
    >>> path.name
    'svm.safetensors'
    """
    scaler, svc = pipeline[0], pipeline[-1]
    # libsvm's own arrays, from which scikit-learn derives the public ones.
    arrays = {
        "mean": scaler.mean_, "scale": scaler.scale_, "vectors": svc.support_vectors_,
        "dual": svc._dual_coef_, "intercept": svc._intercept_, "gamma": np.array([svc._gamma]),
        "classes": svc.classes_, "n_support": svc.n_support_,
    }  # fmt: skip
    tensors = {
        name: np.ascontiguousarray(array, dtype=_KINDS.get(name, np.float64))
        for name, array in arrays.items()
    }
    # γ as it was chosen is "scale" or a number; `_gamma` above is the number in either case.
    about = {**about, "C": float(svc.C), "gamma": svc.gamma}
    with files.writing(path) as partial:
        save_file(tensors, partial, metadata={"svm": json.dumps(about)})


def read(path: Path, *, inside: Path | None = None) -> tuple[Pipeline, dict[str, Any]]:
    """Return the pipeline that `write` wrote, and `about`.

    Its answers equal the fitted pipeline's bit for bit. With `inside`, a link that leads out of
    that folder is not followed.

    Raises
    ------
    MerKitError
        If the file is missing, damaged or too large, or an array has another kind, shape or range
        than an SVM's.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "svm.safetensors"
    >>> x = np.arange(28.0).reshape(2, 14)  # 14 features of two classes
    >>> pipeline = make_pipeline(StandardScaler(), SVC(class_weight="balanced")).fit(x, [0, 1])
    >>> write(path, pipeline, {"theta": 0.5, "n_classes": 2})
    >>> pipeline, about = read(path)
    >>> pipeline.predict(x).tolist(), about["theta"]
    ([0, 1], 0.5)
    """
    described = f"{path.name} of {path.parent.name}"
    if not files.is_plain_file(path, inside=inside):
        raise MerKitError(
            f"{str(path)!r} is missing or no regular file, expected a saved SVM: run the fold first"
        )
    if path.stat().st_size > MOST_BYTES:
        raise MerKitError(
            f"{described} has {path.stat().st_size:,} bytes, more than any SVM of a fold: "
            "run the fold again"
        )
    try:
        with safe_open(path, framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in list(file.keys())}
            about = json.loads((file.metadata() or {})["svm"])
    except _DAMAGED as error:
        raise MerKitError(
            f"{described} cannot be read as a saved SVM ({type(error).__name__}): "
            "run the fold again"
        ) from error
    wrong = _what_is_wrong(arrays, about)
    if wrong:
        raise MerKitError(
            f"{described} is not an SVM that mer-kit saved ({wrong}): run the fold again"
        )
    return _pipeline(arrays, about), about


def _what_is_wrong(arrays: dict[str, np.ndarray], about: Any) -> str:
    """Return why these are not the arrays of one SVM, or ""."""
    # K classes, d features, n support vectors; libsvm compares every pair of classes.
    k, d, n = (
        arrays[name].size if name in arrays else 0 for name in ("classes", "mean", "vectors")
    )
    n //= max(d, 1)
    shapes = {
        "classes": (k,), "n_support": (k,), "mean": (d,), "scale": (d,), "vectors": (n, d),
        "dual": (k - 1, n), "intercept": (k * (k - 1) // 2,), "gamma": (1,),
    }  # fmt: skip
    if set(arrays) != set(shapes) or not isinstance(about, dict):
        return "it has other arrays"
    for name, shape in shapes.items():
        if (
            arrays[name].dtype != _KINDS.get(name, np.float64)
            or not np.isfinite(arrays[name]).all()
        ):
            return f"the numbers of {name} are of another kind"
        if arrays[name].shape != shape or not (2 <= k <= 1000 and d >= 1 and n >= 1):
            return f"{name} has the shape {arrays[name].shape}"
    counts, classes = arrays["n_support"], arrays["classes"]
    theta, n_classes, c = (about.get(name) for name in ("theta", "n_classes", "C"))
    sound = {
        # Each count is compared with n on its own too, since a huge one could wrap the sum around.
        "its support vectors do not add up": counts.min() >= 0
        and counts.max() <= n
        and counts.sum() == n,
        "a number is out of range": classes[0] >= 0
        and (np.diff(classes) > 0).all()
        and (arrays["scale"] > 0).all()
        and arrays["gamma"][0] > 0,
        "theta is out of range": _is_number(theta, 0, 1),
        "C is out of range": _is_number(c, 0, 1e12) and c != 0,
        # K may exceed `classes`: one of them may be absent from the training songs.
        "n_classes does not fit its classes": _is_number(n_classes, classes[-1] + 1, 1000),
        f"it has {d} features of {n_classes} classes": d % 7 == 0 and d // 7 == n_classes,
    }
    return next((words for words, is_so in sound.items() if not is_so), "")


def _is_number(value: Any, low: float, high: float) -> bool:
    """Tell whether a value from JSON is a number in a range; true is none, though Python counts."""
    return type(value) in (int, float) and low <= value <= high


def _pipeline(arrays: dict[str, np.ndarray], about: dict[str, Any]) -> Pipeline:
    """Return a pipeline in the state in which fitting leaves it."""
    n, d = arrays["vectors"].shape
    scaler = StandardScaler()
    vars(scaler).update(
        mean_=arrays["mean"],
        scale_=arrays["scale"],
        var_=arrays["scale"] ** 2,
        n_features_in_=d,
        n_samples_seen_=1,
    )
    value = float(arrays["gamma"][0])
    gamma = about["gamma"] if about.get("gamma") in ("scale", "auto") else value
    svc = SVC(C=about["C"], gamma=gamma, class_weight="balanced")
    # For two classes, scikit-learn's public arrays have the opposite sign of libsvm's.
    sign = -1.0 if len(arrays["classes"]) == 2 else 1.0
    # What `SVC.fit` would set, with libsvm's arrays in the layout that it expects.
    vars(svc).update(
        _sparse=False,
        _gamma=value,
        fit_status_=0,
        shape_fit_=(n, d),
        n_features_in_=d,
        classes_=arrays["classes"],
        class_weight_=np.ones(len(arrays["classes"])),
        # Row numbers of the training songs are not stored; prediction uses the vectors only.
        support_=np.arange(n, dtype=np.int32),
        support_vectors_=np.ascontiguousarray(arrays["vectors"]),
        _n_support=arrays["n_support"].astype(np.int32),
        _dual_coef_=np.ascontiguousarray(arrays["dual"]),
        _intercept_=arrays["intercept"],
        _probA=np.empty(0),
        _probB=np.empty(0),
        dual_coef_=sign * arrays["dual"],
        intercept_=sign * arrays["intercept"],
    )
    return make_pipeline(scaler, svc)
