"""Exceptions of sklearn_cirrus.

::

    CirrusError                  whatever sklearn_cirrus raises itself
    ├── BadRowError              a row of a file cannot be read (also a ValueError)
    ├── BundleError              a bundle for Lambda cannot be built
    ├── ConfigurationError       a setting that cannot be (also a ValueError)
    ├── DeployError              a deployment cannot be made, read or removed
    ├── DivergenceError          training left the range of numbers (also a ValueError)
    ├── KernelError              the compiled kernels are missing or of another version
    ├── PriceUnknown             the table of prices lacks a region or an item (also a LookupError)
    ├── ServerError              the parameter server cannot be reached, or refused
    │   ├── BadValueError        a value was refused: a gradient that is not finite
    │   ├── RunEnded             the run's keys are gone
    │   │   └── TrainerLost      the trainer was silent for so long that a worker ends by itself
    │   ├── ServerUnavailable    the connection was lost, not refused: trying again may help
    │   └── StaleWorkerError     a newer generation of this worker has taken over
    ├── StoreError               the object store refused, lacks or cannot hold an object
    │   └── BlockError           a block is damaged or of another version
    ├── TaskError                a task cannot be run on a worker, or its result cannot be read
    └── WorkerError              workers cannot be started, died or failed

Bad parameters and bad data raise ValueError or TypeError, as in scikit-learn.
"""

from cirrus_runtime.errors import (
    BadValueError,
    BlockError,
    CirrusError,
    KernelError,
    RunEnded,
    ServerError,
    ServerUnavailable,
    StaleWorkerError,
    StoreError,
    TaskError,
    TrainerLost,
)

__all__ = [
    "BadRowError",
    "BadValueError",
    "BlockError",
    "BundleError",
    "CirrusError",
    "ConfigurationError",
    "DeployError",
    "DivergenceError",
    "KernelError",
    "PriceUnknown",
    "RunEnded",
    "ServerError",
    "ServerUnavailable",
    "StaleWorkerError",
    "StoreError",
    "TaskError",
    "TrainerLost",
    "WorkerError",
]


class BadRowError(CirrusError, ValueError):
    """A row of a file cannot be read; says file, line and reason."""


class BundleError(CirrusError):
    """A bundle for Lambda cannot be built, or is larger than it may be."""


class ConfigurationError(CirrusError, ValueError):
    """A setting has a value that it cannot have."""


class DeployError(CirrusError):
    """A deployment cannot be made, read or removed: AWS refuses, or cannot be asked."""


class DivergenceError(CirrusError, ValueError):
    """Training left the range of numbers."""


class PriceUnknown(CirrusError, LookupError):
    """The table of prices lacks a region or an item."""


class WorkerError(CirrusError):
    """Workers cannot be started, died or failed."""
