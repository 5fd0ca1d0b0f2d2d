"""Cross-validation that hides ratings."""

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state

from .._parameters import check_flag, check_integer, check_seed
from .._ratings import Ratings


class RatingsKFold(BaseCrossValidator):
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

    def split(self, X, y=None, groups=None):
        """Yield the ratings to train on and those to test on, once for each fold.

        Parameters
        ----------
        X : Ratings
        y, groups : None
            Ignored.

        Yields
        ------
        train, test : integer arrays of shape (n_train,) and (n_test,)
            Indices of ratings, in order.

        Raises
        ------
        ValueError
            If a parameter is bad, X is no Ratings or has less ratings than there are folds.
        """
        check_integer("n_splits", self.n_splits, 2)
        check_flag("shuffle", self.shuffle)
        check_seed("random_state", self.random_state)
        if not isinstance(X, Ratings):
            raise ValueError(
                "RatingsKFold splits ratings, not users: pass Ratings(X) in place of X, a "
                f"{type(X).__name__}"
            )
        if len(X) < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} is greater than the number of ratings: {len(X)}"
            )
        random = check_random_state(self.random_state) if self.shuffle else None
        folds = even_folds(X.users, self.n_splits, random)
        for fold in range(self.n_splits):
            yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        int
        """
        return self.n_splits


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
