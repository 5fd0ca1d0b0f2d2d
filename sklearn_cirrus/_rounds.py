"""The leases of an epoch: every block once, to train on or to sum the loss over."""

from dataclasses import dataclass, replace

import numpy as np

from cirrus_runtime.protocol import Lease


@dataclass
class Round:
    """The leases of one kind in one epoch, and what has come of them.

    Attributes
    ----------
    missing : dict of int to Lease
        Those that no report has come of, by number.
    waiting : list of Lease
        Those of them that are still to be offered.
    reports : dict of int to Report
        By block.
    """

    missing: dict
    waiting: list
    reports: dict

    @classmethod
    def of(cls, leases, first, done, homes):
        """Return the round of some leases, numbered from ``first`` on.

        ``done`` are its reports, ``homes`` the places of the workers that keep blocks, by name.
        They count only where all blocks have the same learning rate: workers that go by them change
        the order, and an epoch at whose end the model cools down would end with what was put off.
        """
        if len({rate for lease in leases for rate in (lease.lr, lease.lr_end)}) > 1:
            homes = {}
        leases = [
            replace(lease, number=first + i, home=homes.get(lease.name))
            for i, lease in enumerate(leases)
        ]
        waiting = [lease for lease in leases if lease.block not in done]
        return cls({lease.number: lease for lease in waiting}, waiting, dict(done))


def train_leases(keys, n_blocks, epoch, schedule, seed):
    """Return a lease to train on each block, with the rates at its first row and after its last."""
    order = np.arange(n_blocks)
    if epoch > 0 and n_blocks > 1:  # no block is to be always the last
        order = np.random.default_rng((seed, epoch)).permutation(n_blocks)
    rates = [schedule.at(epoch + place / n_blocks) for place in range(n_blocks + 1)]
    return [
        Lease(0, "train", epoch, block, keys.block("train", block), rates[place], rates[place + 1])
        for place, block in enumerate(order.tolist())
    ]


def loss_leases(keys, n_blocks, epoch):
    """Return a lease to sum the loss over each held-out block."""
    return [Lease(0, "loss", epoch, i, keys.block("valid", i)) for i in range(n_blocks)]
