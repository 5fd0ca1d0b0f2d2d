"""Jobs on worker processes: results, failures, deaths, and what a process may see."""

import json
import logging
import os
import signal
import sys
import threading

import joblib
import pytest

from sklearn_cirrus.exceptions import WorkerError
from sklearn_cirrus.workers import LocalBackend


def finish(handle, timeout=30):
    """Wait for the result of a job."""
    result = handle.wait(timeout)
    assert result is not None, "the job did not end in time"
    return result


def test_a_job_comes_back_as_it_was_sent(backend):
    say = {"text": "line\nbreak ä \u2028", "numbers": [1, 2.5, 1e-300, 2**53], "none": None}
    (handle,) = backend.start([{"do": "echo", "say": say}])
    result = finish(handle)
    assert result.ok and result.error == "" and result.exit_code is None
    assert result.report["said"] == say
    assert result.report["pid"] == handle.pid != os.getpid()
    assert handle.poll() is result


def test_a_big_job_and_a_big_report(backend):
    say = "x" * 3_000_000  # many times what a pipe holds
    (handle,) = backend.start([{"do": "echo", "say": say}])
    assert finish(handle).report["said"] == say


def test_the_next_fit_finds_the_processes_warm(pool):
    pids = []
    for _ in range(3):
        backend = LocalBackend(pool)
        (handle,) = backend.start([{"do": "echo"}])
        pids.append(finish(handle).report["pid"])
        backend.close()
    assert len(set(pids)) == 1


def test_two_jobs_run_at_the_same_time(backend, tmp_path, wait_until):
    jobs = [
        {"do": "wait_for", "marker": str(tmp_path / f"m{i}"), "file": str(tmp_path / "go")}
        for i in range(2)
    ]
    handles = backend.start(jobs)
    assert [handle.job for handle in handles] == jobs
    wait_until(lambda: all((tmp_path / f"m{i}").exists() for i in range(2)), "both jobs run")
    assert [handle.poll() for handle in handles] == [None, None]
    (tmp_path / "go").touch()
    assert len({finish(handle).report["pid"] for handle in handles}) == 2


def test_an_exception_comes_back_with_type_message_and_traceback(backend):
    (handle,) = backend.start([{"do": "raise"}])
    result = finish(handle)
    assert not result.ok and result.report == {} and result.exit_code is None
    assert result.error_type == "LookupError"
    assert result.error.startswith("LookupError: no such row: ä\n2nd line\nTraceback")
    assert "in do_raise" in result.error
    (again,) = backend.start([{"do": "echo"}])
    assert finish(again).report["pid"] == handle.pid  # an exception costs no process


def test_a_report_that_is_no_json_is_a_failure(backend):
    (handle,) = backend.start([{"do": "unspeakable"}])
    result = finish(handle)
    assert not result.ok and result.error_type == "TypeError"
    assert "not JSON serializable" in result.error


def test_a_job_that_is_no_json_is_refused_before_anything_starts(pool):
    with pytest.raises(TypeError, match="not JSON serializable"):
        LocalBackend(pool).start([{"do": object()}])
    assert not pool._all


def test_what_a_job_prints_is_logged_and_harms_nothing(backend, caplog, wait_until):
    caplog.set_level(logging.DEBUG, "sklearn_cirrus.workers")
    (handle,) = backend.start([{"do": "print"}])
    result = finish(handle)
    assert result.ok
    assert result.report == {"read": ""}  # nor can it eat the next job
    (again,) = backend.start([{"do": "echo", "say": "still here"}])
    assert finish(again).report == {"pid": handle.pid, "said": "still here"}
    printed = ["print 199", "descriptor 1", "from a program", "complaint", "from C"]
    wait_until(
        lambda: all(text in caplog.text for text in printed), "all that was printed is logged"
    )


def test_a_worker_killed_in_its_job_fails_it_and_is_replaced(backend, tmp_path, wait_until, caplog):
    (handle,) = backend.start([{"do": "wait", "marker": str(tmp_path / "m")}])
    wait_until((tmp_path / "m").exists, "the job runs")
    os.kill(handle.pid, signal.SIGKILL)
    result = finish(handle, timeout=5)
    assert not result.ok and result.exit_code == -signal.SIGKILL
    assert result.error_type == "WorkerDied"
    assert f"worker process {handle.pid} was ended by signal 9 (SIGKILL)" in result.error
    assert "signal 9" in caplog.text
    (again,) = backend.start([{"do": "echo"}])
    assert finish(again).report["pid"] != handle.pid


