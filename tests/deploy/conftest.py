"""An AWS on the loopback for the tests of deploy: moto's server, emptied after each test."""

import logging
import os
import threading
import urllib.request
import zipfile

import pytest

ACCOUNT = "123456789012"  # moto's
REGION = "eu-west-1"


@pytest.fixture(scope="session")
def moto_server():
    """The url of moto's server, started once."""
    pytest.importorskip("moto.server")
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket
    from moto.server import ThreadedMotoServer

    # moto applies a bucket's policy without its conditions: "deny all without TLS" denies all.
    FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(scope="session")
def shared_clients(moto_server):
    """boto3's clients for moto by (service, region): to make one takes longer than a deploy."""
    os.environ["AWS_ENDPOINT_URL"] = moto_server
    yield {}
    del os.environ["AWS_ENDPOINT_URL"]


@pytest.fixture
def aws(moto_server, shared_clients, monkeypatch):
    """An empty account; gives a function that returns the client of a service."""
    import boto3

    from sklearn_cirrus.deploy import aws

    def client(service, region=REGION):
        if (service, region) not in shared_clients:
            shared_clients[service, region] = boto3.Session().client(service, region_name=region)
        return shared_clients[service, region]

    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(aws, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(aws.Aws, "client", lambda self, service: client(service, self.region))
    monkeypatch.setattr(aws.Aws, "close", lambda self: None)
    yield client
    urllib.request.urlopen(f"{moto_server}/moto-api/reset", data=b"").close()


@pytest.fixture
def hosts(aws):
    """Hosts that come up: lay a certificate into the bucket for every instance that runs."""
    from moto.backends import get_backend

    ended = threading.Event()

    def come_up():
        while not ended.wait(0.02):
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
