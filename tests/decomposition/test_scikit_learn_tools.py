"""Pickle, clone, pipelines, searches, set_output, metadata routing: one of scikit-learn's."""

import pickle

import numpy as np
import pandas
import polars
import pytest
import sklearn
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_cirrus import CirrusMatrixFactorization
from sklearn_cirrus.model_selection import Ratings, RatingsKFold, rating_rmse_scorer

from ..bare_client import check_bare


def new(**parameters):
    """Return an estimator that is deterministic and quick."""
    parameters = {"backend": "inline", "random_state": 0, "max_iter": 6} | parameters
    return CirrusMatrixFactorization(**{"n_components": 2} | parameters)


def test_a_pickle_predicts_where_there_is_no_redis_client(ratings, tmp_path):
    model = new(backend="local").fit(ratings)
    expected = model.transform(ratings), model.recommend([0, 1])[0]
    checks = """
assert np.array_equal(model.transform(X), expected[0])
assert np.array_equal(model.recommend([0, 1])[0], expected[1])
"""
    check_bare(tmp_path / "model.pickle", model, ratings, expected, checks)


def test_a_second_pickle_is_the_first(fitted):
    once = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(once.components_, fitted.components_)
    assert once.history_ == fitted.history_ and once.mean_ == fitted.mean_
    assert pickle.dumps(pickle.loads(pickle.dumps(once))) == pickle.dumps(once)


def test_clone_keeps_parameters_and_drops_the_fit(fitted, ratings):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert set(vars(copy)) == set(copy.get_params())
    for call in (
        lambda: copy.transform(ratings),
        lambda: copy.inverse_transform(ratings),
        lambda: copy.score(ratings),
        lambda: copy.predict_ratings(0, 0),
        lambda: copy.recommend(0),
        copy.get_feature_names_out,
    ):
        with pytest.raises(NotFittedError):
            call()


def test_repr():
    assert repr(CirrusMatrixFactorization(5, alpha=0.3)) == (
        "CirrusMatrixFactorization(alpha=0.3, n_components=5)"
    )
    assert "CirrusMatrixFactorization" in new()._repr_html_()


def test_two_fits_are_the_same_on_every_backend(ratings):
    once, again, local = (new(backend=b).fit(ratings) for b in ("inline", "inline", "local"))
    assert np.array_equal(once.components_, again.components_)
    assert np.array_equal(once.components_, local.components_)
    assert np.array_equal(once.user_factors_, local.user_factors_)


def test_set_output_and_names(ratings):
    names = [f"cirrusmatrixfactorization{i}" for i in range(3)]
    model = new().fit(pandas.DataFrame(ratings, columns=[f"film {i}" for i in range(40)]))
    assert model.get_feature_names_out().tolist() == names
    assert model.feature_names_in_[39] == "film 39"
    frame = pandas.DataFrame(ratings, columns=model.feature_names_in_, index=range(100, 160))
    found = model.set_output(transform="pandas").transform(frame)
    assert found.columns.tolist() == names and found.index.tolist() == list(range(100, 160))
    plain = new().set_output(transform="polars").fit_transform(ratings)
    assert isinstance(plain, polars.DataFrame) and plain.columns == names
    assert np.array_equal(plain.to_numpy(), found.to_numpy())
    assert new(biased=False).fit(ratings).get_feature_names_out().tolist() == names[:2]
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(frame[frame.columns[::-1]])


def test_pipelines(ratings):
    factors = new().fit_transform(ratings)
    kmeans = KMeans(3, random_state=0, n_init=1)
    after = make_pipeline(new(), kmeans).fit(ratings)
    assert np.array_equal(after.predict(ratings), clone(kmeans).fit_predict(factors))
    scaled = StandardScaler().fit_transform(ratings[:, 4:])  # NaN stays
    before = make_pipeline(StandardScaler(), new()).fit(ratings[:, 4:])
    assert np.array_equal(before.transform(ratings[:, 4:]), new().fit_transform(scaled))


def test_grid_search_that_hides_ratings(ratings):
    grid = {"alpha": [0.03, 3.0]}
    search = GridSearchCV(
        new(max_iter=15), grid, cv=RatingsKFold(3, random_state=0), scoring=rating_rmse_scorer
    )
    search.fit(Ratings(ratings))
    assert search.best_params_ == {"alpha": 0.03}
    assert search.best_estimator_.user_factors_.shape == (60, 3)
    worse, better = sorted(search.cv_results_["mean_test_score"])
    assert better > 0.8 * worse  # that is, a smaller error


def test_grid_search_that_hides_users(ratings):
    grid = {"alpha": [0.03, 3.0]}
    search = GridSearchCV(new(max_iter=15), grid, cv=KFold(3), scoring=rating_rmse_scorer)
    search.fit(ratings)
    assert search.best_params_ == {"alpha": 0.03}
    fits = cross_val_score(new(), ratings[10:], cv=3)  # the model's own score
    assert fits.shape == (3,) and (fits < 0).all()


def test_metadata_routing(ratings):
    weights = np.where(np.arange(40) < 20, 10.0, 1.0) * np.ones_like(ratings)
    direct = new().fit(ratings, rating_weight=weights)
    with sklearn.config_context(enable_metadata_routing=True):
        mf = new().set_fit_request(rating_weight=True)
        assert mf.get_metadata_routing().fit.requests == {"rating_weight": True}
        pipeline = make_pipeline(mf).fit(ratings, rating_weight=weights)
        with pytest.raises(TypeError, match="rating_weight"):
            refuses = new().set_fit_request(rating_weight=False)
            make_pipeline(refuses).fit(ratings, rating_weight=weights)
        # A weight goes where its rating goes.
        some = Ratings(ratings)
        cross = cross_val_score(
            mf,
            some,
            cv=RatingsKFold(2, random_state=0),
            scoring=rating_rmse_scorer,
            params={"rating_weight": weights[some.users, some.items]},
        )
    assert np.array_equal(pipeline[-1].components_, direct.components_)
    train, test = next(RatingsKFold(2, random_state=0).split(some))
    one = new().fit(some[train], rating_weight=weights[some.users, some.items][train])
    assert cross[0] == rating_rmse_scorer(one, some[test])
