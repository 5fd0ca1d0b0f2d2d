"""Deploy and destroy: the two things that are done to a stack."""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..exceptions import ConfigurationError
from .artifacts import gather
from .aws import Aws, explained
from .engine import KEEP, Engine, Step
from .names import Names
from .options import Options
from .plan import describe_everything, describe_stack
from .record import read_record
from .server_url import check_url


@dataclass(frozen=True)
class Outcome:
    """What was done, or would be.

    Attributes
    ----------
    names : Names
    options : Options
    steps : list of Step
    """

    names: Names
    options: Options
    steps: list[Step]

    @property
    def changed(self) -> list[Step]:
        """The steps that change something."""
        return [step for step in self.steps if step.action != KEEP]


def _silent(sentence: str) -> None:
    """Report nothing."""


def deploy(
    stack: str = "cirrus",
    region: str | None = None,
    *,
    dry_run: bool = False,
    redis_url: str | None = None,
    bundle: Path | None = None,
    task_bundle: Path | None = None,
    module: Path | None = None,
    report=_silent,
    **choices,
) -> Outcome:
    """Put up a stack, or change it to what is asked.

    Parameters
    ----------
    stack : str
    region : str, optional
        By default the one that boto3 is configured for.
    dry_run : bool
        Whether only to say what would be done.
    redis_url : str, optional
        ``rediss://`` url of a parameter server: a secret.
    bundle, task_bundle : Path, optional
        Zip files with the functions' code; without the first it is built.
    module : Path, optional
        ``cirrus.so`` for the host, compiled for aarch64; without it, it is built.
    report : callable
        Takes each sentence that the user should read.
    **choices
        Fields of :class:`Options`; what is not given stays as it was deployed.

    Returns
    -------
    Outcome

    Raises
    ------
    DeployError
        AWS refuses something, or cannot be asked. What was made stays; the next deploy with the
        same choices goes on from there.
    ConfigurationError
        A choice cannot be.

    Examples
    --------
    It asks AWS, so this is not run here:

    >>> from sklearn_cirrus.deploy import deploy
    >>> plan = deploy(server="host", instance="c7g.large", dry_run=True)     # doctest: +SKIP
    """
    if redis_url is not None:
        check_url(redis_url)
        choices["server"] = "url"
    if task_bundle is not None:
        choices["task"] = True
    with _stack(stack, region) as (aws, names):
        with explained(f"cannot read the record of the stack {stack}"):
            record = read_record(aws, names.record)
        if record is None and choices.get("server") is None:
            raise ConfigurationError(
                "name the parameter server of the new stack: --server-instance t4g.medium for a "
                "host, --redis-url for one that runs already, or --no-server"
            )
        before = Options.from_record(record["options"]) if record else Options()
        options = before.changed(**choices)
        with gather(names.bucket, options, bundle, task_bundle, module) as artifacts:
            wanted = describe_stack(
                names, options, artifacts, runtime=runtime_version(), redis_url=redis_url
            )
            steps = Engine(aws, report).bring(wanted, describe_everything(names), dry=dry_run)
    return Outcome(names, options, [step for step in steps if not step.is_internal])


def destroy(stack: str = "cirrus", region: str | None = None, *, report=_silent, dry_run=False):
    """Remove all that bears the tag of a stack.

    Parameters
    ----------
    stack, region : str
        As for :func:`deploy`.
    report : callable
        Takes each sentence that the user should read.
    dry_run : bool
        Whether only to say what would be removed.

    Returns
    -------
    list of Step

    Raises
    ------
    DeployError
        AWS refuses something, or cannot be asked. The next destroy goes on from there.

    Examples
    --------
    It asks AWS, so this is not run here:

    >>> from sklearn_cirrus.deploy import destroy
    >>> steps = destroy("cirrus", dry_run=True)                              # doctest: +SKIP
    """
    with _stack(stack, region) as (aws, names):
        steps = Engine(aws, report).remove(describe_everything(names), dry=dry_run)
    return [step for step in steps if step.resource.kind.in_template]


@contextmanager
def _stack(stack: str, region: str | None):
    """Give the way to AWS and the names of a stack."""
    with Aws(region) as aws:
        yield aws, Names.of(stack, aws.account, aws.region, aws.partition)


def runtime_version() -> str:
    """Return the version of this package, which is the one that goes into the functions."""
    from importlib.metadata import version

    return version("sklearn-cirrus")
