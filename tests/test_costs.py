"""What reports add up to in the history."""

from cirrus_runtime.protocol import Report
from sklearn_cirrus._costs import SUMMED, costs_of


def report(worker, load, wait):
    return Report(
        *(0, "train", 0, worker, 0, 10, 10.0, 1.0, 2, 100),
        *(0.25, 0.5, 1.0, load, wait),
    )


def test_costs_add_up_and_a_worker_counts_once():
    costs = costs_of([report(0, 0.0, 0.0), report(3, 0.0, 0.0), report(0, 0.0, 0.0)])
    assert costs["workers"] == 2
    assert costs["rows"] == 30 and costs["server_bytes"] == 300
    assert (costs["localize_seconds"], costs["compute_seconds"]) == (0.75, 1.5)
    assert costs["server_seconds"] == 3.0
    assert set(SUMMED) == set(costs) - {"workers"}


def test_a_worker_stalls_while_it_waits_for_what_is_being_loaded():
    """The first waited for a lease before; the second and third had blocks loaded ahead."""
    costs = costs_of([report(0, 2.0, 5.0), report(0, 2.0, 0.5), report(0, 2.0, 0.0)])
    assert costs["load_seconds"] == 6.0
    assert costs["wait_seconds"] == 5.5
    assert costs["stall_seconds"] == 2.5
