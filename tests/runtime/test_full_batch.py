"""Loss and gradient of whole blocks, and a worker that sums them, against float64 NumPy."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from cirrus_runtime.blocks import decode_block, encode_block
from cirrus_runtime.board import InlineBoard
from cirrus_runtime.engines import InlineEngine
from cirrus_runtime.errors import BlockError
from cirrus_runtime.full_batch import FullBatchKernel, ParameterVector, read_body
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.logistic import LogisticKernel
from cirrus_runtime.protocol import Lease, TrainJob
from cirrus_runtime.resources import Resources
from cirrus_runtime.store_memory import MemoryStore
from cirrus_runtime.worker import run_worker

from ..redis_servers import wait_until
from .logistic_oracle import losses_and_gradient, random_block

D = 40


@pytest.fixture
def random():
    return np.random.default_rng(0)


def widened(block, random):
    """Return the block with values and weights that need float64."""
    data, weights = block.data, block.weights
    if data is not None:
        data = data + 1e-9 * random.standard_normal(len(data))
    if weights is not None:
        weights = weights + 1e-9 * random.random(len(weights))
    return replace(block, data=data, weights=weights)


@pytest.mark.parametrize("form", ["narrow", "wide", "ones"])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("width", [1, 3, 17])
def test_loss_and_gradient(random, width, intercept, weights, form):
    block = random_block(random, 3000, D - 1, width, ones=form == "ones", weights=weights)
    block = replace(block, n_features=D)  # the last column has no entry
    block = widened(block, random) if form == "wide" else block
    block = decode_block(b"".join(encode_block(block)), "b")
    model = random.standard_normal((D + intercept, width))
    kernel = FullBatchKernel(D, width, intercept)
    numbered = kernel.accept(block, "b")
    assert sorted(numbered.ids) == [*np.unique(block.indices), *[D] * intercept]
    loss, part = kernel.gradient(numbered, model[numbered.ids])
    gradient = np.zeros_like(model)
    gradient[numbered.ids] = part
    losses, expected = losses_and_gradient(block, np.arange(3000), model)
    assert loss == pytest.approx(losses.sum(), rel=1e-13)
    np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-11)
    assert numbered.n_rows == 3000
    total = 3000 if block.weights is None else block.weights.astype(float).sum()
    assert numbered.weight == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("size", [40.0, 800.0, 1e9, 1e300])
def test_large_margins(random, width, size):
    block = random_block(random, 200, D, width)
    model = np.full((D, width), size) * random.choice([-1, 1], (D, width))
    kernel = FullBatchKernel(D, width, False)
    numbered = kernel.accept(block, "b")
    loss, part = kernel.gradient(numbered, model[numbered.ids])
    losses, expected = losses_and_gradient(block, np.arange(200), model)
    assert loss == pytest.approx(losses.sum(), rel=1e-12)
    np.testing.assert_allclose(part, expected[numbered.ids], rtol=1e-9, atol=1e-12)


def test_blocks_take_turns_in_one_kernel(random):
    kernel = FullBatchKernel(D, 1, True)
    blocks = [kernel.accept(random_block(random, n, D, 1), "b") for n in (30, 7, 100)]
    model = random.standard_normal((D + 1, 1))
    first = [kernel.gradient(block, model[block.ids]) for block in blocks]
    for block, (loss, gradient) in zip(blocks, first, strict=True):
        again = kernel.gradient(block, model[block.ids])
        assert again[0] == loss and again[1].tobytes() == gradient.tobytes()


def test_blocks_that_do_not_fit_are_refused(random):
    block = random_block(random, 5, D, 2, weights=True)
    with pytest.raises(BlockError, match="^b has no labels"):
        FullBatchKernel(D, 1, True).accept(replace(block, labels=None), "b")
    with pytest.raises(BlockError, match=f"^b has {D} columns, the model 9"):
        FullBatchKernel(9, 1, True).accept(block, "b")
    narrow = LogisticKernel(D, 1, True)
    narrow.accept(block, "b")
    for name in ("data", "weights"):
        wide = replace(block, **{name: getattr(block, name).astype(np.float64)})
        with pytest.raises(BlockError, match="^b has float64 values, which only a full batch"):
            narrow.accept(wide, "b")


@pytest.mark.parametrize("buffer_bytes", [0, 1 << 20])
def test_a_worker_reports_its_part_and_a_lease_done_twice_is_the_same(random, buffer_bytes):
    keys = RunKeys("r")
    board, engine, store = InlineBoard(), InlineEngine(), MemoryStore()
    blocks = [random_block(random, n, D, 3) for n in (50, 20)]
    names = [keys.block("train", number) for number in range(2)]
    for name, block in zip(names, blocks, strict=True):
        store.put(name, encode_block(block))
    tables = random.standard_normal((2, D + 1, 3))
    vector = ParameterVector(engine, keys.vector, D + 1, 3)
    vector.publish(tables[0])
    job = TrainJob("r", D, 3, True, 1, 0, "memory://", engine="inline", kind="full_batch")
    job = replace(job, buffer_bytes=buffer_bytes, prefetch=False)

    def await_reports(epoch):
        # Number 2 is the lease of block 0 once more.
        board.offer([Lease(n, "gradient", epoch, n % 2, names[n % 2]) for n in range(3)])
        reports = []
        wait_until(lambda: reports.extend(board.collect(0.1)) or len(reports) == 3, "no reports")
        return sorted(reports, key=lambda report: report.number)

    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(run_worker, job.to_json(), Resources(board, engine, store))
        try:
            first = await_reports(0)
            vector.publish(tables[1])
            second = await_reports(1)
        finally:
            board.take_down()
    assert worker.result() == {"reason": "ended", "rows": 240, "updates": 6}
    assert first[0].body == first[2].body and first[0].loss == first[2].loss
    ids = [read_body(report.body, 3)[0] for report in first]
    for reports, model, known in ((first, tables[0], False), (second, tables[1], True)):
        for report, block, of in zip(reports, [*blocks, blocks[0]], ids, strict=True):
            losses, expected = losses_and_gradient(block, np.arange(block.n_rows), model)
            _, part = read_body(report.body, 3, of.size if known else None)
            assert report.loss == pytest.approx(losses.sum(), rel=1e-13)
            np.testing.assert_allclose(part, expected[of], rtol=1e-11, atol=1e-12)
