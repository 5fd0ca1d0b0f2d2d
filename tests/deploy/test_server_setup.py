"""The script that makes a server out of a fresh host, run to its end; the server that it makes."""

import hashlib
import re
import shutil
import socket
import ssl
import subprocess

import numpy as np
import pytest
import redis

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.deploy.server_url import USER, answers, make_url
from tests.deploy.server_host import ServerHost
from tests.redis_servers import find_module

PASSWORD = "a-password-of-the-test"
PUBLIC = "203.0.113.9"


@pytest.fixture(scope="module")
def port():
    """A port of the loopback that was free a moment ago."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


@pytest.fixture(scope="module")
def host(tmp_path_factory, port):
    """A host with a public address on which the script has run."""
    binary, cli = shutil.which("redis-server"), shutil.which("redis-cli")
    if not (binary and cli and shutil.which("openssl")):
        pytest.skip("needs redis-server and redis-cli with TLS, and openssl")
    digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
    host = ServerHost(
        tmp_path_factory.mktemp("host"), binary, cli, find_module(), port, digest, PUBLIC
    )
    try:
        host.start()
        yield host
    finally:
        host.stop()


@pytest.fixture(scope="module")
def url(host, port):
    """The url that deploy would put into the record, for this port."""
    return make_url("127.0.0.1", PASSWORD, host.certificate).replace(":6379/", f":{port}/")


@pytest.fixture
def client(url):
    """A client of the server."""
    with redis.Redis.from_url(url) as client:
        yield client


def test_nothing_secret_is_in_the_script(host):
    assert PASSWORD not in host.script
    assert "PRIVATE" not in host.script


def test_cloudformation_finds_its_own_names_alone_in_the_script(host):
    assert re.findall(r"\$\{[^}]*\}", host.script) == ["${ServerAddress}"]
    assert not re.search(r"@[A-Z0-9_]+@", host.script)
    assert len(host.script) < 16_000  # EC2 takes 16 KB


def test_packages_and_module_come_from_amazon_and_the_bucket_alone(host):
    calls = host.calls()
    assert calls[0] == ["dnf", "install", "-y", "-q", "valkey"]
    assert calls[1][:8] == "aws s3api get-object --region eu-west-1 --bucket a-bucket --key".split()
    reached = {call[0] for call in calls} - {"chown", "systemctl", "useradd"}
    assert reached == {"dnf", "aws"}
    assert ["systemctl", "enable", "--now", "cirrus-server.service"] in calls


def test_the_key_stays_on_the_host_and_only_the_server_reads_it(host):
    folder = host.root / "etc/cirrus-server"
    assert (folder / "key.pem").stat().st_mode & 0o077 == 0
    assert (folder / "users.acl").stat().st_mode & 0o077 == 0
    owned = next(call for call in host.calls() if call[0] == "chown")
    assert owned[1:] == ["cirrus:cirrus", str(folder / "key.pem"), str(folder / "users.acl")]
    assert (folder / "certificate.pem").read_text() == host.certificate
    assert "PRIVATE" not in host.certificate


def test_the_certificate_names_all_addresses_of_the_host(host):
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName"],
        input=host.certificate,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "IP Address:127.0.0.1" in text and f"IP Address:{PUBLIC}" in text
    assert f"DNS:{host.names.public_host(PUBLIC)}" in text


def test_the_unit_runs_as_a_user_without_rights(host):
    unit = (host.root / "etc/systemd/system/cirrus-server.service").read_text()
    for line in ("User=cirrus", "CapabilityBoundingSet=", "NoNewPrivileges=yes", "Restart=always"):
        assert line in unit.splitlines()


def test_the_server_answers_over_tls_to_our_user(client):
    assert client.ping()
    assert client.acl_whoami() == USER
    with pytest.raises(redis.ResponseError, match="NOMODEL"):  # so the module is there
        client.execute_command("CIRRUS.INFO", "cirrus:{none}:model")


def test_pythons_strict_checks_accept_the_certificate(host, port):
    context = ssl.create_default_context(cadata=host.certificate)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN  # as of 3.13
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            assert secure.version() in ("TLSv1.2", "TLSv1.3")


def test_strangers_are_refused(url, port):
    def refused(url, words):
        with redis.Redis.from_url(url) as client:
            with pytest.raises(redis.RedisError, match=words):
                client.ping()

    refused(url.replace(f"{USER}:{PASSWORD}@", ""), "uthenticat")
    refused(url.replace(PASSWORD, "another"), "invalid username-password")
    refused(url.replace(f"{USER}:", ":"), "invalid username-password|disabled")
    refused(url.partition("?")[0], "CERTIFICATE_VERIFY_FAILED")  # without the certificate
    refused(url.replace("127.0.0.1", "localhost"), "CERTIFICATE_VERIFY_FAILED")  # another name
    refused(f"redis://{USER}:{PASSWORD}@127.0.0.1:{port}/0", "onnection")  # without TLS


@pytest.mark.parametrize(
    "command",
    ["FLUSHALL", "KEYS *", "CONFIG GET *", "SHUTDOWN", "SAVE", "GET other", "ACL LIST"],
)
def test_even_our_user_may_not_do_what_no_run_needs(client, command):
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())


def test_a_fit_runs_through_the_server_with_users_for_its_workers(url, client):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 5)).astype(np.float32)
    y = (X @ [1, -2, 0.5, 0, 1] > 0).astype(int)
    model = CirrusLogisticRegression(max_iter=5, tol=0, random_state=0, n_workers=1)
    with pytest.warns(Warning), config_context(backend="inline"):
        expected = model.fit(X, y).coef_
    with pytest.warns(Warning), config_context(backend="local", redis_url=url):
        coef = model.fit(X, y).coef_
    np.testing.assert_array_equal(coef, expected)
    assert client.dbsize() == 0
    assert answers(url)
