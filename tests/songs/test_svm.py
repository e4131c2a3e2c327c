"""The SVM on the 7·K features: what it learns, that it repeats, and what it writes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import SVC

from mer_kit.checks import MerKitError
from mer_kit.songs import features
from mer_kit.songs.classifiers import svm as svm_module
from mer_kit.songs.classifiers.svm import SVM


def _corpus(seed: int, sizes: list[int], *, strength: float = 1.0, segments: int = 8) -> tuple:
    """Songs whose segments lean towards their class: probabilities, song of each segment, labels."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    song = np.repeat(np.arange(len(labels)), segments)
    logits = generator.normal(0, 1, (len(song), len(sizes)))
    logits[np.arange(len(song)), labels[song]] += strength
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), song, labels


def test_learns_what_no_rule_could_see():
    """Both classes have the same mean, vote and so on; only the spread of a song's probabilities
    tells them apart.
    """
    generator = np.random.default_rng(0)
    labels = np.tile([0, 1], 30)
    song = np.repeat(np.arange(60), 20)
    spread = np.where(labels[song] == 1, 0.3, 0.05)
    p0 = np.clip(0.5 + spread * generator.choice([-1, 1], len(song)), 0, 1)
    p = np.stack([p0, 1 - p0], axis=1)
    svm = SVM().fit(p[:800], song[:800], labels[:40])
    np.testing.assert_array_equal(svm.predict(p[800:], song[800:] - 40, 20), labels[40:])


def test_same_seed_same_svm():
    train, test = _corpus(1, [20, 12, 16], strength=0.5), _corpus(2, [9, 9, 9], strength=0.5)
    first, again = (SVM(seed=4, c=[1, 10]).fit(*train) for _ in range(2))
    assert (first.best_, first.inner_score_) == (again.best_, again.inner_score_)
    np.testing.assert_array_equal(first.predict(*test[:2], 27), again.predict(*test[:2], 27))
    np.testing.assert_array_equal(first.pipeline_[-1].dual_coef_, again.pipeline_[-1].dual_coef_)
    scores = {SVM(seed=seed, c=[1], gamma=["scale"]).fit(*train).inner_score_ for seed in (4, 5, 6)}
    assert len(scores) > 1  # the seed moves the inner folds


def test_equals_a_plain_svc_on_features_scaled_by_hand():
    p, song, labels = _corpus(3, [15, 15])
    svm = SVM(c=[10.0], gamma=[0.1]).fit(p, song, labels)
    assert svm.best_ == {"C": 10.0, "gamma": 0.1} and svm.searched_
    x = features.pool(p, song, n_songs=30)
    spread = x.std(axis=0)
    z = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1)
    oracle = SVC(C=10.0, gamma=0.1, class_weight="balanced").fit(z, labels)
    other, other_song, _ = _corpus(4, [10, 10], strength=0.3)
    w = (features.pool(other, other_song, n_songs=20) - x.mean(axis=0)) / np.where(
        spread > 0, spread, 1
    )
    np.testing.assert_array_equal(svm.predict(other, other_song, 20), oracle.predict(w))


def test_a_rare_class_is_not_given_up():
    """With 60 songs against 6 and weak evidence an unweighted SVM answers the large class nearly
    always.
    """
    p, song, labels = _corpus(5, [60, 6], strength=0.3)
    test_p, test_song, truth = _corpus(6, [30, 30], strength=0.3)
    svm = SVM().fit(p, song, labels)
    assert svm.pipeline_[-1].class_weight == "balanced"
    assert balanced_accuracy_score(truth, svm.predict(test_p, test_song, 60)) > 0.6


def test_theta_reaches_the_features_of_training_and_test():
    p, song, labels = _corpus(7, [10, 10], strength=0.3)
    svm = SVM(theta=0.9).fit(p, song, labels)
    np.testing.assert_allclose(
        svm.pipeline_[0].mean_, features.pool(p, song, n_songs=20, theta=0.9).mean(axis=0)
    )
    other, other_song, _ = _corpus(8, [100, 100], strength=0.3)
    right, wrong = (
        svm.pipeline_.predict(features.pool(other, other_song, n_songs=200, theta=t))
        for t in (0.9, 0.5)
    )
    assert (right != wrong).any()
    np.testing.assert_array_equal(svm.predict(other, other_song, 200), right)


