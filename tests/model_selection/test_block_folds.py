"""Folds of whole blocks of a dataset."""

import numpy as np
import pytest

from sklearn_cirrus import Dataset, config_context
from sklearn_cirrus.model_selection import BlockKFold


@pytest.fixture(scope="module")
def blocks():
    with config_context(block_bytes=1024):
        made = Dataset.from_arrays(np.arange(1000.0).reshape(20, 50), np.arange(20) % 2)
    assert made.n_blocks >= 4
    return made


def block_numbers(data):
    """Return the block of each row of the whole dataset."""
    return np.repeat(np.arange(data.n_blocks), list(data.blocks().values()))


@pytest.mark.parametrize("shuffle", [False, True])
def test_every_block_is_held_out_once_and_whole(blocks, shuffle):
    of = block_numbers(blocks)
    cv = BlockKFold(3, shuffle=shuffle, random_state=0 if shuffle else None)
    assert cv.get_n_splits(blocks) == 3
    seen = []
    for train, test in cv.split(blocks):
        assert not set(of[train]) & set(of[test])
        assert sorted([*train, *test]) == list(range(20))
        if not shuffle:
            assert (np.diff(test) == 1).all()
        seen += test.tolist()
    assert sorted(seen) == list(range(20))


def test_random_blocks_are_those_of_the_seed(blocks):
    folds = [
        [test.tolist() for _, test in BlockKFold(2, shuffle=True, random_state=s).split(blocks)]
        for s in (1, 1, 2)
    ]
    assert folds[0] == folds[1] != folds[2]


def test_selected_rows_belong_to_the_blocks_they_are_from(blocks):
    rows = np.random.default_rng(0).permutation(20)
    of = block_numbers(blocks)[rows]
    for train, test in BlockKFold(2).split(blocks[rows]):
        assert not set(of[train]) & set(of[test])


@pytest.mark.parametrize(
    ("cv", "match"),
    [
        (BlockKFold(1), "n_splits"),
        (BlockKFold(99), "greater than the number of blocks"),
        (BlockKFold(2, shuffle=1), "shuffle"),
        (BlockKFold(2, shuffle=True, random_state="a"), "random_state"),
    ],
)
def test_bad_parameters_are_refused(blocks, cv, match):
    with pytest.raises(ValueError, match=match):
        next(cv.split(blocks))


def test_arrays_have_no_blocks():
    with pytest.raises(ValueError, match="use scikit-learn's KFold"):
        next(BlockKFold(2).split(np.eye(4)))
