"""What a run leaves, and what has it end early."""

from dataclasses import dataclass


class CutShort(Exception):
    """A run is to end now, with the model that there is; the text says why, for a warning."""


@dataclass(frozen=True)
class Outcome:
    """What a run leaves.

    Attributes
    ----------
    slots : dict of str to float32 array
        Every slot of the model; ``"weights"`` has shape (rows, width).
    clock : tuple of (int, float)
        Steps the model has seen and its last learning rate: goes with the slots.
    history : list of dict
        One entry an epoch.
    cut : str
        Why training was cut short: ``max_cost`` was spent, or somebody has stopped it. Else empty.
    """

    slots: dict
    clock: tuple
    history: list
    cut: str = ""
