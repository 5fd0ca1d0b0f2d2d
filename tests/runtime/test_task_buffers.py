"""Arrays of tasks in files of a function's own disk."""

import numpy as np
import pytest

from cirrus_runtime import task_buffers
from cirrus_runtime.errors import StoreError
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.store_memory import MemoryStore

from .tasks import RUN, make_job


def test_arrays_in_files_of_our_own(tmp_path):
    store, folder = MemoryStore(), tmp_path / "buffers"
    folder.mkdir()
    (folder / "left over").write_text("by another process")
    arrays = [np.full(100, float(number)) for number in range(4)]
    jobs = [make_job(store, lambda array=array: array) for array in arrays]
    hashed = [job["buffers"][0] if job["buffers"] else None for job in jobs]
    assert hashed == [None] * 4  # 800 bytes: they stay in the pickle
    arrays = [np.full(200, float(number)) for number in range(4)]
    jobs = [make_job(store, lambda array=array: array) for array in arrays]
    buffers = task_buffers.DiskBuffers(3 * 1600 + 100, folder)
    assert not folder.exists()

    def get(number):
        ((name, nbytes),) = jobs[number]["buffers"]
        return np.frombuffer(buffers.get(store, RunKeys(RUN).buffer(name), name, nbytes))

    def files():
        return {path.name for path in folder.iterdir()}

    first = get(0)
    for number in (1, 2, 0, 3):  # 1 is the one unused for longest
        assert get(number).tolist() == arrays[number].tolist()
    names = [job["buffers"][0][0] for job in jobs]
    assert files() == {names[0], names[2], names[3]}
    store.delete(store.list())
    assert get(3).tolist() == arrays[3].tolist()  # not asked for again
    with pytest.raises(StoreError):
        get(1)
    (folder / names[0]).write_bytes(b"short")
    with pytest.raises(StoreError):  # what was changed is read anew
        get(0)
    assert first.shape == (200,)


def test_an_array_larger_than_the_disk_stays_in_memory(tmp_path):
    store, array = MemoryStore(), np.arange(500.0)
    job = make_job(store, lambda: array)
    ((name, nbytes),) = job["buffers"]
    for limit, folder in ((10, tmp_path / "none"), (1 << 20, tmp_path / "file" / "in the way")):
        (tmp_path / "file").touch()
        buffers = task_buffers.DiskBuffers(limit, folder)
        got = buffers.get(store, RunKeys(RUN).buffer(name), name, nbytes)
        assert np.frombuffer(got).tolist() == array.tolist()
        assert not folder.exists()
