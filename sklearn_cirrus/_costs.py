"""What leases have cost, as the history tells it."""

_SUMS = {
    "rows": "rows",
    "localize_seconds": "localize",
    "compute_seconds": "compute",
    "server_seconds": "server",
    "load_seconds": "load",
    "wait_seconds": "wait",
    "server_bytes": "nbytes",
    "cache_hits": "hit",
}
SUMMED = (*_SUMS, "stall_seconds")  # costs that add up, of any number of leases


def costs_of(reports):
    """Return what some leases have cost, summed over the workers, from their reports."""
    sums = {
        name: sum(getattr(report, field) for report in reports) for name, field in _SUMS.items()
    }
    return sums | {
        # A worker that waits for a block waits while it is loaded, and before for a lease.
        "stall_seconds": sum(min(report.wait, report.load) for report in reports),
        "workers": len({report.worker for report in reports}),
    }


def mean_penalty(reports):
    """Return the penalty per unit of weight that workers have told of."""
    if len(reports) == 1:
        return reports[0].penalty  # to the last bit as the worker has it, which goes on by it
    weight = sum(report.weight for report in reports)
    return sum(report.penalty * report.weight for report in reports) / weight
