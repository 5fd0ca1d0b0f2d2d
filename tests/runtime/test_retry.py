"""Trying again: as long as the time lasts, and only what was lost."""

import threading
import time

import pytest

from cirrus_runtime.errors import RunEnded, ServerError, ServerUnavailable
from cirrus_runtime.retry import Retry


class Flaky:
    """A function that fails some times before it works."""

    def __init__(self, failures, error=ServerUnavailable):
        self.failures, self.error, self.calls = failures, error, []

    def __call__(self, *arguments):
        self.calls.append(arguments)
        if len(self.calls) <= self.failures:
            raise self.error("lost")
        return sum(arguments)


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_the_same_call_is_made_until_it_works(failures):
    function = Flaky(failures)
    assert Retry(10.0, seed=0)(function, 2, 3) == 5
    assert function.calls == [(2, 3)] * (failures + 1)


@pytest.mark.parametrize("error", [ServerError, RunEnded, ValueError])
def test_what_was_refused_is_not_tried_again(error):
    function = Flaky(1, error)
    with pytest.raises(error):
        Retry(10.0)(function)
    assert len(function.calls) == 1


def test_the_time_is_over():
    function, begin = Flaky(1000), time.monotonic()
    with pytest.raises(ServerUnavailable, match=r"lost \(for 0.3 s\)") as caught:
        Retry(0.3, seed=0)(function)
    assert 0.25 < time.monotonic() - begin < 3.0
    assert isinstance(caught.value.__cause__, ServerUnavailable)
    assert 2 <= len(function.calls) <= 8


def test_a_stop_ends_the_wait_at_once():
    retry, function = Retry(60.0), Flaky(1000)
    threading.Timer(0.2, retry.stop).start()
    begin = time.monotonic()
    with pytest.raises(ServerUnavailable):
        retry(function)
    assert time.monotonic() - begin < 10.0


def test_the_waits_differ_from_worker_to_worker():
    waits = []
    for seed in range(8):
        begin = time.monotonic()
        Retry(10.0, seed)(Flaky(1))
        waits.append(round(time.monotonic() - begin, 3))
    assert len(set(waits)) > 4
