"""What the workers of a run may do on its servers: an ACL user of their own.

A worker gets a url with the name and the random password of a user who may touch the keys of this
run alone, and run only the commands that a worker needs. The user ends with the run. On a server
where the trainer's own user may not make users (managed servers, Redis before 6) the workers get
the trainer's url, as there is nothing better to give.
"""

import hashlib
import logging
import secrets
from urllib.parse import urlsplit

import redis

from cirrus_runtime.engines.connection import SILENT, lost

from ..exceptions import ServerError

_log = logging.getLogger("sklearn_cirrus.servers")

_ENGINE = {
    "module": (
        *("cirrus.pull", "cirrus.push", "cirrus.step", "cirrus.info"),
        *("cirrus.gather", "getrange"),  # the vector of a full batch
    ),
    # The script's own commands count as the user's.
    "lua": ("evalsha", "eval", "getrange", "setrange", "strlen", "hget", "hmget", "hset"),
}
_BOARD = (
    *(
        "xgroup|createconsumer",
        "xreadgroup",
        "xautoclaim",
        "xclaim",
        "xack",
        "xdel",
        "xadd",
        "xpending",
    ),
    *("xinfo|consumers", "multi", "exec"),
)
# What redis-py sends by itself: health checks, the url's database, its own name and version.
_CONNECTION = ("ping", "select", "client|setname")
_TIMEOUT = 5.0  # seconds
_NEWER = ("client|setinfo",)  # since Redis 7.2; an older one refuses the very name


class WorkerAccess:
    """A user on every server of a run.

    Parameters
    ----------
    urls : list of str
        Urls of the trainer; the first server has the board.
    keys : RunKeys
    engine : {"module", "lua"}

    Attributes
    ----------
    urls : list of str
        For the workers; secrets, as the trainer's are.
    """

    def __init__(self, urls, keys, engine):
        self.urls = list(urls)
        self._theirs = list(urls)
        self._user = f"cirrus-{keys.run_id}"
        self._password = secrets.token_urlsafe(24)
        self._pattern = keys.pattern
        self._engine = engine

    def grant(self):
        """Make the users; those that are there already are made the same again.

        Raises
        ------
        ServerError
            A server cannot be reached.
        """
        for number, url in enumerate(self._theirs):
            with _connection(url) as client:
                if self._grant_on(client, number == 0):
                    self.urls[number] = with_user(url, self._user, self._password)

    def revoke(self):
        """Delete the users; their connections end.

        Raises
        ------
        ServerError
            A server cannot be reached, or does not allow it any more; the others were asked.
        """
        failure = None
        for url, theirs in zip(self._theirs, self.urls, strict=True):
            if url == theirs:
                continue
            try:
                with _connection(url) as client:
                    client.execute_command("ACL", "DELUSER", self._user)
            except redis.RedisError as error:
                failure = error
        if failure is not None:
            raise ServerError(f"the user {self._user} stays on a server: {failure}") from failure

    def _drop_on(self, client):
        """Delete the user that a killed trainer left: its workers' connections end with it."""
        try:
            client.execute_command("ACL", "DELUSER", self._user)
        except redis.ResponseError:
            pass  # then it may not make users either, and says so
        except redis.RedisError as error:
            raise lost(error) from error

    def _grant_on(self, client, has_board):
        """Make the user on one server; return whether that is allowed."""
        # The hash, not the password: this command may be in a log.
        digest = hashlib.sha256(self._password.encode()).hexdigest()
        allowed = _CONNECTION + _ENGINE[self._engine] + (_BOARD if has_board else ())
        self._drop_on(client)
        user = ("ACL", "SETUSER", self._user, "reset", "on", f"#{digest}", f"~{self._pattern}")
        for commands in (allowed + _NEWER, allowed):
            try:
                client.execute_command(*user, *(f"+{command}" for command in commands))
                return True
            except redis.ResponseError as error:
                reason = error
            except redis.RedisError as error:
                raise lost(error) from error
        _log.debug("the workers get the trainer's own url: no ACL user can be made: %s", reason)
        return False


def _connection(url):
    """Return a client that tries once: a run must not wait for a server that is gone."""
    once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    waits = {"socket_timeout": _TIMEOUT, "socket_connect_timeout": _TIMEOUT}
    return redis.Redis.from_url(url, retry=once, **waits, **SILENT)


def with_user(url, user, password):
    """Return a url with another user and password, wherever it had its own.

    Parameters
    ----------
    url : str
        That redis-py reads.
    user, password : str
        Of letters, digits, ``-`` and ``_``.

    Returns
    -------
    str
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    options = [
        option
        for option in parts.query.split("&")
        if option and option.partition("=")[0] not in ("username", "password")
    ]
    query = f"?{'&'.join(options)}" if options else ""
    return f"{parts.scheme}://{user}:{password}@{host}{parts.path}{query}"
