"""How a slot's process is to be started, and how its part of an invocation ended."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Launch:
    """All that a process of one function needs; another launch means other processes.

    Attributes
    ----------
    python, libraries, code : str
        Interpreter, folder of Lambda's own libraries, folder of the function.
    handler : str
    environment : dict of str
        The whole of it but for what differs between slots.
    memory, storage : int
        Limits, in MiB.
    seconds : int
        The function's timeout.
    """

    python: str
    libraries: str
    code: str
    handler: str
    environment: dict = field(repr=False)
    memory: int
    storage: int
    seconds: int


@dataclass
class Ending:
    """How the part of an invocation that runs in the slot ended.

    Attributes
    ----------
    outcome : str
        ``ok``, ``error`` (raised by the handler), ``init_error``, ``timeout``, ``out_of_memory``,
        ``killed``, ``exited`` or ``response_too_large``.
    payload : bytes or None
        What the process posted; None if it posted nothing.
    detail : str
        The words for an exit: ``exit status 1``, ``signal: killed``.
    """

    outcome: str
    payload: bytes | None = None
    detail: str = ""
