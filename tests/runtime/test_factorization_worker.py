"""A worker that factorizes, over every server: sequential training and held-out ratings.

The oracle is training in float64: the gradient of ``factorization_oracle.py``, the updates of
``oracle.py``, the order of users that seed, epoch and block decide.
"""

import numpy as np
import pytest

from cirrus_runtime.protocol import Lease
from cirrus_runtime.server import ModelSpec

from .factorization_oracle import Ratings, random_ratings
from .oracle import DenseModel
from .test_worker import minibatches
from .worker_run import SOON, D

OPTIONS = {"alpha": 0.2, "mean": 3.5, "biased": True}
WIDTH = 4


def start(run, **fields):
    """Start a worker that factorizes."""
    fields = {"width": WIDTH, "intercept": False, "options": OPTIONS} | fields
    return run.start(kind="factorization", **fields)


def train(model, oracle, lease):
    """Train the oracle on a block; return what the report must say."""
    block = oracle.block
    share = oracle.sums(range(block.n_rows), model.w)[2] / block.n_rows
    loss = penalty = 0.0
    for users, place in minibatches(block.n_rows, 16, 42, lease.epoch, lease.block):
        errors, more, _ = oracle.sums(users, model.w)
        loss, penalty = loss + errors, penalty + more
        gradient = oracle.gradient(users, model.w) / (share * len(users))
        ids = np.unique(np.concatenate([oracle.of(user)[0] for user in users]))
        rate = lease.lr + place * (lease.lr_end - lease.lr)
        model.push(ids, gradient[ids], rate)
    return loss, penalty / (share * block.n_rows), share * block.n_rows


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_a_worker_alone_trains_as_the_definition_says(run, random, optimizer):
    blocks = [random_ratings(random, 50, D, weights=True), random_ratings(random, 33, D)]
    spec = ModelSpec(D, WIDTH, optimizer, 0, eps=1e-3)
    oracle = DenseModel(spec)
    oracle.w[:] = items = (0.3 * random.standard_normal((D, WIDTH))).astype(np.float32)
    run.model.create(spec)
    run.model.load("weights", items)
    names = run.put(*blocks)
    work = [(0, 0), (0, 1), (1, 1), (1, 0)]
    leases = [
        Lease(i, "train", epoch, number, names[number], 0.2 - 0.04 * i, 0.16 - 0.04 * i)
        for i, (epoch, number) in enumerate(work)
    ]
    run.board.offer(leases)
    result = start(run)
    for lease, report in zip(leases, run.collect(len(leases)), strict=True):
        expected = train(oracle, Ratings(blocks[lease.block], **OPTIONS), lease)
        found = report.loss, report.penalty, report.weight
        assert found == pytest.approx(expected, rel=2e-3)
        assert report.rows == len(blocks[lease.block].indices)
    np.testing.assert_allclose(run.model.dump(), oracle.w, rtol=5e-3, atol=5e-4)
    assert np.abs(oracle.w - items).max() > 0.1  # it has learnt something
    run.end()
    rows = 2 * sum(len(block.indices) for block in blocks)
    assert result.result(SOON) == {"reason": "ended", "rows": rows, "updates": 14}


def test_loss_leases_score_held_out_ratings(run, random):
    block = random_ratings(random, 8400, D, longest=3, weights=True)  # more than one minibatch
    run.model.create(ModelSpec(D, WIDTH, "adagrad"))
    items = (0.3 * random.standard_normal((D, WIDTH))).astype(np.float32)
    run.model.load("weights", items)
    (name,) = run.put(block)
    run.board.offer([Lease(0, "loss", 2, 0, name)])
    start(run)
    (report,) = run.collect(1)
    oracle = Ratings(block, **OPTIONS)
    loss = weight = rows = 0.0
    for user in range(0, block.n_rows, 2):
        errors = oracle.errors(user + 1, items, oracle.solve(user, items))
        weights = oracle.of(user + 1)[2]
        loss, weight, rows = loss + weights @ errors**2, weight + weights.sum(), rows + len(errors)
    assert report.loss == pytest.approx(loss, rel=1e-4)
    assert report.weight == pytest.approx(weight, rel=1e-5)
    assert report.rows == rows
    np.testing.assert_array_equal(run.model.dump(), items)
