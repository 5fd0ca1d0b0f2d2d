"""Searches on joblib's threads: each row of an array is put once, in whatever folds it is."""

import threading
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from cirrus_runtime.dataset_blocks import DatasetBlocks
from cirrus_runtime.store import FolderStore
from sklearn_cirrus import _shared_blocks
from sklearn_cirrus._columns import Columns
from sklearn_cirrus._shared_rows import GivenRows, SharedRows
from sklearn_cirrus.exceptions import StoreError
from sklearn_cirrus.servers import shared_server

from .searches_on_threads import FOLDS, search, wait_until_nothing_is_left

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("small_blocks"),
]
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(3000, 20))
Y = (X[:, 0] - X[:, 1] + RANDOM.logistic(size=len(X)) > 0).astype(int)
WEIGHTS = RANDOM.uniform(0.5, 2.0, len(X))
KINDS = {
    "far": X + 1e6,  # float32 cannot hold these
    "float32": X.astype(np.float32),
    "sparse": sparse.csr_array(np.where(np.abs(X) > 0.5, X, 0)),
}


@pytest.fixture
def sizes(monkeypatch):
    """Return a list of the bytes of all blocks that this process puts."""
    found, put = [], FolderStore.put

    def count(store, name, data):
        if name.endswith(".safetensors"):
            found.append(sum(memoryview(piece).nbytes for piece in data))
        put(store, name, data)

    monkeypatch.setattr(FolderStore, "put", count)
    return found


def bytes_of(X, weighted=False):
    """Return the bytes of the blocks of X: columns and values of entries, ends and labels."""
    entries = X.nnz if sparse.issparse(X) else X.size
    return 8 * entries + (12 if weighted else 8) * X.shape[0]


def test_a_search_puts_several_mebibytes_once(monkeypatch, sizes):
    monkeypatch.delenv("CIRRUS_BLOCK_BYTES")
    wide = RANDOM.normal(size=(9000, 100))
    y = (wide[:, 0] > 0).astype(int)
    more = {"cv": 5, "n_workers": 2, "max_iter": 1}
    search(wide, y, {"C": [0.01, 0.1, 1.0]}, **more)
    assert 6 << 20 < bytes_of(wide) <= sum(sizes) <= 1.02 * bytes_of(wide)
    wait_until_nothing_is_left()


@pytest.mark.parametrize(("kind", "weighted", "params"), [
    ("far", False, {}),
    ("far", True, {}),
    ("float32", False, {"class_weight": "balanced", "early_stopping": True}),
    ("sparse", True, {}),
    ("sparse", False, {"early_stopping": True, "random_state": None}),
])  # fmt: skip
def test_folds_share_rows_and_score_as_they_should(sizes, kind, weighted, params):
    grid = {"C": [0.001, 0.1]}
    data = KINDS[kind], Y
    weights = WEIGHTS if weighted else None
    more = {"n_workers": 2, "max_iter": 8} | params
    found = search(*data, grid, fit_params={"sample_weight": weights}, **more)
    assert bytes_of(data[0], weighted) <= sum(sizes) <= 1.1 * bytes_of(data[0], weighted)
    wait_until_nothing_is_left()
    exact = LogisticRegression(class_weight=params.get("class_weight"), max_iter=1000)
    near = X if kind == "far" else data[0]  # which has the same models but for the intercept
    expected = GridSearchCV(exact, grid, cv=FOLDS, scoring="neg_log_loss", refit=False)
    expected.fit(near, Y, sample_weight=weights)
    scores = [s.cv_results_["mean_test_score"] for s in (found, expected)]
    # Early stopping trains on fewer rows, and stops where so few held-out ones say so.
    np.testing.assert_allclose(*scores, atol=0.04 if "early_stopping" in params else 0.01)


def test_folds_without_a_class_share_nothing_wrong(sizes):
    y = np.where(np.arange(len(X)) < 1000, 7, Y)  # the first fold is all of a class
    found = search(X[::-1], y[::-1], {"C": [1.0]}, n_workers=2, scoring="accuracy")
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    assert bytes_of(X) < sum(sizes) < 2 * bytes_of(X)


@pytest.mark.parametrize("params", [{"n_workers": 1}, {"solver": "lbfgs", "n_workers": 2}])
def test_what_gives_the_same_model_every_time_still_does(sizes, params):
    found = [search(X, Y, {"C": [1.0]}, threads=n, **params) for n in (4, 1)]
    scores = [s.cv_results_["mean_test_score"].tolist() for s in found]
    assert scores[0] == scores[1]


# ---- Selections by themselves


@pytest.fixture
def shelves(tmp_path):
    """Return a function that selects rows of KINDS["far"] on a thread of a pool."""
    store, taken = FolderStore(tmp_path), []
    with ThreadPool(1) as pool:

        def select(rows, weights=None, centered=True):
            data, labels = KINDS["far"][rows], Y[rows].astype(np.float32)
            given = GivenRows(data, labels, weights, 2, Columns.of(data, centered))
            order = np.arange(len(rows))
            shared = pool.apply(SharedRows, (store.url, given, [order], [4]))
            taken.append(shared)
            return shared, *shared.part(order)

        yield store, select
        for shared in taken:
            pool.apply(shared.release)
    wait_until_nothing_is_left(tmp_path)


