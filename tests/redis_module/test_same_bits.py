"""What a restart or a replica holds is the model itself: same bits now, and as training goes on.

The oracle is a twin of every model, on the same kernels in this process, that nothing happens to.
"""

import numpy as np
import pytest

from cirrus_runtime.server import InlineEngine, ModelSpec, ModuleEngine, ParameterServer

from ..redis_servers import wait_until
from .test_persistence import find_free_port, is_rewriting

OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "adam", "ftrl")
ROWS, WIDTH = 400, 3
AOF = "appendonly yes", "aof-use-rdb-preamble no"


class Twins:
    """Models of every optimizer, plain and scaled, on a server and in this process.

    Parameters
    ----------
    client : redis.Redis
    """

    def __init__(self, client):
        self.inline = InlineEngine()
        self.random = np.random.default_rng(0)
        self.specs = {
            f"{optimizer} {scaled}": ModelSpec(
                *(ROWS, WIDTH, optimizer, ROWS - 1),
                *(1e-3, 1e-2, 0.75, 0.99, 1e-3),
                scaled=scaled,
            )
            for optimizer in OPTIMIZERS
            for scaled in (False, True)
        }
        self.count = 0
        for key, spec in self.specs.items():
            scale = self.random.uniform(0.1, 10, ROWS)
            for server in self._both(key, client):
                server.create(spec, clock=(2**40, 0.125))
                if spec.scaled:
                    server.load("scale", scale)

    def train(self, client, steps):
        """Step on all models, and compare what both pull; most rows sleep most of the time."""
        for _ in range(steps):
            self.count += 1
            rows = ROWS if self.count % 7 == 0 else 20
            ids = self.random.permutation(rows)[:9]
            grads = self.random.standard_normal((9, WIDTH))
            pulled = self.random.integers(0, ROWS, 30)
            tag = (self.count % 3, 2**32 - 1, self.count)
            for key in self.specs:
                twin, server = self._both(key, client)
                expected = twin.step(ids, grads, 0.1, pulled, tag)
                assert server.step(ids, grads, 0.1, pulled, tag).tobytes() == expected.tobytes()

    def check(self, client):
        """Compare every slot, the clock and the tags."""
        for key, spec in self.specs.items():
            twin, server = self._both(key, client)
            for slot in spec.slots:
                assert server.dump(slot).tobytes() == twin.dump(slot).tobytes(), (key, slot)
            info, expected = server.info(), twin.info()
            assert info["steps"] == expected["steps"] == 2**40 + self.count
            assert np.float32(info["rate"]) == np.float32(expected["rate"])
            assert server.spec.optimizer == spec.optimizer

    def check_tags(self, client):
        """A push that was applied before the end is known after it."""
        for key in self.specs:
            server = self._both(key, client)[1]
            for sequence in range(self.count - 2, self.count + 1):
                tag = (sequence % 3, 2**32 - 1, sequence)
                assert server.push([0], np.ones((1, WIDTH)), 0.1, tag) is False

    def go_on(self, client):
        """Check all, then train on where the twins are."""
        self.check(client)
        self.check_tags(client)
        self.train(client, 15)
        self.check(client)

    def _both(self, key, client):
        """Return the twin and the model on the server."""
        return ParameterServer(self.inline, key), ParameterServer(ModuleEngine(client), key)


def test_a_restart_from_rdb_goes_on(start):
    server = start()
    twins = Twins(server.client)
    twins.train(server.client, 40)
    server.client.save()
    server.stop()
    twins.go_on(start().client)


@pytest.mark.parametrize("rewritten", [True, False], ids=["rewritten", "as it came"])
@pytest.mark.parametrize("preamble", ["no", "yes"])
def test_a_restart_from_aof_goes_on(start, rewritten, preamble):
    options = "appendonly yes", f"aof-use-rdb-preamble {preamble}"
    server = start(*options)
    twins = Twins(server.client)
    twins.train(server.client, 30)
    if rewritten:
        server.client.bgrewriteaof()
        wait_until(lambda: not is_rewriting(server.client), "the rewrite does not end")
    twins.train(server.client, 10)  # the log goes on behind what was rewritten
    server.stop()
    twins.go_on(start(*options).client)


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_replica_takes_over(start, tmp_path, diskless):
    port = find_free_port()
    sync = f"repl-diskless-sync {diskless}", "repl-diskless-sync-delay 0"
    primary = start(f"port {port}", "bind 127.0.0.1", *sync)
    twins = Twins(primary.client)
    twins.train(primary.client, 25)
    replica = start(f"replicaof 127.0.0.1 {port}", folder=tmp_path / "replica")
    wait_until(
        lambda: replica.client.info("replication")["master_link_status"] == "up",
        "the replica does not follow",
    )
    twins.check(replica.client)  # what it copied
    twins.train(primary.client, 25)
    primary.client.set("written", "last")  # WAIT is for what came on its own connection, and before
    assert primary.client.wait(1, 20_000) == 1
    twins.check(replica.client)  # what it was sent since
    primary.stop()
    replica.client.replicaof("NO", "ONE")
    twins.go_on(replica.client)


def test_a_model_of_as_many_steps_as_can_be_counted_survives(start):
    """One more step would give a clock that CREATE refuses when the log is replayed."""
    server = start(*AOF)
    model = ParameterServer(ModuleEngine(server.client), "full")
    model.create(ModelSpec(2, 1, "sgd"), clock=(2**53 - 2, 0.1))
    assert model.push([0], [1.0], 0.1) and model.push([0], [1.0], 0.1)
    with pytest.raises(Exception, match="^BADVALUE the model has seen 2\\^53 steps"):
        model.push([0], [1.0], 0.1)
    server.client.bgrewriteaof()
    wait_until(lambda: not is_rewriting(server.client), "the rewrite does not end")
    weights = model.dump().tobytes()
    server.stop()
    again = ParameterServer(ModuleEngine(start(*AOF).client), "full")
    assert again.dump().tobytes() == weights
    assert again.info()["steps"] == 2**53


def test_the_largest_float_survives(start):
    """Its nine digits are a little more than it is."""
    largest = float(np.finfo(np.float32).max)
    server = start(*AOF)
    model = ParameterServer(ModuleEngine(server.client), "large")
    model.create(ModelSpec(1, 1, "adagrad", l1=largest, eps=largest), clock=(3, largest))
    server.client.bgrewriteaof()
    wait_until(lambda: not is_rewriting(server.client), "the rewrite does not end")
    server.stop()
    info = ParameterServer(ModuleEngine(start(*AOF).client), "large").info()
    assert [np.float32(info[name]) for name in ("l1", "eps", "rate")] == [np.float32(largest)] * 3
