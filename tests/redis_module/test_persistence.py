"""A model survives its server: RDB, AOF, replication, COPY and DUMP, all bit for bit."""

import random
import socket

import pytest
import redis

from ..redis_servers import crc64, wait_until
from .conftest import floats_of, ids_of

SPECS = {
    "adam": "ROWS 40000 WIDTH 3 OPTIMIZER adam PENALIZED 39999 L1 0.01 L2 0.1 SCALED CLOCK 7 0.1",
    "ftrl": "ROWS 5 WIDTH 1 OPTIMIZER ftrl L1 0.001 BETA1 0.5 BETA2 0.25 EPS 0.125",
    "adagrad": "ROWS 9 WIDTH 1 OPTIMIZER adagrad L2 0.5 EPS 0.01 POWER_T 0.75",
    "varied": "ROWS 30 WIDTH 70 OPTIMIZER adagrad L2 0.5 SCALED VARIED",
    "columns": "ROWS 3 WIDTH 2 OPTIMIZER ftrl VARIED",
    "sgd": "ROWS 300 WIDTH 2 OPTIMIZER sgd",
    "momentum": "ROWS 1 WIDTH 65536 OPTIMIZER momentum L2 3e-7",
}
RAW = 102  # the slot of whole rows
COLUMNS = 103  # the slot of what columns have of their own


def make_models(client):
    """Create a model of each kind, with rows that sleep and workers that have pushed."""
    for name, spec in SPECS.items():
        client.execute_command("CIRRUS.CREATE", name, *spec.split())
        width = int(spec.split()[3])
        if "VARIED" in spec:
            values = floats_of(*(0.125 * (1 + j) for j in range(3 * width)))
            assert client.execute_command("CIRRUS.LOAD", name, COLUMNS, 0, values)
        for step in range(5):
            row = step % 3 if name != "momentum" else 0
            grads = floats_of(*(0.25 + step + j for j in range(width)))
            arguments = (name, "0.1", ids_of(row), grads, "TAG", 40 * step, 2**32 - 1, 2**53 - step)
            assert client.execute_command("CIRRUS.PUSH", *arguments) == 1


def state_of(client):
    """Everything that a model is: its fields, its table, and its tags (they are in DUMP)."""
    state = {}
    for name, spec in SPECS.items():
        rows = int(spec.split()[1])
        state[name] = (
            client.execute_command("CIRRUS.INFO", name),
            client.execute_command("CIRRUS.DUMP", name, RAW, 0, rows),
            client.dump(name)[:-10],  # without the version of the server and the checksum
        )
    return state


def check_tags(client):
    """A push that was applied before is known."""
    for name, spec in SPECS.items():
        grads = floats_of(*[1] * int(spec.split()[3]))
        arguments = (name, "0.1", ids_of(0), grads, "TAG", 160, 2**32 - 1, 2**53 - 4)
        assert client.execute_command("CIRRUS.PUSH", *arguments) == 0


def test_a_restart_from_rdb(start):
    first = start()
    make_models(first.client)
    state = state_of(first.client)
    first.client.save()
    first.stop()
    second = start()
    assert state_of(second.client) == state
    check_tags(second.client)


def is_rewriting(client):
    info = client.info("persistence")
    return info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"]


@pytest.mark.parametrize("rewritten", [True, False], ids=["rewritten", "as it came"])
def test_a_restart_from_aof(start, rewritten):
    options = "appendonly yes", "aof-use-rdb-preamble no"
    first = start(*options)
    make_models(first.client)
    state = state_of(first.client)
    if rewritten:
        first.client.bgrewriteaof()
        wait_until(lambda: not is_rewriting(first.client), "the rewrite does not end")
        assert first.client.info("persistence")["aof_last_bgrewrite_status"] == "ok"
    first.stop()
    second = start(*options)
    assert state_of(second.client) == state
    check_tags(second.client)


def test_a_replica_holds_the_same(start, tmp_path):
    port = find_free_port()
    primary = start(f"port {port}", "bind 127.0.0.1", "repl-diskless-sync-delay 0")
    make_models(primary.client)
    replica = start(f"replicaof 127.0.0.1 {port}", folder=tmp_path / "replica")
    wait_until(
        lambda: replica.client.info("replication")["master_link_status"] == "up",
        "the replica does not follow",
    )
    for name, spec in SPECS.items():  # and what comes after the first copy
        grads = floats_of(*[0.5] * int(spec.split()[3]))
        step = ("CIRRUS.STEP", name, "0.3", ids_of(0), grads, ids_of(0), "TAG", 1, 1, 1)
        rows = primary.client.execute_command(*step)
        assert primary.client.execute_command(*step) == rows  # a duplicate: not replicated
    assert primary.client.wait(1, 20_000) == 1
    assert state_of(replica.client) == state_of(primary.client)
    with pytest.raises(redis.ReadOnlyError):
        replica.client.execute_command(*step)
    assert replica.client.execute_command("CIRRUS.PULL", "sgd", ids_of(0))


def find_free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_copy_and_restore(client):
    make_models(client)
    state = state_of(client)
    for name in SPECS:
        client.copy(name, "copy")
        client.restore("restored", 0, client.dump(name))
        for other in ("copy", "restored"):
            assert client.dump(other) == client.dump(name)
            grads = floats_of(*[1] * int(SPECS[name].split()[3]))
            client.execute_command("CIRRUS.PUSH", other, "0.1", ids_of(0), grads)
            client.delete(other)
    assert state_of(client) == state  # the copies shared nothing with it


def test_memory_is_counted(client):
    before = client.info("memory")["used_memory"]
    make_models(client)
    table = 40000 * (3 * 4 + 2) * 4
    assert table < client.memory_usage("adam") < table + 100_000
    assert client.info("memory")["used_memory"] - before > table
    client.unlink(*SPECS)
    wait_until(
        lambda: client.info("memory")["used_memory"] - before < table / 10,
        "the memory is not given back",
    )


def test_damaged_dumps_are_refused(client):
    """RESTORE of garbage is an error; the server lives and what does load can be used."""
    generator = random.Random(0)
    client.execute_command("CIRRUS.CREATE", "m", *"ROWS 6 WIDTH 2 OPTIMIZER ftrl SCALED".split())
    push = ("CIRRUS.PUSH", "m", "0.1", ids_of(1), floats_of(1, 2), "TAG", 1, 1, 1)
    client.execute_command(*push)
    good = client.dump("m")
    refused = 0
    for _ in range(3000):
        body = bytearray(good[:-8])
        for _ in range(generator.randint(1, 3)):
            place = generator.randrange(10, len(body) - 2)  # behind the name of the type
            body[place] = generator.choice((0, 1, 0x7F, 0x80, 0x81, 0xFF, generator.randrange(256)))
        if generator.random() < 0.2:
            end = generator.randrange(10, len(body) - 2)
            del body[end:-2]
        try:
            client.restore("damaged", 0, bytes(body) + crc64(body).to_bytes(8, "little"))
        except redis.ResponseError as error:
            assert "Bad data format" in str(error)
            refused += 1
            continue
        rows = dict(zip(*[iter(client.execute_command("CIRRUS.INFO", "damaged"))] * 2, strict=True))
        try:
            client.execute_command("CIRRUS.DUMP", "damaged", 0, 0, rows[b"rows"])
        finally:
            client.delete("damaged")
    assert 500 < refused < 3000
    assert client.ping()
