"""Ratings that are a Dataset, as rows or as a table: as the same ratings in a matrix."""

import os
import signal

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_cirrus import CirrusMatrixFactorization, Dataset, config_context
from sklearn_cirrus._dataset import reading, sample
from sklearn_cirrus._map_run import MapRun
from sklearn_cirrus._trainer import Run
from sklearn_cirrus.servers import shared_server

from .planted import planted

NAMES = ["user", "item", "rating"]


@pytest.fixture(scope="module")
def X():
    """300 users, some without ratings, and 60 items."""
    X = planted(300, 60).tolil()
    X[7], X[299], X[3] = 0, 0, 0
    X = sparse.csr_array(X)
    X.eliminate_zeros()
    return X


def table(X, order=None):
    """Users, items and ratings in a random order."""
    coo = X.tocoo()
    frame = pd.DataFrame(dict(zip(NAMES, (*coo.coords, coo.data), strict=True)))
    return frame.sample(frac=1, random_state=0) if order is None else frame


@pytest.fixture(params=["inline", "local"])
def workers(request):
    n_workers = {"inline": None, "local": 2}[request.param]
    with config_context(backend=request.param, n_workers=n_workers, block_bytes=8000):
        yield request.param


@pytest.fixture
def inline():
    with config_context(backend="inline", block_bytes=8000):
        yield


def model(**parameters):
    return CirrusMatrixFactorization(**{"n_components": 3, "random_state": 0} | parameters)


def as_table(X):
    return Dataset.from_arrays(table(X))


def as_rows(X):
    return Dataset.from_arrays(X)


def test_pivot_makes_the_matrix(workers, X, tmp_path):
    data = as_table(X)
    assert data.n_blocks > 3
    rows = data.pivot(url=tmp_path.as_uri())
    assert rows.n_blocks > 1
    found = rows.to_arrays()[0]
    assert found.shape == (299, 60)  # the last user has no rating
    assert abs(found - X[:299]).max() == 0 and found.nnz == X.nnz
    assert {path.name.split("-")[0] for path in tmp_path.iterdir()} == {"block", "dataset.json"}
    # Other columns, a part of the rows, the shape of the whole.
    frame = table(X)[["rating", "item", "user"]].assign(more=1.0)
    data = Dataset.from_arrays(frame)[:100]
    found = data.pivot(index="user", columns="item", values="rating").to_arrays()[0]
    first = frame[:100]
    expected = sparse.csr_array((first["rating"], (first["user"], first["item"])), (299, 60))
    assert found.shape == (299, 60) and abs(found - expected).max() == 0


@pytest.mark.parametrize("form", [as_table, as_rows])
def test_als_is_as_on_a_matrix(workers, X, form):
    data, start = form(X), model(solver="als", max_iter=8, tol=None)
    found = start.fit(data)
    expected = model(solver="als", max_iter=8, tol=None).set_params(n_workers=1).fit(X)
    np.testing.assert_allclose(found.components_, expected.components_, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.item_bias_, expected.item_bias_, rtol=1e-3, atol=1e-3)
    n_users = len(found.user_factors_)
    np.testing.assert_allclose(
        found.user_factors_, expected.user_factors_[:n_users], rtol=1e-3, atol=2e-3
    )
    assert found.mean_ == pytest.approx(expected.mean_)
    assert found.history_[0]["rows"] == 2 * X.nnz
    assert (found.n_features_in_, n_users) == (60, 300 if form is as_rows else 299)


@pytest.mark.parametrize("solver", ["adagrad", "sgd"])
def test_stochastic_solvers_come_as_far(inline, X, solver):
    expected = model(solver=solver).fit(X)
    for form in (as_table, as_rows):
        found = model(solver=solver).fit(form(X))
        objective = expected.history_[-1]["objective"]
        assert found.history_[-1]["objective"] == pytest.approx(objective, rel=0.05)
        assert found.history_[-1]["rows"] == X.nnz
        assert found.score(X) == pytest.approx(expected.score(X), rel=0.02)


