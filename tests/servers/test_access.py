"""A worker's user: its run's keys, a worker's commands, nothing else; gone with the run."""

import logging

import numpy as np
import pytest
import redis

from cirrus_runtime.board_redis import RedisBoard
from cirrus_runtime.engines import open_engine
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.protocol import Lease, Report
from cirrus_runtime.server import ModelSpec, ParameterServer
from sklearn_cirrus.exceptions import ServerError
from sklearn_cirrus.servers import WorkerAccess
from sklearn_cirrus.servers.access import with_user

KEYS, OTHERS = RunKeys("run-a"), RunKeys("run-b")
LEASE = Lease(1, "train", 0, 0, "block")


@pytest.fixture
def server(make_server, server_binary):
    """A running server of each program."""
    server = make_server(server_binary)
    server.start()
    return server


@pytest.fixture
def access(server):
    """Access of the workers of run-a, while there is also a run-b."""
    with server.client() as client:
        for keys in (KEYS, OTHERS):
            RedisBoard(client, keys).put_up()
            ParameterServer(open_engine(client, "module"), keys.model).create(
                ModelSpec(3, 1, "sgd")
            )
        client.set("theirs", "1")
    access = WorkerAccess([server.url], KEYS, "module")
    access.grant()
    return access


@pytest.fixture
def worker(access):
    """A client with the worker's url."""
    with redis.Redis.from_url(access.urls[0]) as client:
        yield client


def names_of_users(server):
    """The users of a server."""
    with server.client() as client:
        return set(client.acl_users())


