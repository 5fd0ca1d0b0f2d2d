"""A worker from its job to its reports: in process, and on each server with a store on disk.

The oracle is sequential minibatch SGD in float64: the loss of ``logistic_oracle.py``, the updates
of ``oracle.py``, the order of rows that seed, epoch and block decide.
"""

import itertools
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cirrus_runtime.blocks import encode_block
from cirrus_runtime.board import InlineBoard
from cirrus_runtime.board_redis import RedisBoard
from cirrus_runtime.errors import CirrusError, RunEnded, ServerError
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.protocol import Lease, TrainJob
from cirrus_runtime.server import InlineEngine, ModelSpec, ModuleEngine, ParameterServer
from cirrus_runtime.store import open_store
from cirrus_runtime.store_memory import MemoryStore
from cirrus_runtime.worker import Resources, run_worker

from ..redis_servers import SERVERS, wait_until
from .logistic_oracle import losses_and_gradient, random_block
from .oracle import DenseModel

_numbers = itertools.count()
D, SOON = 12, 20.0


class Run:
    """What a trainer has to do with workers: a board, a model and a store, and jobs to start.

    Parameters
    ----------
    server : RunningServer or None
        None: everything is in this process.
    folder : path
        For the store.
    """

    def __init__(self, server, folder):
        self.keys = RunKeys(f"run-{next(_numbers)}")
        self._server, self._resources, self._threads = server, None, []
        self._pool = ThreadPoolExecutor(4)
        self.places = {"store_url": "memory://", "engine": "inline"}
        if server is None:
            self.board, self.engine, self.store = InlineBoard(), InlineEngine(), MemoryStore()
            self._resources = Resources(self.board, self.engine, self.store)
        else:
            self.board = RedisBoard(server.client, self.keys)
            self.board.put_up()
            self.engine, self.store = ModuleEngine(server.client), open_store(folder.as_uri())
            self.places = {"store_url": self.store.url, "engine": "module"}
            self.places["redis_url"] = f"unix://{server.socket}"
        self.model = ParameterServer(self.engine, self.keys.model)

    def put(self, *blocks):
        """Put blocks; return their names."""
        names = [self.keys.block("train", number) for number in range(len(blocks))]
        for name, block in zip(names, blocks, strict=True):
            self.store.put(name, encode_block(block))
        return names

    def job(self, **fields):
        """Return a job as the dict that a worker gets."""
        job = {"n_features": D, "width": 1, "intercept": True, "batch_size": 16, "seed": 42}
        return TrainJob(run_id=self.keys.run_id, **self.places, **job | fields).to_json()

    def start(self, **fields):
        """Start a worker; return the future of its result."""
        self._threads.append(self._pool.submit(run_worker, self.job(**fields), self._resources))
        return self._threads[-1]

    def collect(self, count):
        """Wait for some reports; fail at once if a worker failed."""
        reports = []

        def done():
            for thread in self._threads:
                assert not thread.done() or thread.exception() is None, thread.exception()
            reports.extend(self.board.collect(0.1))
            return len(reports) >= count

        wait_until(done, "the reports do not come", SOON)
        assert len(reports) == count
        return reports

    def leases_left(self):
        """Return the numbers of the leases that can be taken."""
        numbers = []
        while (item := self.board.take(0.05)) is not None:
            numbers.append(item[1].number)
        return sorted(numbers)

    def end(self):
        """End the run, as the trainer does."""
        self.board.take_down()
        self.model.drop()

    def close(self):
        self.end()
        self._pool.shutdown()
        self.board.close()
        self.engine.close()
        self.store.close()


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


