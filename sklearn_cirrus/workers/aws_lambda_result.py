"""How an invocation ended: from Lambda's answer to a WorkerResult.

Lambda reports in one form what the handler raised and what the platform did to it. Told apart:

===================================  ==============  ===========================================
what happened                        ``error_type``  and the crew
===================================  ==============  ===========================================
the handler raised an exception      its name        ends the run (a lost server: replaces it)
out of memory                        WorkerDied      replaces the worker
the time limit                       WorkerDied      replaces the worker
the process ended (a crash, a kill)  WorkerDied      replaces the worker
the code cannot be loaded            WorkerError     ends the run
===================================  ==============  ===========================================

The error's text has what Lambda says, what may mend it, the traceback and the tail of the log.
"""

import json
import re

from .base import WorkerResult

_REPORT = re.compile(
    r"^REPORT RequestId.*?Billed Duration: (\d+) ms.*?Memory Size: (\d+) MB"
    r".*?Max Memory Used: (\d+) MB",
    re.MULTILINE,
)
_UNLOADABLE = {
    "Runtime.ImportModuleError",
    "Runtime.HandlerNotFound",
    "Runtime.UserCodeSyntaxError",
    "Runtime.MalformedHandlerName",
    "Runtime.InvalidEntrypoint",
}


def read_result(answer, function):
    """Return the result of an invocation, and the milliseconds that are charged for it.

    Parameters
    ----------
    answer : Answer
    function : LambdaFunction
        For the limits that it may have met.

    Returns
    -------
    result : WorkerResult
    billed : int or None
        None if the log does not say.
    """
    reports = _REPORT.findall(answer.log)
    billed, used = (int(reports[-1][0]), int(reports[-1][2])) if reports else (None, 0)
    try:
        payload = json.loads(answer.payload)
    except ValueError:
        payload = None
    if not answer.is_error and isinstance(payload, dict) and "reason" in payload:
        return WorkerResult(ok=True, report=payload), billed
    return _failure(payload, answer, function, used), billed


def _failure(payload, answer, function, used):
    """Return the result of an invocation that did not return."""
    fields = payload if isinstance(payload, dict) else {}
    kind = str(fields.get("errorType") or "")
    message = str(fields.get("errorMessage") or answer.payload.decode(errors="replace"))
    ending = "WorkerDied"
    if kind == "Sandbox.Timedout" or "Task timed out after" in message:
        what = (
            f"the worker on AWS Lambda ran into the function's time limit of {function.timeout} s"
        )
    elif kind == "Runtime.OutOfMemory" or _was_full(kind, message, used, function.memory):
        what = (
            f"the worker on AWS Lambda ran out of memory ({function.memory} MB): run "
            "`sklearn-cirrus deploy --memory` with more, or lower buffer_bytes or block_bytes"
        )
    elif kind in _UNLOADABLE:
        ending = "WorkerError"
        what = (
            f"{kind}: the function {function.name} cannot load its code ({message}): run "
            "`sklearn-cirrus deploy` again"
        )
    elif not answer.is_error:
        ending = "WorkerError"
        what = (
            f"the function {function.name} is none of sklearn_cirrus: it answered "
            f"{answer.payload[:80]!r}; name another in CIRRUS_FUNCTION"
        )
    elif kind.startswith(("Runtime.", "Sandbox.", "Extension.")) or not kind:
        what = f"the worker on AWS Lambda ended: {message}"
    else:
        ending, what = kind, f"{kind}: {message}"
    trace = "".join(map(str, fields.get("stackTrace") or ()))
    parts = [what, trace.rstrip(), f"end of its log:\n{answer.log.rstrip()}" if answer.log else ""]
    error = "\n".join(part for part in parts if part)
    return WorkerResult(ok=False, error_type=ending, error=error)


def _was_full(kind, message, used, memory):
    """Whether a process that was killed had used all of its memory: then that was why."""
    killed = kind == "Runtime.ExitError" and "signal: killed" in message
    return killed and used >= memory
