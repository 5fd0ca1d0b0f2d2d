"""The control plane: functions are made, changed, shown and deleted."""

import itertools
import shutil
from pathlib import Path

from ..exceptions import ConfigurationError
from ._code import fetch_zip, unpack
from ._configuration import NAME, checked, make_launch
from ._errors import ApiError, conflict, invalid, unacceptable
from ._functions import Function, Functions
from ._limits import CODE_STORAGE, MIB, UNZIPPED

_PAGE = 50


class Control:
    """The operations on functions.

    Parameters
    ----------
    functions : Functions
    capacity : Capacity
    pool : Pool
    runtimes : Runtimes
    folder : Path
        For the unpacked zips.
    surroundings : callable
        Gives the variables that every function gets of the emulator.
    s3_endpoint_url : str or None
        Where zips in S3 are read; None leaves it to boto3's configuration.
    transition : float
        Seconds that a function is Pending, or its update in progress.
    code_storage : int
        Bytes of all zips together.
    """

    def __init__(
        self,
        functions: Functions,
        capacity,
        pool,
        runtimes,
        folder: Path,
        surroundings,
        s3_endpoint_url=None,
        transition=0.0,
        code_storage=CODE_STORAGE,
    ):
        self._functions = functions
        self._capacity = capacity
        self._pool = pool
        self._runtimes = runtimes
        self._folder = folder
        self._surroundings = surroundings
        self._s3_endpoint_url = s3_endpoint_url
        self._transition = transition
        self._code_storage = code_storage
        self._numbers = itertools.count(1)

    def create(self, request: dict) -> dict:
        """CreateFunction."""
        name = self._functions.parse(request.get("FunctionName") or "")
        if not NAME.fullmatch(name):
            raise unacceptable(
                name,
                "functionName",
                f"Member must satisfy regular expression pattern: {NAME.pattern}",
            )
        configuration = checked(request, is_new=True)
        with self._functions.lock:
            if self._functions.has(name):
                raise conflict(f"Function already exist: {name}")
            runtime = self._runtime(configuration)
            code = self._unpack(name, request.get("Code") or {})
            launch = make_launch(name, configuration, code.folder, runtime, self._surroundings())
            function = Function(
                name,
                self._functions.arn(name),
                configuration,
                code,
                launch,
                dict(request.get("Tags") or {}),
                self._transition,
            )
            self._functions.add(function)
            return function.describe(is_changing=True)

    def update_code(self, identifier: str, request: dict) -> dict:
        """UpdateFunctionCode."""
        configuration = checked(
            {key: request[key] for key in ("Architectures", "Publish") if key in request},
            is_new=False,
        )
        with self._functions.lock:
            function = self._changeable(identifier, request)
            code = self._unpack(function.name, request)
            if request.get("DryRun"):
                shutil.rmtree(code.folder)
                return {**function.describe(), "CodeSize": code.size, "CodeSha256": code.sha256}
            return self._change(function, {**function.configuration, **configuration}, code)

    def update_configuration(self, identifier: str, request: dict) -> dict:
        """UpdateFunctionConfiguration."""
        configuration = checked(request, is_new=False)
        with self._functions.lock:
            function = self._changeable(identifier, request)
            return self._change(
                function, {**function.configuration, **configuration}, function.code
            )

    def get(self, identifier: str, qualifier: str | None = None) -> dict:
        """GetFunction."""
        function = self._functions.get(identifier, qualifier)
        answer = {
            "Configuration": function.describe(),
            "Code": {"RepositoryType": "S3", "Location": function.code.location},
        }
        if function.tags:
            answer["Tags"] = function.tags
        reserved = self._capacity.reserved(function.name)
        if reserved is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
        return answer

    def get_configuration(self, identifier: str, qualifier: str | None = None) -> dict:
        """GetFunctionConfiguration."""
        return self._functions.get(identifier, qualifier).describe()

    def list(self, marker: str | None, most: int | None) -> dict:
        """ListFunctions: at most fifty at a time, after the name in the marker."""
        found = [f for f in self._functions.list() if not marker or f.name > marker]
        size = min(most or _PAGE, _PAGE)
        answer = {"Functions": [function.describe() for function in found[:size]]}
        if len(found) > size:
            answer["NextMarker"] = found[size - 1].name
        return answer

    def delete(self, identifier: str, qualifier: str | None = None) -> None:
        """DeleteFunction; invocations that run go on to their end."""
        with self._functions.lock:
            function = self._functions.get(identifier, qualifier)
            self._functions.remove(function)
            self._capacity.unreserve(function.name)
        self._pool.end_idle(function.name)

    def account_settings(self) -> dict:
        """GetAccountSettings."""
        functions = self._functions.list()
        return {
            "AccountLimit": {
                "TotalCodeSize": self._code_storage,
                "CodeSizeUnzipped": UNZIPPED,
                "CodeSizeZipped": 50 * MIB,
                "ConcurrentExecutions": self._capacity.account,
                "UnreservedConcurrentExecutions": self._capacity.unreserved(),
            },
            "AccountUsage": {
                "TotalCodeSize": sum(function.code.size for function in functions),
                "FunctionCount": len(functions),
            },
        }

    def _changeable(self, identifier: str, request: dict) -> Function:
        """Give a function that may be changed now."""
        function = self._functions.get(identifier)
        function.require_no_change_in_progress()
        if request.get("RevisionId", function.revision) != function.revision:
            raise ApiError(
                "PreconditionFailedException",
                412,
                "The Revision Id provided does not match the latest Revision Id. Call the "
                "GetFunction/GetAlias API to retrieve the latest Revision Id",
            )
        return function

    def _change(self, function: Function, configuration: dict, code) -> dict:
        """Change a function, and let its idle processes of before go."""
        runtime = self._runtime(configuration)
        launch = make_launch(
            function.name, configuration, code.folder, runtime, self._surroundings()
        )
        function.update(configuration, code, launch)
        self._pool.end_idle(function.name, launch)
        return function.describe(is_changing=True)

    def _runtime(self, configuration: dict):
        """Find the interpreter of a configuration."""
        try:
            return self._runtimes.find(configuration["Runtime"])
        except ConfigurationError as error:
            raise invalid(str(error)) from error

    def _unpack(self, name: str, source: dict):
        """Fetch and unpack a zip, unless it would exceed the storage."""
        data, location = fetch_zip(source, self._s3_endpoint_url)
        used = sum(function.code.size for function in self._functions.list())
        if used + len(data) > self._code_storage:
            raise ApiError("CodeStorageExceededException", 400, "Code storage limit exceeded.")
        return unpack(data, location, self._folder / f"{name}-{next(self._numbers)}")