@pytest.mark.parametrize(("sizes", "n_folds"), [([9, 9], 5), ([9, 3], 3), ([2, 9], 2)])
def test_inner_folds_are_five_or_as_many_as_the_smallest_class_has_songs(
    sizes, n_folds, monkeypatch
):
    seen = []
    kept = svm_module.StratifiedKFold
    monkeypatch.setattr(
        svm_module, "StratifiedKFold", lambda n, **knobs: seen.append(n) or kept(n, **knobs)
    )
    SVM().fit(*_corpus(15, sizes))
    assert seen == [n_folds]


@pytest.mark.parametrize(
    ("sizes", "searched"), [([6, 1], False), ([6, 2], True), ([6, 0, 3], True)]
)
def test_small_classes(sizes, searched):
    svm = SVM().fit(*_corpus(8, sizes, strength=3))
    assert svm.searched_ is searched
    assert np.isnan(svm.inner_score_) is not searched
    if not searched:
        assert svm.best_ == {"C": 1.0, "gamma": "scale"}
    p, song, labels = _corpus(9, sizes, strength=3)
    assert (svm.predict(p, song, len(labels)) == labels).mean() > 0.8


def test_constant_features_do_no_harm():
    p = np.full((12, 3), 1 / 3)
    assert set(
        SVM().fit(p, np.arange(12), np.tile([0, 1, 2], 4)).predict(p, np.arange(12), 12)
    ) <= {0, 1, 2}


def test_saved_svm_answers_alike(tmp_path):
    svm = SVM(theta=0.3).fit(*_corpus(10, [8, 8, 8], strength=0.5))
    svm.save(tmp_path / "svm.safetensors")
    back = SVM.load(tmp_path / "svm.safetensors")
    p, song, labels = _corpus(11, [9, 9, 9], strength=0.5)
    np.testing.assert_array_equal(back.predict(p, song, 27), svm.predict(p, song, 27))
    assert (back.theta, back.n_classes_, back.best_) == (0.3, 3, svm.best_)
    assert (back.searched_, back.inner_score_) == (True, svm.inner_score_)
    assert [path.name for path in tmp_path.iterdir()] == [
        "svm.safetensors"
    ]  # no partial file stays behind


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "svm.safetensors"
    target.write_bytes(b"old")
    svm = SVM().fit(*_corpus(12, [4, 4]))
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        svm.save(target)
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("sizes", [[9, 9], [8, 5, 9], [6, 7, 8, 9]])
def test_the_rebuilt_machine_is_the_fitted_one_bit_for_bit(tmp_path, sizes):
    svm = SVM().fit(*_corpus(20, sizes, strength=0.4))
    svm.save(tmp_path / "svm.safetensors")
    back = SVM.load(tmp_path / "svm.safetensors")
    x = np.random.default_rng(3).uniform(-0.5, 1.5, size=(400, 7 * len(sizes)))
    for shape in ("ovr", "ovo"):
        for machine in (svm, back):
            machine.pipeline_[-1].decision_function_shape = shape
        np.testing.assert_array_equal(
            back.pipeline_.decision_function(x), svm.pipeline_.decision_function(x)
        )
    np.testing.assert_array_equal(back.pipeline_.predict(x), svm.pipeline_.predict(x))
    np.testing.assert_array_equal(back.pipeline_[-1].dual_coef_, svm.pipeline_[-1].dual_coef_)
    np.testing.assert_array_equal(back.pipeline_[-1].n_support_, svm.pipeline_[-1].n_support_)


def _change(name, change):
    def apply(arrays, about):
        arrays[name] = change(arrays[name])

    return apply


def _says(**values):
    return lambda arrays, about: about.update(values)


