"""What every server is: a place where Redis or Valkey answers, given as a url."""

from abc import ABC, abstractmethod
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import redis

_SECRETS = {"password", "ssl_password"}


class Server(ABC):
    """A Redis or Valkey that holds the models of the runs.

    The trainer calls :meth:`start` at the beginning of every fit and takes :attr:`url` from
    there, for itself and for the workers.
    """

    @property
    @abstractmethod
    def url(self) -> str:
        """Address for ``redis.Redis.from_url``, password included: never log or print it."""

    @abstractmethod
    def start(self) -> None:
        """Return when the server answers PING; a server that runs already is left as it is.

        Raises
        ------
        ServerError
            The server cannot be started or reached, or refuses the password.
        """

    @abstractmethod
    def is_alive(self) -> bool:
        """Whether the server accepts connections now; never raises."""

    @abstractmethod
    def stop(self) -> None:
        """End what :meth:`start` has started, and nothing else. A second call does nothing."""

    def client(self, **options) -> redis.Redis:
        """Open a client; ``options`` are those of ``redis.Redis.from_url``."""
        return redis.Redis.from_url(self.url, **options)

    @property
    def address(self) -> str:
        """The url with its secrets replaced by ``***``, for messages."""
        return redact(self.url)

    def __repr__(self):
        return f"<{type(self).__name__} {self.address}>"


def redact(url: str) -> str:
    """Replace the password of a Redis url by ``***``.

    Parameters
    ----------
    url : str
        A ``redis://``, ``rediss://`` or ``unix://`` url.

    Returns
    -------
    str
        The url without the password, whether it stood before the host or in the query. Of a url
        that cannot be split, so that the password might be anywhere, only the scheme is left.
    """
    scheme, _, rest = url.partition("://")
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{scheme}://***" if rest else "***"
    if "@" in rest and "@" not in parts.netloc:  # a "/", "?" or "#" in the password
        return f"{scheme}://***"
    userinfo, at, host = parts.netloc.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    netloc = f"{user}{colon}{'***' if colon else ''}{at}{host}"
    options = [
        (name, "***" if name in _SECRETS else value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    query = "?" + urlencode(options, quote_via=quote, safe="*/") if options else ""
    return f"{parts.scheme}://{netloc}{parts.path}{query}"
