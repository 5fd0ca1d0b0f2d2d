"""Matrix factorization on the emulated Lambda, with the zip that ships."""

import pytest

from sklearn_cirrus import CirrusMatrixFactorization, config_context

from ..decomposition.planted import objective, planted
from .conftest import SETTINGS, assert_nothing_left

PARAMETERS = {"n_components": 3, "max_iter": 15, "tol": None, "random_state": 0, "batch_size": 10}


def test_the_objective_is_that_of_one_worker_and_has_a_price(emulator, server):
    X = planted(1200, 150)
    settings = SETTINGS | {"redis_url": server.url, "n_workers": 4}
    with config_context(**settings):
        model = CirrusMatrixFactorization(**PARAMETERS).fit(X)
    assert_nothing_left(emulator, server)
    alone = CirrusMatrixFactorization(**PARAMETERS, backend="inline").fit(X)
    found, expected = (
        objective(X, [[*q, b] for q, b in zip(m.components_.T, m.item_bias_, strict=True)])
        for m in (model, alone)
    )
    assert found == pytest.approx(expected, rel=0.05)
    assert {entry["rows"] for entry in model.history_} == {X.nnz}
    assert model.cost_ > 0


def test_als_is_that_of_one_process(emulator, server):
    X = planted(1200, 150)
    parameters = PARAMETERS | {"solver": "als", "max_iter": 3, "batch_size": "auto"}
    settings = SETTINGS | {"redis_url": server.url, "n_workers": 2}
    with config_context(**settings):
        model = CirrusMatrixFactorization(**parameters).fit(X)
    assert_nothing_left(emulator, server)
    same = {"block_bytes": settings["block_bytes"]}
    with config_context(**same):
        alone = CirrusMatrixFactorization(**parameters, backend="inline").fit(X)
    assert model.components_.tobytes() == alone.components_.tobytes()
    assert model.item_bias_.tobytes() == alone.item_bias_.tobytes()
    assert model.cost_ > 0
