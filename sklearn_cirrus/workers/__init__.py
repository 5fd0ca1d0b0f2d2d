"""Who runs ``run_worker``: a thread (inline), processes (local) or AWS Lambda (imported late)."""

from .base import WorkerBackend, WorkerHandle, WorkerResult
from .inline import InlineBackend
from .local import LocalBackend

__all__ = ["InlineBackend", "LocalBackend", "WorkerBackend", "WorkerHandle", "WorkerResult"]
