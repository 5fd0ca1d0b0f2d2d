"""The zip files that run on AWS Lambda: what a worker needs, and what a joblib task needs.

:func:`build_worker` and :func:`build_task` each make one file for a :class:`Target` and return
a :class:`Bundle` that says what it is. ``docs/bundle.md`` has the whole of it.
"""

from .build import Bundle, build_task, build_worker
from .compiled import build_module
from .target import Target

__all__ = ["Bundle", "Target", "build_module", "build_task", "build_worker"]
