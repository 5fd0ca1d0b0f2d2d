"""The password of the server is in the secret parameter and nowhere else."""

import json
import logging
import traceback
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from sklearn_cirrus.deploy import deploy, load_deployment
from sklearn_cirrus.exceptions import DeployError
from tests.deploy.account import snapshot

URL = "rediss://user:hunter2hunter2@cache.example:6379/0"


def test_neither_logs_nor_reprs_nor_parameters_show_it(aws, hosts, files, caplog):
    caplog.set_level(logging.DEBUG, logger="sklearn_cirrus")
    said = []
    outcome = deploy(**files, server="host", instance="t4g.medium", report=said.append)
    found = load_deployment()
    password = urlsplit(found.redis_url).password
    assert len(password) == 43
    shown = [*said, caplog.text, repr(outcome), repr(found), str(found), json.dumps(snapshot(aws))]
    shown += [entry["value"] for entry in _plain_parameters(aws)]
    assert not [text for text in shown if password in text]


def _plain_parameters(aws):
    """All parameters that are no secret."""
    ssm = aws("ssm")
    for name in ("/cirrus/deployment",):
        parameter = ssm.get_parameter(Name=name)["Parameter"]
        assert parameter["Type"] == "String"
        yield {"name": name, "value": parameter["Value"]}


def test_the_parameter_is_a_secret(aws, files):
    deploy(**files, redis_url=URL)
    parameter = aws("ssm").get_parameter(Name="/cirrus/server-url")["Parameter"]
    assert parameter["Type"] == "SecureString"
    assert parameter["Value"].startswith("kms:alias/aws/ssm:")  # as moto marks what is encrypted
    assert load_deployment().redis_url == URL


def test_a_refusal_that_quotes_the_secret_is_not_passed_on(aws, files):
    def refuse(model, params, **_):
        if "server-url" in str(params["body"]):
            message = f"Value {URL!r} failed to satisfy constraint"
            raise ClientError({"Error": {"Code": "ValidationException", "Message": message}}, "P")

    event = "before-call.ssm.PutParameter"
    aws("ssm").meta.events.register(event, refuse)
    try:
        with pytest.raises(DeployError, match="server-url: ValidationException") as caught:
            deploy(**files, redis_url=URL)
    finally:
        aws("ssm").meta.events.unregister(event, refuse)
    error = caught.value
    assert "hunter2" not in "".join(traceback.format_exception(error))
    assert error.__cause__ is None and error.__context__ is None
