"""Settings that preprocessing is tested with."""

import pytest

from sklearn_cirrus import config_context


@pytest.fixture
def inline():
    """Everything happens in this process, in blocks of at most 1 KiB."""
    with config_context(backend="inline", block_bytes=1024):
        yield
