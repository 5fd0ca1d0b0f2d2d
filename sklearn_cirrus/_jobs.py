"""The job of a run: what the settings say to every worker, whatever is computed."""

from cirrus_runtime.protocol import TrainJob

from ._trainer import new_run_id


def new_job(config, **more):
    """Return a job, without the places where it runs.

    Parameters
    ----------
    config : Config
    **more
        Fields of ``TrainJob``: all that the settings do not say, and those that are to be others.
    """
    settings = {
        "run_id": new_run_id(),
        "store_url": "",
        "prefetch": config.prefetch,
        "buffer_bytes": config.buffer_bytes,
        "cache_bytes": config.cache_bytes,
        "lease_seconds": float(config.lease_seconds),
        "retry_seconds": float(config.retry_seconds),
    }
    return TrainJob(**settings | more)