def read(store, part, options):
    """Return values and labels of a part as workers read them, as rows."""
    blocks = DatasetBlocks({"train": options})
    found = [blocks.read(store, f"runs/x/train-{i:06d}.safetensors") for i in range(part.n_blocks)]
    assert all(block.n_rows for block in found)
    assert sum(block.n_rows for block in found) == part.n_rows
    return np.concatenate(
        [np.column_stack([b.data.reshape(b.n_rows, -1), b.labels]) for b in found]
    )


def as_rows(rows):
    """Return what workers should read of the rows of KINDS["far"], in order."""
    data = KINDS["far"][rows]
    return np.column_stack([data - data.mean(axis=0), Y[rows]])


def test_a_selection_is_its_rows_less_their_own_centre(shelves, sizes):
    store, select = shelves
    rows = np.arange(3000)
    folds = [rows[rows % 3 != i] for i in range(3)]
    for fold in folds:
        _, part, options = select(fold)
        assert list(part.put(store, None, "train")) == list(range(part.n_blocks))
        found, expected = read(store, part, options), as_rows(fold)
        found, expected = (r[np.lexsort(r.T[:2])] for r in (found, expected))
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert len(sizes) == 4 + 2
    assert len(_shared_blocks._shelves) == 1


def test_data_that_has_little_in_common_is_on_shelves_of_its_own(shelves):
    _, select = shelves
    rows = np.arange(3000)
    select(rows[:1000])
    select(rows[:1000])
    assert len(_shared_blocks._shelves) == 1
    select(rows[1000:2000])  # other rows
    select(rows[800:1800])  # a fifth of one, four of the other
    assert len(_shared_blocks._shelves) == 2
    select(rows[:300])  # too few to read all for them
    assert len(_shared_blocks._shelves) == 3
    select(rows[2000:], centered=False)
    select(rows[2000:])  # all are there, but not centred: float32 would lose what this fit needs
    assert len(_shared_blocks._shelves) == 5


def test_weights_count_from_the_mean_of_the_fold(shelves):
    store, select = shelves
    rows = np.arange(2000)
    for chosen in (rows, rows[500:]):
        shared, part, options = select(chosen, weights=WEIGHTS[chosen])
        list(part.put(store, None, "train"))
        blocks = DatasetBlocks({"train": options})
        names = [f"runs/x/train-{i:06d}.safetensors" for i in range(part.n_blocks)]
        found = np.concatenate([blocks.read(store, name).weights for name in names])
        expected = WEIGHTS[chosen] / WEIGHTS[chosen].mean()
        np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=1e-6)
    assert len(_shared_blocks._shelves) == 1


def fail(store, name, data):
    raise StoreError("the disk is full")


def test_who_fails_leaves_its_rows_to_others(shelves, sizes, monkeypatch):
    store, select = shelves
    rows = np.arange(3000)
    first, part, _ = select(rows[:2000])
    put = part.put(store, None, "train")
    assert next(put) == 0
    with monkeypatch.context() as patch, pytest.raises(StoreError, match="disk is full"):
        patch.setattr(FolderStore, "put", fail)
        next(put)
    _, other, options = select(rows[500:2500])
    assert list(other.put(store, None, "train")) == list(range(other.n_blocks))
    assert read(store, other, options).shape == (2000, 21)
    assert len(sizes) == 4 + 1


def test_a_shelf_that_lacks_a_block_goes_with_its_last_fit(shelves):
    store, select = shelves
    shared, part, _ = select(np.arange(2000))
    next(part.put(store, None, "train"))
    shared.release()
    shared._shelf.users += 1  # for the release in the end
    assert _shared_blocks._shelves == {}
    assert store.list("runs/") == []


def test_many_threads_put_each_row_once(shelves, sizes):
    store, select = shelves
    rows = np.arange(3000)
    parts = [select(rows[rows % 6 != i])[1] for i in range(6)]
    together = threading.Barrier(6)

    def work(part):
        together.wait(30)
        return list(part.put(store, None, "train")) == list(range(part.n_blocks))

    with ThreadPool(6) as pool:
        assert pool.map(work, parts, chunksize=1) == [True] * 6
    assert bytes_of(X) < sum(sizes) < 1.1 * bytes_of(X)


def test_candidates_that_fail_leave_nothing():
    grid = {"learning_rate": [0.1, 9e8]}
    params = {"solver": "sgd", "C": np.inf, "max_iter": 6, "n_workers": 2}
    with pytest.warns() as warned:
        search(X * 1e29, Y, grid, error_score=np.nan, **params)
    assert any("3 fits failed" in str(warning.message) for warning in warned)
    wait_until_nothing_is_left()
    with shared_server().client() as client:
        assert client.keys() == []
