"""The scorer against the definition: no rating is predicted by a model that was shown it."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_cirrus import CirrusMatrixFactorization
from sklearn_cirrus.model_selection import Ratings, RatingsKFold, rating_rmse_scorer


@pytest.fixture(scope="module")
def ratings():
    """40 users, 30 items, one planted factor; a user without ratings, one with one."""
    random = np.random.default_rng(0)
    X = 3 + np.outer(random.normal(size=40), random.normal(size=30))
    X[random.random(X.shape) < 0.4] = np.nan
    X[5], X[6] = np.nan, np.nan
    X[6, 2] = 4.0
    return X


def new(**parameters):
    return CirrusMatrixFactorization(2, backend="inline", random_state=0, **parameters)


@pytest.fixture(scope="module")
def model(ratings):
    return new(max_iter=10).fit(ratings[:25])


def test_ratings_are_predicted_for_the_users_of_the_fit(ratings):
    train, test = next(RatingsKFold(4, random_state=0).split(Ratings(ratings)))
    train, test = Ratings(ratings)[train], Ratings(ratings)[test]
    mf = new().fit(train)
    everything = mf.inverse_transform(mf.transform(train))
    errors = everything[test.users, test.items] - test.values
    score = rating_rmse_scorer(mf, test)
    assert score == pytest.approx(-np.sqrt(np.mean(errors**2)), rel=1e-12)
    assert score > -0.6 * test.values.std()
    pipeline = make_pipeline(new()).fit(train)
    assert rating_rmse_scorer(pipeline, test) == score


def test_other_users_are_folded_in_from_what_is_not_hidden(ratings, model, monkeypatch):
    others, calls = ratings[25:], []
    predict = CirrusMatrixFactorization.predict_ratings

    def spy(self, users, items, X=None):
        calls.append((users, items, X))
        return predict(self, users, items, X)

    monkeypatch.setattr(CirrusMatrixFactorization, "predict_ratings", spy)
    score = rating_rmse_scorer(model, others)
    counts, total, hidden_often = (~np.isnan(others)).sum(axis=1), 0.0, np.zeros(others.shape)
    for users, items, shown in calls:
        known = np.full(others.shape, np.nan)
        known[shown.users, shown.items] = shown.values
        assert np.isnan(known[users, items]).all()
        hidden_often[users, items] += 1
        expected = model.inverse_transform(model.transform(known))
        total += ((expected - others)[users, items] ** 2).sum()
        of_user = np.bincount(users, minlength=15)
        assert (of_user >= counts // 5).all() and (of_user <= -(-counts // 5)).all()
    assert np.array_equal(hidden_often, ~np.isnan(others))  # each once
    assert score == pytest.approx(-np.sqrt(total / hidden_often.sum()), rel=1e-9)
    assert score == rating_rmse_scorer(model, others)  # the same are hidden each time
    assert score > -0.6 * np.nanstd(others)


def test_an_only_rating_is_predicted_from_the_bias_of_its_item(model, ratings):
    error = model.mean_ + model.item_bias_[2] - 4.0
    assert rating_rmse_scorer(model, ratings[6:7]) == pytest.approx(-abs(error))


def test_pipelines_and_searches(ratings):
    double = FunctionTransformer(lambda X: 2 * X)
    pipeline = make_pipeline(double, new()).fit(ratings)
    direct = new().fit(2 * ratings)
    assert rating_rmse_scorer(pipeline, ratings) == rating_rmse_scorer(direct, 2 * ratings)
    search = GridSearchCV(make_pipeline(double, new()), {}, scoring=rating_rmse_scorer, cv=2)
    found = rating_rmse_scorer(search.fit(ratings), ratings)
    assert found == rating_rmse_scorer(direct, 2 * ratings)


def test_what_cannot_be_scored_is_refused(model, ratings):
    with pytest.raises(TypeError, match="PCA does not predict ratings"):
        rating_rmse_scorer(PCA(), ratings)
    with pytest.raises(ValueError, match="X has no rating to score"):
        rating_rmse_scorer(model, ratings[5:6])
    with pytest.raises(ValueError, match="users must lie in 0 to 24"):
        rating_rmse_scorer(model, Ratings(ratings))
    with pytest.raises(ValueError, match="29 features"):
        rating_rmse_scorer(model, ratings[:, 1:])
