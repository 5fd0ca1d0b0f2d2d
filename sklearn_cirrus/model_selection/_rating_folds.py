"""Cross-validation that hides ratings."""

import numpy as np

from .._ratings import Ratings
from ._k_folds import KFolds


class RatingsKFold(KFolds):
    """K folds of ratings, over which each user's ratings are spread evenly.

    Of a user of n ratings, ``n // n_splits`` or one more are in each fold: so whoever has two
    ratings or more is known from the others when one is hidden. The folds differ by one rating at
    most. (:class:`sklearn.model_selection.KFold` over a matrix of ratings hides whole users. It
    measures how well users are folded in who were not there to train on.)

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds; 2 or more.
    shuffle : bool, default=True
        Whether a user's ratings are spread at random, rather than in their order.
    random_state : int, RandomState instance or None, default=None
        Decides which rating goes where, with ``shuffle``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_cirrus.model_selection import Ratings, RatingsKFold
    >>> ratings = Ratings([[5, 3, 1, 4], [2, 4, np.nan, np.nan]])
    >>> for train, test in RatingsKFold(2, random_state=0).split(ratings):
    ...     print(ratings.users[train], ratings.users[test])
    [0 0 1] [0 0 1]
    [0 0 1] [0 0 1]
    """

    def __init__(self, n_splits=5, *, shuffle=True, random_state=None):
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def _folds(self, X, random):
        if not isinstance(X, Ratings):
            raise ValueError(
                "RatingsKFold splits ratings, not users: pass Ratings(X) in place of X, a "
                f"{type(X).__name__}"
            )
        if len(X) < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} is greater than the number of ratings: {len(X)}"
            )
        return even_folds(X.users, self.n_splits, random)


def even_folds(users, n_splits, random=None):
    """Return a fold for each rating, such that those of each user are spread evenly.

    Parameters
    ----------
    users : integer array of shape (n_ratings,)
    n_splits : int
    random : RandomState or None
        None: ratings are dealt out in their order.

    Returns
    -------
    integer array of shape (n_ratings,)
        From 0 to n_splits - 1.
    """
    order = np.arange(len(users)) if random is None else random.permutation(len(users))
    order = order[np.argsort(users[order], kind="stable")]
    folds = np.empty(len(users), np.min_scalar_type(n_splits - 1))
    folds[order] = np.arange(len(users)) % n_splits
    return folds
