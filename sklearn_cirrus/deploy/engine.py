"""Brings AWS to a described state, and away from it.

Nothing is remembered between two runs: each resource is looked for, by its name or tag, compared,
and made or changed if need be. So it does not matter where an earlier run was cut off.
"""

import logging
import time
from dataclasses import dataclass

from ..exceptions import DeployError
from . import aws as _aws
from .aws import Aws, error_code, explained
from .names import STACK_TAG
from .resource import Found, NotOurs, Resource, resolve

_log = logging.getLogger("sklearn_cirrus.deploy")

CREATE, UPDATE, REPLACE, KEEP, DELETE = "create", "update", "replace", "keep", "delete"
SETTLE_SECONDS = 180.0  # until something new is known all over AWS, or something old is forgotten

# AWS does not know yet of what was just made, or still of what was just deleted.
_UNSETTLED = {
    *("NoSuchEntity", "NoSuchBucket", "OperationAborted", "ResourceConflictException"),
    *("DependencyViolation", "DeleteConflict", "IncorrectInstanceState", "InvalidIPAddress.InUse"),
    *("ConcurrentModification", "InvalidAddress.InUse", "IncorrectState"),
}
# The same in words: a new role that a service cannot use yet.
_UNSETTLED_WORDS = (
    "cannot be assumed by Lambda",
    "does not have permissions to call CreateNetworkInterface",
    "Invalid IAM Instance Profile",
)


@dataclass(frozen=True)
class Step:
    """What happens, or would happen, to one resource."""

    action: str
    resource: Resource
    changed: tuple[str, ...] = ()

    @property
    def is_internal(self) -> bool:
        """Whether it is of no interest to a reader of the plan."""
        return self.resource.kind.type == "Interfaces"

    def __str__(self):
        resource = self.resource
        name = next(
            (
                value
                for key, value in resource.properties.items()
                if key in ("BucketName", "RoleName", "FunctionName", "LogGroupName", "Name", "Key")
                and isinstance(value, str)
            ),
            resource.name,
        )
        changes = f" ({', '.join(self.changed)})" if self.changed else ""
        return f"{self.action:8} {resource.kind.what} {name}{changes}"


