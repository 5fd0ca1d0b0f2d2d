"""The server as a browser meets it, over a socket: who may ask, and what is answered."""

import json
import sys
import urllib.error
import urllib.request

import pytest

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus import dashboard as dashboard_package
from sklearn_cirrus.cli import main
from sklearn_cirrus.dashboard import start_dashboard
from sklearn_cirrus.exceptions import ConfigurationError

from .conftest import START, epoch

for name in ("starlette", "uvicorn"):
    pytest.importorskip(name, reason="the extra dashboard is not installed")

SEARCH = START | {"kind": "search", "candidate": {"estimator": "E", "params": {}}, "splits": 2}


def ask(url, body=None, **headers):
    """Ask; return (status, headers, body)."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def first_event(url):
    """The first of the server-sent events."""
    with urllib.request.urlopen(url + "events", timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        return json.loads(answer.readline().removeprefix(b"data: "))


def test_the_page_and_its_files(dashboard):
    status, headers, page = ask(dashboard.url)
    assert status == 200 and b"<main" in page
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    for name, kind in (("app.js", "text/javascript"), ("style.css", "text/css")):
        status, headers, _ = ask(dashboard.url + name)
        assert status == 200 and headers["Content-Type"].startswith(kind)
    assert b"uPlot" in ask(dashboard.url + "uplot.js")[2]


@pytest.mark.parametrize("path", ["nothing", "..%2f_app.py", "%2e%2e/_app.py", "runs/1-a/curves"])
def test_there_is_nothing_else(dashboard, path):
    assert ask(dashboard.url + path)[0] == 404


def test_without_the_token_there_is_nothing(dashboard, write):
    write("1-a1", START)
    root = dashboard.url.rsplit("/", 2)[0]
    token = dashboard.url.rsplit("/", 2)[1]
    assert len(token) >= 32
    for path in ("/", "/events", f"/{token[:-1]}/", f"/{token}x/events", "/%C3%BC/", "//"):
        status, _, body = ask(root + path)
        assert status == 403 and b"a1" not in body, path
    assert ask(f"{root}/{token[::-1]}/runs/1-a1/commands", {"command": "stop"})[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Origin": "http://evil.example"},
        {"Origin": "https://127.0.0.1"},
        {"Origin": "null"},
    ],
)
def test_other_hosts_and_origins_are_refused(dashboard, headers):
    assert ask(dashboard.url, **headers)[0] == 403


def test_its_own_origin_is_not(dashboard):
    root = dashboard.url.rsplit("/", 2)[0]
    assert ask(dashboard.url, Origin=root)[0] == 200


def test_runs_are_told_as_events(dashboard, write):
    write("1-a1", START, epoch(1, train_loss=float("nan")), epoch(2))
    event = first_event(dashboard.url)
    (run,) = event["runs"]
    assert (run["name"], run["train_loss"], event["gone"]) == ("1-a1", 0.5, [])


def test_curves(dashboard, write):
    write("1-a1", START, epoch(1), epoch(2))
    first_event(dashboard.url)
    status, _, body = ask(dashboard.url + "runs/1-a1/curves?axis=rows")
    assert status == 200
    assert json.loads(body)["train_loss"] == [[1000.0, 2000.0], [1.0, 0.5]]
    assert ask(dashboard.url + "runs/1-a1/curves?axis=phase")[0] == 404


def test_a_search_has_the_workers_of_its_runs(dashboard, write):
    state = {"event": "state", "cost": 0.0, "starting": 0, "waiting": 0, "relaunches": 0}
    write("1-s", SEARCH)
    for number in (2, 3):
        part = START | {"search": "1-s", "time": START["time"] + 10.0 * number}
        write(f"{number}-p", part, state | {"seconds": 0.5, "working": number})
    write("4-other", START, state | {"seconds": 0.5, "working": 9})
    first_event(dashboard.url)
    curves = json.loads(ask(dashboard.url + "runs/1-s/curves")[2])
    assert curves["working"] == [[20.5, 30.5], [2.0, 3.0]]


def test_the_best_and_the_worst_of_a_leaderboard(dashboard, write):
    params = [{"C": c} for c in range(12)]
    rows = [[c, 1, c / 10, c / 10, "training"] for c in range(12)]
    write("1-s", SEARCH, {"event": "candidates", "first": 0, "params": params})
    write("1-s", {"event": "standing", "candidates": rows})
    first_event(dashboard.url)
    board = json.loads(ask(dashboard.url + "runs/1-s/leaderboard")[2])
    assert board["n"] == 12
    assert [row["candidate"] for row in board["best"]] == [0, 1, 2, 3, 4]
    assert [row["candidate"] for row in board["worst"]] == [7, 8, 9, 10, 11]


def test_commands_are_checked_and_written_down(dashboard, write, tmp_path):
    write("1-a1", START)
    write("2-s", SEARCH, {"event": "candidates", "first": 0, "params": [{"C": 1.0}]})
    write("3-old", START, {"event": "end", "reason": "done"})
    first_event(dashboard.url)

    def send(name, body):
        status, _, answer = ask(f"{dashboard.url}runs/{name}/commands", body)
        return status, json.loads(answer).get("error")

    assert send("1-a1", {"command": "stop", "more": 1}) == (202, None)
    assert (tmp_path / "1-a1.commands").read_text() == '{"command":"stop"}\n'
    assert send("1-a1", {"command": "drop", "candidates": [0]}) == (
        *(400, "a run can only be stopped"),
    )
    for bad in ([], {"command": "explode"}, {"command": "drop", "candidates": [1]}):
        assert send("2-s", bad)[0] == 400
    for bad in ({}, [], {"C": 1.0}):
        assert send("2-s", {"command": "add", "param_grid": bad})[0] == 400
    assert send("2-s", {"command": "drop", "candidates": [0]}) == (202, None)
    assert send("2-s", {"command": "add", "param_grid": {"C": [2.0]}}) == (202, None)
    assert len((tmp_path / "2-s.commands").read_text().splitlines()) == 2
    assert send("3-old", {"command": "stop"}) == (409, "it does not run any more: done")
    assert send("4-none", {"command": "stop"})[0] == 404
    assert send("2-s", {"command": "add", "param_grid": {"C": ["x" * 70_000]}})[0] == 413


def test_it_ends_though_a_page_is_open(tmp_path, write):
    write("1-a1", START)
    with start_dashboard(tmp_path) as server:
        page = urllib.request.urlopen(server.url + "events", timeout=30)
        page.readline()
    page.close()
    assert not server._thread.is_alive()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(server.url, timeout=5)


def test_a_port_that_is_taken(dashboard, tmp_path):
    port = int(dashboard.url.split(":")[2].split("/")[0])
    with pytest.raises(ConfigurationError, match=f"port {port} of 127.0.0.1 cannot be had"):
        start_dashboard(tmp_path, port)


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "sklearn_cirrus.dashboard._server")
    with pytest.raises(ConfigurationError, match=r"pip install 'sklearn-cirrus\[dashboard\]'"):
        start_dashboard(tmp_path)


def test_there_must_be_journals():
    with (
        config_context(journal="off"),
        pytest.raises(ConfigurationError, match="nothing to show"),
    ):
        start_dashboard()


def test_a_setting_starts_it_with_the_first_fit(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(dashboard_package, "_shared", {})
    clf = CirrusLogisticRegression(backend="inline", random_state=0)
    with config_context(dashboard=True, journal=str(tmp_path)):
        for _ in range(2):
            clf.fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    (server,) = dashboard_package._shared.values()
    try:
        (said,) = [r.message for r in caplog.records if "dashboard" in r.message]
        assert said == f"the dashboard is at {server.url}"
        assert len(first_event(server.url)["runs"]) == 2
    finally:
        server.close()


def test_the_command_serves_until_it_is_interrupted(tmp_path, write, monkeypatch, capsys):
    write("1-a1", START)
    served = []

    def look_and_interrupt(server):
        served.append((server, first_event(server.url)["runs"][0]["id"]))
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_cirrus.dashboard._server.DashboardServer.wait", look_and_interrupt)
    monkeypatch.setenv("CIRRUS_JOURNAL", str(tmp_path))
    assert main(["dashboard"]) == 130
    ((server, name),) = served
    assert name == "a1" and not server._thread.is_alive()
    assert capsys.readouterr() == (f"{server.url}\n", "")
