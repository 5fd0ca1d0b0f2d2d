"""A resource as it shall be, and how resources of each kind are found, made, changed, removed.

A :class:`Resource` is written as CloudFormation writes it: a type and properties, with ``Ref``
and its like where it needs another. The template is those very words; :mod:`.engine` brings AWS
to the same state through boto3, with the :class:`Kind` of each type. What is there is never
remembered but always looked for, by name and tag: so a deploy that was cut off anywhere is
mended by the next one.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from .names import STACK_TAG


@dataclass(frozen=True)
class Resource:
    """A resource as it shall be.

    Parameters
    ----------
    name : str
        Its logical name, as in a template.
    kind : Kind
    properties : dict
        As CloudFormation writes them; those that are None are left out of a template.
    facts : dict
        What CloudFormation has no word for: files, hashes, secrets. Never shown.
    after : tuple of str
        Resources that must be there first, besides those it refers to.
    """

    name: str
    kind: "Kind"
    properties: dict
    facts: dict = field(default_factory=dict, repr=False)
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """A resource that is there.

    Parameters
    ----------
    id : str
        What ``Ref`` to it means.
    attributes : dict
        What ``Fn::GetAtt`` to it may ask.
    raw : dict
        What AWS said of it.
    """

    id: str
    attributes: dict = field(default_factory=dict)
    raw: Any = field(default=None, repr=False)


class NotOurs(Exception):
    """There is a resource of this name, but without the tag of this stack."""


class Unknown:
    """Stands for what is known only once something else has been made; equals nothing."""

    def __eq__(self, other):
        return False

    __hash__ = None


class Kind(ABC):
    """How resources of one type are found, made, changed and removed.

    ``properties`` are those of the resource with all references resolved.
    """

    type: str  # CloudFormation's; of what CloudFormation does not have, any other word
    what: str  # in plain words
    fixed: frozenset = frozenset()  # properties that need a new resource when they change

    @property
    def in_template(self) -> bool:
        """Whether CloudFormation has this type."""
        return self.type.startswith("AWS::")

    @abstractmethod
    def find(self, aws, resource: Resource, properties: dict) -> Found | None:
        """Return the resource if it is there; raise NotOurs if it lacks the stack's tag."""

    @abstractmethod
    def create(self, aws, resource: Resource, properties: dict) -> None:
        """Make it. What one call cannot set may be left to :meth:`update`, which follows."""

    def current(self, aws, resource: Resource, found: Found, properties: dict) -> dict:
        """Return the value that each of the properties has now, as far as they are compared."""
        return {}

    def update(self, aws, resource: Resource, found: Found, properties: dict, changed: set) -> None:
        """Change what differs."""
        raise NotImplementedError(f"{self.type} has nothing that could change: {sorted(changed)}")

    @abstractmethod
    def delete(self, aws, resource: Resource, found: Found) -> str | None:
        """Remove it; return a sentence if it had to be kept."""

    def differences(self, aws, resource: Resource, found: Found, properties: dict) -> set[str]:
        """Return the names of the properties that differ from what is wanted."""
        now = self.current(aws, resource, found, properties)
        return {name for name, value in now.items() if value != properties.get(name)}


def belongs(tags, stack: str) -> bool:
    """Whether tags, in any of the forms that AWS gives them, are those of the stack."""
    if isinstance(tags, dict):
        return tags.get(STACK_TAG) == stack
    return any(tag["Key"] == STACK_TAG and tag["Value"] == stack for tag in tags or ())


def resolve(value, found: dict[str, Found], zones):
    """Replace references by what they mean.

    Parameters
    ----------
    value : object
        Properties as CloudFormation writes them.
    found : dict of Found
        The resources that are there.
    zones : callable
        Returns the availability zones of the region.

    Returns
    -------
    object
        With :class:`Unknown` wherever something is not there yet.
    """
    if isinstance(value, list):
        return [resolve(item, found, zones) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((word, argument),) = value.items()
        if word == "Ref":
            return found[argument].id if argument in found else Unknown()
        if word == "Fn::GetAtt":
            name, attribute = argument
            return found[name].attributes[attribute] if name in found else Unknown()
        if word == "Fn::Base64":  # boto3 encodes by itself
            return resolve(argument, found, zones)
        if word == "Fn::Sub":
            return _fill(argument, found)
        if word == "Fn::Select":
            return zones()[argument[0]]
    return {name: resolve(item, found, zones) for name, item in value.items()}


def _fill(text: str, found: dict[str, Found]):
    """Fill ``${Name}`` and ``${Name.Attribute}`` in a text."""
    pieces = text.split("${")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        reference, _, rest = piece.partition("}")
        name, _, attribute = reference.partition(".")
        if name not in found:
            return Unknown()
        filled += [found[name].attributes[attribute] if attribute else found[name].id, rest]
    return "".join(filled)
