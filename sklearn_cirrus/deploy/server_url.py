"""The url of the parameter server: the one secret of a deployment, kept in Parameter Store.

For a host the url is made here, with a random password, before the host is there; once the host
is ready its certificate is put into the url (``ssl_ca_data``, which redis-py reads), so that
whoever has the url, and nobody else, can trust the server and is trusted by it.
"""

import hashlib
import secrets
from urllib.parse import quote, urlsplit

import redis

from ..exceptions import DeployError
from .aws import absent, error_code, wait_until
from .names import tags
from .network import PORT
from .resource import Found, Kind, NotOurs, Resource, Unknown, belongs

USER = "cirrus"
READY_SECONDS = 900.0  # first start, packages, certificate
_PING_SECONDS = 15.0
_LONGEST = 4096  # characters of a standard parameter


def describe_given(name: str, url: str | None) -> Resource:
    """Describe the secret with a url that the user gives; None: the one that is there stays."""
    return Resource("ServerUrl", ServerUrl(), {"Name": name}, facts={"url": url})


def check_url(url: str) -> str:
    """Return a url, or refuse what no worker should use over a network."""
    if not url.startswith("rediss://"):
        raise DeployError(
            "--redis-url must begin with rediss:// (TLS): workers reach the server over a network"
        )
    try:
        redis.connection.parse_url(url)
        host = urlsplit(url).hostname
    except ValueError:
        host = None  # the error's text may quote a piece of the password
    if not host:
        raise DeployError(
            "--redis-url cannot be read as a url; special characters in a password are written "
            "as %XX"
        )
    if len(url) > _LONGEST:
        raise DeployError(f"--redis-url is longer than {_LONGEST} characters")
    return url


def make_url(host: str, password: str, certificate: str = "") -> str:
    """Return the url of a host of ours."""
    url = f"rediss://{USER}:{password}@{host}:{PORT}/0"
    if certificate:
        url += f"?ssl_check_hostname=true&ssl_ca_data={quote(certificate, safe='')}"
    return url


def read_secret(aws, name: str) -> str | None:
    """Return the value of a secret parameter, None if there is none."""
    with absent("ParameterNotFound"):
        answer = aws.client("ssm").get_parameter(Name=name, WithDecryption=True)
        return answer["Parameter"]["Value"]
    return None


def _write_secret(aws, name: str, value: str, **settings) -> None:
    """Write a secret parameter; what AWS says of a failure may quote it and is not passed on."""
    from botocore.exceptions import ClientError

    try:
        aws.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", **settings)
        return
    except ClientError as error:
        code = error_code(error)
    # Outside of the handler, so that the error has no context.
    raise DeployError(f"Parameter Store refused to keep {name}: {code}")


class ServerUrl(Kind):
    """``facts["url"]``: the url to keep; None: the one that is there, else a new one of a host."""

    type, what = "ServerUrl", "secret with the server's url"

    def find(self, aws, resource, properties):
        url = read_secret(aws, properties["Name"])
        if url is None:
            return None
        answer = aws.client("ssm").list_tags_for_resource(
            ResourceType="Parameter", ResourceId=properties["Name"]
        )
        if not belongs(answer["TagList"], resource.facts["stack"]):
            raise NotOurs(f"parameter {properties['Name']}")
        password = urlsplit(url).password or ""
        digest = hashlib.sha256(password.encode()).hexdigest()
        return Found(properties["Name"], {"PasswordSha256": digest}, _Secret(url))

    def create(self, aws, resource, properties):
        stack = resource.facts["stack"]
        _write_secret(
            aws, properties["Name"], self._url(resource, properties), Tags=tags(stack, "ServerUrl")
        )

    def current(self, aws, resource, found, properties):
        url = found.raw.value
        if resource.facts["url"] is not None:
            same = url == resource.facts["url"]
        else:
            # Of a host of ours, rather than one that was given when this stack had none.
            same = "Address" not in properties or urlsplit(url).username == USER
        return {"Name": properties["Name"] if same else "another url"}

    def update(self, aws, resource, found, properties, changed):
        _write_secret(aws, found.id, self._url(resource, properties), Overwrite=True)

    def delete(self, aws, resource, found):
        with absent("ParameterNotFound"):
            aws.client("ssm").delete_parameter(Name=found.id)

    def _url(self, resource, properties) -> str:
        """Return the url to write."""
        if resource.facts["url"] is not None:
            return resource.facts["url"]
        if "Address" not in properties:
            raise DeployError("give the server's url with --redis-url: none is kept so far")
        return make_url(properties["Address"], secrets.token_urlsafe(32))


class _Secret:
    """A value that no repr shows."""

    def __init__(self, value: str):
        self.value = value

    def __repr__(self):
        return "<secret>"


class ServerReady(Kind):
    """The host's word that its server answers: its certificate, in the bucket."""

    type, what = "ServerReady", "server on the host"

    def find(self, aws, resource, properties):
        if not isinstance(properties["Key"], str) or isinstance(
            properties["PublicAddress"], Unknown
        ):
            return None
        certificate = self._certificate(aws, properties)
        url = read_secret(aws, properties["Parameter"])
        if not certificate or not url or url != self._url(resource, properties, url, certificate):
            return None
        return Found(properties["Key"])

    def create(self, aws, resource, properties):
        certificate = wait_until(
            lambda: self._certificate(aws, properties),
            READY_SECONDS,
            "the server's host did not say that it is ready (its system log tells why: "
            "EC2, Monitor and troubleshoot, Get system log)",
        )
        url = read_secret(aws, properties["Parameter"])
        if url is None:
            raise DeployError("the secret with the server's url was deleted: run deploy again")
        url = self._url(resource, properties, url, certificate)
        _write_secret(aws, properties["Parameter"], url, Overwrite=True)
        if properties["PublicAddress"] is None:
            return "the server is ready; it is private, so it was not tried from here"
        if answers(url):
            return "the server answers a PING over TLS from here"
        return "the server is ready, but not reached from here: is this machine in --client-cidr?"

    def delete(self, aws, resource, found):
        """The certificate goes when the bucket is emptied."""

    def _certificate(self, aws, properties) -> str | None:
        """Return the certificate that the host has laid down, None if it has not yet."""
        with absent("NoSuchKey", "NoSuchBucket"):
            answer = aws.client("s3").get_object(Bucket=properties["Bucket"], Key=properties["Key"])
            return answer["Body"].read().decode()
        return None

    def _url(self, resource, properties, url, certificate) -> str:
        """Return the url that clients and workers are to use."""
        host = properties["Address"]
        if properties["PublicAddress"] is not None:
            host = resource.facts["names"].public_host(properties["PublicAddress"])
        return make_url(host, urlsplit(url).password or "", certificate)


def answers(url: str, seconds: float = _PING_SECONDS) -> bool:
    """Whether a server answers a PING from here in this time."""
    once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    client = redis.Redis.from_url(
        url, retry=once, socket_connect_timeout=seconds, socket_timeout=seconds
    )
    with client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
