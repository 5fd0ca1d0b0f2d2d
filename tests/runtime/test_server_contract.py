"""What every engine must do, against the dense float64 update of ``oracle.py``.

Engines compute in float32 (lua: in float64, stored as float32), so that 60 steps agree with the
oracle to ``RTOL`` of a weight plus ``ATOL``.
"""

import numpy as np
import pytest

from cirrus_runtime.errors import RunEnded, ServerError, StaleWorkerError
from cirrus_runtime.server import ModelSpec, PushTag

from .oracle import DenseModel

RTOL, ATOL = 1e-4, 5e-6
OPTIMIZERS = {"sgd": 0.1, "momentum": 0.02, "nesterov": 0.02, "adagrad": 0.1, "adam": 0.02}
OPTIMIZERS["ftrl"] = 0.1
PENALTIES = {"none": (0, 0), "l2": (0, 0.05), "l1": (0.01, 0), "elastic": (0.01, 0.05)}
ROWS = 12


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=RTOL, atol=ATOL)


def minibatches(width, steps, seed=0):
    """Yield (ids, grads, next ids): few rows, now and then none, and gaps of many steps."""
    random = np.random.default_rng(seed)
    for step in range(steps):
        rows = ROWS if step % 20 < 4 else 3  # rows 3 and up then sleep through 16 steps
        ids = random.permutation(rows)[: random.integers(0, 5)].astype(np.uint32)
        grads = random.standard_normal((len(ids), width)).astype(np.float32)
        yield ids, grads, random.permutation(ROWS)[:4].astype(np.uint32)


def make_scale(spec):
    return np.exp(0.4 * np.random.default_rng(7).standard_normal(spec.rows)).astype(np.float32)


def check_steps(server, oracle, lr):
    """Take 60 sparse steps on both, and return the oracle."""
    for number, (ids, grads, next_ids) in enumerate(minibatches(server.spec.width, 60)):
        oracle.push(ids, grads, lr)
        if number % 3:
            close(server.step(ids, grads, lr, next_ids), oracle.w[next_ids])
        else:
            assert server.push(ids, grads, lr)
            close(server.pull(next_ids), oracle.w[next_ids])
    close(server.dump(), oracle.w)
    assert server.info()["steps"] == 60
    return oracle


@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_sparse_steps_are_dense_steps(make_server, optimizer, penalty, width, scaled):
    l1, l2 = PENALTIES[penalty]
    spec = ModelSpec(ROWS, width, optimizer, ROWS - 1, l1, l2, eps=0.01, scaled=scaled)
    server, scale = make_server(spec), None
    if scaled:
        scale = make_scale(spec)
        server.load("scale", scale)
    oracle = check_steps(server, DenseModel(spec, scale), OPTIMIZERS[optimizer])
    if penalty == "l1" and not scaled:
        assert (oracle.w[: ROWS - 1] == 0).any()
        np.testing.assert_array_equal(server.dump() == 0, oracle.w == 0)


@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
@pytest.mark.parametrize("power_t", [0.75, 0.8, 1.0])
def test_adagrad_divides_by_a_power_of_the_squares(make_server, power_t, scaled):
    penalty = {"penalized": ROWS - 1, "l1": 0.01, "l2": 0.05}
    spec = ModelSpec(ROWS, 2, "adagrad", **penalty, eps=0.1, power_t=power_t, scaled=scaled)
    server, scale = make_server(spec), None
    if scaled:
        scale = make_scale(spec)
        server.load("scale", scale)
    check_steps(server, DenseModel(spec, scale), 0.03)
    assert server.info()["power_t"] == pytest.approx(power_t)


def test_rows_of_hundreds_of_weights(make_server):
    spec = ModelSpec(3, 450, "adam", l2=0.1, scaled=True)
    server, oracle = make_server(spec), DenseModel(spec)
    random = np.random.default_rng(0)
    for step in range(6):
        grads = random.standard_normal((1, 450)).astype(np.float32)
        oracle.push([step % 2], grads, 0.1)
        close(server.step([step % 2], grads, 0.1, [0, 1]), oracle.w[:2])
    close(server.dump("mean"), oracle.first)


def test_loading_one_slot_leaves_the_others_as_of_now(make_server):
    server = make_server(ModelSpec(3, 1, "adagrad", l2=1.0))
    server.push([0, 1], [1.0, -1.0], 0.1)
    for _ in range(3):
        server.push([], [], 0.1)  # rows 0 and 1 sleep
    weights = server.dump()
    server.load("squares", [[4.0], [4.0], [4.0]])
    np.testing.assert_array_equal(server.dump(), weights)


