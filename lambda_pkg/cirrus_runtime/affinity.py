"""Which leases a worker leaves to others: those of blocks that another one has at hand.

A block that has to be fetched from S3, or hashed when it is read, is kept by the worker that read
it, in memory or on disk, as long as there is room. The trainer knows from the reports who keeps
what, and says so in the leases of later epochs. A worker that takes a lease of a block that another
one keeps posts it anew, behind the others, and takes the next, as long as blocks that it keeps
itself are still to come in this epoch. When a lease that it has passed on comes back to it, none of
its own was free: then it does what there is. So nobody waits for anybody.
"""

_MOST_PASSED = 64  # leases in a row: each costs three round trips


class Affinity:
    """What a worker knows of the blocks that it keeps.

    Parameters
    ----------
    place : int
        Of the worker in its run.
    keeps : callable
        Says of the name of a block whether it is kept.
    """

    def __init__(self, place, keeps):
        self._place, self._keeps = place, keeps
        self._taken = {}  # by kind of lease: the names of its blocks, and the last epoch of each

    def note(self, lease):
        """Take note of a lease that the worker does."""
        self._taken.setdefault(lease.kind, {})[lease.name] = lease.epoch

    def leaves(self, lease, passed):
        """Return whether a lease is for somebody else.

        Parameters
        ----------
        lease : Lease
        passed : set of int
            Numbers of the leases that were passed on since one was done.
        """
        if lease.home in (None, self._place):
            return False
        if lease.number in passed or len(passed) >= _MOST_PASSED:
            return False
        taken = self._taken.get(lease.kind, {})
        return any(epoch < lease.epoch and self._keeps(name) for name, epoch in taken.items())
