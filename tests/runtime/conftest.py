"""Engines and runs to test on: in process, and on each server program."""

import itertools

import numpy as np
import pytest

from cirrus_runtime.server import InlineEngine, LuaEngine, ModuleEngine, ParameterServer

from ..redis_servers import SERVERS, find_server, running_server
from .worker_run import Run

_KINDS = {"module": ModuleEngine, "lua": LuaEngine}
_numbers = itertools.count()


@pytest.fixture(scope="session")
def server_of(tmp_path_factory):
    """Give the running server of a program, started once; skip if it is not installed."""
    contexts, servers = [], {}

    def get(name):
        if name not in servers:
            program = find_server(name)
            if program is None:
                pytest.skip(f"{name} is not installed")
            context = running_server(program, tmp_path_factory.mktemp(name))
            servers[name] = context.__enter__()
            contexts.append(context)
        return servers[name]

    yield get
    for context in contexts:
        context.__exit__(None, None, None)


@pytest.fixture(params=SERVERS)
def redis_server(request, server_of):
    """Each server, with the module."""
    return server_of(request.param)


@pytest.fixture(params=["inline", *(f"{kind} on {name}" for name in SERVERS for kind in _KINDS)])
def engine(request, server_of):
    """Each engine."""
    if request.param == "inline":
        yield InlineEngine()
        return
    kind, _, name = request.param.partition(" on ")
    engine = _KINDS[kind](server_of(name).client)
    yield engine
    engine.close()


@pytest.fixture
def make_server(engine):
    """Make parameter servers of one engine, on keys of their own."""
    made = []

    def make(spec=None, **create):
        made.append(ParameterServer(engine, f"cirrus:{{test {next(_numbers)}}}:model"))
        if spec is not None:
            made[-1].create(spec, **create)
        return made[-1]

    yield make
    for server in made:
        server.drop()


@pytest.fixture(params=["inline", *SERVERS])
def run(request, server_of, tmp_path):
    run = Run(None if request.param == "inline" else server_of(request.param), tmp_path)
    yield run
    run.close()


@pytest.fixture
def inline_run(tmp_path):
    run = Run(None, tmp_path)
    yield run
    run.close()


@pytest.fixture(params=SERVERS)
def redis_run(request, server_of, tmp_path):
    run = Run(server_of(request.param), tmp_path)
    yield run
    run.close()


@pytest.fixture
def random():
    return np.random.default_rng(0)
