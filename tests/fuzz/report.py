"""What a run of the fuzzer leaves: a finding, or figures."""

from dataclasses import dataclass, field


class Finding(Exception):
    """The server did what it must not do."""


@dataclass
class Report:
    """What a run did.

    Attributes
    ----------
    calls, refused : int
        Commands sent, and how many of them were errors, as they must be.
    words : dict of str to int
        How often each first word of an error came.
    restores, restored : int
        Damaged payloads offered to RESTORE, and how many of them it took for good ones.
    events : dict of str to int
        Reloads, rewrites and restarts, after each of which all models were compared.
    seconds : float
    resident : list of int
        Bytes of memory of the server after each event.
    """

    calls: int = 0
    refused: int = 0
    words: dict = field(default_factory=dict)
    restores: int = 0
    restored: int = 0
    events: dict = field(default_factory=dict)
    seconds: float = 0.0
    resident: list = field(default_factory=list)
