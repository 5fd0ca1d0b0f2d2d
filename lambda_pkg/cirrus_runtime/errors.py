"""Exceptions of the runtime. The tree is drawn in ``sklearn_cirrus.exceptions``."""


class CirrusError(Exception):
    """Base class of every error that sklearn_cirrus raises itself."""


class StoreError(CirrusError):
    """The object store refused, lacks or cannot hold an object."""


class BlockError(StoreError):
    """A block of data is damaged or was written by another version."""


class ServerError(CirrusError):
    """The parameter server cannot be started or reached, or refused a command."""


class ServerUnavailable(ServerError):
    """The connection to the server was lost or cannot be made.

    Whether it did the last command is unknown. Trying again may help.
    """


class RunEnded(ServerError):
    """The run's keys are gone: its trainer has finished or given up."""


class TrainerLost(RunEnded):
    """The trainer has not been heard of for so long that its workers end by themselves."""


class BadValueError(ServerError):
    """The server refused a value: most likely a gradient that is not finite."""


class StaleWorkerError(ServerError):
    """A newer generation of this worker has taken over; this one must stop."""


class KernelError(CirrusError):
    """The compiled kernels are missing or do not match this version."""


class TaskError(CirrusError):
    """A task cannot be run here, or its result cannot be read."""
