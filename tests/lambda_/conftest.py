"""An emulated AWS: Lambda with the very zip that ships, S3, and a Redis server on TCP."""

import contextlib
import random
import socket
import threading
import time

import boto3
import pytest

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.emulator import LambdaEmulator

from ..faults.conftest import held_out_loss, labelled
from ..redis_servers import RunningServer, find_server, wait_until
from .bucket import BUCKET, objects
from .faulty_s3 import FaultyS3
from .task_cloud import (  # noqa: F401 (fixtures)
    client_functions,
    events,
    on_lambda,
    task_functions,
    tasks,
)

PASSWORD = "hunter2-recognisable-password"
FUNCTION = "cirrus-worker"
MEMORY = 512
# The rate is given: what is compared is not how the schedule tries out larger ones, which depends
# on how much of each other's work eight workers on a few cores miss.
PARAMETERS = {
    "max_iter": 20,
    "tol": None,
    "random_state": 0,
    "batch_size": 20,
    "learning_rate": 0.3,
}
SETTINGS = {
    "backend": "lambda",
    "function": FUNCTION,
    "store_url": f"s3://{BUCKET}/mine",
    "block_bytes": 40_000,
    "n_workers": 8,
    "lease_seconds": 1.5,
    "retry_seconds": 5.0,
    "checkpoint_seconds": 0.5,
}


@pytest.fixture(scope="session")
def s3_service():
    """The S3 of all these tests, with a bucket."""
    with FaultyS3() as service:
        client = boto3.client("s3", endpoint_url=service.url)
        client.create_bucket(Bucket=BUCKET)
        client.close()
        yield service


@pytest.fixture(scope="session")
def lambda_service(s3_service):
    """The Lambda of all these tests."""
    with LambdaEmulator(concurrency=142, s3_endpoint_url=s3_service.url) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def emulated(lambda_service, worker_bundle):
    """The Lambda of all these tests, with the worker's function."""
    deploy(lambda_service, FUNCTION, worker_bundle, Timeout=60)
    return lambda_service


def deploy(emulator, name, bundle, **settings):
    """Make a function of a bundle, and wait until it is active."""
    client = boto3.client("lambda", endpoint_url=emulator.endpoint_url)
    client.create_function(
        **{
            "FunctionName": name,
            "Runtime": bundle.target.runtime,
            "Architectures": [bundle.target.architecture],
            "Handler": "cirrus_runtime.handler.handle",
            "Role": "arn:aws:iam::123456789012:role/worker",
            "Code": {"ZipFile": bundle.path.read_bytes()},
            "MemorySize": MEMORY,
        }
        | settings
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    client.close()


@pytest.fixture
def cloud(lambda_service, s3_service, monkeypatch):
    """The emulator, without faults; boto3 finds it and the S3 service by its variables."""
    for name, value in lambda_service.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_service.url)
    yield lambda_service
    lambda_service.faults.clear()


@pytest.fixture
def emulator(cloud, emulated):
    """The emulator, with the worker's function."""
    return cloud


@pytest.fixture
def s3(emulator, s3_service):
    return s3_service


class TcpServer:
    """A redis-server on a port of 127.0.0.1 that can be killed and started again.

    Attributes
    ----------
    url : str
    """

    def __init__(self, folder, *options, scheme="redis", query=""):
        self._folder, self._options = folder, options
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"{scheme}://:{PASSWORD}@127.0.0.1:{self.port}/0{query}"
        self._listen = f"{'tls-port' if scheme == 'rediss' else 'port'} {self.port}"
        self.start()

    @classmethod
    def tls(cls, folder, *options, certificate):
        """Return a server that speaks TLS alone; clients know it by a certificate."""
        query = f"?ssl_ca_certs={certificate}"
        return cls(folder, "port 0", *options, scheme="rediss", query=query)

    def start(self):
        options = (self._listen, "bind 127.0.0.1", f"requirepass {PASSWORD}", *self._options)
        self._server = RunningServer(find_server("redis-server"), self._folder, *options)
        self.client = self._server.wait(password=PASSWORD)

    def restart(self, seconds=0.0):
        """Kill the server and start it anew after some seconds."""
        self.client.close()
        self._server._process.kill()
        self._server._process.wait()
        time.sleep(seconds)
        self.start()

    def stop(self):
        self.client.close()
        self._server.stop()


@pytest.fixture
def server(tmp_path_factory):
    """A server with a password; without redis-server the tests are skipped."""
    if find_server("redis-server") is None:
        pytest.skip("redis-server is not installed here")
    server = TcpServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def fit(emulator, server):
    """Return a function that fits on the emulated Lambda; afterwards nothing may be left."""

    def fit(parameters=None, data=None, **settings):
        X, y = data or labelled()
        with config_context(**SETTINGS | {"redis_url": server.url} | settings):
            return CirrusLogisticRegression(**PARAMETERS | (parameters or {})).fit(X, y)

    yield fit
    assert_nothing_left(emulator, server)


def assert_nothing_left(emulator, server):
    """Fail unless there is no invocation, no key, no user and no object."""
    emulator.faults.clear()
    wait_until(
        lambda: all(slot.state == "idle" for slot in emulator.slots()), "an invocation is left", 15
    )
    assert server.client.keys("*") == []
    assert server.client.acl_users() == ["default"]
    assert objects() == []


@pytest.fixture(scope="session")
def undisturbed():
    """Return the held-out loss of a fit that nobody disturbs, on local workers."""
    return _undisturbed()


@pytest.fixture(scope="session")
def undisturbed_auto():
    """Return the same at the rate that the fit chooses."""
    return _undisturbed(learning_rate="auto")


def _undisturbed(**parameters):
    X, y = labelled()
    with config_context(block_bytes=SETTINGS["block_bytes"], n_workers=2):
        return held_out_loss(CirrusLogisticRegression(**PARAMETERS | parameters).fit(X, y))


@contextlib.contextmanager
def meanwhile(deed):
    """Call ``deed(over)`` on a thread; ``over`` is set at the end of the block."""
    over, failures = threading.Event(), []

    def perform():
        try:
            deed(over)
        except BaseException as error:  # raised again below
            failures.append(error)

    thread = threading.Thread(target=perform)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)
        assert not thread.is_alive()
    if failures:
        raise failures[0]


def at_random(seed, deed, least, most):
    """Return a deed for :func:`meanwhile`: do it again and again, at random moments."""
    draw = random.Random(seed)

    def perform(over):
        while not over.wait(draw.uniform(least, most)):
            deed(draw)

    return perform
