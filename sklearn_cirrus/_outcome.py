"""What a run leaves."""

from dataclasses import dataclass


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
    is_cut : bool
        Whether training ended because ``max_cost`` was spent.
    """

    slots: dict
    clock: tuple
    history: list
    is_cut: bool = False
