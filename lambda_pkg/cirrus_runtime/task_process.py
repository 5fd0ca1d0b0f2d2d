"""Entry of a local process that runs tasks: :mod:`.process` with another kind of job."""

from collections.abc import Callable

from .process import serve


def _load_run_task() -> Callable[[dict], dict]:
    from .task import run_task

    return run_task


if __name__ == "__main__":
    serve(_load_run_task)
