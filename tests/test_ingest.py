"""Cutting data into blocks, against indexing of the dense matrix in float64."""

import numpy as np
import pytest
from scipy import sparse

from cirrus_runtime.blocks import decode_block, encode_block
from sklearn_cirrus._ingest import count_blocks, make_blocks, row_bytes

N, D = 97, 11
MIB = 2**20


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def labels(random):
    return random.integers(0, 3, N).astype(np.float32)


def make_csr(random, index=np.int32, data=np.float64, kind=sparse.csr_array):
    """Return a CSR matrix with empty rows, a dense row, and stored zeros."""
    dense = random.standard_normal((N, D)) * (random.random((N, D)) < 0.3)
    dense[[0, 5, N - 1]] = 0
    dense[7] = 1.5
    X = kind(dense.astype(data))
    X.data[3] = 0
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    return X


def block_to_dense(block):
    """Return the rows of a block, and which entries it has, as arrays."""
    X, has = np.zeros((block.n_rows, block.n_features)), np.zeros((block.n_rows, D), int)
    rows = np.repeat(np.arange(block.n_rows), np.diff(block.indptr.astype(np.int64)))
    np.add.at(X, (rows, block.indices), 1.0 if block.data is None else block.data)
    np.add.at(has, (rows, block.indices), 1)
    return X, has


def check(X, labels, weights, rows, n_blocks, center=None):
    """Cut X into blocks and compare every row, whole, with the one of X; return the blocks."""
    blocks = list(make_blocks(X, labels, weights, rows, n_blocks, center))
    assert len(blocks) == n_blocks
    sizes = [block.n_rows for block in blocks]
    assert sum(sizes) == len(rows) and max(sizes) - min(sizes) <= 1
    first = 0
    for block in blocks:
        decoded = decode_block(b"".join(encode_block(block)), "b")  # it is a valid one
        part = rows[first : first + block.n_rows]
        first += block.n_rows
        actual, has = block_to_dense(decoded)
        if sparse.issparse(X):
            expected = np.asarray(X[part].todense(), np.float64)
            stored = X[part].copy()
            stored.data = np.ones_like(stored.data)
            np.testing.assert_array_equal(has, stored.todense())
        else:
            expected = np.asarray(X, np.float64)[part] - (0 if center is None else center)
            assert (has == 1).all()
        np.testing.assert_array_equal(actual, expected.astype(np.float32))
        np.testing.assert_array_equal(decoded.labels, labels[part])
        if weights is None:
            assert decoded.weights is None
        else:
            np.testing.assert_array_equal(decoded.weights, weights[part])
        assert decoded.n_features == X.shape[1]
    return blocks


