"""Rows that sleep, and rows computed many at once, to the last digits of float32."""

import numpy as np
import pytest

from cirrus_runtime.kernels import Model
from cirrus_runtime.model_spec import COLUMN_SLOT, SCALE_SLOT, ModelSpec

ROWS = 700
NO_IDS, NO_GRADS = np.empty(0, np.uint32), np.empty(0, np.float32)


@pytest.mark.parametrize("strength", [1e-7, 1e-4, 3e-3, 0.06, 0.24, 0.26, 5.0, 1e9, 1e30])
@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_a_sleeping_weight_shrinks_as_it_should(optimizer, strength):
    """The oracle is ``(1 + rate l2)^-k`` in float64, on both sides of where the series ends."""
    model = Model(ModelSpec(3, 1, optimizer, 2, l2=strength, eps=0.0))
    if optimizer == "adagrad":
        model.load(1, 0, np.ones(3, np.float32))  # a rate of 1
    weights = np.array([0.7, 0.0, -0.7], np.float32)
    model.load(0, 0, weights)
    everything = np.arange(3, dtype=np.uint32)
    for k in range(1, 130):
        model.push(NO_IDS, NO_GRADS, 1.0)
        found = model.pull(everything)
        assert found[1:].tolist() == weights[1:].tolist()  # zero stays, and the unpenalized row
        kept = (1.0 + float(np.float32(strength))) ** -float(k)
        np.testing.assert_allclose(found[0], weights[0] * kept, rtol=4e-7, atol=1e-37)
        assert found.tobytes() == model.dump(0, 0, 3).tobytes()


@pytest.mark.parametrize("power_t", [0.5, 0.6, 0.75, 1.0])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("l2", [0.0, 1e-5, 0.02])
def test_many_rows_at_once_give_the_bits_of_one_after_the_other(power_t, scaled, l2):
    """Rows of two weights are not laid in tiles; the first of them is the twin."""
    random = np.random.default_rng(3)
    single, double = (
        Model(
            ModelSpec(
                *(ROWS, width, "adagrad", ROWS - 50), l2=l2, eps=0.0, power_t=power_t, scaled=scaled
            )
        )
        for width in (1, 2)
    )
    if scaled:
        scale = np.exp(random.normal(size=ROWS)).astype(np.float32)
        for model in (single, double):
            model.load(SCALE_SLOT, 0, scale)
    weights = random.normal(size=ROWS).astype(np.float32)
    single.load(0, 0, weights)
    double.load(0, 0, np.repeat(weights, 2))
    for n in [1, 63, 64, 65, 200, 0, 500, 2, 130] * 8:
        rate = float(random.uniform(0.0, 0.5))
        ids = random.permutation(ROWS)[:n].astype(np.uint32)
        grads = random.normal(size=n).astype(np.float32)
        grads[random.uniform(size=n) < 0.2] = 0.0  # so that some rows have no rate yet
        single.push(ids, grads, rate)
        double.push(ids, np.repeat(grads, 2), rate)
        pulled = random.integers(0, ROWS, 150).astype(np.uint32)
        assert single.pull(pulled).tobytes() == double.pull(pulled)[::2].tobytes()
    for slot in (0, 1):
        twin = np.ascontiguousarray(double.dump(slot, 0, ROWS)[::2])
        assert single.dump(slot, 0, ROWS).tobytes() == twin.tobytes()
    assert np.isfinite(single.dump(0, 0, ROWS)).all()


@pytest.mark.parametrize("width", [8, 12, 64, 70, 130])
def test_wide_rows_give_the_bits_of_narrow_ones(width):
    """Each column has a twin: a model of one column, with its rate and its l2."""
    random = np.random.default_rng(width)
    columns = random.uniform(0.1, 2.0, (3, width)).astype(np.float32)
    columns[1] = 0.0
    more = {"eps": 0.01, "power_t": 0.75, "scaled": True, "varied": True}
    wide = Model(ModelSpec(40, width, "adagrad", 30, **more))
    twins = [Model(ModelSpec(40, 1, "adagrad", 30, **more, l1=0.0)) for _ in range(width)]
    scale = np.exp(random.normal(size=40)).astype(np.float32)
    for model in (wide, *twins):
        model.load(SCALE_SLOT, 0, scale)
    wide.load(COLUMN_SLOT, 0, columns.reshape(-1))
    for j, twin in enumerate(twins):
        twin.load(COLUMN_SLOT, 0, np.ascontiguousarray(columns[:, j]))
    everything = np.arange(40, dtype=np.uint32)
    for n in [5, 0, 40, 1, 20]:
        ids = random.permutation(40)[:n].astype(np.uint32)
        grads = random.normal(size=(n, width)).astype(np.float32)
        wide.push(ids, grads.reshape(-1), 0.3)
        for j, twin in enumerate(twins):
            twin.push(ids, np.ascontiguousarray(grads[:, j]), 0.3)
        found = wide.pull(everything).reshape(40, width)
        expected = np.column_stack([twin.pull(everything) for twin in twins])
        assert found.tobytes() == expected.tobytes()
