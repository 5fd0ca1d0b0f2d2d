"""Functions for tasks of joblib on the emulated Lambda, and backend "cirrus" on them.

Their zips have a few lines, or our own packages: the libraries are those that are installed here,
so that no test waits for 60 MB to be packed and unpacked. ``test_task_bundle.py`` has the zip that
ships.
"""

import io
import sys
import zipfile
from pathlib import Path

import boto3
import cloudpickle
import joblib
import pytest

import cirrus_runtime
from sklearn_cirrus import config_context
from sklearn_cirrus.joblib_backend import lambda_place
from sklearn_cirrus.workers.aws_lambda_function import LambdaFunction

from ..bundle.client_folder import ONLY, make_client_folder
from ..emulator.service import ROLE, RUNTIME, zipped
from ..redis_servers import wait_until
from .bucket import BUCKET, objects

HANDLER = """
import sys
sys.path += {path!r}
from cirrus_runtime.task import handle
"""
PATH = [str(Path(cirrus_runtime.__file__).parents[1]), *filter(None, sys.path)]


@pytest.fixture(scope="session")
def task_functions(lambda_service):
    """Functions for tasks: one of 60 s, one of 2 s."""
    for name, seconds in {"tasks": 60, "hasty-tasks": 2}.items():
        _create(lambda_service, name, zipped(HANDLER.format(path=PATH)), seconds)


@pytest.fixture
def tasks(request, cloud, task_functions, monkeypatch):
    """The emulator, with backend "cirrus" on its function; afterwards nothing may be left."""
    cloudpickle.register_pickle_by_value(request.module)
    monkeypatch.setattr(lambda_place, "_limits", {})
    with (
        config_context(backend="lambda", task_function="tasks", store_url=f"s3://{BUCKET}/tasks"),
        joblib.parallel_config("cirrus", n_jobs=2),
    ):
        yield cloud
    cloudpickle.unregister_pickle_by_value(request.module)
    nothing_is_left(cloud)


@pytest.fixture
def events(monkeypatch):
    """The events that are sent."""
    sent, invoke = [], LambdaFunction.invoke

    def note(function, event):
        sent.append(event.decode())
        return invoke(function, event)

    monkeypatch.setattr(LambdaFunction, "invoke", note)
    return sent


@pytest.fixture(scope="session")
def client_functions(lambda_service, tmp_path_factory):
    """A function with our packages."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = make_client_folder(tmp_path_factory.mktemp("client"), monkeypatch)
    (folder / "app.py").write_text(ONLY + "\nfrom cirrus_runtime.task import handle\n")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
    _create(lambda_service, "client-tasks", code.getvalue(), 60)


@pytest.fixture
def on_lambda(cloud, client_functions, monkeypatch):
    """The emulator, for calls with backend "cirrus"; what is fitted here is fitted inline."""
    monkeypatch.setattr(lambda_place, "_limits", {})
    settings = {"task_function": "client-tasks", "store_url": f"s3://{BUCKET}/tasks"}
    with (
        config_context(backend="inline", **settings),
        joblib.parallel_config("cirrus", where="lambda", n_jobs=2),
    ):
        yield cloud
    nothing_is_left(cloud)


def nothing_is_left(cloud):
    """Fail unless there is no object, and soon no function that runs."""
    assert objects() == []
    wait_until(lambda: all(slot.state == "idle" for slot in cloud.slots()), "one still runs", 15)


def _create(service, name, code, seconds):
    """Make a function and wait until it is active."""
    client = boto3.client("lambda", endpoint_url=service.endpoint_url)
    client.create_function(
        FunctionName=name,
        Runtime=RUNTIME,
        Role=ROLE,
        Handler="app.handle",
        Code={"ZipFile": code},
        MemorySize=512,
        Timeout=seconds,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    client.close()
