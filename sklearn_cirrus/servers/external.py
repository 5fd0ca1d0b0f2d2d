"""A server that somebody else runs, known by its url."""

import redis

from ..exceptions import ServerError
from .base import Server, redact

_SCHEMES = ("redis://", "rediss://", "unix://")


class ExternalServer(Server):
    """A Redis or Valkey that is reached and used, and never stopped, flushed or configured.

    Parameters
    ----------
    url : str
        ``redis://``, ``rediss://`` (TLS) or ``unix://``, in the form that redis-py reads.
    timeout : float, default=5.0
        Seconds within which the server must accept a connection and answer PING.

    Raises
    ------
    ServerError
        The url has another scheme or cannot be read.
    """

    def __init__(self, url: str, *, timeout: float = 5.0):
        if not url.startswith(_SCHEMES):
            raise ServerError(
                f"the url of a Redis server starts with {', '.join(_SCHEMES[:-1])} or "
                f"{_SCHEMES[-1]}; got {redact(url)!r}"
            )
        try:
            redis.connection.parse_url(url)
        except ValueError:
            # Its text may quote a piece of the password, so it is not passed on.
            raise ServerError(
                f"redis-py cannot read the url {redact(url)!r}; special characters in a password "
                "are written as %XX"
            ) from None
        self._url = url
        self._timeout = timeout

    @property
    def url(self) -> str:
        return self._url

    def start(self) -> None:
        try:
            self._ping()
        except redis.exceptions.AuthenticationError as error:
            raise ServerError(
                f"the Redis server at {self.address} refused the password: {error}"
            ) from error
        except redis.exceptions.TimeoutError as error:
            raise ServerError(
                f"the Redis server at {self.address} did not answer PING within "
                f"{self._timeout:g} s: {error}"
            ) from error
        except redis.exceptions.ConnectionError as error:
            raise ServerError(
                f"no Redis server can be reached at {self.address}: {error}"
            ) from error
        except redis.exceptions.RedisError as error:
            raise ServerError(
                f"the Redis server at {self.address} refused PING: {error}"
            ) from error

    def is_alive(self) -> bool:
        try:
            self._ping()
        except redis.exceptions.RedisError:
            return False
        return True

    def stop(self) -> None:
        """Leave the server as it is: it is not ours."""

    def _ping(self) -> None:
        """Connect, authenticate and PING under the time limit, without retries."""
        client = self.client(
            socket_connect_timeout=self._timeout,
            socket_timeout=self._timeout,
            retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0),
        )
        with client:
            client.ping()