@pytest.mark.parametrize("n_blocks", [1, 4, N])
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("data", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_rows_of_a_csr_matrix(random, labels, index, data, weighted, n_blocks):
    X = make_csr(random, index, data)
    assert X.indices.dtype == X.indptr.dtype == index and X.data.dtype == data
    weights = random.random(N).astype(np.float32) if weighted else None
    check(X, labels, weights, random.permutation(N), n_blocks)


def test_some_rows_of_a_csr_matrix(random, labels):
    X = make_csr(random)
    check(X, labels, None, random.permutation(N)[: N // 3], 3)
    check(X, labels, None, np.array([7]), 1)
    check(X, labels, None, np.array([0, 5]), 2)  # both empty


def test_a_csr_matrix_of_the_old_kind(random, labels):
    check(make_csr(random, kind=sparse.csr_matrix), labels, None, random.permutation(N), 2)


def test_entries_that_repeat_or_are_not_sorted_stay_as_they_are(random, labels):
    indptr, indices = np.array([0, 3, 5]), np.array([4, 1, 4, 9, 0])
    X = sparse.csr_array((np.array([1.0, 2, 4, 8, 16]), indices, indptr), shape=(2, D))
    (block,) = make_blocks(X, labels, None, np.array([1, 0]), 1)
    assert block.indices.tolist() == [9, 0, 4, 1, 4]
    assert block.data.tolist() == [8, 16, 1, 2, 4]


def test_indices_of_two_sizes(random, labels):
    """scipy makes them equal, but lets them be set."""
    for index, indptr in ((np.int64, np.int32), (np.int32, np.int64)):
        X = make_csr(random)
        X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(indptr)
        check(X, labels, None, random.permutation(N), 2)


def test_room_behind_the_entries_is_no_entry(random, labels):
    """scipy allows arrays that are longer than the last row ends."""
    X = make_csr(random)
    expected = [block_to_dense(block)[0] for block in make_blocks(X, labels, None, np.arange(N), 2)]
    X.data, X.indices = np.append(X.data, [5.0, 5.0]), np.append(X.indices, np.int32([1, 1]))
    blocks = make_blocks(X, labels, None, np.arange(N), 2)
    for block, dense in zip(blocks, expected, strict=True):
        np.testing.assert_array_equal(block_to_dense(block)[0], dense)
        assert len(block.indices) == block.indptr[-1]


@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
def test_a_csr_matrix_on_views(random, labels, part):
    """scipy keeps views that are not contiguous; the kernel walks memory without strides."""
    X = make_csr(random)
    apart = np.full(2 * len(getattr(X, part)), 3, getattr(X, part).dtype)
    apart[::2] = getattr(X, part)
    setattr(X, part, apart[::2])
    assert not getattr(X, part).flags.contiguous
    check(X, labels, None, random.permutation(N), 3)


def test_ones_take_no_space(random, labels):
    X = make_csr(random)
    X.data[:] = 1
    rows = random.permutation(N)
    assert all(block.data is None for block in check(X, labels, None, rows, 3))
    X.data[-1] = np.nextafter(np.float32(1), 2)
    assert not any(block.data is None for block in check(X, labels, None, rows, 3))


def test_one_value_that_is_not_one_among_very_many():
    n = 1_100_000
    X = sparse.csr_array((np.ones(n), np.zeros(n, np.int32), np.arange(n + 1)), shape=(n, 1))
    rows, labels = np.arange(n), np.zeros(n, np.float32)
    assert next(make_blocks(X, labels, None, rows, 1)).data is None
    X.data[-1] = 2
    (block,) = make_blocks(X, labels, None, rows, 1)
    np.testing.assert_array_equal(block.data, X.data)


LAYOUTS = {
    "C": lambda X: np.ascontiguousarray(X),
    "Fortran": lambda X: np.asfortranarray(X),
    "rows apart": lambda X: np.repeat(X, 3, axis=0)[::3],
    "columns apart": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": lambda X: np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
    "in records": lambda X: in_records(X),
}


def in_records(X):
    """Return X as a field of records that are no multiple of a number long."""
    records = np.zeros(len(X), [("x", X.dtype, X.shape[1]), ("flag", np.int8)])
    records["x"] = X
    return records["x"]


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("data", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_of_an_array(random, labels, layout, data, weighted):
    dense = random.standard_normal((N, D)).astype(data)
    X = LAYOUTS[layout](dense)
    np.testing.assert_array_equal(X, dense)
    weights = random.random(N).astype(np.float32) if weighted else None
    check(X, labels, weights, random.permutation(N), 4, random.standard_normal(D))
    check(X, labels, weights, random.permutation(N)[:5], 2, np.zeros(D))


def test_arrays_need_no_centre(random, labels):
    check(random.standard_normal((N, D)), labels, None, random.permutation(N), 2)


def test_centring_is_done_before_narrowing(random, labels):
    """Values of 1e9 differ in float64 by what float32 cannot tell."""
    X = 1e9 + random.standard_normal((N, D))
    center = X.mean(axis=0)
    for block in make_blocks(X, labels, None, np.arange(N), 1, center):
        np.testing.assert_allclose(block.data.reshape(N, D), X - center, rtol=1e-6, atol=1e-9)


def test_zeros_of_an_array_are_entries(labels):
    """Their absence would be a zero in the centred data."""
    check(np.zeros((N, D)), labels, None, np.arange(N), 1, np.full(D, 2.0))


def test_blocks_are_made_one_at_a_time(random, labels):
    """Data that fits into memory once must be enough."""
    X = random.standard_normal((N, D))
    blocks = make_blocks(X, labels, None, np.arange(N), 3, np.zeros(D))
    next(blocks)
    X[-1] = 7  # so the last block cannot have been made
    assert [block.data[-1] == 7 for block in blocks] == [False, True]


def test_the_size_of_a_row(random):
    X = make_csr(random)
    block = next(make_blocks(X, np.zeros(N, "f4"), np.ones(N, "f4"), np.arange(N), 1))
    assert row_bytes(X) * N == pytest.approx(block.nbytes, abs=5)  # indptr has one more
    X = X.toarray()
    block = next(make_blocks(X, np.zeros(N, "f4"), np.ones(N, "f4"), np.arange(N), 1, np.zeros(D)))
    assert row_bytes(X) * N == pytest.approx(block.nbytes, abs=5)


class Shape:
    """Stands for an array, so large ones need no memory."""

    def __init__(self, *shape):
        self.shape = shape


@pytest.mark.parametrize(
    ("rows_mib", "n_workers", "block_mib", "expected"),
    [
        (0.9, 8, 32, 1),  # small data: one worker alone
        (0.9, 1, 32, 1),
        (80, 1, 32, 3),  # one worker: as large as may be
        (32, 1, 32, 1),
        (33, 1, 32, 2),
        (80, 4, 32, 16),  # four blocks a worker
        (8, 4, 32, 8),  # but none below a MiB
        (800, 4, 32, 25),  # nor beyond the bound
        (1.5, 4, 32, 2),
    ],
)
def test_the_number_of_blocks(rows_mib, n_workers, block_mib, expected):
    n_rows = 10_000
    X = Shape(n_rows, (rows_mib * MIB / n_rows - 12) / 8)  # 12 bytes of a row are no entries
    assert count_blocks(X, n_rows, n_workers, block_mib * MIB) == expected


def test_no_block_is_empty_or_beyond_the_bound(random):
    for _ in range(300):
        n_rows, n_workers = int(random.integers(1, 2000)), int(random.integers(1, 9))
        X = Shape(n_rows, int(10 ** random.uniform(0, 5)))
        bound = int(10 ** random.uniform(4, 8))
        count = count_blocks(X, n_rows, n_workers, bound)
        assert isinstance(count, int) and 1 <= count <= n_rows
        largest = -(-n_rows // count)
        # Rows are whole: a block of nearly equal shares may exceed the bound by less than one.
        assert largest == 1 or (largest - 1) * row_bytes(X) < max(bound, 1)
