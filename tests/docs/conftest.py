"""What the tests of documents share."""

import pytest

from sklearn_cirrus import config


@pytest.fixture(autouse=True)
def settings_of_the_test_alone(monkeypatch):
    """Forget what an example does to the settings of the process."""
    monkeypatch.setattr(config, "_process", dict(config._process))
