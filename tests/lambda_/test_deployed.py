"""From an empty account to a fit and back: deploy, fit by what deploy recorded, destroy."""

from pathlib import Path
from urllib.parse import quote

import boto3
import pytest

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.deploy import aws, deploy, destroy, load_deployment
from sklearn_cirrus.exceptions import ConfigurationError

from ..deploy.account import counts
from ..deploy.conftest import lift_bucket_policies
from ..faults.conftest import held_out_loss, labelled
from ..redis_servers import find_server
from .conftest import PARAMETERS, PASSWORD, SETTINGS, TcpServer
from .test_fit import certificate

pytestmark = pytest.mark.filterwarnings("ignore:Maximum number of iterations")


@pytest.fixture
def account(emulator, s3_service, monkeypatch):
    """moto for all services but Lambda, which is ours; gives a function that makes clients."""
    lift_bucket_policies()
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_service.url)
    monkeypatch.setattr(aws, "POLL_SECONDS", 0.05)
    clients = {}

    def client(service):
        if service not in clients:
            clients[service] = boto3.client(service)
        return clients[service]

    yield client
    for made in clients.values():
        made.close()


@pytest.fixture
def server_url(tmp_path):
    """The url of a server with TLS and its certificate, as a deployed host has it."""
    if find_server("redis-server") is None:
        pytest.skip("redis-server is not installed here")
    key, crt = certificate(tmp_path)
    options = f"tls-cert-file {crt}", f"tls-key-file {key}", "tls-auth-clients no"
    server = TcpServer.tls(tmp_path, *options, certificate=crt)
    yield f"{server.url.partition('?')[0]}?ssl_ca_data={quote(Path(crt).read_text(), safe='')}"
    assert server.client.keys("*") == [] and server.client.acl_users() == ["default"]
    server.stop()


def test_deploy_fit_destroy(account, emulator, server_url, worker_bundle, undisturbed, caplog):
    caplog.set_level("DEBUG", "sklearn_cirrus")
    before = counts(account)
    target = worker_bundle.target
    deploy(
        "mine",
        redis_url=server_url,
        bundle=worker_bundle.path,
        architecture=target.architecture,
        python=target.python,
        memory=512,
    )
    deployment = load_deployment("mine")
    assert emulator.invocations(deployment.worker) == []
    X, y = labelled()
    settings = {name: SETTINGS[name] for name in ("backend", "block_bytes")}
    with config_context(**settings, stack="mine", n_workers=2):
        model = CirrusLogisticRegression(**PARAMETERS).fit(X, y)
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)
    assert model.cost_ > 0
    assert len(emulator.invocations(deployment.worker)) >= 2
    left = account("s3").list_objects_v2(Bucket=deployment.bucket)["Contents"]
    assert {item["Key"].partition("/")[0] for item in left} == {"code"}
    assert destroy("mine")
    assert counts(account) == before
    with (
        pytest.raises(ConfigurationError, match="there is no stack 'mine' in us-east-1"),
        config_context(**settings, stack="mine"),
    ):
        CirrusLogisticRegression(**PARAMETERS).fit(X, y)
    assert PASSWORD not in caplog.text
