"""The example of the page on AWS Lambda runs as it stands, where the three settings are given."""

import pytest

from sklearn_cirrus import CirrusLogisticRegression

from ..docs.page_blocks import DOCS, run_blocks
from ..faults.conftest import held_out_loss, labelled
from .conftest import FUNCTION, SETTINGS, assert_nothing_left


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
def test_the_python_blocks_of_the_page_run(emulator, server, monkeypatch):
    seen = len(emulator.invocations())
    monkeypatch.setenv("CIRRUS_FUNCTION", FUNCTION)
    monkeypatch.setenv("CIRRUS_STORE_URL", SETTINGS["store_url"])
    monkeypatch.setenv("CIRRUS_REDIS_URL", server.url)
    X, y = labelled()
    model = run_blocks(DOCS / "lambda.md", X=X, y=y)["model"]
    runs = emulator.invocations()[seen:]
    assert runs and {run.function for run in runs} == {FUNCTION}
    assert 0 < model.cost_ < 2
    here = CirrusLogisticRegression(backend="inline").fit(X, y)
    assert held_out_loss(model) == pytest.approx(held_out_loss(here), rel=0.01)
    assert_nothing_left(emulator, server)