@pytest.mark.parametrize("width", [1, 3])
def test_one_value_for_a_whole_slot(make_server, width):
    server = make_server(ModelSpec(ROWS, width, "adagrad", l2=0.05, scaled=True))
    server.push([0, 3], np.ones((2, width)), 0.1)
    server.push([], [], 0.1)
    weights = server.dump()
    server.fill("squares", 0.25)
    server.fill("scale", 2.0)
    np.testing.assert_array_equal(server.dump("squares"), np.full((ROWS, width), 0.25))
    np.testing.assert_array_equal(server.dump("scale"), np.full(ROWS, 2.0))
    np.testing.assert_array_equal(server.dump(), weights)
    for value in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="finite and >= 0"):
            server.fill("squares", value)
    with pytest.raises(ServerError, match="BADVALUE"):
        server.fill("scale", 0.0)
    np.testing.assert_array_equal(server.dump("scale"), np.full(ROWS, 2.0))


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adagrad"])
def test_norms_are_those_of_the_weights_as_of_now(make_server, optimizer, width):
    server = make_server(ModelSpec(ROWS, width, optimizer, ROWS - 1, 0.01, 0.05, eps=0.01))
    for ids, grads, _ in minibatches(width, 25):
        server.push(ids, grads, OPTIMIZERS[optimizer])
    for first, count in ((0, ROWS), (0, ROWS - 1), (ROWS - 1, 1), (2, 7), (5, 0)):
        part = server.dump()[first : first + count].astype(np.float64)
        expected = [(part**2).sum(axis=0), abs(part).sum(axis=0)]
        found = server.norms(first, count)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    with pytest.raises(ServerError, match="BADVALUE"):
        server.norms(1, ROWS)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_checkpoint_continues(make_server, optimizer):
    spec = ModelSpec(ROWS, 2, optimizer, l1=0.01, l2=0.05, scaled=True)
    first, lr = make_server(spec), OPTIMIZERS[optimizer]
    first.load("scale", make_scale(spec))
    batches = list(minibatches(2, 60))
    for ids, grads, _ in batches[:30]:
        first.push(ids, grads, lr)
    info = first.info()
    second = make_server(spec, clock=(info["steps"], info["rate"]))
    for slot in spec.slots:
        second.load(slot, first.dump(slot))
        close(second.dump(slot), first.dump(slot))
    for ids, grads, next_ids in batches[30:]:
        close(second.step(ids, grads, lr, next_ids), first.step(ids, grads, lr, next_ids))
    for slot in spec.slots:
        close(second.dump(slot), first.dump(slot))
    assert second.info()["steps"] == first.info()["steps"] == 60


def test_a_new_model(make_server):
    spec = ModelSpec(5, 3, "adam", 4, 0.25, 0.5, 0.75, 0.875, 0.125, 0.625, True)
    server = make_server(spec)
    for slot in spec.slots:
        shape, value = ((5,), 1) if slot == "scale" else ((5, 3), 0)
        np.testing.assert_array_equal(server.dump(slot), np.full(shape, value, np.float32))
    info = server.info()
    assert {name: info[name] for name in spec.__dataclass_fields__} == vars(spec)
    assert (info["steps"], info["rate"]) == (0, 0.0)
    assert info["memory"] >= 5 * (4 * 3 + 2) * 4
    same = type(server)(server.engine, server.key)  # as a worker meets it
    assert same.spec == spec
    assert same.pull([]).shape == (0, 3)


def test_a_push_of_nothing_is_a_step(make_server):
    server = make_server(ModelSpec(2, 1, "sgd", l2=1.0))
    server.load("weights", [[1.0], [2.0]])
    assert server.step([], np.empty((0, 1)), 1.0, []).shape == (0, 1)
    close(server.dump(), [[0.5], [1.0]])


