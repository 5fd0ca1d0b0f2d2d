"""Cross-validation that holds out whole blocks of a dataset."""

import numpy as np

from .._dataset import Dataset
from .._dataset.selection import in_order
from ._k_folds import KFolds


class BlockKFold(KFolds):
    """K folds of the blocks of a :class:`~sklearn_cirrus.Dataset`.

    A block has rows that followed each other where they were loaded from. So rows that belong
    together, such as those of a day in a log, are held out together, but for those at the ends of
    a block; :class:`sklearn.model_selection.KFold` with ``shuffle`` tears them apart.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds; 2 or more.
    shuffle : bool, default=False
        Whether blocks are dealt out at random. If not, a fold has blocks that follow each other.
    random_state : int, RandomState instance or None, default=None
        Decides which block goes where, with ``shuffle``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_cirrus import Dataset, config_context
    >>> from sklearn_cirrus.model_selection import BlockKFold
    >>> with config_context(block_bytes=1024):
    ...     data = Dataset.from_arrays(np.zeros((6, 100)))
    >>> for train, test in BlockKFold(2).split(data):
    ...     print(train, test)
    [3 4 5] [0 1 2]
    [0 1 2] [3 4 5]
    """

    def __init__(self, n_splits=5, *, shuffle=False, random_state=None):
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def _folds(self, X, random):
        if not isinstance(X, Dataset):
            raise ValueError(
                f"BlockKFold splits the blocks of a Dataset, not a {type(X).__name__}: use "
                "scikit-learn's KFold or StratifiedKFold, or make it one by Dataset.from_arrays"
            )
        counts = list(X.blocks().values())
        if len(counts) < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} is greater than the number of blocks: {len(counts)}; "
                "load the rows with smaller ones (config_context(block_bytes=...))"
            )
        order = np.arange(len(counts))
        if random is not None:
            order = random.permutation(order)
        fold_of_block = np.empty(len(counts), int)
        for fold, blocks in enumerate(np.array_split(order, self.n_splits)):
            fold_of_block[blocks] = fold
        return in_order(X, np.repeat(fold_of_block, counts))
