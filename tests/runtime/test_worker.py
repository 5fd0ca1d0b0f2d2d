"""A worker from its job to its reports: in process, and on each server with a store on disk.

The oracle is sequential minibatch SGD in float64: the loss of ``logistic_oracle.py``, the updates
of ``oracle.py``, the order of rows that seed, epoch and block decide.
"""

import itertools

import numpy as np
import pytest

from cirrus_runtime.protocol import Lease
from cirrus_runtime.server import ModelSpec

from .logistic_oracle import losses_and_gradient, random_block
from .oracle import DenseModel
from .worker_run import SOON, D, Run


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
        seconds = report.localize, report.compute, report.server, report.load
        assert all(0 < part < SOON for part in seconds) and 0 <= report.wait < SOON
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