MODEL, LEASES, REPORTS = KEYS.model, KEYS.leases, KEYS.reports
REFUSED = {
    "FLUSHALL": ("FLUSHALL",),
    "FLUSHDB": ("FLUSHDB",),
    "SHUTDOWN": ("SHUTDOWN", "NOSAVE"),
    "KEYS": ("KEYS", "*"),
    "SCAN": ("SCAN", "0"),
    "CONFIG": ("CONFIG", "GET", "requirepass"),
    "ACL": ("ACL", "LIST"),
    "ACL SETUSER": ("ACL", "SETUSER", "cirrus-run-a", "+@all", "~*"),
    "MODULE": ("MODULE", "LIST"),
    "CLIENT": ("CLIENT", "KILL", "TYPE", "normal"),
    "SAVE": ("SAVE",),
    "REPLICAOF": ("REPLICAOF", "NO", "ONE"),
    "MONITOR": ("MONITOR",),
    "PUBLISH": ("PUBLISH", "channel", "word"),
    "GET of another's key": ("GET", "theirs"),
    "GET": ("GET", MODEL),
    "SET": ("SET", f"{MODEL}:more", "x"),
    "UNLINK": ("UNLINK", MODEL),
    "DUMP": ("DUMP", MODEL),
    "RESTORE": ("RESTORE", MODEL, "0", "x", "REPLACE"),
    "EVAL": ("EVAL", "return 1", "0"),
    "FUNCTION": ("FUNCTION", "LIST"),
    "CREATE": ("CIRRUS.CREATE", f"{MODEL}2", "ROWS", "1", "WIDTH", "1", "OPTIMIZER", "sgd"),
    "LOAD": ("CIRRUS.LOAD", MODEL, "0", "0", b"\0\0\0\0"),
    "CIRRUS.DUMP": ("CIRRUS.DUMP", MODEL, "0", "0", "1"),
    "FILL": ("CIRRUS.FILL", MODEL, "0", "0", "1", "0"),
    "NORMS": ("CIRRUS.NORMS", MODEL, "0", "1"),
    "TAG": ("CIRRUS.TAG", MODEL, "0", "0", "0"),
    "PULL of another run": ("CIRRUS.PULL", OTHERS.model, b"\0\0\0\0"),
    "PUSH of another run": ("CIRRUS.PUSH", OTHERS.model, "1", b"\0\0\0\0", b"\0\0\0\0"),
    "STEP of another run": ("CIRRUS.STEP", OTHERS.model, "1", b"", b"", b"\0\0\0\0"),
    "INFO of another run": ("CIRRUS.INFO", OTHERS.model),
    "XADD to another run": ("XADD", OTHERS.leases, "*", "r", "x"),
    "XREADGROUP of another run": (
        *("XREADGROUP", "GROUP", "workers", "1.0", "COUNT", "1"),
        *("STREAMS", OTHERS.leases, ">"),
    ),
    "XDEL of another run": ("XDEL", OTHERS.reports, "1-1"),
    "XTRIM": ("XTRIM", LEASES, "MAXLEN", "0"),
    "XGROUP": ("XGROUP", "DESTROY", LEASES, "workers"),
    "XRANGE": ("XRANGE", REPORTS, "-", "+"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_worker_may_not(worker, what):
    with pytest.raises(redis.exceptions.NoPermissionError):
        worker.execute_command(*REFUSED[what])


def test_nothing_was_changed_by_what_was_refused(server, worker):
    for command in REFUSED.values():
        with pytest.raises(redis.exceptions.NoPermissionError):
            worker.execute_command(*command)
    with server.client() as client:
        assert client.get("theirs") == b"1"
        for keys in (KEYS, OTHERS):
            model = ParameterServer(open_engine(client, "module"), keys.model)
            assert model.info()["steps"] == 0
            assert client.xlen(keys.leases) == client.xlen(keys.reports) == 0


@pytest.mark.parametrize("engine", ["module", "lua"])
def test_a_worker_may_do_its_work(server, engine):
    keys = RunKeys(f"run-{engine}")
    access = WorkerAccess([server.url], keys, engine)
    access.grant()
    with server.client() as admin, redis.Redis.from_url(access.urls[0]) as client:
        trainer = RedisBoard(admin, keys)
        trainer.put_up()
        model = ParameterServer(open_engine(admin, engine), keys.model)
        model.create(ModelSpec(3, 1, "sgd", l2=0.1))
        trainer.offer([LEASE, LEASE])
        admin.execute_command("ACL", "LOG", "RESET")
        board = RedisBoard(client, keys, worker=1)
        token, lease = board.take(5.0)
        board.renew([token])
        board.finish(token, Report(1, "train", 0, 1, 0, rows=7))
        token, lease = board.take(5.0)
        board.give_back(token, lease)
        board.take(5.0)
        assert board.take(0.01) is None
        RedisBoard(client, keys, worker=2, lease_seconds=0.001).take(0.01)  # of one that is silent
        theirs = ParameterServer(open_engine(client, engine), keys.model)
        assert theirs.push([1], [1.0], 1.0, (0, 0, 1))
        rows = theirs.step([0], [1.0], 1.0, [0, 1], (0, 0, 2))
        np.testing.assert_allclose(rows, model.pull([0, 1]))
        assert [report.rows for report in trainer.collect(5.0)] == [7]
        denied = admin.execute_command("ACL", "LOG")
        assert denied == [], denied
    access.revoke()


def test_the_user_ends_with_the_run_and_so_do_its_connections(server, access, worker):
    assert worker.execute_command("CIRRUS.INFO", MODEL)
    assert names_of_users(server) == {"default", "cirrus-run-a"}
    access.grant()  # again, after a server came back: the same url holds
    assert worker.ping()
    access.revoke()
    assert names_of_users(server) == {"default"}
    with pytest.raises((redis.exceptions.ConnectionError, redis.exceptions.AuthenticationError)):
        worker.execute_command("CIRRUS.INFO", MODEL)
    access.revoke()


def test_passwords_differ_and_show_nowhere(server, access):
    other = WorkerAccess([server.url], KEYS, "module")
    assert other._password != access._password and len(access._password) >= 32
    with server.client() as client:
        listed = " ".join(client.acl_list())
        log = " ".join(str(entry) for entry in client.slowlog_get())
    assert "cirrus-run-a" in listed
    assert access._password not in listed + log + repr(access)


def test_who_may_not_make_users_gives_the_own_url(server, caplog):
    caplog.set_level(logging.DEBUG, "sklearn_cirrus.servers")
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "me", "on", ">pw", "~*", "+@all", "-acl")
    url = with_user(server.url, "me", "pw")
    access = WorkerAccess([url, server.url], KEYS, "module")
    access.grant()
    assert access.urls[0] == url and access.urls[1] != server.url
    assert "no ACL user can be made" in caplog.text and "pw@" not in caplog.text
    access.revoke()
    assert names_of_users(server) == {"default", "me"}


def test_a_server_that_is_gone(make_server):
    alive, gone = make_server(), make_server()
    alive.start()
    gone.start()
    access = WorkerAccess([gone.url, alive.url], KEYS, "module")
    access.grant()
    gone.stop()
    with pytest.raises(ServerError, match="stays on a server"):
        access.revoke()
    assert names_of_users(alive) == {"default"}
    with pytest.raises(ServerError, match="cannot be reached"):
        access.grant()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host:6379/2", "redis://u:p@host:6379/2"),
        ("rediss://:s@host?ssl_cert_reqs=none", "rediss://u:p@host?ssl_cert_reqs=none"),
        ("redis://me:s@host?password=s&db=1&username=me", "redis://u:p@host?db=1"),
        ("unix://:s@/tmp/a%20b?db=1", "unix://u:p@/tmp/a%20b?db=1"),
        ("unix:///tmp/s", "unix://u:p@/tmp/s"),
        ("redis://:s@[::1]:1/0", "redis://u:p@[::1]:1/0"),
    ],
)
def test_with_user(url, expected):
    assert with_user(url, "u", "p") == expected
    options = redis.connection.parse_url(expected)
    assert (options["username"], options["password"]) == ("u", "p")
    before = redis.connection.parse_url(url)
    for secret in ("username", "password"):
        before.pop(secret, None), options.pop(secret)
    assert options == before
