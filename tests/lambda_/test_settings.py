"""What backend "lambda" needs, and the one error for each thing that is missing."""

import json

import boto3
import pytest
from moto.server import ThreadedMotoServer

from sklearn_cirrus import _lambda_settings
from sklearn_cirrus._lambda_settings import complete_config
from sklearn_cirrus.config import Config, get_config
from sklearn_cirrus.deploy.options import Options
from sklearn_cirrus.exceptions import ConfigurationError, WorkerError

GIVEN = {
    "backend": "lambda",
    "function": "f",
    "store_url": "s3://bucket/x",
    "redis_url": "rediss://:secret@host",
}


@pytest.fixture(scope="module")
def aws():
    """An account in which "full" is deployed with a host, and "bare" without a server."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    ssm = boto3.client("ssm", endpoint_url=url)
    for stack, options in (
        ("full", Options(server="host", instance="c7g.large")),
        ("bare", Options()),
    ):
        record = {
            "version": 1,
            "stack": stack,
            "account": "1",
            "region": "us-east-1",
            "bucket": "b",
            "store_url": f"s3://{stack}-bucket",
            "worker": f"{stack}-worker",
            "task": None,
            "runtime": "0.1.0",
            "server": None,
            "options": options.as_record(),
        }
        ssm.put_parameter(Name=f"/{stack}/deployment", Type="String", Value=json.dumps(record))
    ssm.put_parameter(
        Name="/full/server-url", Type="SecureString", Value="rediss://:s3cret@10.0.0.9"
    )
    ssm.close()
    yield url
    server.stop()


@pytest.fixture
def deployed(aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)


def test_what_is_not_set_is_that_of_the_deployment(deployed):
    found, host = complete_config(Config(backend="lambda", stack="full"))
    assert (found.function, found.store_url) == ("full-worker", "s3://full-bucket")
    assert found.redis_urls == ("rediss://:s3cret@10.0.0.9",)
    assert host == "c7g.large"
    assert "s3cret" not in repr(found)


def test_what_is_set_goes_before_and_its_server_is_not_ours_to_price(deployed):
    mine = Config(backend="lambda", stack="full", redis_url="rediss://mine", function="mine")
    found, host = complete_config(mine)
    assert (found.function, found.store_url) == ("mine", "s3://full-bucket")
    assert found.redis_urls == ("rediss://mine",) and host is None


def test_nothing_is_asked_of_aws_when_all_is_set(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    found, host = complete_config(Config(**GIVEN))
    assert found == Config(**GIVEN | {"redis_url": (GIVEN["redis_url"],)}) and host is None


@pytest.mark.parametrize("backend", ["local", "inline"])
def test_other_backends_are_left_alone(backend):
    config = Config(backend=backend, redis_url="unix:///s")
    assert complete_config(config) == (config, None)


def test_no_deployment(deployed):
    with pytest.raises(
        ConfigurationError,
        match=r"needs store_url \(CIRRUS_STORE_URL\), and there is no stack to take it from: "
        r"there is no stack 'cirrus' in us-east-1: run `sklearn-cirrus deploy",
    ):
        complete_config(Config(**GIVEN | {"store_url": None}))


def test_a_deployment_without_a_server(deployed):
    with pytest.raises(ConfigurationError, match="'bare' was deployed without a server: set redis"):
        complete_config(Config(**GIVEN | {"redis_url": None, "stack": "bare"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"store_url": "file:///data"}, "a store that functions reach, not 'file:///data'.*s3://"),
        ({"redis_url": "unix:///run/redis"}, "not a unix socket: set redis_url"),
        ({"redis_url": "rediss://h?ssl_certfile=/x"}, "cannot use a redis_url with ssl_certfile"),
        ({"redis_url": "rediss://h?ssl_ca_certs=/no/file"}, "ssl_ca_certs of redis_url cannot be"),
    ],
)
def test_what_a_function_could_not_reach(change, message):
    with pytest.raises(ConfigurationError, match=message):
        complete_config(Config(**GIVEN | change))


def test_the_file_of_certificates_travels_along(tmp_path):
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nab+/=\n")
    url = f"rediss://:s%40@host:7/1?ssl_ca_certs={tmp_path}/ca.pem&ssl_check_hostname=true"
    found, _ = complete_config(Config(**GIVEN | {"redis_url": url}))
    assert found.redis_url == (
        "rediss://:s%40@host:7/1?ssl_check_hostname=true&ssl_ca_data=-----BEGIN%20CERTIFICATE"
        "-----%0Aab%2B%2F%3D%0A",
    )


def test_another_version_of_the_runtime(fit, monkeypatch):
    from sklearn_cirrus.workers import aws_lambda

    monkeypatch.setattr(aws_lambda, "__version__", "9.9.9")
    with pytest.raises(WorkerError, match="the client's runtime is 9.9.9 and this function's 0.1"):
        fit()


def test_more_workers_than_the_account_has(fit):
    with pytest.raises(ConfigurationError, match="n_workers=143, but the concurrency of the accou"):
        fit(n_workers=143)


def test_a_bucket_that_is_not_there(fit):
    from sklearn_cirrus.exceptions import StoreError

    with pytest.raises(StoreError, match="there is no such bucket"):
        fit(store_url="s3://no-such-bucket/x")


def test_the_environment_alone_is_enough(monkeypatch):
    monkeypatch.setenv("CIRRUS_BACKEND", "lambda")
    monkeypatch.setenv("CIRRUS_STACK", "full")
    config = get_config()
    assert (config.backend, config.stack) == ("lambda", "full")
    assert _lambda_settings._NEEDED == ("function", "store_url", "redis_url")
