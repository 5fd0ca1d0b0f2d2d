"""An AWS for the tests of deploy: moto, behind its server on the loopback or in this process."""

import functools
import logging
import os
import threading
import urllib.request
import zipfile

import pytest

from sklearn_cirrus.deploy import deploy

ACCOUNT = "123456789012"  # moto's
REGION = "eu-west-1"


@pytest.fixture(scope="session")
def moto_server():
    """The url of moto's server, started once."""
    pytest.importorskip("moto.server")
    from moto.server import ThreadedMotoServer

    lift_bucket_policies()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


def lift_bucket_policies():
    """Keep moto from applying them without their conditions: "deny all without TLS" denies all."""
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL


@pytest.fixture(scope="session")
def shared_clients(moto_server):
    """boto3's clients for moto by (service, region): to make one takes longer than a deploy."""
    os.environ["AWS_ENDPOINT_URL"] = moto_server
    yield {}
    del os.environ["AWS_ENDPOINT_URL"]


@pytest.fixture
def aws_behind_server(moto_server, shared_clients, monkeypatch):
    """An empty account behind moto's server; gives a function that returns a service's client."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    yield use_clients(shared_clients, monkeypatch)
    urllib.request.urlopen(f"{moto_server}/moto-api/reset", data=b"").close()


@pytest.fixture(scope="session")
def clients():
    """boto3's clients for moto in this process."""
    return {}


@pytest.fixture
def aws(clients, monkeypatch):
    """An empty account in this process, which takes a third of the time of one behind a server."""
    moto = pytest.importorskip("moto")
    lift_bucket_policies()
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    client = use_clients(clients, monkeypatch)
    with moto.mock_aws():
        yield client


def use_clients(clients, monkeypatch):
    """Let deploy use these clients, and make those that are missing; return how to get one."""
    import boto3

    from sklearn_cirrus.deploy import aws

    make_session = boto3.Session

    def client(service, region=REGION):
        if (service, region) not in clients:
            clients[service, region] = make_session().client(service, region_name=region)
        return clients[service, region]

    @functools.cache
    def session(region_name=None):
        return make_session(region_name=region_name)

    monkeypatch.setattr(boto3, "Session", session)  # each reads the list of all endpoints
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    # A list of images, which nobody asks for, is made for every new account and region.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    monkeypatch.setattr(aws, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(aws.Aws, "client", lambda self, service: client(service, self.region))
    monkeypatch.setattr(aws.Aws, "close", lambda self: None)
    return client


@pytest.fixture
def hosts(aws):
    """Hosts that come up: lay a certificate into the bucket for every instance that runs."""
    from moto.backends import get_backend

    ended = threading.Event()

    def come_up():
        while not ended.wait(0.05):
            for backend in list(get_backend("ec2")[ACCOUNT].values()):
                for reservation in list(backend.reservations.values()):
                    for instance in reservation.instances:
                        _lay_down(instance, backend.region_name)

    def _lay_down(instance, region):
        s3 = get_backend("s3")[ACCOUNT]["aws"]
        name = instance.get_tags() and _stack(instance) + f"-{ACCOUNT}-{region}"
        if instance.state != "running" or name not in s3.buckets:
            return
        key = f"server/ready/{instance.id}.pem"
        if key not in s3.buckets[name].keys:
            s3.put_object(name, key, f"certificate of {instance.id}".encode())

    def _stack(instance):
        tags = {tag["key"]: tag["value"] for tag in instance.get_tags()}
        return tags.get("sklearn-cirrus:stack", "")

    thread = threading.Thread(target=come_up, name="hosts", daemon=True)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Small files in place of a bundle and of the server's module, as arguments of deploy."""
    folder = tmp_path_factory.mktemp("files")
    with zipfile.ZipFile(folder / "worker.zip", "w") as archive:
        archive.writestr("cirrus_runtime/__init__.py", "")
    with zipfile.ZipFile(folder / "task.zip", "w") as archive:
        archive.writestr("cirrus_runtime/__init__.py", "'another'")
    aarch64 = (183).to_bytes(2, "little")
    (folder / "cirrus.so").write_bytes(b"\x7fELF" + bytes(14) + aarch64)
    return {"bundle": folder / "worker.zip", "module": folder / "cirrus.so"}


@pytest.fixture
def put_up(hosts, files):
    """Deploy with the small files."""
    return lambda **choices: deploy(**(files | choices))
