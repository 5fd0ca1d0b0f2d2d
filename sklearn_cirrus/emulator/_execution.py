"""One invocation in a slot, from the event to the result, the log and the record."""

import json
import logging
import threading
import time
from dataclasses import dataclass

from ._faults import Faults
from ._launch import Ending
from ._limits import INIT_SECONDS, LOG_TAIL, MIB, RESPONSE_PAYLOAD
from ._pool import Pool
from ._records import Invocation, Records, billed, report_line

logger = logging.getLogger(__name__)
_PLATFORM_ERRORS = {
    "timeout": "Sandbox.Timedout",
    "out_of_memory": "Runtime.OutOfMemory",
    "killed": "Runtime.ExitError",
    "exited": "Runtime.ExitError",
    "response_too_large": "Function.ResponseSizeTooLarge",
}


@dataclass(frozen=True)
class Order:
    """One invocation that is to be run.

    Attributes
    ----------
    request_id : str
    event : bytes
    kind : str
        ``RequestResponse`` or ``Event``.
    attempt : int
    client_context : str or None
        JSON, for ``context.client_context``.
    """

    request_id: str
    event: bytes
    kind: str
    attempt: int = 0
    client_context: str | None = None


@dataclass(frozen=True)
class Result:
    """What the client is answered.

    Attributes
    ----------
    payload : bytes
    is_error : bool
    outcome : str
    log : str
    """

    payload: bytes
    is_error: bool
    outcome: str
    log: str

    def tail(self) -> bytes:
        """Give the end of the log, for X-Amz-Log-Result."""
        return self.log.encode()[-LOG_TAIL:]


class Execution:
    """Runs invocations; the caller has counted them against the concurrency.

    Parameters
    ----------
    pool : Pool
    faults : Faults
    records : Records
    closing : threading.Event
    freeze_idle : bool
        Stop a slot's process between invocations, as Lambda does.
    """

    def __init__(
        self,
        pool: Pool,
        faults: Faults,
        records: Records,
        closing: threading.Event,
        freeze_idle: bool,
    ):
        self._pool = pool
        self._faults = faults
        self._records = records
        self._closing = closing
        self._freeze_idle = freeze_idle

    def run(self, function, order: Order) -> Result:
        """Run an invocation to its end, whatever that is.

        Raises
        ------
        ApiError
            The emulator is being closed.
        """
        faults = self._faults.of_run()
        launch = function.launch
        begin = time.time()
        slot, is_new = self._pool.take(function.name, launch)
        slot.request_id = order.request_id
        is_sound = False  # what an exception leaves behind is not used again
        try:
            if faults.delay:
                self._closing.wait(faults.delay)
            init_ms, ending = 0.0, None
            started = time.monotonic()
            if is_new:
                version = function.configuration["Runtime"].replace("python", "python:")
                slot.log.write(f"INIT_START Runtime Version: {version}.emulated")
                ending = slot.start(started + INIT_SECONDS)
                init_ms = (time.monotonic() - started) * 1000
            slot.log.write(f"START RequestId: {order.request_id} Version: $LATEST")
            started = time.monotonic()
            until = started + launch.seconds
            if is_new and ending is not None and ending.outcome == "timeout":
                # Lambda then initializes once more, as part of the invocation.
                init_ms, ending = 0.0, slot.start(until)
            if ending is None:
                headers = _headers(function.arn, order, until - time.monotonic())
                ending = slot.run(
                    order.request_id, headers, order.event, until, faults, self._freeze_idle
                )
            duration_ms = (time.monotonic() - started) * 1000
            result = self._conclude(function, order, slot, ending, begin, duration_ms, init_ms)
            is_sound = not function.is_deleted
            return result
        finally:
            slot.request_id = None
            self._pool.give_back(slot, function.launch if is_sound else None)

    def _conclude(self, function, order, slot, ending, begin, duration_ms, init_ms) -> Result:
        """Write the end of the log and the record, and make the answer."""
        launch = slot.launch
        if ending.outcome == "timeout":
            duration_ms = max(duration_ms, launch.seconds * 1000.0)
        payload, error_type = _answer(order.request_id, ending, launch.seconds)
        by_platform = ending.outcome in _PLATFORM_ERRORS or ending.outcome == "init_error"
        if by_platform and ending.payload is None:
            message = json.loads(payload)["errorMessage"]
            slot.log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {message}")
        memory = -(-slot.peak // MIB)
        slot.log.write(f"END RequestId: {order.request_id}")
        slot.log.write(
            report_line(
                order.request_id,
                duration_ms,
                init_ms,
                launch.memory,
                memory,
                ("timeout" if ending.outcome == "timeout" else "error") if by_platform else None,
                error_type if by_platform and ending.outcome != "timeout" else None,
            )
        )
        log = slot.log.take()
        self._records.add(
            Invocation(
                order.request_id,
                function.name,
                order.kind,
                order.attempt,
                slot.number,
                slot.pid,
                begin,
                time.time(),
                ending.outcome,
                error_type,
                duration_ms,
                init_ms,
                billed(duration_ms, init_ms),
                memory,
                log,
            )
        )
        logger.debug("%s of %s: %s", order.request_id, function.name, ending.outcome)
        return Result(payload, ending.outcome != "ok", ending.outcome, log)


def _headers(arn: str, order: Order, seconds: float) -> dict:
    """Give what awslambdaric makes the context of."""
    headers = {
        "Content-Type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": order.request_id,
        "Lambda-Runtime-Deadline-Ms": int((time.time() + seconds) * 1000),
        "Lambda-Runtime-Invoked-Function-Arn": arn,
        "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{order.request_id[-12:]:0>24}",
    }
    if order.client_context:
        headers["Lambda-Runtime-Client-Context"] = order.client_context
    return headers


def _answer(request_id: str, ending: Ending, seconds: int) -> tuple[bytes, str | None]:
    """Give the payload, and the type of the error that it reports."""
    if ending.outcome == "ok":
        return ending.payload, None
    if ending.outcome in ("error", "init_error"):
        try:
            return ending.payload, json.loads(ending.payload).get("errorType")
        except (ValueError, AttributeError):
            return ending.payload, None
    error_type = _PLATFORM_ERRORS[ending.outcome]
    if ending.outcome == "timeout":
        message = f"RequestId: {request_id} Error: Task timed out after {seconds}.00 seconds"
    elif ending.outcome == "response_too_large":
        message = (
            "Response payload size exceeded maximum allowed payload size "
            f"({RESPONSE_PAYLOAD} bytes)."
        )
    elif ending.detail:
        message = f"RequestId: {request_id} Error: Runtime exited with error: {ending.detail}"
    else:
        message = f"RequestId: {request_id} Error: Runtime exited without providing a reason"
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode(), error_type
