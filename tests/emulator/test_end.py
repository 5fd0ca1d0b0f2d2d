"""However an emulator ends, its processes and its folder go with it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError

from sklearn_cirrus.cli import main
from sklearn_cirrus.emulator import LambdaEmulator
from sklearn_cirrus.exceptions import ConfigurationError

from .service import SLEEP, Service, is_running, make_session, refusal, wait_until

# Forks a child for each ending (Python and its libraries are loaded once), and tells how it
# ended. A child has one slot busy and one idle (and therefore stopped), says who they are, and
# ends as told.
SCRIPT = """
import json, os, sys, threading
from emulator_service import SLEEP, Service, make_session, wait_until

def main(how, statement):
    with Service(make_session()) as service:
        service.create(SLEEP)
        service.create(SLEEP, name="g")
        service.result(0, "g")
        threading.Thread(target=service.invoke, args=(60,), daemon=True).start()
        wait_until(lambda: [slot for slot in service.emulator.slots("f") if slot.pid])
        inner = service.emulator._service
        pids = [slot.pid for slot in service.emulator.slots()] + [inner.guard.pid]
        say(how=how, pid=os.getpid(), pids=pids, folder=str(inner.folder))
        exec(statement)

def say(**what):
    os.write(1, json.dumps(what).encode() + b"\\n")

children = {}
for how, statement in json.loads(sys.argv[1]).items():
    child = os.fork()
    if child == 0:
        main(how, statement)
        sys.exit()
    children[child] = how
while children:
    child, status = os.wait()
    say(how=children.pop(child), code=os.waitstatus_to_exitcode(status))
"""
WAIT = "threading.Event().wait(60)"
ENDINGS = {
    "SIGKILL": (WAIT, signal.SIGKILL, -signal.SIGKILL),
    "SIGTERM": (WAIT, signal.SIGTERM, -signal.SIGTERM),
    "Ctrl-C": (WAIT, signal.SIGINT, -signal.SIGINT),
    "exception": ("raise LookupError", None, 1),
    "os._exit": ("os._exit(5)", None, 5),
    "return": ("", None, 0),
}


def test_nothing_stays_whatever_ends_the_process(tmp_path):
    helper = os.path.join(os.path.dirname(__file__), "service.py")
    (tmp_path / "emulator_service.py").symlink_to(helper)
    (tmp_path / "script.py").write_text(SCRIPT)
    statements = {how: statement for how, (statement, _, _) in ENDINGS.items()}
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), json.dumps(statements)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONSAFEPATH": "", "PYTHONPATH": str(tmp_path)},
    )
    said, codes = {}, {}
    for line in process.stdout:
        what = json.loads(line)
        if "code" in what:
            codes[what["how"]] = what["code"]
            continue
        said[what["how"]] = what
        assert len(what["pids"]) == 3
        if (number := ENDINGS[what["how"]][1]) is not None:
            assert all(map(is_running, what["pids"])) and os.path.isdir(what["folder"])
            os.kill(what["pid"], number)
    errors = process.communicate(timeout=30)[1]
    assert codes == {how: code for how, (_, _, code) in ENDINGS.items()}, errors
    for what in said.values():
        wait_until(lambda what=what: not any(map(is_running, what["pids"])), 10)
        wait_until(lambda what=what: not os.path.exists(what["folder"]), 10)


def test_the_end_of_the_block_ends_all_that_goes_on(session):
    before = threading.active_count()
    with Service(session) as service:
        service.create(SLEEP)
        service.emulator.faults.duplicate()
        service.send(60)
        thread = threading.Thread(target=invoke_to_the_end, args=(service,))
        thread.start()
        wait_until(lambda: sum(s.pid is not None for s in service.emulator.slots()) == 3)
        pids = [slot.pid for slot in service.emulator.slots()]
        folder = service.emulator._service.folder
        begin = time.monotonic()
    assert time.monotonic() - begin < 5
    assert not any(map(is_running, pids)) and not folder.exists()
    thread.join(10)
    assert not thread.is_alive()
    assert threading.active_count() == before
    # What happened can still be looked at.
    assert {each.outcome for each in service.emulator.invocations()} == {"killed"}


def invoke_to_the_end(service):
    """Invoke something that the emulator does not survive."""
    with contextlib.suppress(BotoCoreError):  # an answer or none, as it happens
        service.invoke(60)


def test_an_emulator_can_be_started_again(session):
    emulator = LambdaEmulator()
    with emulator:
        with pytest.raises(ConfigurationError, match="runs already"):
            emulator.__enter__()
    with emulator:
        assert emulator.slots() == []


def test_an_emulator_that_does_not_run_says_so():
    with pytest.raises(ConfigurationError, match="with block"):
        LambdaEmulator().environment()


def test_the_variables_lead_boto3_to_the_emulator(service, monkeypatch):
    for name, value in service.emulator.environment().items():
        monkeypatch.setenv(name, value)
    client = make_session().client("lambda")
    assert client.meta.endpoint_url == service.emulator.endpoint_url
    assert client.list_functions()["Functions"] == []
    client.close()


def test_a_port_that_is_taken_is_named(service):
    port = int(service.emulator.endpoint_url.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=f"port {port} cannot be used"):
        LambdaEmulator(port=port).__enter__()


@pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"idle_seconds": -1}, {"code_storage": 0}])
def test_a_setting_that_cannot_be_is_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        LambdaEmulator(**wrong)


def test_an_interpreter_that_is_none_is_refused(start):
    service = start(pythons={"python3.98": "/bin/false"})
    code, _, message = refusal(service.create, Runtime="python3.98")
    assert code == "InvalidParameterValueException" and "is not a Python" in message


def test_the_command_runs_until_it_is_ended(tmp_path, session):
    command = os.path.join(os.path.dirname(sys.executable), "sklearn-cirrus")
    process = subprocess.Popen(
        [command, "emulate", "--logs", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        lines = [process.stdout.readline() for _ in range(5)]
        found = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
        client = session.client("lambda", endpoint_url=found["AWS_ENDPOINT_URL_LAMBDA"])
        assert client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] == 1000
        client.close()
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()


def test_the_command_refuses_what_it_cannot_read(capsys):
    assert main(["emulate", "--python", "python3.12"]) == 1
    assert "must be RUNTIME=PATH" in capsys.readouterr().err
