"""Servers with the module loaded, and a model to try them on."""

import numpy as np
import pytest

from ..redis_servers import SERVERS, find_server, running_server


@pytest.fixture(params=SERVERS)
def program(request):
    """Each server program that is installed here."""
    path = find_server(request.param)
    if path is None:
        pytest.skip(f"{request.param} is not installed")
    return path


@pytest.fixture
def start(program, tmp_path):
    """Start servers, in ``tmp_path`` unless told otherwise; they end with the test."""
    contexts = []

    def start(*options, folder=tmp_path):
        folder.mkdir(exist_ok=True)
        contexts.append(running_server(program, folder, *options))
        return contexts[-1].__enter__()

    yield start
    for context in contexts:
        context.__exit__(None, None, None)


@pytest.fixture
def client(start):
    """A client of a fresh server."""
    return start().client


def ids_of(*ids):
    return np.array(ids, "<u4").tobytes()


def floats_of(*values):
    return np.array(values, "<f4").tobytes()
