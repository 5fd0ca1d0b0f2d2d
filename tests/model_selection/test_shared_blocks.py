"""Searches on joblib's threads: the blocks of a fold are put once, and nothing of them is left."""

import threading
from multiprocessing.pool import ThreadPool

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from scipy import sparse

from cirrus_runtime.store import FolderStore, open_store
from sklearn_cirrus import Dataset, _shared_blocks
from sklearn_cirrus._ingest import Blocks, Part, count_blocks
from sklearn_cirrus._shared_blocks import SharedPart
from sklearn_cirrus.exceptions import DivergenceError, StoreError
from sklearn_cirrus.servers import shared_server

from .searches_on_threads import BLOCK, FOLDS, search, wait_until_nothing_is_left

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("small_blocks"),
]


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    X = random.normal(size=(1650, 20)).astype(np.float32)
    return X, (X[:, 0] - X[:, 1] + random.logistic(size=len(X)) > 0).astype(int)


def blocks_of_folds(X, held_out=0.0):
    """Return how many blocks the three folds have together."""
    n = 0
    for train, _ in FOLDS.split(X):
        valid = round(held_out * len(train))
        n += sum(count_blocks(X, m, 1, BLOCK) for m in (len(train) - valid, valid) if m)
    return n


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_candidates_put_each_fold_once(rows, puts, kind):
    X, y = rows
    if kind == "sparse":
        X = sparse.csr_array(np.where(np.abs(X) > 0.5, X, 0))
    shared = search(X, y)
    assert len(puts) == len(set(puts)) == blocks_of_folds(X) >= 6
    wait_until_nothing_is_left()
    puts.clear()
    alone = search(X, y, threads=1)
    assert len(puts) == 4 * blocks_of_folds(X)
    scores = [s.cv_results_["mean_test_score"].tolist() for s in (shared, alone)]
    assert scores[0] == scores[1]  # bit for bit: the same rows in the same order
    assert len(set(scores[0])) == 4


def test_exact_fits_share_too(rows, puts):
    shared = search(*rows, solver="lbfgs", max_iter=50, tol=1e-3, n_workers=2)
    n = len(set(puts))
    assert len(puts) == n >= 3
    alone = search(*rows, solver="lbfgs", max_iter=50, tol=1e-3, threads=1)
    assert len(puts) == n + 4 * n
    scores = [s.cv_results_["mean_test_score"].tolist() for s in (shared, alone)]
    assert scores[0] == scores[1]


def test_fits_that_differ_by_chance_share(rows, puts):
    search(*rows, random_state=None)
    assert len(puts) == blocks_of_folds(rows[0])


def test_held_out_rows_are_shared_too(rows, puts):
    search(*rows, early_stopping=True, validation_fraction=0.25)
    assert len(puts) == blocks_of_folds(rows[0], held_out=0.25)
    assert {name.rpartition("/")[2].partition("-")[0] for name in puts} == {"train", "valid"}


def test_what_is_no_business_of_the_blocks_may_differ(rows, puts):
    grid = [{"solver": ["sgd"]}, {"l1_ratio": [0.5]}, {"learning_rate": [0.1], "batch_size": [40]},
            {"max_iter": [1], "tol": [0.1], "n_iter_no_change": [2]}]  # fmt: skip
    search(*rows, grid)
    assert len(puts) == blocks_of_folds(rows[0])


def test_what_is_cut_otherwise_is_not_shared(rows, puts):
    grid = {"class_weight": [None, {0: 1.0, 1: 3.0}], "fit_intercept": [True, False], "C": [1, 9]}
    search(*rows, grid)
    # Row weights are in the blocks; so are centres, which a fit without an intercept has none of.
    assert len(puts) == 4 * blocks_of_folds(rows[0])


def test_blocks_that_are_too_much_to_keep_go_at_once(rows, puts, monkeypatch):
    monkeypatch.setattr(_shared_blocks, "_MOST_BYTES", 0)
    with ThreadPool(1) as pool:
        for _ in range(2):
            pool.apply(search, rows, {"grid": {"C": [1.0]}, "threads": 1})
            assert _shared_blocks._shelves == {}
    assert len(puts) == 2 * blocks_of_folds(rows[0])