def test_kill_ends_the_job_and_spares_the_next_one(backend, tmp_path, wait_until, caplog):
    (first,) = backend.start([{"do": "wait", "marker": str(tmp_path / "m")}])
    wait_until((tmp_path / "m").exists, "the job runs")
    first.kill()
    assert finish(first, timeout=5).exit_code == -signal.SIGKILL
    assert not caplog.records  # what was asked for is no warning
    (second,) = backend.start([{"do": "echo"}])
    finish(second)
    (third,) = backend.start([{"do": "wait", "marker": str(tmp_path / "n")}])
    assert third.pid == second.pid
    wait_until((tmp_path / "n").exists, "the job runs")
    second.kill()  # ended long ago: must not hit the job that has its process now
    first.kill()
    assert third.wait(0.2) is None
    third.kill()
    assert finish(third, timeout=5).exit_code == -signal.SIGKILL


@pytest.mark.parametrize("do", ["exit", "leave"])
def test_a_worker_that_exits_fails_its_job_with_its_code_and_last_words(backend, do):
    (handle,) = backend.start([{"do": do, "code": 7}])
    result = finish(handle)
    assert not result.ok and result.exit_code == 7
    assert "ended with exit code 7" in result.error
    assert ("these were my last words" in result.error) == (do == "exit")


def test_a_crash_in_c_leaves_its_stack(backend):
    (handle,) = backend.start([{"do": "segfault"}])
    result = finish(handle)
    assert result.exit_code == -signal.SIGSEGV
    assert "signal 11 (SIGSEGV)" in result.error
    assert "in do_segfault" in result.error


def test_a_worker_that_cannot_start_says_why(make_pool):
    pool = make_pool()
    pool._entry = "cirrus_no_such_module"
    (handle,) = LocalBackend(pool).start([{"do": "echo"}])
    result = finish(handle)
    assert result.exit_code == 1
    assert "No module named cirrus_no_such_module" in result.error


def test_no_python_to_run_is_a_worker_error(pool, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(WorkerError, match="cannot be run") as caught:
        LocalBackend(pool).start([{"do": "echo"}])
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_what_a_worker_sees(backend):
    (handle,) = backend.start([{"do": "describe"}])
    seen = finish(handle).report
    assert seen["environment"]["OMP_NUM_THREADS"] == "1"
    assert seen["environment"]["OPENBLAS_NUM_THREADS"] == "1"
    assert not {"sklearn", "scipy", "joblib", "sklearn_cirrus", "pytest"} & set(seen["modules"])
    ours = list(dict.fromkeys(os.path.abspath(entry) for entry in sys.path))
    assert list(dict.fromkeys(seen["path"]))[: len(ours)] == ours
    assert seen["session"] == handle.pid != os.getsid(0)  # a session of its own: no Ctrl-C


def test_a_job_is_in_no_command_line_and_no_log(backend, tmp_path, wait_until, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "unix://:tr0ub4dor@/tmp/s"
    job = {"do": "wait", "marker": str(tmp_path / "m"), "url": secret}
    (handle,) = backend.start([job])
    wait_until((tmp_path / "m").exists, "the job runs")
    if os.path.isdir("/proc/self"):
        for name in ("cmdline", "environ"):
            with open(f"/proc/{handle.pid}/{name}", "rb") as file:
                assert b"tr0ub4dor" not in file.read()
    handle.kill()
    result = finish(handle)
    assert "tr0ub4dor" not in repr(handle) + repr(result) + repr(backend) + caplog.text


def test_close_ends_the_jobs_of_this_backend_only(pool, tmp_path, wait_until):
    mine, other = LocalBackend(pool), LocalBackend(pool)
    (doomed,) = mine.start([{"do": "wait", "marker": str(tmp_path / "a")}])
    (spared,) = other.start(
        [{"do": "wait_for", "marker": str(tmp_path / "b"), "file": str(tmp_path / "go")}]
    )
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2, "both jobs run")
    mine.close()
    assert doomed.poll().exit_code == -signal.SIGKILL
    assert spared.poll() is None
    (tmp_path / "go").touch()
    assert finish(spared).ok
    mine.close()


def test_many_threads_share_one_pool_without_mixing(pool):
    threads, rounds, failures = 16, 12, []

    def fit(number):
        backend = LocalBackend(pool, timeout=60)
        for turn in range(rounds):
            says = [[number, turn, k] for k in range(1 + number % 2)]
            handles = backend.start([{"do": "echo", "say": say} for say in says])
            for handle, say in zip(handles, says, strict=False):
                result = handle.wait(60)
                if result is None or result.report.get("said") != say:
                    failures.append((say, result))
        backend.close()

    running = [threading.Thread(target=fit, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(120)
    assert not any(thread.is_alive() for thread in running)
    assert failures == []
    assert 1 <= len(pool._all) <= max(os.cpu_count(), 2)
    assert len(pool._idle) == len(pool._all)


def test_default_workers_are_the_cores_that_we_may_use():
    assert LocalBackend().default_workers == joblib.cpu_count()
    assert json.dumps(LocalBackend.name) == '"local"'
