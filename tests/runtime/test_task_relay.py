"""Relays of a task's messages: kept, told apart, used again, and nowhere else known."""

import copy
import pickle
import threading
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from typing import NamedTuple

import pytest

from cirrus_runtime import task_relay
from cirrus_runtime.task_relay import Relays, relayed


class Handle(NamedTuple):
    """As scikit-learn's."""

    address: str
    authkey: bytes


@pytest.fixture
def relays(monkeypatch):
    monkeypatch.setattr(task_relay, "relays", Relays())
    return task_relay.relays


def say(connection, message):
    """Send a message and wait for the answer, as callbacks do."""
    connection.send(message)
    assert connection.recv() is None


def read(relays):
    return [(address, pickle.loads(message)) for address, message in relays.take()]


def test_messages_are_kept_by_the_client_s_address(relays):
    relays.begin()
    handles = [relayed(Handle, address) for address in ("first", "second", "first")]
    assert handles[0] == handles[2] != handles[1]
    with Client(handles[0].address, authkey=handles[0].authkey) as one:
        with Client(handles[1].address, authkey=handles[1].authkey) as other:
            say(one, 1)
            say(other, {"a": 2})
            say(one, 3)
    assert read(relays) == [("first", 1), ("first", 3), ("second", {"a": 2})]


def test_a_connection_serves_the_tasks_that_follow(relays):
    relays.begin()
    before = relayed(Handle, "first")
    with Client(before.address, authkey=before.authkey) as connection:
        say(connection, "of the first task")
        for number in range(3):
            relays.begin()
            assert relayed(Handle, f"other {number}") == before
            say(connection, number)
            assert read(relays) == [(f"other {number}", number)]
    relays.begin()
    assert relays.take() == []


def test_a_stranger_is_refused_and_does_no_harm(relays):
    relays.begin()
    handle = relayed(Handle, "first")
    with pytest.raises(AuthenticationError):
        Client(handle.address, authkey=b"another key")
    Client(handle.address, authkey=handle.authkey).close()
    with Client(handle.address, authkey=handle.authkey) as connection:
        say(connection, "here")
    assert read(relays) == [("first", "here")]


def test_a_handle_that_is_sent_home_is_the_client_s(relays):
    relays.begin()
    handle = relayed(Handle, "first")
    assert isinstance(handle, Handle) and handle.address != "first"
    home = pickle.loads(pickle.dumps(handle))
    assert type(home) is Handle and home.address == "first"
    assert copy.deepcopy(handle) is copy.copy(handle) is handle


def test_relays_do_not_keep_the_process(relays):
    relays.begin()
    relayed(Handle, "first")
    threads = [each for each in threading.enumerate() if each.name == "cirrus-relay"]
    assert threads and all(each.daemon for each in threads)
