"""The embedded server keeps memory of messages for the next one, and that of models for none."""

from pathlib import Path

import numpy as np
import pytest

from cirrus_runtime.server import ModelSpec, ParameterServer, open_engine

MIB = 1 << 20
ROWS, WIDTH = 50_000, 64  # adagrad: 25 MB, and 13 MB of them in one message


@pytest.fixture
def resident(make_server, server_binary):
    """Return a model on a server, and a function that says how much memory the server has."""
    server = make_server(server_binary)
    server.start()
    with server.client() as client:
        status = Path(f"/proc/{client.info('server')['process_id']}/status")

        def resident():
            (line,) = [line for line in status.read_text().splitlines() if "VmRSS" in line]
            return int(line.split()[1]) / 1024

        yield client, resident


def faults_of(client):
    """Return how often the server has had to ask the system for a page so far."""
    stat = Path(f"/proc/{client.info('server')['process_id']}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[7])


def test_pages_of_messages_are_kept_and_those_of_models_given_back(resident, wait_until):
    client, mib = resident
    model = ParameterServer(open_engine(client, "module"), "model")
    before = mib()
    model.create(ModelSpec(ROWS, WIDTH, "adagrad"))
    ids, grads = np.arange(ROWS, dtype=np.uint32), np.ones((ROWS, WIDTH), np.float32)
    for _ in range(3):
        model.step(ids, grads, 0.1, ids)
    faults = faults_of(client)
    model.step(ids, grads, 0.1, ids)
    assert faults_of(client) - faults < 0.1 * grads.nbytes / 4096  # a fault brings a page of 4 KiB
    full = mib()
    model.drop()
    wait_until(lambda: mib() < full - 20, "the model's pages stay")
    assert full - before > 60
