"""Later epochs over a dataset go to the workers that keep its blocks."""

import numpy as np
import pandas as pd
import pytest

from cirrus_runtime.board_redis import RedisBoard
from sklearn_cirrus import CirrusFeatureHasher, CirrusLogisticRegression, Dataset, config_context

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
EPOCHS = 6


@pytest.fixture(scope="module")
def hashed():
    """Rows that are hashed whenever they are read, in more than ten blocks."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.choice(list("abcdefgh"), 4000) for name in "xyz"})
    y = (frame.x < "d").to_numpy() ^ (rng.random(4000) < 0.1)
    with config_context(block_bytes=5000):
        data = Dataset.from_arrays(frame, y.astype(int))
    assert data.n_blocks >= 10
    return CirrusFeatureHasher(2**10).transform(data)


def fit(data, **settings):
    """Fit with most blocks in a cache on disk, as memory has room for none."""
    model = CirrusLogisticRegression(C=1.0, max_iter=EPOCHS, tol=None, random_state=0)
    with config_context(buffer_bytes=1, **settings):
        return model.fit(data)


def test_a_worker_alone_reads_each_block_once(hashed):
    cached = fit(hashed, backend="inline", cache_bytes=1 << 24)
    anew = fit(hashed, backend="inline", cache_bytes=0)
    assert [e["cache_hits"] for e in cached.history_] == [0] + [hashed.n_blocks] * (EPOCHS - 1)
    assert [e["cache_hits"] for e in anew.history_] == [0] * EPOCHS
    np.testing.assert_array_equal(cached.coef_, anew.coef_)


def test_leases_go_where_their_blocks_are(hashed, monkeypatch):
    leases, kept, homes = [], {}, {}
    offer, collect = RedisBoard.offer, RedisBoard.collect

    def note_offer(board, offered):
        is_flat = len({rate for lease in offered for rate in (lease.lr, lease.lr_end)}) == 1
        for lease in offered:
            homes[lease.number] = kept.get(lease.name) if is_flat else None
            leases.append(lease)
        offer(board, offered)

    def note_collect(board, timeout):
        reports = collect(board, timeout)
        names = {lease.number: lease.name for lease in leases}
        kept.update({names[report.number]: report.worker for report in reports if report.kept})
        return reports

    monkeypatch.setattr(RedisBoard, "offer", note_offer)
    monkeypatch.setattr(RedisBoard, "collect", note_collect)
    # Room for all blocks at both, so that every block is kept by the last one that had it.
    model = fit(hashed, n_workers=2, cache_bytes=1 << 24, lease_seconds=60)
    assert len(leases) == EPOCHS * hashed.n_blocks
    assert {lease.number: lease.home for lease in leases} == homes
    epochs = [[lease.home for lease in leases if lease.epoch == epoch] for epoch in range(EPOCHS)]
    assert all(None not in epochs[epoch] for epoch in (1, 2, 3))
    assert set(epochs[0]) == set(epochs[-1]) == {None}  # the rate falls
    assert {entry["rows"] for entry in model.history_} == {4000}
    alone = fit(hashed, backend="inline", cache_bytes=1 << 24)
    losses = [one.history_[-1]["train_loss"] for one in (model, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    hits = [entry["cache_hits"] for entry in model.history_]
    # Whoever has the block for the first time reads it: at most twice in all, by two workers.
    assert hits[0] == 0 and sum(hits) >= (EPOCHS - 2) * hashed.n_blocks
