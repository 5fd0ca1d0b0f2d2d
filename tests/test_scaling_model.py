"""The arithmetic of the benchmarks: queues by hand, gradients by another formula."""

import importlib

import numpy as np
import pytest
from scipy.special import expit


@pytest.fixture
def load(repository, monkeypatch):
    """Return a function that imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return importlib.import_module


@pytest.fixture
def queueing(load):
    return load("queueing")


def test_one_queue_is_busy_all_the_time(queueing):
    for solution in queueing.solve([queueing.Station("server", 0.25)], 5):
        assert solution.throughput == pytest.approx(4.0)
        assert solution.round_seconds == pytest.approx(0.25 * solution.customers)
        assert solution.lengths == {"server": pytest.approx(solution.customers)}


def test_nobody_waits_where_there_is_no_queue(queueing):
    stations = [queueing.Station(name, 0.5, queueing.DELAY) for name in "ab"]
    assert [s.throughput for s in queueing.solve(stations, 3)] == pytest.approx([1, 2, 3])


def test_two_queues_by_hand(queueing):
    # One customer: 1 + 2 seconds. Two: whoever arrives finds 1/3 and 2/3 of a customer there, and
    # spends 1 (1 + 1/3) + 2 (1 + 2/3) = 14/3 seconds.
    one, two = queueing.solve([queueing.Station("a", 1.0), queueing.Station("b", 2.0)], 2)
    assert one.throughput == pytest.approx(1 / 3)
    assert one.lengths == {"a": pytest.approx(1 / 3), "b": pytest.approx(2 / 3)}
    assert two.throughput == pytest.approx(3 / 7)
    assert two.lengths == {"a": pytest.approx(4 / 7), "b": pytest.approx(10 / 7)}


def test_equal_queues_have_a_closed_form(queueing):
    # n customers on m queues of demand d: n / ((n + m - 1) d).
    stations = [queueing.Station(str(number), 0.1) for number in range(3)]
    for solution in queueing.solve(stations, 50):
        n = solution.customers
        assert solution.throughput == pytest.approx(n / ((n + 2) * 0.1))


def test_a_queue_and_a_delay_are_the_machine_repairman(queueing):
    # Exponential times: with n = 2, the states of the queue have the weights 1, 2r, 2r^2, where
    # r is service over delay; the rate is that of a busy server.
    service, delay = 0.5, 2.0
    r = service / delay
    busy = (2 * r + 2 * r**2) / (1 + 2 * r + 2 * r**2)
    stations = [
        queueing.Station("server", service),
        queueing.Station("worker", delay, queueing.DELAY),
    ]
    assert queueing.solve(stations, 2)[1].throughput == pytest.approx(busy / service)


def test_the_knee_is_where_the_bounds_meet(queueing):
    stations = [
        queueing.Station("worker", 3.0, queueing.DELAY),
        queueing.Station("server", 0.5),
        queueing.Station("network", 0.25),
    ]
    customers, first = queueing.knee(stations)
    assert (customers, first.name) == (pytest.approx(7.5), "server")
    for solution in queueing.solve(stations, 200):
        assert solution.throughput <= min(solution.customers / 3.75, 1 / 0.5) * (1 + 1e-12)
    assert solution.throughput == pytest.approx(2.0)


def test_the_gradient_of_the_ladder_is_that_of_the_logistic_loss(load):
    handler = load("ladder_handler")
    random = np.random.default_rng(0)
    columns = np.array([random.choice(30, 5, replace=False) for _ in range(12)])
    labels = random.integers(0, 2, 12)
    weights = random.normal(size=31).astype(np.float32)
    dense = np.zeros((12, 31))
    np.put_along_axis(dense, columns, 1.0, axis=1)
    dense[:, -1] = 1.0
    expected = dense.T @ (expit(dense @ weights) - labels) / 12
    batch = np.column_stack([labels, columns]).astype(np.uint32)
    ids, values = handler.gradient(weights, batch)
    found = np.zeros(31)
    found[ids] = values
    assert len(set(ids)) == len(ids)
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_gradients_and_models_travel_unchanged(load):
    handler = load("ladder_handler")
    gradients = [
        (np.array([1, 5], np.uint32), np.array([0.5, -2.0], np.float32)),
        (np.array([7], np.uint32), np.array([3.0], np.float32)),
    ]
    step, worker, found = handler.unpack(handler.pack(4, 1, gradients))
    assert (step, worker, len(found)) == (4, 1, 2)
    for pair, other in zip(gradients, found, strict=True):
        for array, back in zip(pair, other, strict=True):
            np.testing.assert_array_equal(array, back)
    weights = np.arange(5, dtype=np.float32)
    step, back = handler.unpack_model(handler.pack_model(9, weights))
    assert step == 9
    np.testing.assert_array_equal(back, weights)
