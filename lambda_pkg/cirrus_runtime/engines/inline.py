"""Models in the memory of this process: no server, one worker, deterministic."""

import threading

from ..kernels import Model, StatusError
from .base import Engine, check_tag, refusal

_WORDS = {2: "OOM", 3: "BADID", 4: "BADID"}  # the others are BADVALUE


class InlineEngine(Engine):
    """Runs the kernels that the Redis module runs, on tables of its own."""

    name = "inline"

    def __init__(self):
        self._entries = {}
        self._vectors = {}
        self._lock = threading.Lock()

    def create(self, key, spec, steps, rate):
        with self._lock:
            if key in self._entries:
                raise refusal("MODELEXISTS there is a model at this key already")
            try:
                self._entries[key] = _Entry(Model(spec, steps, rate))
            except StatusError as error:
                raise _translated(error) from error

    def pull(self, key, ids):
        return self._call(key, Model.pull, ids)

    def push(self, key, ids, grads, lr, tag):
        entry = self._entry(key)
        with entry.lock:
            return entry.push(ids, grads, lr, tag)

    def step(self, key, ids, grads, lr, next_ids, tag):
        entry = self._entry(key)
        with entry.lock:
            try:
                entry.model.check_ids(next_ids)
                entry.push(ids, grads, lr, tag)
                return entry.model.pull(next_ids)
            except StatusError as error:
                raise _translated(error) from error

    def fence(self, key, worker, generation):
        entry = self._entry(key)
        with entry.lock:
            entry.tags[worker] = generation, 0

    def dump(self, key, slot, first, count):
        return self._call(key, Model.dump, slot, first, count)

    def load(self, key, slot, first, values):
        self._call(key, Model.load, slot, first, values)

    def fill(self, key, slot, first, count, value):
        self._call(key, Model.fill, slot, first, count, value)

    def norms(self, key, first, count):
        return self._call(key, Model.norms, first, count)

    def info(self, key):
        entry = self._entry(key)
        with entry.lock:
            model = entry.model
            spec = {name: getattr(model.spec, name) for name in model.spec.__dataclass_fields__}
            return spec | {"steps": model.steps, "rate": model.rate, "memory": model.nbytes}

    def publish(self, key, values):
        vector = values.copy()
        vector.flags.writeable = False
        self._vectors[key] = vector

    def read(self, key):
        try:
            return self._vectors[key]
        except KeyError:
            raise refusal("NOMODEL there is no vector at this key") from None

    def drop(self, key):
        with self._lock:
            self._entries.pop(key, None)
            self._vectors.pop(key, None)

    def _entry(self, key):
        """Return what is kept for a model."""
        try:
            return self._entries[key]
        except KeyError:
            raise refusal("NOMODEL there is no model at this key") from None

    def _call(self, key, method, *arguments):
        """Call a method of a model while no other thread does."""
        entry = self._entry(key)
        with entry.lock:
            try:
                return method(entry.model, *arguments)
            except StatusError as error:
                raise _translated(error) from error


class _Entry:
    """A model, its lock, and the last push of every worker."""

    def __init__(self, model):
        self.model = model
        self.lock = threading.Lock()
        self.tags = {}

    def push(self, ids, grads, lr, tag):
        """Apply a push unless its tag says that it was applied already."""
        if grads.size != ids.size * self.model.spec.width:
            raise refusal(f"BADLENGTH {ids.size} ids do not go with {grads.size} gradients")
        if tag is not None:
            check_tag(tag)
            worker, generation, sequence = tag
            seen, last = self.tags.get(worker, (-1, -1))
            if generation < seen:
                raise refusal(f"STALEWORKER generation {seen} of worker {worker} has taken over")
            if generation == seen and sequence <= last:
                return False
        try:
            self.model.push(ids, grads, lr)
        except StatusError as error:
            raise _translated(error) from error
        if tag is not None:
            self.tags[worker] = generation, sequence
        return True


def _translated(error):
    """Return a kernel's refusal in the words of a server."""
    return refusal(f"{_WORDS.get(error.status, 'BADVALUE')} {error}")
