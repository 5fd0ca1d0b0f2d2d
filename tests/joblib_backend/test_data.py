"""Arrays travel once, whatever they are in, and arrive as they were."""

import gc

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from joblib import Parallel, delayed

from cirrus_runtime.keys import RunKeys
from cirrus_runtime.store import open_store
from cirrus_runtime.task_format import digest
from sklearn_cirrus.exceptions import StoreError
from sklearn_cirrus.joblib_backend import last_usage
from sklearn_cirrus.joblib_backend.buffers import Buffers
from sklearn_cirrus.joblib_backend.pickler import Copies, dump_call

LARGE = np.random.default_rng(0).normal(size=(20_000, 10))  # 1.6 MB


def buffers_of(puts):
    return [nbytes for name, nbytes in puts if name.startswith("buffer-")]


def total(*parts, **named):
    return float(sum(np.sum(part) for part in (*parts, *named.values())))


def memmap(tmp_path):
    mapped = np.memmap(tmp_path / "array", dtype=float, mode="w+", shape=LARGE.shape)
    mapped[:] = LARGE
    return mapped


@pytest.mark.parametrize(
    ("kind", "nbytes"),
    [
        (lambda path: LARGE, LARGE.nbytes),
        (lambda path: np.asfortranarray(LARGE), LARGE.nbytes),
        (lambda path: LARGE[:, ::2], LARGE.nbytes // 2),
        (lambda path: LARGE[:1000], LARGE.nbytes // 20),
        (lambda path: LARGE[:1000, ::2], LARGE.nbytes // 40),
        (memmap, LARGE.nbytes),
        (lambda path: {"a": [LARGE, (LARGE[:],)]}["a"][1][0], LARGE.nbytes),
        (lambda path: (LARGE * 1e6).astype("M8[s]"), LARGE.nbytes),
    ],
    ids=["C", "F", "columns", "rows", "small part", "memmap", "nested", "dates"],
)
def test_an_array_travels_once(cirrus, puts, tmp_path, kind, nbytes):
    array = kind(tmp_path)
    digests = Parallel(batch_size=1)(delayed(fingerprint)(array) for _ in range(6))
    assert digests == [fingerprint(array)] * 6
    assert buffers_of(puts) == [nbytes]
    assert last_usage().buffer_bytes == nbytes
    assert last_usage().call_bytes < 10_000


def fingerprint(array):
    return str(array.dtype), array.shape, np.ascontiguousarray(array).tobytes()[:5000:7]


def sparse_total(matrix, weights):
    return float(matrix.sum()), matrix.format, float(sum(weights.values()).sum())


def test_sparse_matrices_and_nested_weights_travel_once(cirrus, puts):
    matrix = sp.random(5000, 500, density=0.02, format="csr", random_state=0)
    weights = {"train": LARGE[:, 0].copy(), "valid": LARGE[:, 0].copy()}
    found = Parallel(batch_size=1)(delayed(sparse_total)(matrix, weights) for _ in range(5))
    assert found == [sparse_total(matrix, weights)] * 5
    parts = [matrix.data.nbytes, matrix.indices.nbytes, matrix.indptr.nbytes]
    equal = weights["train"].nbytes  # two equal arrays are one
    assert sorted(buffers_of(puts)) == sorted([*parts, equal])


def frame_total(frame):
    return float(frame.to_numpy().sum()), list(frame.columns)


def test_data_frames_travel_once(cirrus, puts):
    frame = pd.DataFrame(LARGE, columns=list("abcdefghij"))
    found = Parallel(batch_size=1)(delayed(frame_total)(frame) for _ in range(5))
    assert found == [frame_total(frame)] * 5
    assert sum(buffers_of(puts)) == LARGE.nbytes


def write(array):
    array[0] = -1.0
    return float(array[0, 0])


def test_small_arrays_are_the_tasks_own_and_large_ones_are_shared(cirrus):
    small = LARGE[:5000].copy()  # 400 kB
    assert Parallel()(delayed(write)(small) for _ in range(3)) == [-1.0] * 3
    assert small[0, 0] == LARGE[0, 0]
    with pytest.raises(ValueError, match="read-only"):
        Parallel()(delayed(write)(LARGE) for _ in range(3))
    for options in ({"max_nbytes": None}, {"max_nbytes": "2M"}, {"mmap_mode": "c"}):
        assert Parallel(**options)(delayed(write)(LARGE) for _ in range(3)) == [-1.0] * 3
    with pytest.raises(ValueError, match="read-only"):
        Parallel(max_nbytes="100K")(delayed(write)(small) for _ in range(3))


def test_a_small_array_that_changes_between_calls(cirrus):
    array = np.zeros(50_000)

    def calls():
        for i in range(6):
            array[:] = i
            yield delayed(np.max)(array.copy() if i % 2 else array)

    assert Parallel(n_jobs=2, batch_size=1, pre_dispatch=1)(calls()) == list(range(6))


def test_objects_lie_in_the_folder_that_is_asked_for(cirrus, tmp_path):
    def look(array):
        return sum(1 for path in tmp_path.rglob("buffer-*"))

    assert Parallel(temp_folder=str(tmp_path))(delayed(look)(LARGE) for _ in range(2)) == [1, 1]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def buffers(tmp_path):
    store = open_store(tmp_path.as_uri())
    return store, Buffers(store, RunKeys("r1"), unused_bytes=2500)


def view(value, n=1000):
    return memoryview(bytes([value]) * n)


def test_buffers_that_nobody_needs_make_room(buffers):
    store, buffers = buffers
    entries = [buffers.add(view(i)) for i in range(5)]
    assert [entry[0] for entry in entries] == [digest(view(i)) for i in range(5)]
    buffers.release(entries[:4])
    names = {RunKeys("r1").buffer(name) for name, _ in entries[2:]}
    assert set(store.list()) == names  # two that are not needed, and the one that is
    buffers.add(view(2))  # is there still
    assert buffers.put_bytes == 5000
    buffers.add(view(0))
    assert buffers.put_bytes == 6000
    with pytest.raises(StoreError):
        store.get(RunKeys("r1").buffer(entries[1][0]))


def test_a_large_array_is_digested_once_while_it_lives(buffers, monkeypatch):
    from sklearn_cirrus.joblib_backend import buffers as module

    count = []
    monkeypatch.setattr(module, "digest", lambda data: count.append(1) or digest(data))
    _, buffers = buffers

    def pickled(array):
        _, [view] = dump_call(array, Copies())
        return buffers.add(view)

    array = LARGE.copy()
    first = pickled(array)
    assert pickled(array) == pickled(array[:]) == pickled(array.T.T) == first and len(count) == 1
    assert pickled(array[1:])[0] != first[0] and len(count) == 2
    del array
    gc.collect()
    assert not buffers._digests


def test_copies_live_as_long_as_their_arrays():
    copies, array = Copies(), LARGE[:, :8]
    assert copies.of(array) is copies.of(array)
    assert (copies.of(array) == array).all()
    del array
    assert not copies._copies


def test_memory_maps_of_joblib(cirrus, puts, tmp_path):
    joblib.dump(LARGE, tmp_path / "array.joblib")
    mapped = joblib.load(tmp_path / "array.joblib", mmap_mode="r")
    assert Parallel(batch_size=1)(delayed(total)(mapped) for _ in range(4)) == [total(LARGE)] * 4
    assert buffers_of(puts) == [LARGE.nbytes]