def test_the_same_push_counts_once(make_server):
    server = make_server(ModelSpec(3, 1, "sgd"))
    assert server.push([1], [1.0], 1.0, PushTag(7, 0, 1)) is True
    assert server.push([1], [1.0], 1.0, PushTag(7, 0, 1)) is False
    close(server.step([1], [1.0], 1.0, [1, 2], (7, 0, 1)), [[-1], [0]])
    assert server.push([1], [1.0], 1.0, (7, 0, 0)) is False
    assert server.push([1], [1.0], 1.0, (8, 0, 0)) is True  # another worker
    assert server.push([1], [1.0], 1.0, (7, 1, 0)) is True  # its restart counts anew
    close(server.pull([1]), [[-3]])
    with pytest.raises(StaleWorkerError, match="^STALEWORKER"):
        server.step([1], [1.0], 1.0, [1], (7, 0, 9))
    assert server.push([1], [1.0], 1.0, (65535, 2**32 - 1, 2**53)) is True
    assert server.push([1], [1.0], 1.0, (65535, 2**32 - 1, 2**53)) is False
    assert server.info()["steps"] == 4


def test_a_fence_keeps_older_generations_out(make_server):
    server = make_server(ModelSpec(3, 1, "sgd"))
    assert server.push([1], [1.0], 1.0, (7, 4, 9)) is True
    server.fence(7, 5)
    server.fence(8, 1)  # has never pushed
    for tag in ((7, 4, 10), (8, 0, 1)):
        with pytest.raises(StaleWorkerError, match="^STALEWORKER"):
            server.step([1], [1.0], 1.0, [1], tag)
    assert server.info()["steps"] == 1
    assert server.push([1], [1.0], 1.0, (7, 5, 1)) is True
    assert server.push([1], [1.0], 1.0, (8, 1, 1)) is True
    assert server.push([1], [1.0], 1.0, (6, 0, 1)) is True  # another worker
    close(server.pull([1]), [[-4]])


def test_a_refused_push_does_not_use_up_its_tag(make_server):
    server = make_server(ModelSpec(3, 1, "sgd"))
    with pytest.raises(ServerError, match="^BADID"):
        server.push([3], [1.0], 1.0, (0, 0, 5))
    assert server.push([2], [1.0], 1.0, (0, 0, 5)) is True


def test_a_dropped_model_ends_the_run(make_server):
    server = make_server(ModelSpec(4, 1, "sgd"))
    server.drop()
    server.drop()
    calls = [
        lambda: server.pull([0]),
        lambda: server.push([0], [1.0], 1.0),
        lambda: server.step([0], [1.0], 1.0, [0]),
        lambda: server.dump(),
        lambda: server.load("weights", np.zeros(4)),
        lambda: server.info(),
    ]
    for call in calls:
        with pytest.raises(RunEnded, match="^NOMODEL"):
            call()


@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
@pytest.mark.parametrize("penalty", ["l2", "elastic"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_columns_of_their_own_are_models_of_their_own(make_server, optimizer, penalty, scaled):
    """Ten columns with rates and penalties; the oracle of each is a model of one column."""
    width, lr = 10, OPTIMIZERS[optimizer]
    random = np.random.default_rng(4)
    factors = np.append(random.uniform(0.2, 1.5, width - 1), 1.0)
    l1 = random.uniform(0.001, 0.02, width) * (penalty == "elastic")
    l2 = np.append(0.0, random.uniform(0.01, 0.1, width - 1))
    columns = np.array([factors, l1, l2], np.float32)
    spec = ModelSpec(
        *(ROWS, width, optimizer, ROWS - 1), l1=0.5, eps=0.01, scaled=scaled, varied=True
    )
    server, scale = make_server(spec), None
    assert server.spec.varied
    first = np.repeat(np.array([[1.0], [0.5], [0.0]], np.float32), width, axis=1)
    np.testing.assert_array_equal(server.dump("columns"), first)
    server.load("columns", columns)
    np.testing.assert_array_equal(server.dump("columns"), columns)
    if scaled:
        scale = make_scale(spec)
        server.load("scale", scale)
    oracles = [
        DenseModel(
            ModelSpec(ROWS, 1, optimizer, ROWS - 1, *strengths, eps=0.01, scaled=scaled), scale
        )
        for strengths in columns[1:].T.tolist()
    ]
    for ids, grads, next_ids in minibatches(width, 60):
        rows = server.step(ids, grads, lr, next_ids)
        for j, oracle in enumerate(oracles):
            oracle.push(ids, grads[:, j : j + 1], lr * columns[0, j])
        close(rows, np.hstack([oracle.w[next_ids] for oracle in oracles]))
    close(server.dump(), np.hstack([oracle.w for oracle in oracles]))
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(ServerError):
            server.load("columns", np.full((3, width), bad, np.float32))
    np.testing.assert_array_equal(server.dump("columns"), columns)
