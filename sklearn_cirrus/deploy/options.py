"""What a user may choose of a deployment, and what is refused."""

import ipaddress
import re
import sys
from dataclasses import asdict, dataclass, field, fields, replace

from ..exceptions import ConfigurationError

ARCHITECTURES = ("arm64", "x86_64")
PYTHONS = ("3.11", "3.12", "3.13")
SERVERS = ("host", "url", "none")

_GRAVITON = re.compile(r"[a-z]+[0-9]+g[a-z]*\.([0-9]*(nano|micro|small|medium|large|xlarge)|metal)")


def _running_python() -> str:
    """Return the running Python's version if Lambda has it, else the newest that it has."""
    running = "{}.{}".format(*sys.version_info)
    return running if running in PYTHONS else PYTHONS[-1]


@dataclass(frozen=True)
class Options:
    """The choices that make one deployment; all of them are kept in its record.

    Attributes
    ----------
    memory : int, default=1769
        MB of each function; at 1,769 a function has one whole processor.
    timeout : int, default=900
        Seconds that an invocation may take.
    architecture : {"arm64", "x86_64"}, default="arm64"
    python : {"3.11", "3.12", "3.13"}
        By default the running one, else the newest of these.
    concurrency : int, default=0
        Most invocations of each function at the same time, reserved; 0: what the account has.
    tmp_size : int, default=512
        MB of ``/tmp``.
    server : {"host", "url", "none"}
        The parameter server: a host that deploy makes, a url that is given, or neither.
    instance : str, optional
        Type of the host: any Graviton type.
    client_cidr : str, optional
        Range of addresses outside the VPC that may reach the host; it gets a public address.
    subnets, security_groups : tuple of str
        For the functions, in a VPC that is there already (with a given url).
    task : bool, default=False
        Whether there is a function for tasks of joblib.
    """

    memory: int = 1769
    timeout: int = 900
    architecture: str = "arm64"
    python: str = field(default_factory=_running_python)
    concurrency: int = 0
    tmp_size: int = 512
    server: str = "none"
    instance: str | None = None
    client_cidr: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    task: bool = False

    def __post_init__(self):
        _within("memory", self.memory, 128, 10240, "MB")
        _within("timeout", self.timeout, 30, 900, "s")
        _within("concurrency", self.concurrency, 0, 100000, "invocations")
        _within("tmp-size", self.tmp_size, 512, 10240, "MB")
        _one_of("architecture", self.architecture, ARCHITECTURES)
        _one_of("python", self.python, PYTHONS)
        _one_of("server", self.server, SERVERS)
        object.__setattr__(self, "subnets", tuple(self.subnets))
        object.__setattr__(self, "security_groups", tuple(self.security_groups))
        _ids("subnets", self.subnets, "subnet")
        _ids("security-groups", self.security_groups, "sg")
        if bool(self.subnets) != bool(self.security_groups):
            raise ConfigurationError("--subnets and --security-groups go together: give both")
        if self.server == "host":
            self._check_host()
        elif self.instance or self.client_cidr:
            raise ConfigurationError(
                "--client-cidr is about the host of --server-instance: it does not go with "
                "another server"
            )

    def _check_host(self):
        """Refuse what cannot be a host."""
        if not (isinstance(self.instance, str) and _GRAVITON.fullmatch(self.instance)):
            raise ConfigurationError(
                "--server-instance must be a Graviton type such as t4g.medium or c7g.large "
                f"(the module on the host is compiled for it); got {self.instance!r}"
            )
        if self.subnets:
            raise ConfigurationError(
                "--subnets and --security-groups go with --redis-url: a host brings its own VPC"
            )
        if self.client_cidr is not None:
            try:
                network = ipaddress.IPv4Network(self.client_cidr)
            except ValueError as error:
                raise ConfigurationError(
                    "--client-cidr must be a range of IPv4 addresses such as 203.0.113.7/32; "
                    f"got {self.client_cidr!r}: {error}"
                ) from error
            if network.prefixlen < 8:
                raise ConfigurationError(
                    f"--client-cidr {self.client_cidr} would admit more than 16 million "
                    "addresses: name the range of your own network"
                )

    @property
    def in_vpc(self) -> bool:
        """Whether the functions are in a VPC."""
        return self.server == "host" or bool(self.subnets)

    def as_record(self) -> dict:
        """Return the options as the record keeps them."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict) -> "Options":
        """Read options that :meth:`as_record` gave; those of newer versions are passed over."""
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in record.items() if name in known})

    def changed(self, **given) -> "Options":
        """Return these options with those that were given (not None) in their place."""
        given = {name: value for name, value in given.items() if value is not None}
        server = given.get("server", self.server)
        if server != self.server:  # what belongs to the other server goes with it
            cleared = {"instance": None, "client_cidr": None, "subnets": (), "security_groups": ()}
            return replace(self, **(cleared | given))
        if given.get("client_cidr") == "none":
            given["client_cidr"] = None
        return replace(self, **given)


def _within(name, value, least, most, unit):
    """Refuse a number out of its range."""
    good = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    if not good:
        raise ConfigurationError(
            f"--{name} must be an integer from {least} to {most} ({unit}), not {value!r}"
        )


def _ids(name, ids, kind):
    """Refuse what is no id of EC2."""
    for value in ids:
        if not (isinstance(value, str) and re.fullmatch(rf"{kind}-[0-9a-f]{{8,17}}", value)):
            raise ConfigurationError(f"--{name} takes ids such as {kind}-0a1b2c3d, not {value!r}")


def _one_of(name, value, values):
    """Refuse a word that is none of these."""
    if value not in values:
        raise ConfigurationError(f"--{name} must be one of {', '.join(values)}, not {value!r}")
