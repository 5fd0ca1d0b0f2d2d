"""One whole deployment against ministack, an emulator that has nothing to do with moto.

Without a host: ministack keeps no user data of instances. It is in no extra of this package, as it
takes one botocore alone: `pip install ministack` into an environment of its own, and put its
program on the PATH.
"""

import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request

import boto3
import pytest

from sklearn_cirrus.deploy import aws, deploy, destroy, load_deployment
from tests.deploy.account import snapshot
from tests.redis_servers import wait_until

URL = "rediss://user:hunter2@cache.example:6379/0"


@pytest.fixture
def ministack(tmp_path, monkeypatch):
    """The way to a ministack of its own; gives a function that returns the client of a service."""
    program = shutil.which("ministack")
    if program is None:
        pytest.skip("needs ministack")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "HOME": str(tmp_path)}
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            [program], cwd=tmp_path, env=os.environ | settings, stdout=log, stderr=log
        )

    def answers():
        assert process.poll() is None, (tmp_path / "log").read_text()
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()  # an answer, too
        except OSError:
            return False
        return True

    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(aws, "POLL_SECONDS", 0.05)
    clients = {}
    try:
        wait_until(answers, "ministack does not answer", 60)
        yield lambda name: clients.setdefault(name, boto3.client(name))
    finally:
        for client in clients.values():
            client.close()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_up_changed_and_down_again(ministack, files):
    choices = files | {"task_bundle": files["bundle"].with_name("task.zip")}
    deploy(**choices, redis_url=URL, concurrency=5)
    assert load_deployment().redis_url == URL
    assert deploy(**choices).changed == []
    changed = deploy(**choices, memory=3008).changed
    assert [step.resource.name for step in changed] == ["Worker", "Task", "Record"]
    assert (
        ministack("lambda").get_function_configuration(FunctionName="cirrus-task")["MemorySize"]
        == 3008
    )
    destroy()
    left = {name for name in snapshot(ministack) if "cirrus" in name}
    assert left == set()
    assert destroy() == []
