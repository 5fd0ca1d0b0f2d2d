"""One model split over several servers by row range: each holds a table of its own.

Invariants
1. Every push goes to every shard, with the ids and gradients that are its own, be they none: a
   step counts on all of them, or the rows that sleep on one would miss penalties, and FTRL its
   threshold. So with one worker the shards together hold the bits of the whole model.
2. Every push carries its tag to every shard. Sent again after a lost connection, it is applied on
   those shards that had not applied it, and known on the others.
3. What a shard refuses, all refuse: what only one of them could see (an id out of range or twice,
   a gradient that is not finite, a length) is looked at here before anything is sent. A push that
   ends half-way all the same (a server without memory, a worker that dies between two sends) has
   happened on some shards; their clocks then differ by that step. Rejected: a transaction over
   servers, which would cost every push a second round trip for a step in a million.
"""

import threading

import numpy as np

from ..errors import RunEnded, ServerError
from ..model_spec import COLUMN_SLOT, SCALE_SLOT, SLOTS
from .base import Engine, refusal
from .row_ranges import RowRanges

_NOT_NEGATIVE = ("squares", "square", "touches")


class ShardedEngine(Engine):
    """Several engines as one.

    Requests go out to all shards before any reply is waited for.

    Parameters
    ----------
    engines : list of Engine
        Of one kind, each on a server of its own, in the order of the rows they hold; every
        client of a model must give them in this order.
    """

    def __init__(self, engines):
        self.engines = list(engines)
        self.name = self.engines[0].name
        self._ranges = {}
        self._lock = threading.RLock()

    def create(self, key, spec, steps, rate):
        ranges = RowRanges(spec.rows, spec.width, len(self.engines))
        made = []
        with self._lock:
            try:
                for engine, part in zip(self.engines, ranges.specs(spec), strict=False):
                    engine.create(key, part, steps, rate)
                    made.append(engine)
            except BaseException:
                for engine in made:
                    engine.drop(key)
                raise
            self._ranges[key] = ranges, spec.optimizer

    def pull(self, key, ids):
        split = self._layout(key).split(ids)
        return split.join(self._on_all("pull", [(key, part) for part in split.parts]))

    def push(self, key, ids, grads, lr, tag):
        split = self._layout(key).split(ids)
        pairs = zip(split.parts, split.cut_gradients(grads), strict=True)
        # True as soon as one shard had not seen it: it was not complete before.
        return any(self._on_all("push", [(key, *pair, lr, tag) for pair in pairs]))

    def step(self, key, ids, grads, lr, next_ids, tag):
        layout = self._layout(key)
        push, pull = layout.split(ids), layout.split(next_ids)
        triples = zip(push.parts, push.cut_gradients(grads), pull.parts, strict=True)
        calls = [(key, part, grad, lr, wanted, tag) for part, grad, wanted in triples]
        return pull.join(self._on_all("step", calls))

    def fence(self, key, worker, generation):
        for engine, _ in zip(self.engines, self._layout(key).pairs(), strict=False):
            engine.fence(key, worker, generation)

    def dump(self, key, slot, first, count):
        if slot == COLUMN_SLOT:  # every shard has it
            return self.engines[0].dump(key, slot, first, count)
        self._check_range(key, first, count)
        parts = [
            engine.dump(key, slot, start - low, end - start)
            for engine, low, start, end in self._overlaps(key, first, first + count)
        ]
        return np.concatenate(parts)

    def load(self, key, slot, first, values):
        if slot == COLUMN_SLOT:
            for engine, _ in zip(self.engines, self._layout(key).pairs(), strict=False):
                engine.load(key, slot, first, values)
            return
        width = 1 if slot == SCALE_SLOT else self._layout(key).width
        if values.size % width:
            raise refusal(f"BADLENGTH a row of this slot has {width} values")
        end = first + values.size // width
        self._check_range(key, first, end - first)
        self._check_values(key, slot, values)
        for engine, low, start, stop in self._overlaps(key, first, end):
            part = values[(start - first) * width : (stop - first) * width]
            engine.load(key, slot, start - low, part)

    def fill(self, key, slot, first, count, value):
        self._check_values(key, slot, np.array([value]))
        if slot == COLUMN_SLOT:
            for engine, _ in zip(self.engines, self._layout(key).pairs(), strict=False):
                engine.fill(key, slot, first, count, value)
            return
        self._check_range(key, first, count)
        for engine, low, start, stop in self._overlaps(key, first, first + count):
            engine.fill(key, slot, start - low, stop - start, value)

    def norms(self, key, first, count):
        self._check_range(key, first, count)
        return sum(
            engine.norms(key, start - low, stop - start)
            for engine, low, start, stop in self._overlaps(key, first, first + count)
        )

    def info(self, key):
        infos = self._infos(key)
        total = {
            name: sum(info[name] for info in infos) for name in ("rows", "penalized", "memory")
        }
        latest = max(infos, key=lambda info: info["steps"])
        return latest | total

    def publish(self, key, values):
        self.engines[0].publish(key, values)  # a vector is small, and is not split

    def read(self, key):
        return self.engines[0].read(key)

    def gather(self, key, ids, width):
        return self.engines[0].gather(key, ids, width)

    def drop(self, key):
        failure = None
        with self._lock:
            self._ranges.pop(key, None)
            for engine in self.engines:
                try:
                    engine.drop(key)
                except ServerError as error:  # the others are to be dropped all the same
                    failure = failure or error
        if failure is not None:
            raise failure

    def close(self):
        with self._lock:
            self._ranges.clear()
            for engine in self.engines:
                engine.close()

    def _on_all(self, method, calls):
        """Call a method on every shard, all at the same time; return the results.

        If shards fail, the first failure is raised when the others have answered.
        """
        with self._lock:
            pending, results, failure = [], [], None
            try:
                for engine, arguments in zip(self.engines, calls, strict=False):
                    try:
                        pending.append(engine.send(method, *arguments))
                    except ServerError as error:
                        failure = error
                        break
                for receive in pending:
                    try:
                        results.append(receive())
                    except ServerError as error:
                        failure = failure or error
            except BaseException:  # a reply may be under way that no one will read
                self.close()
                raise
        if failure is not None:
            raise failure
        return results

    def _layout(self, key):
        """Return the ranges of a model; asked of its servers once."""
        try:
            return self._ranges[key][0]
        except KeyError:
            self._infos(key)
            return self._ranges[key][0]

    def _infos(self, key):
        """Ask every shard of a model; a model of few rows is not on every server."""
        infos = []
        with self._lock:
            for engine in self.engines:
                try:
                    infos.append(engine.info(key))
                except RunEnded:
                    if not infos or infos[0]["rows"] > 1:
                        raise
                    break
            rows = sum(info["rows"] for info in infos)
            if key not in self._ranges:
                ranges = RowRanges(rows, infos[0]["width"], len(self.engines))
                self._ranges[key] = ranges, infos[0]["optimizer"]
        return infos

    def _overlaps(self, key, first, end):
        """Yield (engine, its first row, first, end) of every shard that rows first .. end are on.

        The first shard comes in any case, for a request of no rows may be refused as well.
        """
        for engine, (low, high) in zip(self.engines, self._layout(key).pairs(), strict=False):
            start, stop = max(first, low), min(end, high)
            if start < stop or (first == end and low <= first <= high):
                yield engine, low, start, stop
            if first == end and low <= first <= high:
                return

    def _check_range(self, key, first, count):
        """Refuse rows that are not of the table."""
        rows = self._layout(key).bounds[-1]
        if first < 0 or count < 0 or first + count > rows:
            raise refusal("BADVALUE the rows lie outside the table")

    def _check_values(self, key, slot, values):
        """Refuse values that one shard would refuse after another has loaded its part."""
        self._layout(key)
        names = SLOTS[self._ranges[key][1]]
        good = np.isfinite(values)
        if slot == SCALE_SLOT:
            good &= (values >= 1e-15) & (values <= 1e15)
        elif slot < len(names) and names[slot] in _NOT_NEGATIVE:
            good &= values >= 0
        if not good.all():
            raise refusal("BADVALUE a value is not finite, or not one that its slot can hold")