DAMAGED = {
    "more support vectors than there are": _change("n_support", lambda a: a + 1000),
    "one less": _change("n_support", lambda a: a - np.eye(len(a), dtype=a.dtype)[0]),
    "negative": _change("n_support", lambda a: np.array([-1, a.sum() + 1, 0])),
    "beyond 32 bits": _change("n_support", lambda a: a + 2**32),
    "as floats": _change("n_support", lambda a: a.astype(float)),
    "fewer coefficients": _change("dual", lambda a: a[:, :-1]),
    "other coefficients": _change("dual", lambda a: a.T),
    "coefficients NaN": _change("dual", lambda a: a * np.nan),
    "float32": _change("vectors", lambda a: a.astype(np.float32)),
    "flat": _change("vectors", lambda a: a.ravel()),
    "no vectors": _change("vectors", lambda a: a[:0]),
    "infinite vectors": _change("vectors", lambda a: a + np.inf),
    "no intercepts": _change("intercept", lambda a: a[:0]),
    "other features": _change("mean", lambda a: a[:-7]),
    "no spread": _change("scale", lambda a: a * 0),
    "gamma below 0": _change("gamma", lambda a: -a),
    "classes twice": _change("classes", lambda a: a * 0),
    "a class too many": _change("classes", lambda a: a + 1),
    "one array more": lambda arrays, about: arrays.update(pickle=np.zeros(3)),
    "one array less": lambda arrays, about: arrays.pop("gamma"),
    "theta": _says(theta=7),
    "theta as text": _says(theta="0.5"),
    "C": _says(C=-1),
    "classes as text": _says(n_classes="3"),
    "another K": _says(n_classes=4),
    "endless classes": _says(n_classes=10**30),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_arrays_never_reach_libsvm(tmp_path, case, monkeypatch):
    path = tmp_path / "svm.safetensors"
    SVM().fit(*_corpus(21, [8, 8, 8])).save(path)
    about = json.loads(safe_open(path, framework="np").metadata()["svm"])
    arrays = load_file(path)
    DAMAGED[case](arrays, about)
    save_file(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        path,
        metadata={"svm": json.dumps(about)},
    )
    monkeypatch.setattr(SVC, "predict", lambda *_: pytest.fail("it was used"))
    with pytest.raises(
        MerKitError, match="is not an SVM that mer-kit saved .*: run the fold again"
    ):
        SVM.load(path)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"svm": ""},
        {"svm": "[" * 100_000},
        {"svm": "[1]"},
        {"svm": "null"},
        {"tree": "{}"},
    ],
)
def test_other_metadata_is_refused(tmp_path, metadata):
    path = tmp_path / "svm.safetensors"
    SVM().fit(*_corpus(21, [8, 8, 8])).save(path)
    save_file(load_file(path), path, metadata=metadata)
    with pytest.raises(MerKitError, match="run the fold again"):
        SVM.load(path)


def test_missing_and_damaged_files_get_a_sentence(tmp_path):
    path = tmp_path / "svm.safetensors"
    with pytest.raises(
        MerKitError, match="is missing or no regular file, expected a saved SVM: run the fold first"
    ):
        SVM.load(path)
    SVM().fit(*_corpus(13, [4, 4])).save(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(MerKitError, match="cannot be read as a saved SVM"):
        SVM.load(path)


def test_bad_use_gets_a_sentence(tmp_path):
    p, song, labels = _corpus(14, [4, 4])
    with pytest.raises(MerKitError, match="not fitted: call fit first"):
        SVM().predict(p, song, 8)
    with pytest.raises(MerKitError, match="not fitted: call fit first"):
        SVM().save(tmp_path / "svm.safetensors")
    with pytest.raises(
        MerKitError, match="the 8 training songs are all of class 1, expected at least two classes"
    ):
        SVM().fit(p, song, np.ones(8, dtype=int))
    with pytest.raises(MerKitError, match="probabilities has 3 classes, expected 2 as in training"):
        SVM().fit(p, song, labels).predict(np.full((2, 3), 1 / 3), np.array([0, 1]), 2)
    with pytest.raises(MerKitError, match="theta is 2, expected a number from 0 to 1"):
        SVM(theta=2).fit(p, song, labels)


def test_artists_stay_together_in_the_inner_folds(monkeypatch):
    """With groups no artist is on both sides, and a class of few artists has fewer inner folds."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 12)
    artists = np.arange(24) // 4  # three artists in each class
    song = np.repeat(np.arange(24), 3)
    p1 = np.clip(0.5 * y[song] + rng.uniform(0.1, 0.4, 72), 0, 1)
    p = np.c_[1 - p1, p1]
    seen = []
    search = svm_module.GridSearchCV

    def looking(pipeline, grid, *, scoring, cv):
        seen.append(list(cv.split(np.zeros(24), y, artists if len(seen) == 0 else None)))
        return search(pipeline, grid, scoring=scoring, cv=cv)

    monkeypatch.setattr(svm_module, "GridSearchCV", looking)
    svm_module.SVM(groups=artists).fit(p, song, y)
    assert len(seen[0]) == 3
    assert all(not set(artists[train]) & set(artists[test]) for train, test in seen[0])
    svm_module.SVM().fit(p, song, y)
    assert len(seen[1]) == 5
