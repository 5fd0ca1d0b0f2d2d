"""The server is killed, frozen or out of reach in the middle of a fit."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.exceptions import ServerUnavailable

from ..redis_servers import find_server, running_server, wait_until
from .conftest import DEADLINE, PARAMETERS, SETTINGS, held_out_loss, labelled

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.timeout(90),
]


def restarts(model):
    return sum(entry["server_restarts"] for entry in model.history_)


def assert_as_good(model, undisturbed, epochs=30):
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)
    assert [entry["epoch"] for entry in model.history_] == list(range(1, epochs + 1))
    assert {entry["rows"] for entry in model.history_} == {6000}


@pytest.mark.parametrize(
    ("how", "checkpoint_seconds"),
    [(signal.SIGKILL, 0.1), (signal.SIGKILL, None), (signal.SIGSTOP, 0.1)],
)
def test_the_embedded_server_is_replaced(disturbed, undisturbed, how, checkpoint_seconds):
    before = []

    def lose_it(fit):
        fit.epochs(12)
        before.append(fit.run.place.redis_urls)
        os.kill(fit.server_pid(), how)

    model = disturbed.fit(lose_it, checkpoint_seconds=checkpoint_seconds, retry_seconds=1.0)
    assert before != [disturbed.run.place.redis_urls]
    assert_as_good(model, undisturbed)
    epoch = next(entry["epoch"] for entry in model.history_ if entry["server_restarts"])
    assert epoch == 1 if checkpoint_seconds is None else epoch > 3


@pytest.mark.parametrize("number", [0, 1])
def test_one_of_two_embedded_servers_is_replaced(disturbed, undisturbed, number):
    before = []

    def kill_it(fit):
        fit.epochs(12)
        before.extend(fit.run.place.redis_urls)
        os.kill(fit.server_pid(number), signal.SIGKILL)

    model = disturbed.fit(kill_it, checkpoint_seconds=0.1, retry_seconds=1.0, n_servers=2)
    assert restarts(model) == 1
    # The workers have a new user on both; only one of the servers is another.
    hosts = [
        [url.rpartition("@")[2] for url in urls]
        for urls in (before, disturbed.run.place.redis_urls)
    ]
    assert [a == b for a, b in zip(*hosts, strict=True)] == [number == 1, number == 0]
    assert_as_good(model, undisturbed)


def test_one_of_two_servers_of_somebody_else_comes_back_empty(
    disturbed, undisturbed, start, tmp_path
):
    def restart(fit):
        fit.epochs(10)
        second._process.kill()
        second._process.wait()
        with running_server(find_server("redis-server"), folder):
            while fit.pause(1.0):
                pass

    folder = tmp_path / "second"
    folder.mkdir()
    with start() as first, running_server(find_server("redis-server"), folder) as second:
        urls = [f"unix://{server.socket}" for server in (first, second)]
        model = disturbed.fit(restart, redis_url=urls, checkpoint_seconds=0.2, retry_seconds=10.0)
        assert first.client.keys() == []
        assert first.client.acl_users() == ["default"]
    assert restarts(model) == 1
    assert_as_good(model, undisturbed)


def test_the_server_is_killed_again_and_again(disturbed, undisturbed):
    def kill_it(fit):
        for _ in range(3):
            count = len(fit.run.history)
            fit.epochs(count + 5)
            os.kill(fit.server_pid(), signal.SIGKILL)
            url = fit.run.place.redis_urls
            while fit.run.place.redis_urls == url and fit.pause(0.01):
                pass

    model = disturbed.fit(kill_it, checkpoint_seconds=0.1)
    assert restarts(model) >= 2  # those of an epoch that is gone back to are not told
    assert_as_good(model, undisturbed)


def test_all_fits_that_share_the_server_recover(disturbed, undisturbed):
    settings = {"checkpoint_seconds": 0.1, "n_workers": 1}
    parameters = {"max_iter": 100}

    def fit():
        with config_context(**SETTINGS | settings):
            return CirrusLogisticRegression(**PARAMETERS | parameters).fit(*labelled())

    def kill_it(fit):
        wait_until(lambda: len(fit.runs) == 2, "the other fit does not begin")
        for run in fit.runs:
            wait_until(lambda run=run: len(run.history) >= 3, "no epoch")
        os.kill(fit.server_pid(), signal.SIGKILL)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(fit)
        model = disturbed.fit(kill_it, parameters, **settings)
        other = other.result(60)
    assert restarts(model) == restarts(other) == 1
    for each in (model, other):
        assert_as_good(each, undisturbed, epochs=100)


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a server of somebody else's in a context."""
    program = find_server("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    folder = tmp_path / "server"
    folder.mkdir()
    return lambda: running_server(program, folder)


@pytest.mark.parametrize("saved", [False, True], ids=["empty", "with an older model"])
def test_a_server_of_somebody_else_comes_back(disturbed, undisturbed, start, saved):
    urls = []

    def restart(fit):
        fit.epochs(6)
        if saved:
            first.client.save()
        fit.epochs(10)
        first._process.kill()
        first._process.wait()
        fit.pause(0.3)
        with start():
            while fit.pause(1.0):
                pass

    with start() as first:
        urls = f"unix://{first.socket}"
        model = disturbed.fit(restart, redis_url=urls, checkpoint_seconds=0.2, retry_seconds=10.0)
    assert restarts(model) == 1
    assert_as_good(model, undisturbed)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_does_not_come_back(disturbed, start, how):
    def lose_it(fit):
        fit.epochs(2)
        os.kill(first._process.pid, how)

    with start() as first:
        begin = time.monotonic()
        with pytest.raises(ServerUnavailable, match="was lost and cannot be reached for 1 s"):
            disturbed.fit(lose_it, redis_url=f"unix://{first.socket}", retry_seconds=1.0)
        assert time.monotonic() - begin < 15
        first._process.kill()


def test_lost_sockets_cost_nothing(disturbed, undisturbed, start):
    """Pushes are applied once each, whatever was lost: the model has seen each minibatch once."""
    steps = []

    def cut(fit):
        fit.epochs(1)
        while fit.pause(0.05) and len(steps) < 20:
            # Not while the trainer looks whether it is the same server: that may be slow here.
            wait_until(lambda: fit.is_over or fit.run._losses == 0, "no report", 30.0)
            first.client.client_kill_filter(skipme=True, _type="normal")
            steps.append(1)

    with start() as first:
        # No lease may run out on a slow machine: its block would rightly be done again.
        url = f"unix://{first.socket}"
        model = disturbed.fit(cut, redis_url=url, lease_seconds=DEADLINE)
        assert first.client.keys() == []
    assert len(steps) == 20 and restarts(model) == 0
    assert {entry["workers_replaced"] for entry in model.history_} == {0}
    assert model._state.clock[0] == sum(entry["updates"] for entry in model.history_)
    assert_as_good(model, undisturbed)
