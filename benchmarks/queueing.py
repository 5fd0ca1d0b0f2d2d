"""Throughput of a closed network of stations by exact mean value analysis.

A fixed number of customers go round for ever: here each worker is one, and a round is a minibatch.
At a station of kind ``queue`` one customer is served at a time and the others wait; at one of kind
``delay`` nobody waits (a worker's own core, the wire). The recursion over the number of customers
is that of M. Reiser and S. S. Lavenberg, "Mean-Value Analysis of Closed Multichain Queuing
Networks", Journal of the ACM 27 (1980), pages 313 to 322: whoever arrives at a station finds there
what there would be on average with one customer less. It is exact for exponential service times;
those of a parameter server vary less, so it is a little pessimistic where queues begin.
"""

from dataclasses import dataclass

QUEUE, DELAY = "queue", "delay"


@dataclass(frozen=True)
class Station:
    """A place where every round spends time.

    Attributes
    ----------
    name : str
    demand : float
        Seconds of service a round.
    kind : {"queue", "delay"}
    """

    name: str
    demand: float
    kind: str = QUEUE


@dataclass(frozen=True)
class Solution:
    """What a network does with some number of customers.

    Attributes
    ----------
    customers : int
    throughput : float
        Rounds a second, of all customers together.
    round_seconds : float
        Of one customer, waiting included.
    lengths : dict of str to float
        Customers at each station, on average.
    """

    customers: int
    throughput: float
    round_seconds: float
    lengths: dict


def solve(stations, most):
    """Solve a network for 1, 2, ... customers.

    Parameters
    ----------
    stations : list of Station
        Their demands are not all zero.
    most : int
        The largest number of customers.

    Returns
    -------
    list of Solution
        One for each number of customers, from 1.
    """
    lengths = [0.0] * len(stations)
    solutions = []
    for customers in range(1, most + 1):
        seconds = [
            station.demand * (1.0 + length if station.kind == QUEUE else 1.0)
            for station, length in zip(stations, lengths, strict=True)
        ]
        total = sum(seconds)
        throughput = customers / total
        lengths = [throughput * each for each in seconds]
        named = {s.name: length for s, length in zip(stations, lengths, strict=True)}
        solutions.append(Solution(customers, throughput, total, named))
    return solutions


def knee(stations):
    """Return the number of customers at which the two bounds of the throughput meet, and where.

    With n customers the throughput is at most n / (sum of the demands), and at most
    1 / (largest demand of a queue): P. J. Denning and J. P. Buzen, "The Operational Analysis of
    Queueing Network Models", ACM Computing Surveys 10 (1978), pages 225 to 261.

    Returns
    -------
    customers : float
    station : Station
        The one that is busy all the time beyond.
    """
    slowest = max((s for s in stations if s.kind == QUEUE), key=lambda s: s.demand)
    return sum(s.demand for s in stations) / slowest.demand, slowest
