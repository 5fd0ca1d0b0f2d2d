"""What the splitters of ratings and of blocks have in common."""

from abc import abstractmethod

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state

from .._parameters import check_flag, check_integer, check_seed


class KFolds(BaseCrossValidator):
    """K folds, of which each is tested on once.

    Subclasses set ``n_splits``, ``shuffle`` and ``random_state``.
    """

    def split(self, X, y=None, groups=None):
        """Yield what to train on and what to test on, once for each fold.

        Parameters
        ----------
        X : Ratings or Dataset
            What this class splits.
        y, groups : None
            Ignored.

        Yields
        ------
        train, test : integer arrays of shape (n_train,) and (n_test,)
            Indices of ratings, or of rows, in order.

        Raises
        ------
        ValueError
            If a parameter is bad, X is of another kind or has less to split than there are folds.
        """
        check_integer("n_splits", self.n_splits, 2)
        check_flag("shuffle", self.shuffle)
        check_seed("random_state", self.random_state)
        random = check_random_state(self.random_state) if self.shuffle else None
        folds = self._folds(X, random)
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

    @abstractmethod
    def _folds(self, X, random):
        """Return the fold of each index of X; ``random`` is None where nothing is shuffled."""