def test_blocks_go_with_the_threads_from_a_store_of_the_user(rows, puts, monkeypatch, tmp_path):
    monkeypatch.setenv("CIRRUS_STORE_URL", tmp_path.as_uri())
    with ThreadPool(1) as pool:
        pool.apply(search, rows, {"threads": 1})
        assert len(list(tmp_path.rglob("*.safetensors"))) == blocks_of_folds(rows[0]) == len(puts)
    wait_until_nothing_is_left(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_puts_nothing(rows, puts):
    X, y = rows
    data = Dataset.from_arrays(X, y)
    assert len(puts) >= data.n_blocks > 2
    puts.clear()
    found = [search(data, y, threads=threads) for threads in (4, 1)]
    assert puts == []
    scores = [s.cv_results_["mean_test_score"].tolist() for s in found]
    assert scores[0] == scores[1]
    assert len(set(scores[0])) == 4


@pytest.mark.parametrize("threads", [2, 4])
def test_a_candidate_that_fails_leaves_nothing(rows, threads):
    X, y = rows
    grid = {"learning_rate": [0.1, 9e8, 0.2, 0.3]}
    with pytest.raises(DivergenceError):
        search(X * 1e29, y, grid, threads=threads, solver="sgd", C=np.inf, max_iter=20)
    wait_until_nothing_is_left()  # of those that were under way too
    with shared_server().client() as client:
        assert client.keys() == []
    search(X, y, {"C": [1.0]}, threads=threads)


# ---- Parts by themselves


def parts_of(rows, store, count):
    """Return parts of the same content, as of fits on a thread of a pool."""
    X, y = rows
    given = X, y.astype(np.float32), None, np.arange(len(X)), 3
    with ThreadPool(1) as pool:
        made = [
            pool.apply(SharedPart, (Part(Blocks(*given), 3, len(X)), store.url))
            for _ in range(count)
        ]
        yield made
        for part in made:
            pool.apply(part.release)


def test_who_fails_to_put_leaves_it_to_the_next(rows, puts, tmp_path, monkeypatch):
    store = FolderStore(tmp_path)
    for first, second in parts_of(rows, store, 2):
        put = first.put(store, None, "train")
        assert next(put) == 0
        with monkeypatch.context() as patch, pytest.raises(StoreError, match="disk is full"):
            patch.setattr(FolderStore, "put", fail)
            next(put)
        assert list(second.put(store, None, "train")) == [0, 1, 2]
        assert list(first.put(store, None, "train")) == [0, 1, 2]
        assert puts == [first.keys.block("train", number) for number in range(3)]
    wait_until_nothing_is_left(tmp_path)


def fail(store, name, data):
    raise StoreError("the disk is full")


def test_nothing_is_put_once_the_process_ends(rows, tmp_path):
    store = FolderStore(tmp_path)
    for (part,) in parts_of(rows, store, 1):
        put = part.put(store, None, "train")
        next(put)
        _shared_blocks._remove_all()
        with pytest.raises(StoreError, match="process ends"):
            next(put)
    assert list(tmp_path.iterdir()) == []


def test_many_threads_put_each_block_once(rows, puts, tmp_path):
    store = FolderStore(tmp_path)
    together = threading.Barrier(6)
    for parts in parts_of(rows, store, 6):

        def work(part):
            together.wait(30)
            return list(part.put(store, None, "train"))

        with ThreadPool(6) as pool:
            assert pool.map(work, parts, chunksize=1) == [[0, 1, 2]] * 6
        assert len(puts) == 3
    wait_until_nothing_is_left(tmp_path)


def test_blocks_in_a_bucket(rows, monkeypatch):
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        client = boto3.client("s3")
        client.create_bucket(Bucket="fits")

        def names():
            found = client.list_objects_v2(Bucket="fits").get("Contents", ())
            return ["/".join(item["Key"].split("/")[1:]) for item in found]

        with open_store("s3://fits/of") as store:
            for first, second in parts_of(rows, store, 2):
                assert first.keys == second.keys
                assert list(first.put(store, None, "train")) == [0, 1, 2]
                assert names() == [first.keys.block("train", number) for number in range(3)]
        wait_until_nothing_is_left()
        assert names() == []
        client.close()
    finally:
        server.stop()


def test_other_threads_share_nothing(rows, puts):
    done = []
    thread = threading.Thread(target=lambda: done.append(search(*rows, {"C": [1, 2]}, threads=1)))
    thread.start()
    thread.join(60)
    assert len(done) == 1 and len(puts) == 2 * blocks_of_folds(rows[0])
