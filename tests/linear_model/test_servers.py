"""Fits on several servers, and under the workers' ACL users: the same bits as on one."""

import numpy as np
import pytest
import redis

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.servers import EmbeddedServer, WorkerAccess

from ..redis_servers import SERVERS, find_server

KINDS = [(program, engine) for program in SERVERS for engine in ("module", "lua")]


def problem(n_classes=2):
    """Rows of a made-up problem, more columns than servers."""
    random = np.random.default_rng(0)
    X = random.standard_normal((400, 17))
    y = (
        X @ random.standard_normal((17, n_classes)) + random.standard_normal((400, n_classes))
    ).argmax(1)
    return X, y


def fit(X, y, solver="adagrad", **config):
    """Fit with one worker, several blocks and a fixed seed."""
    model = CirrusLogisticRegression(
        solver=solver, l1_ratio=0.5, max_iter=3, tol=0, random_state=0, batch_size=20
    )
    with config_context(backend="local", n_workers=1, block_bytes=8192, **config):
        with pytest.warns(match="max_iter"):
            return model.fit(X, y)


@pytest.fixture
def watched(monkeypatch):
    """What the servers' ACLs have logged by the end of every run, and whom they let in."""
    seen = []

    def revoke(access):
        for url, theirs in zip(access._theirs, access.urls, strict=True):
            with redis.Redis.from_url(url) as client:
                entry = {"denied": client.execute_command("ACL", "LOG"), "own": url != theirs}
                entry["clients"] = {row.get("user") for row in client.client_list()}
                seen.append(entry)
        original(access)

    original = WorkerAccess.revoke
    monkeypatch.setattr(WorkerAccess, "revoke", revoke)
    return seen


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("solver", ["adagrad", "ftrl", "momentum"])
def test_several_servers_give_the_bits_of_one(solver, n_classes):
    X, y = problem(n_classes)
    expected = fit(X, y, solver)
    for n_servers in (2, 3):
        model = fit(X, y, solver, n_servers=n_servers)
        assert model.coef_.tobytes() == expected.coef_.tobytes()
        assert model.intercept_.tobytes() == expected.intercept_.tobytes()
        losses = [[entry["objective"] for entry in m.history_] for m in (model, expected)]
        assert losses[0] == losses[1]


@pytest.mark.parametrize(("program", "engine"), KINDS)
def test_a_fit_under_the_workers_own_users(watched, program, engine):
    binary = find_server(program)
    if binary is None:
        pytest.skip(f"{program} is not installed")
    X, y = problem()
    servers = [EmbeddedServer(binary) for _ in range(2)]
    try:
        for server in servers:
            server.start()
        urls = [server.url for server in servers]
        model = fit(X, y, redis_url=urls, engine=engine)
        for server in servers:
            with server.client() as client:
                assert client.acl_users() == ["default"]
                assert client.dbsize() == 0
    finally:
        for server in servers:
            server.stop()
    assert [entry["own"] for entry in watched] == [True, True]
    assert [entry["denied"] for entry in watched] == [[], []]
    np.testing.assert_allclose(model.coef_, fit(X, y).coef_, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")  # two workers are never still
def test_two_workers_on_two_servers():
    X, y = problem()
    with config_context(backend="local", n_workers=2, n_servers=2, block_bytes=4096):
        model = CirrusLogisticRegression(random_state=0, max_iter=30).fit(X, y)
    assert model.score(X, y) > 0.9
    assert {entry["workers"] for entry in model.history_} <= {1, 2}
