"""CirrusSearchCV on a Dataset: the scores of a search on the same arrays, without the rows."""

import os
import signal

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold

from sklearn_cirrus import (
    CirrusFeatureHasher,
    CirrusLogisticRegression,
    CirrusStandardScaler,
    Dataset,
    config_context,
)
from sklearn_cirrus._dataset import reading
from sklearn_cirrus._outcome import CutShort
from sklearn_cirrus._place import Place
from sklearn_cirrus._search_run import SearchRun
from sklearn_cirrus.model_selection import BlockKFold, CirrusSearchCV
from sklearn_cirrus.servers import shared

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
GRID = {"C": [0.001, 0.02, 1.0]}
CV = StratifiedKFold(3, shuffle=True, random_state=0)


@pytest.fixture
def no_rows(monkeypatch):
    """No row may be read into this process as an array: a sample is read another way."""

    def refuse(*args):
        raise AssertionError("rows were brought to the client")

    monkeypatch.setattr(reading, "_read", refuse)
    monkeypatch.setattr(Dataset, "to_arrays", refuse)


@pytest.fixture
def blocks(data):
    """The same rows as ``data``, in six blocks."""
    with config_context(block_bytes=10_000):
        made = Dataset.from_arrays(*data)
    assert made.n_blocks > 2
    return made


def agree(search, other, atol=0.01):
    """The results have the same keys and, within the noise, the same scores."""
    assert search.cv_results_.keys() == other.cv_results_.keys()
    keys = [key for key in search.cv_results_ if key.endswith("_test_score")]
    assert len(keys) == search.n_splits_ + 3
    for key in set(keys) - {"rank_test_score"}:
        np.testing.assert_allclose(search.cv_results_[key], other.cv_results_[key], atol=atol)
    assert search.best_params_ == other.best_params_


@pytest.mark.parametrize("backend", ["inline", "local"])
def test_scores_are_those_of_the_same_arrays(data, blocks, clf, backend, no_rows):
    clf.set_params(backend=backend, n_workers=2 if backend == "local" else None, max_iter=60)
    exact = GridSearchCV(LogisticRegression(), GRID, cv=CV, scoring="neg_log_loss").fit(*data)
    search = CirrusSearchCV(clf, GRID, cv=CV).fit(blocks)
    agree(search, exact)
    # It was refitted on the dataset, and predicts it.
    best = search.best_estimator_
    assert best.classes_.tolist() == [0, 1] and best.n_features_in_ == 12
    assert log_loss(data[1], search.predict_proba(blocks)) == pytest.approx(
        log_loss(data[1], exact.predict_proba(data[0])), abs=0.01
    )


def test_the_score_is_the_loss_of_the_final_weights(data, clf):
    """One epoch on one block: by hand, from a fit on the rows of each split."""
    made = Dataset.from_arrays(*data)
    clf.set_params(max_iter=1, tol=None)
    weights = {}

    def keep(search):
        weights.update(search.leaderboard_[0])

    search = CirrusSearchCV(clf, {"C": [1.0]}, cv=CV, refit=False, callback=keep).fit(made)
    by_scorer = CirrusSearchCV(clf, {"C": [1.0]}, cv=CV, refit=False, return_train_score=True)
    by_scorer.fit(made)  # margins by workers, loss by scikit-learn
    found = search.cv_results_["mean_test_score"]
    np.testing.assert_allclose(found, by_scorer.cv_results_["mean_test_score"], rtol=1e-5)
    assert "mean_train_score" in by_scorer.cv_results_
    assert -found[0] < weights["held_out_loss"]  # which was summed while it learnt


def test_selected_rows_in_any_order_and_other_metrics(data, blocks, clf, no_rows):
    X, y = data
    rows = np.random.default_rng(1).permutation(600)[:400]
    kwargs = {"cv": KFold(3), "scoring": ["roc_auc", "neg_log_loss"], "refit": "neg_log_loss"}
    search = CirrusSearchCV(clf, GRID, **kwargs).fit(blocks[rows], y[rows])
    exact = GridSearchCV(LogisticRegression(), GRID, **kwargs).fit(X[rows], y[rows])
    for name in kwargs["scoring"]:
        found, expected = (s.cv_results_[f"mean_test_{name}"] for s in (search, exact))
        np.testing.assert_allclose(found, expected, atol=0.015)
    assert search.best_params_ == exact.best_params_


def test_folds_of_whole_blocks(data, blocks, clf, no_rows):
    cv = BlockKFold(3)
    search = CirrusSearchCV(clf, GRID, cv=cv).fit(blocks)
    exact = GridSearchCV(LogisticRegression(), GRID, cv=cv.split(blocks), scoring="neg_log_loss")
    agree(search, exact.fit(*data))


def test_transforms_run_on_the_workers(data, blocks, clf, no_rows):
    scaled = CirrusStandardScaler().fit(blocks).transform(blocks)
    X = (data[0] - data[0].mean(axis=0)) / data[0].std(axis=0)
    exact = GridSearchCV(LogisticRegression(), GRID, cv=CV, scoring="neg_log_loss")
    agree(CirrusSearchCV(clf, GRID, cv=CV).fit(scaled), exact.fit(X, data[1]))


