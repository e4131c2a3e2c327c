"""A second opinion on labels: confident learning (cleanlab) beside the partition by losses.

The partition asks the network that learns from the labels; cleanlab asks a classifier that has
never seen the song. Both know the inherited labels only.

Notebook: 02_noisy_labels
"""

import importlib.util
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mer_kit.analysis.passes import Passes
from mer_kit.checks import MerKitError
from mer_kit.runs.experiment import Experiment
from mer_kit.seeding import derive
from mer_kit.signal.store import SegmentView
from mer_kit.training.evaluation import batches, cut

#: D: inner folds, and principal components that the classifier is given.
FOLDS, COMPONENTS = 5, 50


@dataclass(frozen=True)
class LabelIssues:
    """What cleanlab says of S segments' labels.

    Attributes
    ----------
    probabilities : float64 [S, K], by classifiers that were not trained on the song or its artist
    found : bool [S], labels that are probably wrong
    quality : float64 [S], from 0 to 1, low where a label is probably wrong
    """

    probabilities: np.ndarray
    found: np.ndarray
    quality: np.ndarray


def is_installed() -> bool:
    """Tell whether cleanlab is installed; it is an extra.

    Examples
    --------
    >>> is_installed() in (True, False)
    True
    """
    return importlib.util.find_spec("cleanlab") is not None


def find(experiment: Experiment, passes: Passes) -> LabelIssues:
    """Return the label issues among a fold's training segments, by the labels of its training.

    D: the classifier is logistic regression on principal components of each segment's features,
    mean and standard deviation over time where these are frames; inner folds keep artists together.

    Raises
    ------
    MerKitError
        If cleanlab is not installed, or a class has songs of a single artist.

    Notebook: 02_noisy_labels
    """
    every = experiment.train_index
    view = SegmentView(experiment.store, every.take(every.rows_of(np.unique(passes.clip))))
    groups = passes.clip
    if experiment.grouping.groups is not None:
        groups = np.asarray(experiment.grouping.groups)[passes.clip]
    p = out_of_fold(vectors(view), passes.labels, groups, seed=experiment.config.seed)
    return LabelIssues(p, *judged(passes.labels, p))


def vectors(view: SegmentView) -> np.ndarray:
    """Return float32 [S, d], a vector of each segment: mean and standard deviation of frames."""
    rows = []
    for _, x in batches(view, cut(np.arange(len(view)), 512)):
        if x.ndim == 4:  # [B, 1, d, n]
            x = np.concatenate([x.mean(axis=3), x.std(axis=3)], axis=2)[:, 0]
        rows.append(x)
    return np.concatenate(rows)


def out_of_fold(
    vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray, *, seed: int = 0
) -> np.ndarray:
    """Return float64 [S, K], probabilities by classifiers trained without the segment's group.

    Raises
    ------
    MerKitError
        If a class has a single group, so that nothing can be learned without it.

    Examples
    --------
    >>> labels = np.repeat([0, 1], 20)
    >>> x = np.stack([labels, 1 - labels], axis=1) + np.linspace(0, 0.1, 40)[:, None]
    >>> out_of_fold(x, labels, np.arange(40) // 4).argmax(axis=1).tolist() == labels.tolist()
    True
    """
    n_folds = min(FOLDS, *(len(np.unique(groups[labels == k])) for k in np.unique(labels)))
    if n_folds < 2:
        raise MerKitError(
            "a class has songs of a single artist, expected at least two: use more songs"
        )
    # No more components than a small corpus' inner folds have segments.
    n_components = min(COMPONENTS, vectors.shape[1], max(1, len(vectors) // 4))
    model = make_pipeline(
        StandardScaler(),
        PCA(n_components, random_state=0),
        LogisticRegression(max_iter=500),
    )
    inner = StratifiedGroupKFold(
        n_folds, shuffle=True, random_state=derive(seed, "label issues") % 2**32
    )
    return np.asarray(
        cross_val_predict(model, vectors, labels, groups=groups, cv=inner, method="predict_proba")
    )


def judged(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which labels are issues (bool [S]) and how good each is (float64 [S]), by cleanlab.

    Raises
    ------
    MerKitError
        If cleanlab is not installed.

    Source: Northcutt et al. 2021, Confident Learning.
    """
    if not is_installed():
        raise MerKitError(
            "cleanlab is not installed, expected the extra of that name: "
            "pip install 'mer-kit[cleanlab]'"
        )
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    found = find_label_issues(labels, probabilities, n_jobs=1)
    return np.asarray(found), np.asarray(get_label_quality_scores(labels, probabilities))


def opinions(issues: LabelIssues, passes: Passes, after_epoch: int) -> pd.DataFrame:
    """Return what the partition after an epoch and cleanlab doubt, one row each, and both together.

    Columns: who, segments (that are doubted), of_all (their fraction), kappa (Cohen's, agreement of
    the two beyond chance); and where wrong labels are known wrong_among_them (precision),
    found_of_wrong (recall) and roc_auc (of ω, and of cleanlab's quality; NaN for both together).
    U stands for the partition; where that separates nothing, the tenth with the smallest ω.

    Notebook: 02_noisy_labels
    """
    in_u = np.zeros(len(issues.found), dtype=bool)
    in_u[passes.unlabelled_rows(after_epoch)] = True
    nothing = np.full(len(in_u), np.nan)
    doubted = {
        "partition (U)": (in_u, passes.partitions[after_epoch - 1].omega),
        "cleanlab": (issues.found, issues.quality),
        "both": (in_u & issues.found, nothing),
    }
    kappa = float(cohen_kappa_score(in_u, issues.found))
    rows = []
    for who, (rejected, score) in doubted.items():
        row = {"who": who, "segments": int(rejected.sum()), "of_all": rejected.mean()}
        row["kappa"] = kappa
        if passes.wrong is not None and passes.wrong.any():
            known = passes.wrong | passes.groups["right label"]
            wrong = passes.wrong[known]
            row["wrong_among_them"] = wrong[rejected[known]].mean()
            row["found_of_wrong"] = rejected[known][wrong].mean()
            row["roc_auc"] = np.nan
            if np.isfinite(score).all():
                row["roc_auc"] = roc_auc_score(~wrong, score[known])
        rows.append(row)
    return pd.DataFrame(rows)
