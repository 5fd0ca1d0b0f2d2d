"""Slots: a bare process each, with limits, cold and warm."""

import os
import time

import pytest

from sklearn_cirrus.emulator import _execution

from .service import is_running, wait_until


def test_a_function_finds_nothing_but_its_zip_and_what_lambda_brings(service, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    service.create(
        """
import importlib.util, os, sys, sysconfig

def handle(event, context):
    return {
        "found": [name for name in event if importlib.util.find_spec(name)],
        "path": sys.path,
        "stdlib": sysconfig.get_path("stdlib"),
        "variables": dict(os.environ),
        "folder": os.getcwd(),
    }
""",
        Environment={"Variables": {"OWN": "1"}},
    )
    names = ["numpy", "sklearn", "sklearn_cirrus", "service", "pytest", "pip"]
    seen = service.result([*names, "boto3", "awslambdaric", "app"])
    assert seen["found"] == ["boto3", "awslambdaric", "app"]
    root, *others = seen["path"]
    assert root == seen["folder"] == seen["variables"]["LAMBDA_TASK_ROOT"]
    assert seen["stdlib"] in others and not any("site-packages" in path for path in others)
    variables = seen["variables"]
    assert variables["OWN"] == "1" and "SECRET_OF_THE_HOST" not in variables
    assert {name for name in variables if not name.startswith(("AWS_", "LAMBDA_"))} == {
        *("OWN", "LANG", "TZ", "PATH", "TMPDIR", "_HANDLER", "_X_AMZN_TRACE_ID")
    } | ({"LC_CTYPE"} & set(variables))
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "f"
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert variables["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert variables["AWS_REGION"] == "us-east-1"
    assert variables["AWS_ENDPOINT_URL_LAMBDA"] == service.emulator.endpoint_url


def test_functions_find_the_services_that_this_process_finds(start, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    service = start()
    service.create(
        "import os\n\ndef handle(event, context):\n    return os.environ['AWS_ENDPOINT_URL_S3']"
    )
    assert service.result() == "http://127.0.0.1:1"


def test_temporary_folders_are_of_one_slot_and_limited(service):
    service.create(
        """
import os, tempfile

def handle(event, context):
    path = os.path.join(tempfile.gettempdir(), "file")
    if event == "look":
        return os.path.exists(path)
    with open(path, "wb") as file:
        file.truncate(event)
    return tempfile.gettempdir()
"""
    )
    folder = service.result(512 << 20)
    assert os.path.isdir(folder)
    assert service.result("look") is True  # warm: it is still there
    assert service.error((512 << 20) + 1) == ("OSError", "[Errno 27] File too large")
    service.emulator.kill(service.emulator.slots()[0].number)
    wait_until(lambda: service.invoke("look")[0] is False)
    assert not os.path.exists(folder)


def test_a_process_is_used_again(service):
    service.create(
        "calls = []\n\ndef handle(event, context):\n    calls.append(event)\n    return calls"
    )
    assert service.result(1) == [1]
    assert service.result(2) == [1, 2]
    first, second = service.emulator.invocations()
    assert first.init_ms > 0 and second.init_ms == 0
    assert first.pid == second.pid and first.slot == second.slot


def test_idle_processes_end_after_a_time(start):
    service = start(idle_seconds=0.3)
    service.create("import os\n\ndef handle(event, context):\n    return os.getpid()")
    pid = service.result()
    wait_until(lambda: service.emulator.slots() == [])
    wait_until(lambda: not is_running(pid))
    assert service.result() != pid


def test_time_stands_still_between_invocations(service):
    service.create(
        """
import threading, time

ticks = 0

def tick():
    global ticks
    while True:
        time.sleep(0.001)
        ticks += 1

threading.Thread(target=tick, daemon=True).start()

def handle(event, context):
    return ticks
"""
    )
    before = service.result()
    time.sleep(0.3)
    assert service.result() - before < 100


def test_a_function_that_takes_too_long_is_ended_with_its_children(service):
    service.create(
        """
import subprocess, time

def handle(event, context):
    if event:
        print("child", subprocess.Popen(["/bin/sleep", "60"]).pid)
    time.sleep(event)
""",
        Timeout=1,
    )
    begin = time.monotonic()
    kind, message = service.error(60)
    assert kind == "Sandbox.Timedout" and message.endswith("Task timed out after 1.00 seconds")
    assert 1 <= time.monotonic() - begin < 10
    ended = service.last
    assert ended.outcome == "timeout" and ended.duration_ms >= 1000 and ended.billed_ms >= 1000
    assert "Task timed out after 1.00 seconds" in ended.log and "Status: timeout" in ended.log
    assert not is_running(ended.pid)
    child = int(ended.log.partition("child ")[2].split()[0])
    wait_until(lambda: not is_running(child))
    assert service.result(0) is None
    assert service.last.init_ms > 0


def test_a_function_that_takes_too_much_memory_is_killed(service):
    service.create(
        """
import time

def handle(event, context):
    kept = []
    for _ in range(event):
        kept.append(b"x" * (1 << 20))
        time.sleep(0.0002)
    return len(kept)
""",
        MemorySize=128,
    )
    assert service.result(40) == 40
    used = service.last.max_memory_mb
    assert 40 < used < 90
    kind, message = service.error(400)
    assert kind == "Runtime.OutOfMemory"
    assert message.endswith("Error: Runtime exited with error: signal: killed")
    ended = service.last
    assert ended.outcome == "out_of_memory" and ended.max_memory_mb == 128
    assert "Max Memory Used: 128 MB" in ended.log and "Error Type: Runtime.OutOfMemory" in ended.log
    assert service.result(1) == 1 and service.last.init_ms > 0


def test_a_peak_that_has_passed_counts(service):
    service.create("def handle(event, context):\n    return len(b'x' * event + b'y')")
    assert service.result(30 << 20) == (30 << 20) + 1
    assert service.last.max_memory_mb > 60  # both copies, though neither is there any more


@pytest.mark.parametrize(
    ("statement", "outcome", "words"),
    [
        ("os._exit(3)", "exited", "Runtime exited with error: exit status 3"),
        ("os._exit(0)", "exited", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 9)", "killed", "Runtime exited with error: signal: killed"),
        ("os.abort()", "exited", "Runtime exited with error: signal: aborted"),
    ],
)
def test_the_end_of_a_process_is_told(service, statement, outcome, words):
    service.create(f"import os\n\ndef handle(event, context):\n    {statement}")
    kind, message = service.error()
    assert kind == "Runtime.ExitError" and message.endswith(words)
    assert service.last.outcome == outcome and "Error Type: Runtime.ExitError" in service.last.log


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("import numpy", "Runtime.ImportModuleError", "No module named 'numpy'"),
        ("def handle(:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("x = 1", "Runtime.HandlerNotFound", "Handler 'handle' missing on module 'app'"),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told(service, source, kind, words):
    service.create(source)
    found, message = service.error()
    assert found == kind and words in message
    assert service.last.outcome == "init_error"
    assert service.last.init_ms > 0 and f"Error Type: {kind}" in service.last.log


def test_an_initialization_that_takes_too_long_starts_again_on_the_functions_time(
    service, monkeypatch
):
    monkeypatch.setattr(_execution, "INIT_SECONDS", 0.2)
    service.create("import time\ntime.sleep(0.4)\n\ndef handle(event, context):\n    return 1")
    assert service.result() == 1
    assert service.last.duration_ms > 400 and service.last.init_ms == 0
    service.create("import time\ntime.sleep(60)", name="g", Timeout=1)
    assert service.error(name="g")[0] == "Sandbox.Timedout"


def test_logs_can_be_kept(start, tmp_path):
    service = start(logs=tmp_path)
    service.create("def handle(event, context):\n    print('kept', event)")
    service.result(1)
    service.result(2)
    (file,) = (tmp_path / "f").iterdir()
    text = file.read_text()
    assert "kept 1\n" in text and "kept 2\n" in text and text.count("REPORT ") == 2
