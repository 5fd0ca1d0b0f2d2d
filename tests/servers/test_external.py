"""A server of somebody else: checked, used, left alone, its password kept."""

import socket

import pytest

from sklearn_cirrus.exceptions import ServerError
from sklearn_cirrus.servers import EmbeddedServer, ExternalServer, open_server
from sklearn_cirrus.servers.base import redact


@pytest.fixture
def theirs(make_server):
    """A running server that stands for somebody else's, with one key."""
    server = make_server()
    server.start()
    with server.client() as client:
        client.set("theirs", "1")
    return server


@pytest.fixture
def tcp_port(theirs):
    """Let that server listen on the loopback address too."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with theirs.client() as client:
        client.config_set("bind", "127.0.0.1")
        client.config_set("port", port)
    return port


def chain(error):
    """The messages of an error and its causes."""
    messages = []
    while error is not None:
        messages.append(f"{error} {error!r}")
        error = error.__cause__
    return "\n".join(messages)


def test_a_unix_url_is_used_and_left_as_it_was(theirs):
    server = open_server(theirs.url)
    assert isinstance(server, ExternalServer) and server.is_alive()
    assert server.url == theirs.url
    server.stop()
    assert server.is_alive() and theirs.is_alive()
    with server.client() as client:
        assert client.keys() == [b"theirs"]


def test_a_tcp_url_with_password(theirs, tcp_port):
    password = theirs.url.removeprefix("unix://:").partition("@")[0]
    server = open_server(f"redis://:{password}@127.0.0.1:{tcp_port}/2")
    with server.client() as client:
        assert client.dbsize() == 0  # database 2, as the url says
    assert password not in repr(server)
    assert repr(server) == f"<ExternalServer redis://:***@127.0.0.1:{tcp_port}/2>"


def test_a_wrong_password_is_told_and_not_shown(theirs, tcp_port):
    for url in (
        f"redis://:tr0ub4dor@127.0.0.1:{tcp_port}",
        f"redis://127.0.0.1:{tcp_port}?password=tr0ub4dor",
    ):
        with pytest.raises(ServerError, match="refused the password") as caught:
            open_server(url)
        assert "tr0ub4dor" not in chain(caught.value)
        assert not ExternalServer(url).is_alive()


def test_a_missing_password_is_told(theirs, tcp_port):
    with pytest.raises(ServerError, match="(?i)refused .*auth"):
        open_server(f"redis://127.0.0.1:{tcp_port}")


def test_nobody_at_the_address(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for url in (f"redis://user:tr0ub4dor@127.0.0.1:{port}", f"unix://{tmp_path}/none"):
        with pytest.raises(ServerError, match="no Redis server can be reached at") as caught:
            open_server(url)
        assert "tr0ub4dor" not in chain(caught.value)
        assert not ExternalServer(url).is_alive()


def test_somebody_who_never_answers():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        server = ExternalServer(f"redis://127.0.0.1:{mute.getsockname()[1]}", timeout=0.2)
        with pytest.raises(ServerError, match="did not answer PING within 0.2 s"):
            server.start()
        assert not server.is_alive()


def test_tls_to_a_server_that_speaks_none(theirs, tcp_port):
    server = ExternalServer(f"rediss://127.0.0.1:{tcp_port}", timeout=0.3)
    with pytest.raises(ServerError, match="at rediss://127.0.0.1"):
        server.start()


@pytest.mark.parametrize("url", ["http://:tr0ub4dor@host", "host:6379", ""])
def test_another_scheme_is_refused(url):
    with pytest.raises(ServerError, match="starts with redis://, rediss:// or unix://") as caught:
        ExternalServer(url)
    assert "tr0ub4dor" not in chain(caught.value)


@pytest.mark.parametrize(
    "url, shown",
    [
        ("redis://host:port", "redis://host:port"),
        ("redis://:tr0ub/4dor@host", "redis://***"),
        ("redis://:tr0ub#4dor@host", "redis://***"),
        ("redis://:tr0ub4dor@[host", "redis://***"),
        ("redis://:tr0ub4dor@host?socket_timeout=soon", "redis://:***@host?socket_timeout=soon"),
    ],
)
def test_an_url_that_cannot_be_read_is_refused(url, shown):
    with pytest.raises(ServerError) as caught:
        ExternalServer(url)
    assert f"cannot read the url {shown!r}" in str(caught.value)
    assert "tr0ub" not in chain(caught.value)


@pytest.mark.parametrize(
    "url, shown",
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://:s3cret@host:6379/0", "redis://:***@host:6379/0"),
        ("rediss://me:s3%40cret@host", "rediss://me:***@host"),
        ("redis://:a@b@host", "redis://:***@host"),
        ("unix://:s3cret@/tmp/s?db=1", "unix://:***@/tmp/s?db=1"),
        ("unix:///tmp/s?db=1&password=s3cret", "unix:///tmp/s?db=1&password=***"),
        ("redis://h?password=", "redis://h?password=***"),
    ],
)
def test_redact(url, shown):
    assert redact(url) == shown


def test_no_url_means_embedded():
    server = open_server()
    assert isinstance(server, EmbeddedServer) and server.is_alive()
    assert open_server() is server
