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

Of a task (:data:`TASK`), the second is ``OutOfMemory`` and the third ``OutOfTime``, also where its
own deadline ended it.

The error's text has what Lambda says, what may mend it, the traceback and the tail of the log.
"""

import json
import re
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Kind:
    """What a function runs, and how its ends are told.

    Attributes
    ----------
    name : str
    field : str
        In every answer of its handler, and in no other function's.
    full, late : str
        ``error_type`` of one that ran out of memory or time.
    more_memory, more_time : str
        What mends that.
    setting : str
        Environment variable with the function's name.
    out_of_memory : tuple of str
        What Lambda names an end for want of memory, and what Python does.
    deadline_exit : int or None
        Exit code of one that ended itself as it took too long.
    """

    name: str
    field: str
    full: str
    late: str
    more_memory: str
    more_time: str
    setting: str
    out_of_memory: tuple[str, ...] = ("Runtime.OutOfMemory",)
    deadline_exit: int | None = None


WORKER = Kind(
    name="worker",
    field="reason",
    full="WorkerDied",
    late="WorkerDied",
    more_memory=", or lower buffer_bytes or block_bytes",
    more_time="",
    setting="CIRRUS_FUNCTION",
)
TASK = Kind(
    name="task",
    field="outcome",
    full="OutOfMemory",
    late="OutOfTime",
    more_memory="",
    more_time=": run `sklearn-cirrus deploy --timeout SECONDS` with more (900 at most), or cut "
    "the work into smaller tasks",
    setting="CIRRUS_TASK_FUNCTION",
    out_of_memory=("Runtime.OutOfMemory", "MemoryError"),
    deadline_exit=75,  # cirrus_runtime.task
)


def read_result(answer, function, what=WORKER):
    """Return the result of an invocation, and the milliseconds that are charged for it.

    Parameters
    ----------
    answer : Answer
    function : LambdaFunction
        For the limits that it may have met.
    what : Kind

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
    if not answer.is_error and isinstance(payload, dict) and what.field in payload:
        return WorkerResult(ok=True, report=payload), billed
    return _failure(payload, answer, function, used, what), billed


def _failure(payload, answer, function, used, run):
    """Return the result of an invocation that did not return."""
    fields = payload if isinstance(payload, dict) else {}
    kind = str(fields.get("errorType") or "")
    message = str(fields.get("errorMessage") or answer.payload.decode(errors="replace"))
    ending, on = "WorkerDied", f"the {run.name} on AWS Lambda"
    if kind == "Sandbox.Timedout" or "Task timed out after" in message:
        ending = run.late
        what = f"{on} ran into the function's time limit of {function.timeout} s{run.more_time}"
    elif kind in run.out_of_memory or _was_full(kind, message, used, function.memory):
        ending = run.full
        what = (
            f"{on} ran out of memory ({function.memory} MB): run "
            f"`sklearn-cirrus deploy --memory MB` with more{run.more_memory}"
        )
    elif run.deadline_exit is not None and _exit_code(message) == run.deadline_exit:
        ending, what = run.late, f"{on} took longer than it may, and was ended"
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
            f"{answer.payload[:80]!r}; name another in {run.setting}"
        )
    elif kind.startswith(("Runtime.", "Sandbox.", "Extension.")) or not kind:
        what = f"{on} ended: {message}"
    else:
        ending, what = kind, f"{kind}: {message}"
    trace = "".join(map(str, fields.get("stackTrace") or ()))
    parts = [what, trace.rstrip(), f"end of its log:\n{answer.log.rstrip()}" if answer.log else ""]
    error = "\n".join(part for part in parts if part)
    return WorkerResult(ok=False, error_type=ending, error=error)


def _exit_code(message):
    """Return the exit code that Lambda tells of, or None."""
    found = re.search(r"exit status (\d+)", message)
    return int(found[1]) if found else None


def _was_full(kind, message, used, memory):
    """Whether a process that was killed had used all of its memory: then that was why."""
    killed = kind == "Runtime.ExitError" and "signal: killed" in message
    return killed and used >= memory