@pytest.mark.parametrize("solver", ["adagrad", "als"])
def test_early_stopping_hides_ratings(inline, X, solver):
    found = model(solver=solver, early_stopping=True, max_iter=10).fit(as_table(X))
    assert found.history_[-1]["valid_loss"] > 0
    share = found.history_[-1]["rows"] / X.nnz
    assert share == pytest.approx(0.9, abs=0.01)
    np.testing.assert_allclose(
        found.user_factors_, found.transform(X)[:299], rtol=1e-4, atol=1e-5
    )  # with all ratings


def test_labels_are_ratings(inline, X):
    frame = table(X)
    frame["rating"] = frame["rating"].round()
    three = model(solver="als").fit(Dataset.from_arrays(frame))
    two = model(solver="als").fit(Dataset.from_arrays(frame[["user", "item"]], frame["rating"]))
    np.testing.assert_allclose(two.components_, three.components_, rtol=1e-4, atol=1e-5)


def test_what_a_fitted_model_makes_of_a_dataset(inline, X):
    fitted = model(max_iter=5).fit(X)
    data, rows = as_table(X), as_rows(X)
    np.testing.assert_allclose(fitted.transform(rows), fitted.transform(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fitted.transform(data), fitted.transform(X)[:299], atol=1e-5)
    part = np.array([5, 2, 9])
    np.testing.assert_allclose(fitted.transform(rows[part]), fitted.transform(X)[part], atol=1e-5)
    assert fitted.score(data) == pytest.approx(fitted.score(X), rel=1e-5)
    order = np.random.default_rng(0).permutation(len(data))[:200]
    pairs = table(X)[["user", "item"]].to_numpy()[order]
    expected = fitted.predict_ratings(*pairs.T)
    np.testing.assert_allclose(fitted.predict_ratings(data[order]), expected, rtol=1e-5)
    unknown = Dataset.from_arrays(np.array([[4000.0, 1.0], [1.0, 70.0], [4000.0, 70.0]]))
    mean = fitted.mean_
    expected = [mean + fitted.item_bias_[1], mean + fitted.user_factors_[1, -1], mean]
    np.testing.assert_allclose(fitted.predict_ratings(unknown), expected, rtol=1e-5)


def test_a_warm_start_and_seen_items(inline, X):
    found = model(warm_start=True, max_iter=5, tol=None).fit(as_rows(X))
    first = found.history_[0]["objective"]
    assert found.fit(as_rows(X)).history_[0]["objective"] < first
    with pytest.raises(ValueError, match="the ratings of a Dataset are not kept"):
        found.recommend(0)
    assert found.recommend([0, 1], n_items=3, exclude_seen=False)[0].shape == (2, 3)
    items, _ = found.recommend(0, n_items=60, X=X[[0]])
    assert not set(items[items >= 0]) & set(X[[0]].indices)


@pytest.mark.parametrize(("run", "victim"), [(MapRun, "server"), (Run, "worker")])
def test_what_is_killed_is_replaced(X, victim, run, monkeypatch):
    """While ratings are shuffled, and while they are trained on."""
    offer, killed = run._offer, []

    def offer_then_kill(self, *leases):
        offer(self, *leases)
        if type(self) is run and not killed and self.crew._handles:
            if victim == "worker":
                killed.append(next(iter(self.crew._handles.values())))
                killed[0].kill()
            else:
                with shared_server().client() as client:
                    killed.append(client.info("server")["process_id"])
                os.kill(killed[0], signal.SIGKILL)

    with config_context(backend="local", n_workers=2, block_bytes=8000):
        data = as_table(X)
        monkeypatch.setattr(run, "_offer", offer_then_kill)
        for module in (reading, sample):  # this process reads no block
            monkeypatch.setattr(module, "read_view", None)
        # Enough epochs for the half of a block that is done twice to be forgotten.
        found = model(max_iter=20, tol=None).fit(data)
    assert killed and len(found.history_) == 20
    assert found.score(X) == pytest.approx(
        model(backend="inline", max_iter=20, tol=None).fit(X).score(X), rel=0.02
    )


def test_a_fit_that_failed_is_gone_on_with(X, tmp_path, monkeypatch):
    entry, runs = Run._entry, []

    def fail(run, epoch, *args):
        if epoch == 6 and not runs:
            runs.append(run.keys.run_id)
            raise KeyboardInterrupt
        return entry(run, epoch, *args)

    monkeypatch.setattr(Run, "_entry", fail)
    settings = {
        "backend": "local", "n_workers": 1, "checkpoint_seconds": 0.001, "keep_checkpoint": True,
        "store_url": tmp_path.as_uri(), "block_bytes": 8000,
    }  # fmt: skip
    of = model(max_iter=10, tol=None, learning_rate=0.1)
    with config_context(**settings):
        data = as_table(X)
        with pytest.raises(KeyboardInterrupt):
            of.fit(data)
    with config_context(**settings, resume=runs[0]):
        with pytest.raises(ValueError, match="the data: X, y or sample_weight"):
            of.fit(data[5:])
        assert [entry["epoch"] for entry in of.fit(data).history_] == list(range(1, 11))


def test_numbers_of_items_may_be_any(inline, X):
    """The model has those with ratings alone."""
    frame = table(X)
    apart = frame.assign(item=frame["item"] * 1000 + 7)
    near, far = (model(solver="als").fit(Dataset.from_arrays(f)) for f in (frame, apart))
    places = np.arange(60) * 1000 + 7
    assert far.components_.shape == (3, 59008)
    np.testing.assert_array_equal(far.components_[:, places], near.components_)
    assert not np.delete(far.components_, places, axis=1).any()


def bad(column, value, dtype="float64"):
    frame = pd.DataFrame({"user": [0.0, 1.0], "item": [0.0, 1.0], "rating": [1.0, 2.0]})
    frame[column] = [frame[column][0], value]
    return Dataset.from_arrays(frame, dtype=dtype)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bad("user", -1), "column 'user' has -1: users and items are whole numbers"),
        (lambda: bad("item", 1.5), "column 'item' has 1.5"),
        (lambda: bad("user", np.nan), r"column 'user' has missing \(NaN\)"),
        (lambda: bad("rating", np.nan), r"column 'rating' has a rating that is missing"),
        (lambda: bad("item", 2.0**24, "float32"), "load the table with dtype='float64'"),
        (lambda: bad("user", 2.0**30), "column 'user' goes up to 1073741824, in 2 rows"),
        (lambda: bad("user", "you", "float32"), "column 'user' holds text"),
        (
            lambda: Dataset.from_arrays(np.array([[1.0, 2, 3], [0, 1, 1], [1, 2, 5]])),
            "more than one rating of item 2 by user 1",
        ),
        (lambda: Dataset.from_arrays(np.eye(4)), "columns user, item and rating, in this order"),
        (lambda: Dataset.from_arrays(np.eye(2)), "columns user, item and rating, in this order"),
        (lambda: Dataset.from_arrays(sparse.csr_array((3, 3))), "X has no rating"),
        (lambda: Dataset.from_arrays(np.eye(2), ["a", "b"]), "the labels are texts"),
    ],
)
def test_what_is_refused(inline, make, message):
    data = make()
    with pytest.raises(ValueError, match=message):
        model().fit(data)


def test_weights_and_other_items_are_refused(inline, X):
    with pytest.raises(ValueError, match="rating_weight cannot be used with a Dataset"):
        model().fit(as_rows(X), rating_weight=X)
    fitted = model(max_iter=2).fit(as_rows(X))
    with pytest.raises(ValueError, match="X has 59 features.*expecting 60"):
        fitted.transform(as_rows(X[:, :59]))
    with pytest.raises(ValueError, match="column 'x1' goes up to 60, and there are only 60 items"):
        fitted.transform(Dataset.from_arrays(np.array([[1.0, 60.0, 3.0]])))
    with pytest.raises(TypeError, match="a Dataset is not an array"):
        fitted.recommend(0, X=as_rows(X))
    with pytest.raises(ValueError, match="leave items and X out"):
        fitted.predict_ratings(as_table(X), [1])
