"""The published vector, over every engine; the oracle is indexing."""

import itertools

import numpy as np
import pytest

from cirrus_runtime.errors import RunEnded, ServerError
from cirrus_runtime.full_batch import ParameterVector

_numbers = itertools.count()


@pytest.fixture
def key(engine):
    key = f"cirrus:{{vector {next(_numbers)}}}:vector"
    yield key
    engine.drop(key)


@pytest.fixture
def table():
    return np.random.default_rng(0).standard_normal((50, 3))


def test_a_vector_is_read_as_it_was_published(engine, key, table):
    for values in (table.ravel(), np.array([np.nan, -np.inf, 5e-324, -0.0])):
        engine.publish(key, values)
        assert engine.read(key).tobytes() == values.tobytes()


@pytest.mark.parametrize("ids", [[], [0], [49, 3, 3, 17], range(50)])
def test_rows_are_gathered(engine, key, table, ids):
    engine.publish(key, table.ravel())
    ids = np.array(ids, np.uint32)
    assert np.array_equal(engine.gather(key, ids, 3), table[ids].ravel())


def test_what_is_published_does_not_change_with_the_array(engine, key, table):
    values = table.ravel().copy()
    engine.publish(key, values)
    values[:] = 0
    assert np.array_equal(engine.read(key), table.ravel())


@pytest.mark.parametrize(
    ("ids", "width", "word"), [([50], 3, "BADID"), ([2**32 - 1], 3, "BADID"), ([0], 4, "BADLENGTH")]
)
def test_bad_rows_are_refused(engine, key, table, ids, width, word):
    engine.publish(key, table.ravel())
    with pytest.raises(ServerError, match=f"^{word}"):
        engine.gather(key, np.array(ids, np.uint32), width)


def test_a_dropped_vector_ends_the_run(engine, key, table):
    engine.publish(key, table.ravel())
    engine.drop(key)
    engine.drop(key)
    for call in (lambda: engine.read(key), lambda: engine.gather(key, np.zeros(1, "u4"), 3)):
        with pytest.raises(RunEnded, match="^NOMODEL"):
            call()


def test_a_worker_pulls_few_rows_or_all(engine, key, table):
    vector = ParameterVector(engine, key, *table.shape)
    vector.publish(table)
    for ids in (np.array([4, 2], np.uint32), np.arange(49, -1, -1, dtype=np.uint32)):
        assert np.array_equal(vector.pull(ids), table[ids])
    vector.publish(2 * table)
    assert np.array_equal(vector.pull(np.array([4], np.uint32)), 2 * table[[4]])
    vector.drop()
    with pytest.raises(RunEnded):
        vector.pull(np.array([4], np.uint32))