def minibatches(n_rows, batch_size, seed, epoch, block):
    """Yield (rows of a minibatch, place of its middle in the block from 0 to 1)."""
    order = np.random.default_rng((seed, epoch, block)).permutation(n_rows)
    count = -(-n_rows // batch_size)
    for i in range(count):
        yield order[n_rows * i // count : n_rows * (i + 1) // count], (i + 0.5) / count


def train(model, block, lease, batch_size=16, seed=42):
    """Train the oracle on a block; return what the report must say."""
    loss, updates, n_ids = 0.0, 0, 0
    for rows, place in minibatches(block.n_rows, batch_size, seed, lease.epoch, lease.block):
        losses, gradient = losses_and_gradient(block, rows, model.w)
        entries = [range(block.indptr[row], block.indptr[row + 1]) for row in rows]
        ids = np.unique(block.indices[list(itertools.chain(*entries))])
        n_ids += ids.size + len(model.w) - D
        ids = np.append(ids, np.arange(D, len(model.w)))
        rate = lease.lr + place * (lease.lr_end - lease.lr)
        model.push(ids, gradient[ids] / len(rows), rate)
        loss, updates = loss + losses.sum(), updates + 1
    weight = block.n_rows if block.weights is None else block.weights.astype(float).sum()
    # Each id and each weight goes there and back, 4 bytes long.
    nbytes = 2 * 4 * n_ids * (1 + model.w.shape[1])
    return dict(rows=block.n_rows, weight=weight, loss=loss, updates=updates, nbytes=nbytes)


@pytest.mark.parametrize("prefetch", [False, True], ids=["direct", "ahead"])
@pytest.mark.parametrize(
    ("optimizer", "width", "intercept", "penalty", "fall"),
    [
        ("sgd", 1, True, 0.0, 0.05),
        ("adagrad", 3, True, 0.0, 0.05),
        # A row that sleeps pays its penalty at the rate at which it wakes: only a constant one
        # makes it that of the definition.
        ("adagrad", 1, False, 0.01, 0.0),
        ("sgd", 3, True, 0.01, 0.0),
    ],
)
def test_a_worker_alone_is_sequential_sgd(
    run, random, optimizer, width, intercept, penalty, fall, prefetch
):
    blocks = [
        random_block(random, 50, D, width, weights=True),
        random_block(random, 41, D, width, ones=True),
        random_block(random, 5, D, width),
    ]
    spec = ModelSpec(D + intercept, width, optimizer, D, l1=penalty / 5, l2=penalty, eps=0.01)
    oracle = DenseModel(spec)
    run.model.create(spec)
    names = run.put(*blocks)
    work = [(0, 0), (0, 1), (0, 2), (1, 2), (1, 0), (1, 1)]
    leases = [
        Lease(10 + i, "train", epoch, number, names[number], 0.5 - fall * i, 0.5 - fall * (i + 1))
        for i, (epoch, number) in enumerate(work)
    ]
    run.board.offer(leases)
    result = run.start(width=width, intercept=intercept, worker=3, generation=2, prefetch=prefetch)
    reports = run.collect(len(leases))
    for lease, report in zip(leases, reports, strict=True):
        expected = train(oracle, blocks[lease.block], lease)
        assert report.loss == pytest.approx(expected.pop("loss"), rel=1e-4)
        assert report.weight == pytest.approx(expected.pop("weight"), rel=1e-6)
        assert {name: getattr(report, name) for name in expected} == expected
        assert (report.number, report.kind, report.epoch) == (lease.number, "train", lease.epoch)
        assert (report.worker, report.generation, report.error) == (3, 2, "")
        assert 0 < report.compute < SOON and 0 < report.server < SOON and 0 <= report.wait < SOON
    np.testing.assert_allclose(run.model.dump(), oracle.w, rtol=1e-3, atol=2e-5)
    assert np.abs(oracle.w).max() > 0.1  # it has learnt something
    assert run.model.info()["steps"] == sum(report.updates for report in reports) == 16
    run.end()
    assert result.result(SOON) == {"reason": "ended", "rows": 192, "updates": 16}


def test_loss_leases_leave_the_model_as_it_is(run, random):
    block = random_block(random, 9001, D, 3, weights=True)  # more than one minibatch
    run.model.create(ModelSpec(D + 1, 3, "adagrad"))
    weights = random.standard_normal((D + 1, 3)).astype(np.float32)
    run.model.load("weights", weights)
    (name,) = run.put(block)
    run.board.offer([Lease(0, "loss", 4, 0, name)])
    run.start(width=3)
    (report,) = run.collect(1)
    losses, _ = losses_and_gradient(block, np.arange(9001), weights)
    assert report.loss == pytest.approx(losses.sum(), rel=1e-6)
    assert report.weight == pytest.approx(block.weights.astype(float).sum())
    assert (report.rows, report.updates, report.kind, report.epoch) == (9001, 0, "loss", 4)
    np.testing.assert_array_equal(run.model.dump(), weights)
    assert run.model.info()["steps"] == 0


def test_the_seed_decides_the_model(random, tmp_path):
    block, models = random_block(random, 100, D, 1), []
    for seed, prefetch in ((1, True), (1, False), (2, True)):
        run = Run(None, tmp_path)
        run.model.create(ModelSpec(D + 1, 1, "adagrad"))
        run.board.offer([Lease(0, "train", 0, 0, *run.put(block), 0.5, 0.5)])
        run.start(seed=seed, prefetch=prefetch)
        run.collect(1)
        models.append(run.model.dump())
        run.close()
    np.testing.assert_array_equal(models[0], models[1])
    assert np.abs(models[0] - models[2]).max() > 1e-3


def test_two_workers_share_the_work(redis_run, random):
    run, n_leases = redis_run, 30
    names = run.put(*(random_block(random, 40, D, 1) for _ in range(3)))
    run.model.create(ModelSpec(D + 1, 1, "adagrad"))
    results = [run.start(worker=worker) for worker in (0, 1)]
    for number in range(n_leases):
        run.board.offer([Lease(number, "train", 0, number % 3, names[number % 3], 0.1, 0.1)])
    reports = run.collect(n_leases)
    assert sorted(report.number for report in reports) == list(range(n_leases))
    assert run.model.info()["steps"] == sum(report.updates for report in reports) == 90
    run.end()
    for worker, result in enumerate(results):
        rows = sum(report.rows for report in reports if report.worker == worker)
        assert result.result(SOON) == {"reason": "ended", "rows": rows, "updates": 3 * rows / 40}
    assert run._server.client.keys(f"*{run.keys.run_id}}}*") == []


# --- the end ------------------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [False, True], ids=["direct", "ahead"])
def test_the_end_of_the_run_ends_a_worker_that_waits(run, random, prefetch):
    """At once: it is not the end of a wait that it notices it by."""
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    run.board.offer([Lease(0, "train", 0, 0, *run.put(random_block(random, 20, D, 1)), 0.1, 0.1)])
    result = run.start(prefetch=prefetch)
    run.collect(1)
    begin = time.monotonic()
    run.end()
    assert result.result(SOON) == {"reason": "ended", "rows": 20, "updates": 2}
    assert time.monotonic() - begin < 0.8
    assert not [thread for thread in threading.enumerate() if thread.name == "cirrus-prefetch"]


class SlowEngine(InlineEngine):
    """Does something before each step, as if the server were slow."""

    def __init__(self, before_step):
        super().__init__()
        self.steps, self._before = 0, before_step

    def step(self, *arguments):
        self.steps += 1
        self._before(self.steps)
        return super().step(*arguments)


def slow_run(run, before_step, block):
    """Let the engine of an inline run be slow, and offer two leases on a block."""
    run.engine = run._resources.engine = run.model.engine = SlowEngine(before_step)
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    (name,) = run.put(block)
    run.board.offer([Lease(number, "train", number, 0, name, 0.1, 0.1) for number in (0, 1)])


def test_a_model_that_is_dropped_ends_a_worker_that_computes(inline_run, random):
    run = inline_run
    slow_run(run, lambda step: step == 3 and run.model.drop(), random_block(random, 160, D, 1))
    assert run.start().result(SOON) == {"reason": "ended", "rows": 0, "updates": 0}
    assert run.engine.steps == 3
    assert run.leases_left() == [0, 1]


def test_a_worker_stops_before_its_deadline(run, random):
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    (name,) = run.put(random_block(random, 20, D, 1))
    run.board.offer([Lease(number, "train", 0, 0, name, 0.1, 0.1) for number in range(3)])
    deadline = time.time() + 1.5  # too late to begin something
    assert run.start(deadline=deadline).result(SOON)["reason"] == "deadline"
    assert time.time() < deadline
    assert run.leases_left() == [0, 1, 2]
    assert run.model.info()["steps"] == 0


def test_a_deadline_while_it_waits(run):
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    deadline = time.time() + 2.5
    result = run.start(deadline=deadline).result(SOON)
    assert result == {"reason": "deadline", "rows": 0, "updates": 0}
    assert time.time() < deadline


@pytest.mark.parametrize("prefetch", [False, True], ids=["direct", "ahead"])
def test_a_deadline_in_the_middle_of_a_block(inline_run, random, prefetch):
    """Who is cut off by force instead would not give the block back."""
    run, deadline = inline_run, time.time() + 2.3
    never = threading.Event()
    slow_run(
        run,
        lambda step: step == 3 and never.wait(deadline - 0.95 - time.time()),
        random_block(random, 320, D, 1),
    )
    result = run.start(deadline=deadline, prefetch=prefetch).result(SOON)
    assert result == {"reason": "deadline", "rows": 0, "updates": 0}
    assert run.engine.steps == 3
    assert run.leases_left() == [0, 1]


@pytest.mark.parametrize("prefetch", [False, True], ids=["direct", "ahead"])
def test_a_worker_makes_way_for_its_successor(redis_run, random, prefetch):
    run = redis_run
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    run.model.push([], np.empty((0, 1)), 0.1, (5, 1, 1))  # the successor has pushed
    (name,) = run.put(random_block(random, 100, D, 1))
    run.board.offer([Lease(0, "train", 0, 0, name, 0.1, 0.1)])
    result = run.start(worker=5, generation=0, prefetch=prefetch)
    assert result.result(SOON) == {"reason": "stale", "rows": 0, "updates": 0}
    assert run.model.info()["steps"] == 1
    run.start(worker=5, generation=2)  # the lease is there for who comes next
    (report,) = run.collect(1)
    assert (report.number, report.generation, report.updates) == (0, 2, 7)


def test_leases_are_renewed_in_the_middle_of_a_block(inline_run, random):
    run, renewals = inline_run, []
    run.board.renew = lambda tokens: renewals.append((run.engine.steps, sorted(tokens)))
    slow_run(run, lambda step: threading.Event().wait(0.02), random_block(random, 160, D, 1))
    run.start(lease_seconds=0.03, prefetch=True)
    run.collect(2)
    first = [tokens for steps, tokens in renewals if 1 < steps < 9]
    assert len(first) >= 5
    assert first[-1] == [0, 1]  # the one that is ready too


# --- what goes wrong ----------------------------------------------------------------------


def test_a_bad_block_is_reported_and_the_worker_goes_on(run, random):
    good, foreign = random_block(random, 20, D, 1), random_block(random, 20, D, 4)
    names = run.put(good, good, foreign)
    run.store.put(names[1], b"not a block")
    names.insert(2, "absent")
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    run.board.offer(
        [Lease(number, "train", 0, number, names[number], 0.1, 0.1) for number in (1, 2, 3, 0)]
    )
    result = run.start()
    *bad, last = run.collect(4)
    errors = ["BlockError: .*not a block|BlockError: .*truncated", "StoreError: ", "BlockError: "]
    for report, number, error, name in zip(bad, (1, 2, 3), errors, names[1:], strict=True):
        assert report.number == number
        assert re.match(error, report.error)
        assert name in report.error
        assert (report.rows, report.updates, report.loss) == (0, 0, 0)
    assert "label beyond the 2 classes" in bad[2].error
    assert (last.number, last.error, last.rows, last.updates) == (0, "", 20, 2)
    run.end()
    assert result.result(SOON) == {"reason": "ended", "rows": 20, "updates": 2}


def test_a_model_that_diverges_stops_the_worker_with_the_reason(run, random):
    block = random_block(random, 40, D, 1)
    block.data[:] = np.inf
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    run.board.offer([Lease(0, "train", 0, 0, *run.put(block), 0.1, 0.1)])
    with pytest.raises(ServerError, match="^BADVALUE") as caught:
        run.start().result(SOON)
    assert not isinstance(caught.value, RunEnded)
    assert run.leases_left() == [0]
    assert not [thread for thread in threading.enumerate() if thread.name == "cirrus-prefetch"]


def test_a_server_that_is_not_there(inline_run, tmp_path):
    job = inline_run.job() | {
        "redis_url": f"unix://{tmp_path}/no.sock", "engine": "module",
        "store_url": tmp_path.as_uri(),
    }  # fmt: skip
    with pytest.raises(ServerError, match="cannot be reached") as caught:
        run_worker(job)
    assert not isinstance(caught.value, RunEnded)


def test_a_run_that_is_over_already(redis_run):
    redis_run.end()
    result = redis_run.start().result(SOON)
    assert result == {"reason": "ended", "rows": 0, "updates": 0}
    assert redis_run._server.client.keys(f"*{redis_run.keys.run_id}}}*") == []


def test_a_job_of_another_version_is_refused(inline_run):
    with pytest.raises(CirrusError, match="install the same sklearn-cirrus on both sides"):
        run_worker(inline_run.job() | {"version": 0}, inline_run._resources)
