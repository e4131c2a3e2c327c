"""A fitted scaler and SVM as plain arrays in a safetensors file, and back.

libsvm trusts its arrays and reads beyond their ends if the counts are wrong, so every shape and
number of a file is checked before it is used.

Notebook: 04_song_decisions
"""

import json
from pathlib import Path
from typing import Any, TypeGuard

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
_NOT_OURS = (
    OSError, MemoryError, RecursionError, SafetensorError, ValueError, KeyError, TypeError,
    AttributeError,
)  # fmt: skip
_FLOATS = ("mean", "scale", "vectors", "dual", "intercept", "gamma")
_WHOLE = ("classes", "n_support")


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
    floats = {
        "mean": scaler.mean_, "scale": scaler.scale_, "vectors": svc.support_vectors_,
        "dual": svc._dual_coef_, "intercept": svc._intercept_, "gamma": np.array([svc._gamma]),
    }  # fmt: skip
    whole = {"classes": svc.classes_, "n_support": svc.n_support_}
    tensors = {name: np.ascontiguousarray(a, dtype=np.float64) for name, a in floats.items()}
    tensors |= {name: a.astype(np.int64) for name, a in whole.items()}
    gamma = svc.gamma  # "scale", or a number
    if not isinstance(gamma, str):
        gamma = float(gamma)
    about = {**about, "C": float(svc.C), "gamma": gamma}
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
            names = list(file.keys())
            arrays = {name: file.get_tensor(name) for name in names}
            about = json.loads((file.metadata() or {})["svm"])
    except _NOT_OURS as error:
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
    if set(arrays) != {*_FLOATS, *_WHOLE} or not isinstance(about, dict):
        return "it has other arrays"
    kinds = {**dict.fromkeys(_FLOATS, np.float64), **dict.fromkeys(_WHOLE, np.int64)}
    odd = [name for name, kind in kinds.items() if arrays[name].dtype != kind]
    odd += [name for name in _FLOATS if not np.isfinite(arrays[name]).all()]
    if odd:
        return f"the numbers of {odd[0]} are of another kind"
    # K classes, d features, n support vectors; libsvm compares every pair of classes.
    k, d, n = arrays["classes"].size, arrays["mean"].size, int(arrays["vectors"].shape[0])
    shapes = {
        "classes": (k,), "n_support": (k,), "mean": (d,), "scale": (d,), "vectors": (n, d),
        "dual": (k - 1, n), "intercept": (k * (k - 1) // 2,), "gamma": (1,),
    }  # fmt: skip
    odd = [name for name, shape in shapes.items() if arrays[name].shape != shape]
    if not odd and not (2 <= k <= 1000 and d >= 1 and n >= 1):
        odd = ["classes"]
    if odd:
        return f"{odd[0]} has the shape {arrays[odd[0]].shape}"
    counts, classes = arrays["n_support"], arrays["classes"]
    # Each class is compared with n on its own too, since a huge count could wrap around the sum.
    if (counts < 0).any() or (counts > n).any() or int(counts.sum()) != n:
        return "its support vectors do not add up"
    ascending = classes[0] >= 0 and (np.diff(classes) > 0).all()
    if not ascending or (arrays["scale"] <= 0).any() or arrays["gamma"][0] <= 0:
        return "a number is out of range"
    return _wrong_about(about, int(classes[-1]), d)


def _wrong_about(about: dict[str, Any], last_class: int, n_features: int) -> str:
    """Return what is wrong with the settings in the header, or ""."""
    theta, n_classes, c = about.get("theta"), about.get("n_classes"), about.get("C")
    if not _is_number(theta) or not 0 <= theta <= 1:
        return "theta is out of range"
    if not _is_number(c) or not 0 < c < 1e12:
        return "C is out of range"
    # More classes than `classes` are possible: one of them may be absent from the training songs.
    whole = _is_number(n_classes) and int(n_classes) == n_classes
    if not _is_number(n_classes) or not whole or not last_class < n_classes <= 1000:
        return "n_classes does not fit its classes"
    if n_features != 7 * n_classes:
        return f"it has {n_features} features of {n_classes} classes"
    return ""


def _is_number(value: Any) -> TypeGuard[float]:
    """Tell whether a value from JSON is a number of a usable size."""
    # JSON's true is a bool, which Python counts as an int.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12


def _pipeline(arrays: dict[str, np.ndarray], about: dict[str, Any]) -> Pipeline:
    """Return a pipeline in the state in which fitting leaves it."""
    scaler = StandardScaler()
    scaler.mean_, scaler.scale_ = arrays["mean"], arrays["scale"]
    scaler.var_, scaler.n_samples_seen_ = scaler.scale_**2, 1
    scaler.n_features_in_ = len(scaler.mean_)
    gamma, value = about.get("gamma"), float(arrays["gamma"][0])
    if gamma not in ("scale", "auto"):
        gamma = value
    svc = SVC(C=about["C"], gamma=gamma, class_weight="balanced")
    # From here on what `SVC.fit` would set, with libsvm's arrays in the layout that it expects.
    svc._sparse, svc._gamma, svc.fit_status_ = False, value, 0
    svc.shape_fit_, svc.n_features_in_ = arrays["vectors"].shape, arrays["vectors"].shape[1]
    svc.classes_, svc.class_weight_ = arrays["classes"], np.ones(len(arrays["classes"]))
    # Row numbers of the training songs are not stored; prediction uses the vectors only.
    svc.support_ = np.arange(len(arrays["vectors"]), dtype=np.int32)
    svc.support_vectors_ = np.ascontiguousarray(arrays["vectors"])
    svc._n_support = arrays["n_support"].astype(np.int32)
    svc._dual_coef_, svc._intercept_ = np.ascontiguousarray(arrays["dual"]), arrays["intercept"]
    # For two classes, scikit-learn's public arrays have the opposite sign of libsvm's.
    sign = -1.0 if len(arrays["classes"]) == 2 else 1.0
    svc.dual_coef_, svc.intercept_ = sign * svc._dual_coef_, sign * svc._intercept_
    svc._probA, svc._probB = np.empty(0), np.empty(0)
    return make_pipeline(scaler, svc)
