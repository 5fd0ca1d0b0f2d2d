"""Journals as the tests of several kinds of runs read them."""

import json
import time

SECONDS = 60.0


def events_of(path):
    """Return the lines of a journal."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def wait_for(condition):
    """Wait until a condition holds, and return what it returned."""
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found