class Engine:
    """Works on one stack in one region.

    Parameters
    ----------
    aws : Aws
    report : callable
        Takes each sentence that the user should read.
    """

    def __init__(self, aws: Aws, report):
        self._aws = aws
        self._report = report

    def bring(self, wanted: list[Resource], everything: list[Resource], *, dry: bool) -> list[Step]:
        """Make what is wanted, change what differs, remove what is not wanted any more.

        Parameters
        ----------
        wanted : list of Resource
        everything : list of Resource
            All that may be there.
        dry : bool
            Whether only to say what would happen.

        Returns
        -------
        list of Step
        """
        found: dict[str, Found] = {}
        steps = []
        for resource in wanted:
            with explained(f"cannot deploy the {resource.kind.what} {resource.name}"):
                step = self._survey(resource, found) if dry else self._settle(resource, found)
            steps.append(step)
        names = {resource.name for resource in wanted}
        return steps + self.remove(
            [resource for resource in everything if resource.name not in names], found, dry=dry
        )

    def remove(
        self, resources: list[Resource], found: dict[str, Found] | None = None, *, dry: bool = False
    ) -> list[Step]:
        """Remove resources, the last one first; what lacks the stack's tag is left alone.

        Parameters
        ----------
        resources : list of Resource
            In the order in which they are made.
        found : dict of Found, optional
            Resources that are there and stay.
        dry : bool
            Whether only to say what would happen.

        Returns
        -------
        list of Step
        """
        found = dict(found or {})
        there = []
        for resource in resources:
            with explained(f"cannot look for the {resource.kind.what} {resource.name}"):
                try:
                    self._look(resource, found)
                except NotOurs as error:
                    self._report(f"{error} is not of this stack and was left alone")
            if resource.name in found:
                there.append(resource)
        steps = [Step(DELETE, resource) for resource in reversed(there)]
        if not dry:
            for step in steps:
                with explained(f"cannot remove the {step.resource.kind.what} {step.resource.name}"):
                    self._patiently(self._remove, step.resource, found)
        return steps

    def _remove(self, resource: Resource, found: dict[str, Found]) -> None:
        """Remove one resource."""
        kept = resource.kind.delete(self._aws, resource, found[resource.name])
        if kept:
            self._report(kept)
        elif not Step(DELETE, resource).is_internal:
            self._report(str(Step(DELETE, resource)))

    def _settle(self, resource: Resource, found: dict[str, Found]) -> Step:
        """Bring one resource to what is wanted."""
        step = self._patiently(self._once, resource, found)
        if step.action != KEEP:
            self._report(str(step))
        return step

    def _once(self, resource: Resource, found: dict[str, Found]) -> Step:
        """Try once to bring one resource to what is wanted."""
        kind = resource.kind
        step = self._survey(resource, found)
        if step.action == KEEP:
            return step
        if step.action == REPLACE:
            kind.delete(self._aws, resource, found.pop(resource.name))
        if step.action in (CREATE, REPLACE):
            note = kind.create(self._aws, resource, self._resolved(resource, found))
            if note:
                self._report(note)
            self._wait_for(resource, found)
            left = set(self._survey(resource, found).changed) - kind.fixed
        else:
            left = step.changed
        if left:  # also what the call that makes it cannot set
            there = found[resource.name]
            kind.update(self._aws, resource, there, self._resolved(resource, found), set(left))
            self._look(resource, found)
        return step

    def _wait_for(self, resource: Resource, found: dict[str, Found]) -> None:
        """Wait until what was just made can be found."""
        _aws.wait_until(
            lambda: self._look(resource, found),
            SETTLE_SECONDS,
            f"the {resource.kind.what} {resource.name} was made but is not to be found",
        )

    def _survey(self, resource: Resource, found: dict[str, Found]) -> Step:
        """Say what is to be done with one resource."""
        try:
            there = self._look(resource, found)
        except NotOurs as error:
            raise DeployError(
                f"there is a {error} already that this stack did not make (it has no tag "
                f"{STACK_TAG}={resource.facts['stack']}): choose another --stack, or remove it"
            ) from error
        if there is None:
            return Step(CREATE, resource)
        properties = self._resolved(resource, found)
        changed = resource.kind.differences(self._aws, resource, there, properties)
        action = REPLACE if changed & resource.kind.fixed else UPDATE if changed else KEEP
        return Step(action, resource, tuple(sorted(changed)))

    def _look(self, resource: Resource, found: dict[str, Found]) -> Found | None:
        """Look for a resource, and keep what was found."""
        found.pop(resource.name, None)
        there = resource.kind.find(self._aws, resource, self._resolved(resource, found))
        if there is not None:
            found[resource.name] = there
        return there

    def _resolved(self, resource: Resource, found: dict[str, Found]) -> dict:
        """Return the properties with what they refer to."""
        return resolve(resource.properties, found, lambda: self._aws.zones)

    def _patiently(self, act, resource: Resource, found: dict[str, Found]):
        """Repeat what AWS refuses only because it does not know yet what was just done."""
        from botocore.exceptions import ClientError

        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                return act(resource, found)
            except ClientError as error:
                if not _is_unsettled(error) or time.monotonic() > deadline:
                    raise
                _log.debug("%s: not yet: %s", resource.name, error_code(error))
            time.sleep(_aws.POLL_SECONDS)


def _is_unsettled(error) -> bool:
    """Whether to try again may help."""
    code, message = error_code(error), error.response["Error"].get("Message", "")
    return (
        code in _UNSETTLED
        or (code.startswith("Invalid") and code.endswith(".NotFound"))
        or any(words in message for words in _UNSETTLED_WORDS)
    )
