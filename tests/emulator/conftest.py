"""Emulators: one for all tests of a module, or one with settings of its own."""

import contextlib

import pytest

from .service import ECHO, Service, make_session


@pytest.fixture(scope="session")
def session():
    """Loads boto3's description of the service once."""
    return make_session()


@pytest.fixture
def start(session):
    """Start emulators with given settings, ended after the test."""
    with contextlib.ExitStack() as ends:
        yield lambda **options: ends.enter_context(Service(session, **options))


@pytest.fixture
def service(start):
    """An emulator without functions."""
    return start()


@pytest.fixture(scope="module")
def echo(session):
    """An emulator of the whole module with the function ``f``, which returns its event."""
    with Service(session) as service:
        service.create(ECHO)
        yield service
