"""What may be chosen, what is refused, and what things are called."""

import pytest

from sklearn_cirrus.deploy.names import Names, check_stack
from sklearn_cirrus.deploy.options import Options
from sklearn_cirrus.deploy.server_url import check_url
from sklearn_cirrus.exceptions import ConfigurationError, DeployError


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"memory": 64}, "--memory must be an integer from 128 to 10240"),
        ({"memory": 2048.0}, "--memory"),
        ({"timeout": 901}, "--timeout"),
        ({"tmp_size": 100}, "--tmp-size"),
        ({"concurrency": -1}, "--concurrency"),
        ({"architecture": "riscv"}, "arm64, x86_64"),
        ({"python": "3.8"}, "--python"),
        ({"server": "host"}, "Graviton type such as t4g.medium"),
        ({"server": "host", "instance": "t3.medium"}, "Graviton"),
        ({"server": "host", "instance": "g4dn.xlarge"}, "Graviton"),
        ({"server": "host", "instance": "c7g.large", "client_cidr": "home"}, "203.0.113.7/32"),
        ({"server": "host", "instance": "c7g.large", "client_cidr": "10.0.0.1/8"}, "host bits"),
        ({"server": "host", "instance": "c7g.large", "client_cidr": "0.0.0.0/0"}, "your own"),
        ({"server": "url", "client_cidr": "10.0.0.0/8"}, "--client-cidr is about the host"),
        ({"subnets": ("subnet-0a1b2c3d",)}, "give both"),
        ({"subnets": ("sg-0a1b2c3d",)}, "subnet-0a1b2c3d, not 'sg-0a1b2c3d'"),
        (
            {"server": "host", "instance": "c7g.large"}
            | {"subnets": ("subnet-0a1b2c3d",), "security_groups": ("sg-0a1b2c3d",)},
            "own VPC",
        ),
    ],
)
def test_what_cannot_be_is_refused(choices, words):
    with pytest.raises(ConfigurationError, match=words):
        Options(**choices)


@pytest.mark.parametrize("instance", ["t4g.nano", "c7gn.16xlarge", "r8g.metal", "m6gd.2xlarge"])
def test_graviton_types_are_taken(instance):
    assert Options(server="host", instance=instance).in_vpc


def test_a_record_gives_the_options_back():
    options = Options(
        server="url", subnets=("subnet-0a1b2c3d",), security_groups=("sg-0a1b2c3d",), memory=512
    )
    assert Options.from_record(options.as_record()) == options
    assert Options.from_record(options.as_record() | {"of_a_later_version": 1}) == options


def test_another_server_takes_nothing_over():
    host = Options(server="host", instance="c7g.large", client_cidr="203.0.113.0/24", memory=512)
    assert host.changed(memory=None) == host
    assert host.changed(server="url") == Options(server="url", memory=512)
    assert host.changed(client_cidr="none").client_cidr is None


@pytest.mark.parametrize(
    "stack", ["", "Cirrus", "a_b", "-a", "a-", "a--b", "1a", "aws-x", "ssm", "xn-a", "a" * 31, None]
)
def test_names_that_aws_would_refuse(stack):
    with pytest.raises(ConfigurationError, match="the name of a stack"):
        check_stack(stack)


def test_the_longest_names_fit():
    names = Names.of("a" * 30, "123456789012", "ap-southeast-2", "aws")
    assert len(names.bucket) <= 63
    assert max(len(names.role(what)) for what in ("worker", "task", "server")) <= 64


def test_an_unknown_partition_is_refused():
    with pytest.raises(ConfigurationError, match="aws-iso"):
        Names.of("cirrus", "123456789012", "us-iso-east-1", "aws-iso")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://user:hunter2@host:6379/0", "rediss://"),
        ("rediss://user:hunter2@:6379/0", "cannot be read"),
        ("rediss://user:hunter2@host:port/0", "cannot be read"),
        ("rediss://user:hunter2@host/0?" + "x" * 5000, "longer"),
    ],
)
def test_bad_urls_are_refused_without_their_password(url, words):
    with pytest.raises(DeployError, match=words) as caught:
        check_url(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
