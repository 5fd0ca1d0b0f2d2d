"""The embedded server: private, found, restarted, and gone when stopped."""

import logging
import os
import signal
import stat
import statistics
import tempfile
import threading
import time
from pathlib import Path

import pytest
import redis

from sklearn_cirrus.exceptions import ServerError
from sklearn_cirrus.servers import EmbeddedServer, embedded, open_server, shared, shared_server


def server_pid(server):
    """Process id of the server itself, not of its guard."""
    with server.client() as client:
        return client.info("server")["process_id"]


def folder_of(server):
    """The server's folder."""
    return Path(server._socket).parent


def is_running(pid):
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    except FileNotFoundError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def own_shared(monkeypatch):
    """No shared server yet, and none left after the test."""
    monkeypatch.setattr(shared, "_shared", {})
    yield
    shared._stop_shared()


def test_it_serves_on_a_private_socket_alone(make_server, server_binary):
    server = make_server(server_binary)
    server.start()
    assert server.binary == server_binary
    assert server.is_alive()
    with server.client() as client:
        assert client.set("key", b"\0\xff") and client.get("key") == b"\0\xff"
        assert client.info("server")["tcp_port"] == 0
        assert client.config_get("save")["save"] == ""
        assert client.config_get("appendonly")["appendonly"] == "no"
        assert client.config_get("dir")["dir"] == str(folder_of(server))
    folder = folder_of(server)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"s": 0o700, "server.conf": 0o600, "server.log": 0o600}


def test_nobody_enters_without_the_password(make_server):
    server = make_server()
    server.start()
    once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    for password in (None, "guess", password_of(server)[:-1]):
        options = {"unix_socket_path": server._socket, "password": password, "retry": once}
        with redis.Redis(**options) as client:
            with pytest.raises(redis.exceptions.AuthenticationError):
                client.ping()
    other = make_server()
    other.start()
    assert password_of(server) != password_of(other) and len(password_of(server)) >= 32


def password_of(server):
    """The password in the server's url."""
    return server.url.removeprefix("unix://:").partition("@")[0]


def test_the_password_shows_nowhere(make_server, caplog):
    caplog.set_level(logging.DEBUG)
    server = make_server()
    server.start()
    password = password_of(server)
    with server.client() as client:
        assert client.ping()
    assert password not in repr(server) + server.address + str(server) + caplog.text
    assert server._socket in repr(server)
    assert password not in (folder_of(server) / "server.log").read_text()
    if os.path.isdir("/proc/self"):
        for pid in (server_pid(server), server._guard._shell.pid):
            for name in ("cmdline", "environ"):
                assert password.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()


def test_stop_ends_it_and_takes_its_folder_along(make_server, server_binary):
    server = make_server(server_binary)
    server.start()
    pid, folder, guard = server_pid(server), folder_of(server), server._guard
    server.stop()
    assert not is_running(pid)
    assert guard.poll() is not None
    assert not folder.exists()
    assert not server.is_alive()
    with pytest.raises(ServerError, match="not been started"):
        _ = server.url
    server.stop()
    server.start()  # and it can be started again
    assert server.is_alive() and folder_of(server) != folder


def test_start_leaves_a_running_server_as_it_is(make_server):
    server = make_server()
    server.start()
    url = server.url
    server.start()
    assert server.url == url


def test_a_busy_server_is_alive_and_even_a_stopped_one_can_be_ended(make_server):
    server = make_server()
    server.start()
    pid = server_pid(server)
    os.kill(pid, signal.SIGSTOP)  # as a server deep in a long command: it answers nobody
    assert server.is_alive()
    server.stop()
    assert not is_running(pid)


def test_a_server_that_was_killed_is_replaced_at_the_next_fit(own_shared, wait_until, caplog):
    first = shared_server()
    assert shared_server() is first
    folder, url = folder_of(first), first.url
    os.kill(server_pid(first), signal.SIGKILL)
    wait_until(lambda: not first.is_alive(), "the death is noticed")
    second = shared_server()
    assert second.is_alive() and second.url != url
    wait_until(lambda: not folder.exists(), "the folder of the dead server is gone")
    assert "started again" in caplog.text


def test_threads_that_come_together_get_one_server(own_shared):
    barrier, servers = threading.Barrier(12), []

    def fit():
        barrier.wait(10)
        server = open_server()
        with server.client() as client:
            client.incr("fits")
        servers.append(server)

    threads = [threading.Thread(target=fit) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(servers) == 12 and len(set(map(id, servers))) == 1
    with servers[0].client() as client:
        assert client.get("fits") == b"12"


@pytest.mark.parametrize("name", ["x" * 90, 'a b%20"c'], ids=["long", "odd"])
def test_any_temporary_folder_will_do(make_server, monkeypatch, name):
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as short:
        root = Path(short, name)
        root.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(root))
        server = make_server()
        server.start()
        assert len(server._socket) <= 100
        assert (root in Path(server._socket).parents) == (len(name) < 90)
        with server.client() as client:
            assert client.ping()
        server.stop()


def test_no_folder_at_all_is_a_server_error(monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(ServerError, match="no folder .* Permission denied"):
        EmbeddedServer().start()


def test_a_program_that_never_answers_is_ended(make_server, program, tmp_path):
    pid_file = tmp_path / "pid"
    hanging = program("hangs", f"echo $$ > {pid_file}\nexec sleep 300\n")
    server = make_server(hanging, timeout=0.5)
    with pytest.raises(ServerError, match="no answer to PING within 0.5 s"):
        server.start()
    assert not is_running(int(pid_file.read_text()))


def test_ctrl_c_while_it_starts_leaves_nothing(make_server, program, tmp_path, monkeypatch):
    pid_file = tmp_path / "pid"
    hanging = program("hangs", f"echo $$ > {pid_file}\nexec sleep 300\n")
    server = make_server(hanging)

    def interrupt(*_):
        if pid_file.exists() and pid_file.read_text().endswith("\n"):
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr(embedded, "_answers", interrupt)
    with pytest.raises(KeyboardInterrupt):
        server.start()
    assert not is_running(int(pid_file.read_text()))


def test_the_first_ping_comes_soon(make_server, server_binary):
    seconds = []
    for _ in range(5):
        server = make_server(server_binary)
        start = time.perf_counter()
        server.start()
        seconds.append(time.perf_counter() - start)
    print(f"{server_binary}: {statistics.median(seconds) * 1e3:.1f} ms to the first PING")
    assert min(seconds) < 1.0  # 8 to 40 ms on a free machine


def test_a_dead_socket_is_no_live_server(make_server, wait_until):
    server = make_server()
    server.start()
    pid = server_pid(server)
    os.kill(server._guard._shell.pid, signal.SIGSTOP)  # the guard cannot tell of the death
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not server.is_alive(), "the refused connection is noticed")
    os.kill(server._guard._shell.pid, signal.SIGCONT)
