"""What servers say of themselves, and what is made of it."""

import redis

from sklearn_cirrus import CirrusLogisticRegression, _run_journal, _server_load, config_context
from sklearn_cirrus._server_load import ServerLoad
from sklearn_cirrus.servers import open_servers

from .test_journal import events_of


class Told:
    """A server with INFO as it is told, one after the other."""

    def __init__(self, *infos):
        self.infos = list(infos)

    def ask(self):
        return self.infos.pop(0)


def test_speeds_are_those_between_two_questions(monkeypatch):
    now = iter([0.0, 0.0, 2.0, 2.0, 4.0, 4.0])
    monkeypatch.setattr(_server_load.time, "perf_counter", lambda: next(now))
    monkeypatch.setattr(_server_load, "_ask", Told.ask)
    first = Told((100, 1000, 50, 1.0), (300, 1000, 450, 1.5), (300, 1000, 5, 0.1))
    second = Told((10, 500, 0, 0.0), (20, 500, 200, 1.8), (20, 0, 300, 1.9))
    load, clients = ServerLoad(), [first, second]
    assert load.ask(clients) == {
        "server_memory": 110, "server_limit": 1500, "server_ops": None, "server_load": None
    }  # fmt: skip
    assert load.ask(clients) == {
        "server_memory": 320, "server_limit": 1500, "server_ops": 300.0, "server_load": 0.9
    }  # fmt: skip
    # The first was started anew, the second has no limit any more: then the whole has none.
    assert load.ask(clients) == {
        "server_memory": 320, "server_limit": 0, "server_ops": None, "server_load": None
    }  # fmt: skip


def test_a_server_that_does_not_say(monkeypatch):
    def refuse(client):
        raise redis.ResponseError("NOPERM")

    monkeypatch.setattr(_server_load, "_ask", refuse)
    assert ServerLoad().ask([None]) is None
    assert ServerLoad().ask([]) is None


def test_what_a_real_server_says():
    (server,) = open_servers()
    with server.client() as client:
        load = ServerLoad()
        load.ask([client])
        for _ in range(100):
            client.ping()
        found = load.ask([client])
        used = client.info("memory")["used_memory"]
    assert found["server_memory"] > 100_000 and abs(found["server_memory"] - used) < 1 << 20
    assert found["server_limit"] == 0
    assert found["server_ops"] > 0 and 0 <= found["server_load"]


def test_a_fit_tells_of_its_server(tmp_path, monkeypatch):
    monkeypatch.setattr(_run_journal, "_FIRST_SECONDS", 0.0)
    monkeypatch.setattr(_run_journal, "_ASK_SECONDS", 0.0)
    monkeypatch.setattr(_run_journal, "_STATE_SECONDS", 0.0)
    with config_context(journal=str(tmp_path)):
        clf = CirrusLogisticRegression(backend="local", n_workers=1, max_iter=30, tol=None)
        clf.fit([[0.0], [1.0], [2.0], [3.0]] * 500, [0, 0, 1, 1] * 500)
    states = [event for event in events_of(*tmp_path.iterdir()) if event["event"] == "state"]
    assert states[-1]["server_memory"] > states[-1]["memory"] > 0
    assert any((state["server_ops"] or 0) > 0 for state in states)
