"""Parallel calls of every kind give what joblib promises."""

import os
import threading
import time
import warnings

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed

from sklearn_cirrus import config_context
from sklearn_cirrus.joblib_backend import CirrusBackend, last_usage


def square(i):
    return i * i


def late(i, seconds):
    time.sleep(seconds)
    return i


def where(_=None):
    return os.getpid(), threading.current_thread().name


@pytest.mark.parametrize("batch_size", ["auto", 1, 7])
@pytest.mark.parametrize("pre_dispatch", ["all", "2*n_jobs", 3])
def test_results_come_in_order(cirrus, batch_size, pre_dispatch):
    call = Parallel(batch_size=batch_size, pre_dispatch=pre_dispatch)
    assert call(delayed(square)(i) for i in range(50)) == [i * i for i in range(50)]


def test_calls_run_in_other_processes_as_many_as_asked_for():
    with Parallel(n_jobs=3, backend="cirrus") as parallel:
        places = parallel(delayed(late)(os.getpid(), 0.05) for _ in range(3))
        assert places == [os.getpid()] * 3
        pids = {pid for pid, _ in parallel(delayed(slow_where)(0.1) for _ in range(9))}
    assert len(pids) == 3 and os.getpid() not in pids


def slow_where(seconds):
    time.sleep(seconds)
    return where()


def test_an_empty_call(cirrus):
    assert Parallel()([]) == []


def test_workers_are_kept_for_the_next_call(cirrus):
    first = {pid for pid, _ in Parallel()(delayed(slow_where)(0.05) for _ in range(4))}
    second = {pid for pid, _ in Parallel()(delayed(slow_where)(0.05) for _ in range(4))}
    assert first & second


def test_one_block_of_calls_is_one_run(cirrus):
    with Parallel(pre_dispatch="all", batch_size=1) as parallel:
        for _ in range(3):
            parallel(delayed(square)(i) for i in range(4))
    assert last_usage().tasks == last_usage().batches == 12


def test_one_job_runs_here():
    assert (
        Parallel(n_jobs=1, backend="cirrus")(delayed(where)(i) for i in range(2)) == [where()] * 2
    )


def test_backend_inline_runs_here(cirrus):
    with config_context(backend="inline"):
        assert Parallel()(delayed(where)() for _ in range(2)) == [where()] * 2


def test_threads_are_threads_of_this_process(cirrus):
    pids = {pid for pid, _ in Parallel(prefer="threads")(delayed(where)() for _ in range(4))}
    assert pids == {os.getpid()}
    shared = []
    Parallel(require="sharedmem")(delayed(shared.append)(i) for i in range(4))
    assert sorted(shared) == [0, 1, 2, 3]


def test_generators_give_results_as_they_come(cirrus):
    ordered = Parallel(return_as="generator", batch_size=1)
    times = [0.4, 0.0, 0.0]
    assert list(ordered(delayed(late)(i, t) for i, t in enumerate(times))) == [0, 1, 2]
    unordered = Parallel(return_as="generator_unordered", batch_size=1)
    assert list(unordered(delayed(late)(i, t) for i, t in enumerate(times)))[-1] == 0


def test_a_generator_that_is_closed_early_ends_the_rest(cirrus):
    results = Parallel(return_as="generator", batch_size=1)(
        delayed(late)(i, 0.0 if i == 0 else 60.0) for i in range(6)
    )
    assert next(results) == 0
    begin = time.monotonic()
    with pytest.warns(UserWarning, match="cancelled"):
        results.close()
    assert time.monotonic() - begin < 5


def test_two_calls_of_one_backend_at_the_same_time(cirrus):
    results = Parallel(return_as="generator", pre_dispatch=2)(
        delayed(late)(i, 0.05) for i in range(8)
    )
    assert next(results) == 0
    assert Parallel()(delayed(square)(i) for i in range(5)) == [0, 1, 4, 9, 16]
    assert list(results) == [1, 2, 3, 4, 5, 6, 7]


def test_calls_from_two_threads():
    found = []

    def call():
        with joblib.parallel_config("cirrus", n_jobs=2):
            found.append(Parallel()(delayed(late)(i, 0.02) for i in range(4)))

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [[0, 1, 2, 3]] * 2


def nested(backend, n_jobs):
    import sklearn_cirrus  # noqa: F401 (registers the backend in the worker)

    places = Parallel(n_jobs=n_jobs, backend=backend)(delayed(where)() for _ in range(3))
    return os.getpid(), {pid for pid, _ in places}


@pytest.mark.parametrize(("backend", "n_jobs"), [(None, 2), (None, None), ("cirrus", 2)])
def test_a_call_inside_a_call_stays_in_its_worker(cirrus, backend, n_jobs):
    for pid, pids in Parallel()(delayed(nested)(backend, n_jobs) for _ in range(2)):
        assert pids == {pid} != {os.getpid()}


def speak(i):
    import sys

    print("said", i)
    print("complained", i, file=sys.stderr)
    warnings.warn(f"task {i}", RuntimeWarning, stacklevel=1)
    return i


def test_what_is_printed_and_warned_of_comes_here(cirrus, capsys):
    with pytest.warns(RuntimeWarning) as caught:
        assert Parallel()(delayed(speak)(i) for i in range(2)) == [0, 1]
    assert sorted(str(warning.message) for warning in caught) == ["task 0", "task 1"]
    # cloudpickle from 3.2 on gives what it pickles by value no file's name
    assert {warning.filename for warning in caught} <= {__file__, "<dynamic-code>"}
    captured = capsys.readouterr()
    assert sorted(captured.out.splitlines()) == ["said 0", "said 1"]
    assert sorted(captured.err.splitlines()) == ["complained 0", "complained 1"]


def test_a_filter_that_makes_errors_of_warnings(cirrus):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="task"):
            Parallel()(delayed(speak)(i) for i in range(2))


def threads_of_libraries():
    import numpy.linalg  # noqa: F401 (loads BLAS)
    from threadpoolctl import threadpool_info

    return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}


@pytest.mark.parametrize(("asked", "threads"), [(None, 1), (1, 1), (3, 3)])
def test_threads_of_libraries_in_a_task(asked, threads):
    n_jobs = max(2, joblib.cpu_count())
    with joblib.parallel_config("cirrus", n_jobs=n_jobs, inner_max_num_threads=asked):
        assert Parallel()(delayed(threads_of_libraries)() for _ in range(2)) == [{threads}] * 2


def test_n_jobs():
    backend = CirrusBackend()
    cores = joblib.cpu_count()
    assert [backend.effective_n_jobs(n) for n in (None, -1, 1, 5)] == [cores, cores, 1, 5]
    assert backend.effective_n_jobs(-cores - 5) == 1
    with pytest.raises(ValueError, match="no meaning"):
        Parallel(n_jobs=0, backend="cirrus")(delayed(square)(i) for i in range(2))


def test_large_results_come_through_the_store_and_are_ones_own(cirrus):
    results = Parallel()(delayed(np.full)(100_000, i) for i in range(4))
    for i, result in enumerate(results):
        assert (result == i).all()
        result[0] = -1


def test_large_calls_go_through_the_store(cirrus, puts):
    texts = [[f"{i}-{j}" for j in range(20_000)] for i in range(3)]
    assert Parallel(batch_size=1)(delayed(len)(text) for text in texts) == [20_000] * 3
    assert sum(name.startswith("call-") for name, _ in puts) == 3
