"""The functions that exist, and the state that each is in."""

import re
import threading
import time
import uuid
from datetime import UTC, datetime

from ._code import Code
from ._errors import conflict, not_found
from ._launch import Launch

_IDENTIFIER = re.compile(
    r"(?:arn:aws[\w-]*:lambda:(?P<region>[\w-]+):(?P<account>\d{12}):function:"
    r"|(?P<partial>\d{12}):function:)?(?P<name>[^:]+)(?::(?P<qualifier>[^:]+))?"
)


class Function:
    """One function; its fields are replaced whole, never changed.

    Parameters
    ----------
    name, arn : str
    configuration : dict
        As the API shows it, without what is derived here.
    code : Code
    launch : Launch
    tags : dict
    transition : float
        Seconds that it stays Pending.
    """

    def __init__(
        self,
        name: str,
        arn: str,
        configuration: dict,
        code: Code,
        launch: Launch,
        tags: dict,
        transition: float,
    ):
        self.name = name
        self.arn = arn
        self.tags = tags
        self.event_config: dict = {}
        self.event_config_modified = 0.0
        self.is_deleted = False
        self._transition = transition
        self._active_at = time.monotonic() + transition
        self._updated_at = 0.0
        self._set(configuration, code, launch)

    @property
    def is_active(self) -> bool:
        """Whether it can be invoked."""
        return time.monotonic() >= self._active_at

    def update(self, configuration: dict, code: Code, launch: Launch) -> None:
        """Change the function; the change is in progress for a time."""
        self._updated_at = time.monotonic() + self._transition
        self._set(configuration, code, launch)

    def require_no_change_in_progress(self) -> None:
        """Refuse to change a function while a change goes on.

        Raises
        ------
        ApiError
            ResourceConflictException.
        """
        if not self.is_active or time.monotonic() < self._updated_at:
            raise conflict(
                "The operation cannot be performed at this time. An update is in progress for "
                f"resource: {self.arn}"
            )

    def describe(self, is_changing: bool = False) -> dict:
        """Give the configuration as the API shows it.

        Parameters
        ----------
        is_changing : bool
            For the answer to the very request that makes or changes the function.
        """
        shown = {
            "FunctionName": self.name,
            "FunctionArn": self.arn,
            **self.configuration,
            "CodeSize": self.code.size,
            "CodeSha256": self.code.sha256,
            "LastModified": self._modified,
            "RevisionId": self.revision,
            "Version": "$LATEST",
            "State": "Active",
            "LastUpdateStatus": "Successful",
        }
        if not self.is_active or (is_changing and not self._updated_at):
            shown.update(
                State="Pending",
                StateReason="The function is being created.",
                StateReasonCode="Creating",
            )
        elif is_changing or time.monotonic() < self._updated_at:
            shown.update(
                LastUpdateStatus="InProgress",
                LastUpdateStatusReason="The function is being updated.",
                LastUpdateStatusReasonCode="Updating",
            )
        return shown

    def _set(self, configuration: dict, code: Code, launch: Launch) -> None:
        """Take over what was made or changed."""
        self.configuration = configuration
        self.code = code
        self.launch = launch
        self.revision = str(uuid.uuid4())
        self._modified = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000+0000}"


class Functions:
    """All functions of an emulator.

    Parameters
    ----------
    region, account : str
    """

    def __init__(self, region: str, account: str):
        self.region = region
        self.account = account
        self.lock = threading.RLock()  # held while one is made, changed or deleted
        self._all: dict[str, Function] = {}

    def arn(self, name: str) -> str:
        """Give the ARN that a name has here."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{name}"

    def parse(self, identifier: str, qualifier: str | None = None) -> str:
        """Give the name in a name, an ARN or a partial ARN.

        Raises
        ------
        ApiError
            It is of another account, region or version, or none of these.
        """
        found = _IDENTIFIER.fullmatch(identifier)
        if found is None:
            raise not_found(f"Function not found: {identifier}")
        account = found["account"] or found["partial"] or self.account
        qualifier = qualifier or found["qualifier"] or "$LATEST"
        if (found["region"] or self.region, account) != (self.region, self.account):
            raise not_found(f"Function not found: {identifier}")
        if qualifier != "$LATEST":
            raise not_found(f"Function not found: {self.arn(found['name'])}:{qualifier}")
        return found["name"]

    def get(self, identifier: str, qualifier: str | None = None) -> Function:
        """Give a function.

        Raises
        ------
        ApiError
            ResourceNotFoundException.
        """
        name = self.parse(identifier, qualifier)
        try:
            return self._all[name]
        except KeyError:
            raise not_found(f"Function not found: {self.arn(name)}") from None

    def has(self, name: str) -> bool:
        """Whether a function of this name exists."""
        return name in self._all

    def add(self, function: Function) -> None:
        """Take a new function in."""
        self._all[function.name] = function

    def remove(self, function: Function) -> None:
        """Forget a function."""
        function.is_deleted = True
        del self._all[function.name]

    def list(self) -> list[Function]:
        """Give all functions, by name."""
        return [self._all[name] for name in sorted(list(self._all))]
