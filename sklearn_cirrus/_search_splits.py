"""The splits of a search's rows, and how its fits are scored on them."""

import numpy as np
from sklearn.model_selection._validation import _fit_and_score
from sklearn.utils.validation import _num_samples


def draw_splits(splitter, X, y, params):
    """Return the splits of rows as pairs of indices.

    Parameters
    ----------
    splitter : cross-validation generator
    X : array-like, sparse matrix, Ratings or Dataset
    y : array of shape (n_samples,) or None
    params : dict
        Of ``splitter.split``.

    Raises
    ------
    ValueError
        If there are none, or not as many as the splitter says.
    """
    n_splits = splitter.get_n_splits(X, y, **params)
    splits = [
        tuple(np.arange(_num_samples(X))[part] for part in split)  # masks become indices
        for split in splitter.split(X, y, **params)
    ]
    if len(splits) != n_splits or not splits:
        raise ValueError(
            "cv.split and cv.get_n_splits return inconsistent results. Expected "
            f"{n_splits} splits, got {len(splits)}"
        )
    return splits


def make_score(search, X, y, splits, scorers, score_params):
    """Return the function that fits an estimator on a split and scores it.

    ``score(estimator, split, values, fit_params)`` returns what scikit-learn's ``_fit_and_score``
    does. Without ``values``, parameters to set, the estimator has been trained. Rows of a Dataset
    stay where they are: workers compute the margins.
    """

    def score(estimator, split, values, fit_params):
        train, test = splits[split]
        if values is None and not search.return_train_score:
            train = train[:1]  # it has been trained: no copy of its rows is needed
        return _fit_and_score(
            *(estimator, X, y),
            scorer=scorers,
            train=train,
            test=test,
            verbose=0,
            parameters=values,
            fit_params=fit_params,
            score_params=score_params,
            return_train_score=search.return_train_score,
            return_n_test_samples=True,
            return_times=True,
            error_score=search.error_score,
        )

    return score
