"""One session of boto3 for all fits, made anew when boto3's settings are others."""

import os

import pytest

from sklearn_cirrus import _aws_session as aws_session

boto3 = pytest.importorskip("boto3")


@pytest.fixture(autouse=True)
def sessions(monkeypatch, tmp_path):
    """The sessions that were made."""
    made = []

    def session():
        made.append(make())
        return made[-1]

    make = boto3.Session
    monkeypatch.setattr(boto3, "Session", session)
    monkeypatch.setattr(aws_session, "_kept", (None, None))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    return made


def test_clients_share_a_session(sessions):
    first, second = (aws_session.make_client("s3") for _ in range(2))
    assert first is not second
    assert first.meta.region_name == aws_session.region() == "eu-west-1"
    assert aws_session.partition("cn-north-1") == "aws-cn"
    assert len(sessions) == 1


def test_other_settings_are_another_session(sessions, monkeypatch, tmp_path):
    assert aws_session.region() == "eu-west-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert aws_session.region() == "us-west-2"
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    (tmp_path / "config").write_text("[default]\nregion = ap-south-1\n")
    assert aws_session.region() == "ap-south-1"
    (tmp_path / "config").write_text("[default]\nregion = sa-east-1\n")
    os.utime(tmp_path / "config", (1, 1))  # a clock that is coarse shows no change otherwise
    assert aws_session.region() == "sa-east-1"
    monkeypatch.setattr(os, "getpid", lambda: -1)  # a fork
    assert aws_session.region() == "sa-east-1"
    assert len(sessions) == 5
