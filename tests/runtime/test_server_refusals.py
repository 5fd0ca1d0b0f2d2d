"""What every engine must refuse, with which word, and that nothing has changed then."""

import numpy as np
import pytest

from cirrus_runtime.errors import RunEnded, ServerError
from cirrus_runtime.server import ModelSpec

NAN, INF = float("nan"), float("inf")
BAD_PUSHES = {
    "id too large": (([4], [1.0], 0.1), "BADID"),
    "id far too large": (([2**32 - 1], [1.0], 0.1), "BADID"),
    "id twice": (([2, 1, 2], [1.0, 1.0, 1.0], 0.1), "BADID"),
    "too few gradients": (([1, 2], [1.0], 0.1), "BADLENGTH"),
    "too many gradients": (([1], [1.0, 2.0], 0.1), "BADLENGTH"),
    "nan gradient": (([1], [NAN], 0.1), "BADVALUE"),
    "infinite gradient": (([1, 2], [1.0, -INF], 0.1), "BADVALUE"),
    "nan rate": (([1], [1.0], NAN), "BADVALUE"),
    "infinite rate": (([1], [1.0], INF), "BADVALUE"),
    "negative rate": (([1], [1.0], -0.1), "BADVALUE"),
    "rate beyond float32": (([1], [1.0], 1e39), "BADVALUE"),
    "worker too large": (([1], [1.0], 0.1, (65536, 0, 0)), "BADVALUE"),
    "negative worker": (([1], [1.0], 0.1, (-1, 0, 0)), "BADVALUE"),
    "generation too large": (([1], [1.0], 0.1, (0, 2**32, 0)), "BADVALUE"),
    "sequence too large": (([1], [1.0], 0.1, (0, 0, 2**53 + 1)), "BADVALUE"),
}


@pytest.mark.parametrize("case", BAD_PUSHES)
def test_a_bad_push_is_refused_and_changes_nothing(make_server, case):
    (ids, grads, lr, *tag), word = BAD_PUSHES[case]
    server = make_server(ModelSpec(4, 1, "momentum", l2=0.1))
    server.push([1, 2], [1.0, 1.0], 0.1)
    before = server.dump(), server.dump("velocity")
    with pytest.raises(ServerError, match=f"^{word}"):
        server.push(ids, grads, lr, *tag)
    with pytest.raises(ServerError, match=f"^{word}"):
        server.step(ids, grads, lr, [0], *tag)
    np.testing.assert_array_equal(server.dump(), before[0])
    np.testing.assert_array_equal(server.dump("velocity"), before[1])
    assert server.info()["steps"] == 1


def test_a_bad_pull_is_refused(make_server):
    server = make_server(ModelSpec(4, 1, "sgd"))
    with pytest.raises(ServerError, match="^BADID"):
        server.pull([0, 4])
    with pytest.raises(ServerError, match="^BADID"):
        server.step([1], [1.0], 1.0, [4])
    assert server.info()["steps"] == 0
    for ids in ([[1]], [-1], [2**32], [0.5], ["1"]):
        with pytest.raises(ValueError, match="ids must"):
            server.pull(ids)


def test_bad_values_are_not_loaded(make_server):
    server = make_server(ModelSpec(2, 2, "ftrl", scaled=True))
    bad = {
        "weights": [NAN, INF],
        "squares": [NAN, -1.0],
        "dual": [INF],
        "scale": [0, -1, 1e16, NAN],
    }
    for slot, values in bad.items():
        for value in values:
            good = np.ones((2, 2) if slot != "scale" else 2)
            good.flat[-1] = value
            with pytest.raises(ServerError, match="^BADVALUE"):
                server.load(slot, good)
    np.testing.assert_array_equal(server.dump("squares"), np.zeros((2, 2)))
    np.testing.assert_array_equal(server.dump("scale"), np.ones(2))
    with pytest.raises(ValueError, match="not 'velocity'"):
        server.dump("velocity")
    with pytest.raises(ValueError, match="2 x 2 values, not 3"):
        server.load("weights", [1.0, 2.0, 3.0])
    for slot, first, count in ((0, 0, 3), (0, 3, 1), (9, 0, 1)):
        with pytest.raises(ServerError, match="^BADVALUE"):
            server.engine.dump(server.key, slot, first, count)


def test_creating_what_cannot_be(make_server):
    server = make_server(ModelSpec(4, 1, "sgd"))
    with pytest.raises(ServerError, match="^MODELEXISTS"):
        server.create(ModelSpec(4, 1, "sgd"))
    other = make_server()
    with pytest.raises(ServerError, match="^OOM"):
        other.create(ModelSpec(2**31 - 100, 65536, "adam", scaled=True))
    for clock in ((2**54, 0.0), (-1, 0.0), (0, NAN), (0, -1.0)):
        with pytest.raises(ServerError, match="^BADVALUE"):
            other.create(ModelSpec(4, 1, "sgd"), clock=clock)
    with pytest.raises(RunEnded):
        other.pull([0])
