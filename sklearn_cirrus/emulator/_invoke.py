"""Invoke: what is checked, and which way an invocation takes."""

import base64
import binascii
import json
import uuid

from ._capacity import Capacity
from ._errors import ApiError, conflict, throttled, too_large, unacceptable
from ._events import EventQueue
from ._execution import Execution, Order
from ._faults import Faults
from ._functions import Functions
from ._limits import ASYNCHRONOUS_PAYLOAD, SYNCHRONOUS_PAYLOAD

_TYPES = ("RequestResponse", "Event", "DryRun")


class Invoke:
    """The operation Invoke.

    Parameters
    ----------
    functions : Functions
    capacity : Capacity
    execution : Execution
    events : EventQueue
    faults : Faults
    """

    def __init__(
        self,
        functions: Functions,
        capacity: Capacity,
        execution: Execution,
        events: EventQueue,
        faults: Faults,
    ):
        self._functions = functions
        self._capacity = capacity
        self._execution = execution
        self._events = events
        self._faults = faults

    def __call__(self, identifier, qualifier, headers, body: bytes):
        """Answer one request.

        Returns
        -------
        status : int
        headers : dict
        body : bytes

        Raises
        ------
        ApiError
            The request is refused.
        """
        kind = headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if kind not in _TYPES:
            raise unacceptable(kind, "invocationType", f"Member must be one of {list(_TYPES)}")
        function = self._functions.get(identifier, qualifier)
        _refuse(self._faults.at_the_door())
        if not function.is_active:
            raise conflict(
                "The operation cannot be performed at this time. The function is currently in "
                "the following state: Pending"
            )
        limit = ASYNCHRONOUS_PAYLOAD if kind == "Event" else SYNCHRONOUS_PAYLOAD
        if len(body) > limit:
            raise too_large(limit, "InvokeFunction")
        body = body or b"{}"
        _require_json(body)
        request_id = str(uuid.uuid4())
        order = Order(request_id, body, kind, client_context=_context(headers))
        answer = {"X-Amzn-RequestId": request_id}
        if kind == "DryRun":
            return 204, answer, b""
        if kind == "Event":
            self._events.put(function, order)
            return 202, answer, b""
        self._capacity.acquire(function.name)
        try:
            result = self._execution.run(function, order)
        finally:
            self._capacity.release(function.name)
        answer["X-Amz-Executed-Version"] = "$LATEST"
        if result.is_error:
            answer["X-Amz-Function-Error"] = "Unhandled"
        if headers.get("X-Amz-Log-Type") == "Tail":
            answer["X-Amz-Log-Result"] = base64.b64encode(result.tail()).decode()
        return 200, answer, result.payload


def _refuse(status: int | None) -> None:
    """Answer with a fault that was arranged."""
    if status == 429:
        raise throttled("ConcurrentInvocationLimitExceeded")
    if status == 503:
        raise ApiError("ServiceUnavailableException", 503, "Service is unavailable.")
    if status is not None:
        raise ApiError(
            "ServiceException", status, "An error occurred and the request cannot be processed."
        )


def _require_json(body: bytes) -> None:
    """Refuse what awslambdaric could not read."""
    try:
        json.loads(body)
    except ValueError as error:
        raise ApiError(
            "InvalidRequestContentException",
            400,
            f"Could not parse request body into json: {error}",
        ) from error


def _context(headers) -> str | None:
    """Give the client context as JSON."""
    if not (encoded := headers.get("X-Amz-Client-Context")):
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ApiError(
            "InvalidRequestContentException", 400, "Client context must be base64 of JSON."
        ) from error
