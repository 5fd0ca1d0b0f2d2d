"""Checkpoints: what a run has reached, as objects in its store, to go on from.

A checkpoint is a file in safetensors format: the slots of the model, the best weights so far, and
in the metadata a JSON text of all else, with a checksum of the arrays. It is put as a whole or not
at all, under a new name each time, and the last two are kept: should one be damaged, the one before
is read.

Workers go on while the slots are read, one after the other: a checkpoint may hold some updates in
one slot and not yet in another, as asynchronous training does anyway. A block that was not finished
when a checkpoint was taken is gone through anew after it, from its beginning.

To change the format: raise ``VERSION``, so that other versions refuse with a clear error.
"""

import json
import logging
import time
import zlib
from dataclasses import dataclass, field, fields

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cirrus_runtime.keys import RunKeys
from cirrus_runtime.protocol import Report

from .exceptions import StoreError

logger = logging.getLogger(__name__)

VERSION = 1
_FORMAT = "cirrus.checkpoint"
_KEPT = 2
_SLOT, _BEST = "slot.", "best"


@dataclass
class Checkpoint:
    """What a run has reached.

    Attributes
    ----------
    slots : dict of str to float32 array
        Of the model; those that are absent are as a new model has them.
    clock : tuple of (int, float) or None
        Steps that the model has seen, and the rate of the last.
    epoch : int
        The running one, from 0.
    reports : dict of int to Report
        Of the blocks that are done in this epoch, by block.
    history : list of dict
    schedule : dict or None
        State of the schedule; None: as it begins.
    best, best_loss : float32 array or None, float
        Best weights so far, by held-out loss.
    generation : int
        Of the next worker.
    identity : dict
        What the run is about, to tell whether a fit may go on from here.
    """

    slots: dict
    clock: tuple | None = None
    epoch: int = 0
    reports: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    schedule: dict | None = None
    best: np.ndarray | None = None
    best_loss: float = float("inf")
    generation: int = 0
    identity: dict = field(default_factory=dict)


_ARRAYS = ("slots", "best")


def encode_checkpoint(checkpoint):
    """Return a checkpoint as bytes."""
    arrays = {_SLOT + name: values for name, values in checkpoint.slots.items()}
    if checkpoint.best is not None:
        arrays[_BEST] = checkpoint.best
    arrays = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    state = {
        f.name: getattr(checkpoint, f.name) for f in fields(checkpoint) if f.name not in _ARRAYS
    }
    state["reports"] = [(b, _without_body(r)) for b, r in checkpoint.reports.items()]
    state["sum"] = _checksum(arrays)
    metadata = {"format": _FORMAT, "version": str(VERSION), "state": json.dumps(state)}
    return save(arrays, metadata)


def decode_checkpoint(data, name):
    """Return the checkpoint that :func:`encode_checkpoint` made into data.

    Raises
    ------
    StoreError
        If the data, called ``name``, is damaged or was written by another version.
    """
    data = bytes(data)
    try:
        arrays = load(data)
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        if metadata["format"] != _FORMAT or metadata["version"] != str(VERSION):
            raise StoreError(
                f"{name}: {metadata['format']} of version {metadata['version']}, "
                f"this program reads {_FORMAT} of version {VERSION}"
            )
        state = json.loads(metadata["state"])
        if state.pop("sum") != _checksum(arrays):
            raise StoreError(f"{name}: damaged: its checksum is another")
        state["reports"] = {b: Report(**report) for b, report in state["reports"]}
        state["clock"] = state["clock"] and tuple(state["clock"])
        slots = {key.removeprefix(_SLOT): values for key, values in arrays.items() if key != _BEST}
        return Checkpoint(slots=slots, best=arrays.get(_BEST), **state)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise StoreError(f"{name}: not a whole checkpoint: {error}") from error


def _without_body(report):
    """Return a report as a dict for JSON; none of those that checkpoints hold has a body."""
    return {name: value for name, value in vars(report).items() if name != "body"}


def _checksum(arrays):
    """Return a checksum of arrays by name."""
    total = 0
    for name in sorted(arrays):
        total = zlib.crc32(
            arrays[name].reshape(-1).view(np.uint8), zlib.crc32(name.encode(), total)
        )
    return total


class Checkpoints:
    """The checkpoints of one run.

    Parameters
    ----------
    store : Store
    run_id : str
    seconds : float or None
        Time between two; None: never.
    keep : bool
        Whether a run that fails leaves them.
    """

    def __init__(self, store, run_id, seconds, keep):
        self._store = store
        self._keys = RunKeys(run_id)
        self._seconds = seconds
        self._keep = keep
        self._taken = time.monotonic()

    @property
    def prefix(self):
        """What the names of the checkpoints begin with."""
        return f"{self._keys.prefix}checkpoint-"

    def due(self):
        """Return whether it is time for one."""
        return self._seconds is not None and time.monotonic() - self._taken >= self._seconds

    def put(self, checkpoint):
        """Put a checkpoint, and delete all but the last two.

        A store that does not take it ends no run: the one before stays.
        """
        try:
            names = self._store.list(self.prefix)
            number = 1 + max(map(_number, names), default=0)
            name = self._keys.checkpoint(number)
            self._store.put(name, encode_checkpoint(checkpoint))
            self._store.delete([*names, name][:-_KEPT])
        except StoreError as error:
            logger.warning("run %s: no checkpoint: %s", self._keys.run_id, error)
        else:
            logger.info(
                "run %s: checkpoint %d, in epoch %d",
                *(self._keys.run_id, number, checkpoint.epoch + 1),
            )
        self._taken = time.monotonic()  # now: what it took is no part of the time between two

    def last(self):
        """Return the last checkpoint that can be read, or None.

        Raises
        ------
        StoreError
            If there are some and none can be read.
        """
        failure = None
        for name in sorted(self._store.list(self.prefix), reverse=True):
            try:
                return decode_checkpoint(self._store.get(name), name)
            except StoreError as error:
                logger.warning("run %s: %s", self._keys.run_id, error)
                failure = error
        if failure is not None:
            raise failure
        return None

    def clean_up(self, error):
        """Delete all objects of the run, which ended with an error or None.

        Its checkpoints stay if that is wanted, and the error then says how to go on from them.
        """
        prefix = self._keys.prefix
        kept = self._store.list(self.prefix) if self._keep and error is not None else []
        if not kept:
            self._store.delete_prefix(prefix)
            return
        self._store.delete([name for name in self._store.list(prefix) if name not in kept])
        error.add_note(
            f"The fit left a checkpoint: config_context(resume={self._keys.run_id!r}, ...) goes on"
        )


def _number(name):
    """Return the number in a checkpoint's name."""
    return int(name.rpartition("-")[2].partition(".")[0])


def runs_with_checkpoints(store):
    """Return the ids of the runs that have checkpoints in a store, sorted."""
    names = (name.split("/") for name in store.list("runs/"))
    return sorted({parts[1] for parts in names if parts[-1].startswith("checkpoint-")})
