"""A fitted scaler and SVM as plain arrays in a safetensors file, and back, every shape checked before it is used.

libsvm trusts the numbers that it is given and reads beyond its arrays where they are wrong, so nothing of a file reaches
it unchecked.

Notebook: 04_song_decisions
"""

from __future__ import annotations

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

#: A fold's SVM has some thousand numbers; a larger file is none of ours.
MOST_BYTES = 64 << 20
_FLOATS = ("mean", "scale", "vectors", "dual", "intercept", "gamma")
_WHOLE = ("classes", "n_support")


def write(path: Path, pipeline: Pipeline, about: dict[str, Any]) -> None:
    """Write a fitted StandardScaler and RBF SVC, and `about` as JSON beside them."""
    scaler, svc = pipeline[0], pipeline[-1]
    arrays = {
        "mean": scaler.mean_, "scale": scaler.scale_, "vectors": svc.support_vectors_, "dual": svc._dual_coef_,
        "intercept": svc._intercept_, "gamma": np.array([svc._gamma]),
    }  # fmt: skip
    tensors = {
        name: np.ascontiguousarray(array, dtype=np.float64) for name, array in arrays.items()
    }
    tensors |= {
        "classes": svc.classes_.astype(np.int64),
        "n_support": svc.n_support_.astype(np.int64),
    }
    about = {
        **about,
        "C": float(svc.C),
        "gamma": svc.gamma if isinstance(svc.gamma, str) else float(svc.gamma),
    }
    with files.writing(path) as partial:
        save_file(tensors, partial, metadata={"svm": json.dumps(about)})


def read(path: Path, *, inside: Path | None = None) -> tuple[Pipeline, dict[str, Any]]:
    """Return the pipeline that `write` wrote, whose answers are the fitted one's bit for bit, and what was beside it.

    With `inside`, a link that leads out of that folder is not followed.

    Raises
    ------
    MerKitError
        If the file is missing, damaged or too large, or an array has another kind, shape or range than an SVM's.
    """
    where = f"{path.name} of {path.parent.name}"
    if not files.is_plain_file(path, inside=inside):
        raise MerKitError(
            f"{str(path)!r} is missing or no regular file, expected a saved SVM: run the fold first"
        )
    if path.stat().st_size > MOST_BYTES:
        raise MerKitError(
            f"{where} has {path.stat().st_size:,} bytes, more than any SVM of a fold: run the fold again"
        )
    try:
        with safe_open(path, framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            about = json.loads((file.metadata() or {})["svm"])
    except (
        OSError,
        MemoryError,
        RecursionError,
        SafetensorError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise MerKitError(
            f"{where} cannot be read as a saved SVM ({type(error).__name__}): run the fold again"
        ) from error
    wrong = _what_is_wrong(arrays, about)
    if wrong:
        raise MerKitError(f"{where} is not an SVM that mer-kit saved ({wrong}): run the fold again")
    return _pipeline(arrays, about), about


def _what_is_wrong(arrays: dict[str, np.ndarray], about: Any) -> str:
    """Return why these are not the arrays of one SVM, or ""."""
    if set(arrays) != {*_FLOATS, *_WHOLE} or not isinstance(about, dict):
        return "it holds other arrays"
    kinds = {**dict.fromkeys(_FLOATS, np.float64), **dict.fromkeys(_WHOLE, np.int64)}
    odd = [name for name, kind in kinds.items() if arrays[name].dtype != kind]
    odd += [name for name in _FLOATS if not np.isfinite(arrays[name]).all()]
    if odd:
        return f"the numbers of {odd[0]} are of another kind"
    k, d, n = arrays["classes"].size, arrays["mean"].size, int(arrays["vectors"].shape[0])
    shapes = {
        "classes": (k,), "n_support": (k,), "mean": (d,), "scale": (d,), "vectors": (n, d), "dual": (k - 1, n),
        "intercept": (k * (k - 1) // 2,), "gamma": (1,),
    }  # fmt: skip
    odd = [name for name, shape in shapes.items() if arrays[name].shape != shape]
    if odd or not (2 <= k <= 1000 and d >= 1 and n >= 1):
        return f"{odd[0] if odd else 'classes'} has the shape {arrays[odd[0] if odd else 'classes'].shape}"
    counts, classes = arrays["n_support"], arrays["classes"]
    if (counts < 0).any() or (counts > n).any() or int(counts.sum()) != n:
        return "its support vectors do not add up"
    if (
        classes[0] < 0
        or (np.diff(classes) <= 0).any()
        or (arrays["scale"] <= 0).any()
        or arrays["gamma"][0] <= 0
    ):
        return "a number is out of range"
    return _wrong_about(about, int(classes[-1]), d)


def _wrong_about(about: dict[str, Any], last_class: int, n_features: int) -> str:
    """Return what is wrong with the settings beside the arrays, or ""."""
    theta, n_classes, c = about.get("theta"), about.get("n_classes"), about.get("C")
    if not _is_number(theta) or not 0 <= theta <= 1:
        return "theta is out of range"
    if not _is_number(c) or not 0 < c < 1e12:
        return "C is out of range"
    if (
        not _is_number(n_classes)
        or int(n_classes) != n_classes
        or not last_class < n_classes <= 1000
    ):
        return "n_classes does not fit its classes"
    if n_features != 7 * n_classes:
        return f"it takes {n_features} features of {n_classes} classes"
    return ""


def _is_number(value: Any) -> TypeGuard[float]:
    """Tell whether a value from JSON is a number that arithmetic can use."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12


def _pipeline(arrays: dict[str, np.ndarray], about: dict[str, Any]) -> Pipeline:
    """Return a pipeline in the state that fitting leaves it in."""
    scaler = StandardScaler()
    scaler.mean_, scaler.scale_ = arrays["mean"], arrays["scale"]
    scaler.var_, scaler.n_samples_seen_ = scaler.scale_**2, 1
    scaler.n_features_in_ = len(scaler.mean_)
    gamma = about.get("gamma")
    svc = SVC(
        C=about["C"],
        gamma=gamma if gamma in ("scale", "auto") else float(arrays["gamma"][0]),
        class_weight="balanced",
    )
    n_vectors = len(arrays["vectors"])
    svc._sparse, svc._gamma, svc.fit_status_ = False, float(arrays["gamma"][0]), 0
    svc.shape_fit_, svc.n_features_in_ = arrays["vectors"].shape, arrays["vectors"].shape[1]
    svc.classes_, svc.class_weight_ = arrays["classes"], np.ones(len(arrays["classes"]))
    svc.support_, svc.support_vectors_ = (
        np.arange(n_vectors, dtype=np.int32),
        np.ascontiguousarray(arrays["vectors"]),
    )
    svc._n_support = arrays["n_support"].astype(np.int32)
    svc._dual_coef_, svc._intercept_ = np.ascontiguousarray(arrays["dual"]), arrays["intercept"]
    sign = (
        -1.0 if len(arrays["classes"]) == 2 else 1.0
    )  # scikit-learn shows two classes the other way round
    svc.dual_coef_, svc.intercept_ = sign * svc._dual_coef_, sign * svc._intercept_
    svc._probA, svc._probB = np.empty(0), np.empty(0)
    return make_pipeline(scaler, svc)