def test_hashed_columns_of_text(clf, tmp_path):
    random = np.random.default_rng(0)
    words = random.integers(0, 6, (900, 3))
    y = (words[:, 0] + random.normal(size=900) > 2.5).astype(int)
    lines = [f"{label},a{a},b{b},c{c}" for label, (a, b, c) in zip(y, words, strict=True)]
    (tmp_path / "clicks.csv").write_text("\n".join(["y,p,q,r", *lines]) + "\n")
    with config_context(block_bytes=4_000, backend="inline"):
        made = Dataset.from_csv(tmp_path / "clicks.csv", label="y")
    hashed = CirrusFeatureHasher(n_features=64).fit(made).transform(made)
    search = CirrusSearchCV(clf, GRID, cv=CV).fit(hashed)
    exact = GridSearchCV(LogisticRegression(), GRID, cv=CV, scoring="neg_log_loss")
    agree(search, exact.fit(*hashed.to_arrays()))


def test_candidates_that_share_no_table_and_halving(blocks, clf, no_rows):
    clf.set_params(max_iter=6, tol=None)
    grid = [GRID, {"early_stopping": [True]}, {"solver": ["lbfgs"]}]
    search = CirrusSearchCV(clf, grid, cv=2, halving=2, min_epochs=2, refit=False).fit(blocks)
    assert search.cv_results_["dropped"].tolist().count(True) == 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(search.cv_results_["params"]) == 5


def test_what_a_dataset_cannot_be_searched_with_is_said(data, blocks, clf):
    search = CirrusSearchCV(clf, GRID, cv=2)
    with pytest.raises(ValueError, match="weigh classes with class_weight"):
        search.fit(blocks, sample_weight=np.ones(600))
    with pytest.raises(ValueError, match="leave it out, or pass data.y"):
        search.fit(blocks, 1 - data[1])
    with pytest.raises(ValueError, match="this dataset has no labels"):
        search.fit(Dataset.from_arrays(data[0]))
    with pytest.raises(ValueError, match="only a Dataset has labels of its own"):
        search.fit(data[0])
    with pytest.raises(ValueError, match="0 sample"):
        search.fit(blocks[:0])


def test_three_classes_of_which_one_is_left_out(clf):
    random = np.random.default_rng(3)
    X = random.normal(size=(300, 5))
    y = np.array(["a", "b", "c"])[np.argmax(X[:, :3] + random.normal(size=(300, 3)), axis=1)]
    made = Dataset.from_arrays(X, y)
    for kept in (np.arange(300), np.flatnonzero(y != "b")):
        search = CirrusSearchCV(clf, {"C": [0.01, 1.0]}, cv=CV).fit(made[kept])
        exact = GridSearchCV(
            LogisticRegression(), {"C": [0.01, 1.0]}, cv=CV, scoring="neg_log_loss"
        )
        agree(search, exact.fit(X[kept], y[kept]), atol=0.015)
        assert search.classes_.tolist() == sorted(set(y[kept]))


def test_when_the_budget_is_spent_there_is_no_other_pass(blocks, clf, monkeypatch):
    """Then the losses are those of the training."""
    spent = []

    def check_budget(place):
        if spent:
            raise CutShort("The budget was spent (max_cost)")

    monkeypatch.setattr(Place, "check_budget", check_budget)
    clf.set_params(max_iter=9, tol=None)
    search = CirrusSearchCV(clf, GRID, cv=2, refit=False, callback=spent.append).fit(blocks)
    board = {row["candidate"]: row["held_out_loss"] for row in search.leaderboard_}
    assert {row["epochs"] for row in search.leaderboard_} == {1}
    expected = [-board[i] for i in range(3)]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-6)


def test_the_estimator_need_not_be_the_default(blocks):
    clf = CirrusLogisticRegression(backend="inline", solver="ftrl", max_iter=3, random_state=0)
    search = CirrusSearchCV(clf, {"l1_ratio": [0.0, 1.0]}, cv=2).fit(blocks)
    assert len(search.history_) == 1 and search.best_score_ < 0


def test_the_server_is_lost_while_held_out_losses_are_summed(data, blocks, clf, monkeypatch):
    """The search goes back to its last checkpoint, and comes to the same scores."""
    hand_over, lost = SearchRun._hand_over, []

    def lose_it_first(run):
        if run._ended and not lost:
            with shared.shared_server().client() as client:
                lost.append(client.info("server")["process_id"])
            os.kill(lost[0], signal.SIGKILL)
        hand_over(run)

    monkeypatch.setattr(SearchRun, "_hand_over", lose_it_first)
    clf.set_params(backend="local", n_workers=2, max_iter=60)
    exact = GridSearchCV(LogisticRegression(), GRID, cv=CV, scoring="neg_log_loss").fit(*data)
    with config_context(retry_seconds=2.0, checkpoint_seconds=0.05):
        search = CirrusSearchCV(clf, GRID, cv=CV, refit=False).fit(blocks)
    assert lost and sum(entry["server_restarts"] for entry in search.history_[0]) >= 1
    agree(search, exact)
