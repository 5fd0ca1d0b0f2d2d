"""Models in a Redis or Valkey that has the module loaded: the fast path."""

import numpy as np
import redis

from ..errors import ServerError
from .base import Engine
from .connection import HeldConnection, pack, read_vector

_ARGUMENT = b"$%d\r\n%b\r\n"
_BLOB = b"$%d\r\n"
_PUSH = b"*%d\r\n$11\r\nCIRRUS.PUSH\r\n" + 2 * _ARGUMENT + _BLOB
_STEP = b"*%d\r\n$11\r\nCIRRUS.STEP\r\n" + 2 * _ARGUMENT + _BLOB
_NEXT = b"\r\n" + _BLOB
_TAG = b"$3\r\nTAG\r\n" + 3 * _ARGUMENT
_SETTINGS = ("l1", "l2", "beta1", "beta2", "eps", "power_t")


class ModuleEngine(Engine):
    """Calls the commands of ``sklearn_cirrus/redis_module/module.c``.

    Parameters
    ----------
    client : redis.Redis
    """

    name = "module"

    def __init__(self, client):
        self._held = HeldConnection(client)

    def is_there(self):
        """Ask something that is wrong: only the module says in what way, whatever the user may."""
        try:
            self._held.call(pack(b"CIRRUS.INFO"))
        except ServerError as error:
            if not isinstance(error.__cause__, redis.ResponseError):
                raise
            if "unknown command" in str(error):
                return False
            if "wrong number of arguments" not in str(error):
                raise
        return True

    def create(self, key, spec, steps, rate):
        command = [b"CIRRUS.CREATE", key.encode()]
        for name in ("rows", "width", "penalized", *_SETTINGS):
            command += (name.encode(), _number(getattr(spec, name)))
        command += (b"OPTIMIZER", spec.optimizer.encode(), b"CLOCK", _number(steps), _number(rate))
        if spec.scaled:
            command.append(b"SCALED")
        if spec.varied:
            command.append(b"VARIED")
        self._held.call(pack(*command))

    def pull(self, key, ids):
        return _floats(self._held.call_parts(_pull(key, ids)))

    def push(self, key, ids, grads, lr, tag):
        return self._held.call_parts(_push(key, ids, grads, lr, tag)) == 1

    def step(self, key, ids, grads, lr, next_ids, tag):
        return _floats(self._held.call_parts(_step(key, ids, grads, lr, next_ids, tag)))

    def send(self, method, *arguments):
        pack_method, decode = _HALVES[method]
        self._held.send(b"".join(pack_method(*arguments)))
        return lambda: decode(self._held.receive()[0])

    def fence(self, key, worker, generation):
        tag = map(_number, (worker, generation, 0))
        self._held.call(pack(b"CIRRUS.TAG", key.encode(), *tag))

    def dump(self, key, slot, first, count):
        command = (b"CIRRUS.DUMP", key.encode(), *map(_number, (slot, first, count)))
        return _floats(self._held.call_parts((pack(*command),)))

    def load(self, key, slot, first, values):
        self._held.call(pack(b"CIRRUS.LOAD", key.encode(), _number(slot), _number(first), values))

    def fill(self, key, slot, first, count, value):
        numbers = map(_number, (slot, first, count, value))
        self._held.call(pack(b"CIRRUS.FILL", key.encode(), *numbers))

    def norms(self, key, first, count):
        command = (b"CIRRUS.NORMS", key.encode(), _number(first), _number(count))
        return np.frombuffer(self._held.call(pack(*command)), np.float64)

    def info(self, key):
        reply = self._held.call(pack(b"CIRRUS.INFO", key.encode()))
        info = {name.decode(): value for name, value in zip(reply[::2], reply[1::2], strict=True)}
        info |= {name: float(info[name]) for name in (*_SETTINGS, "rate")}
        info |= {name: bool(info[name]) for name in ("scaled", "varied")}
        info["optimizer"] = info["optimizer"].decode()
        return info

    def publish(self, key, values):
        self._held.call(pack(b"SET", key.encode(), values))

    def read(self, key):
        return read_vector(self._held, key)

    def gather(self, key, ids, width):
        reply = self._held.call(pack(b"CIRRUS.GATHER", key.encode(), _number(width), ids))
        return np.frombuffer(reply, np.float64)

    def drop(self, key):
        self._held.call(pack(b"UNLINK", key.encode()))

    def close(self):
        self._held.close()


def _number(value):
    """Return a number in decimal; enough digits to give the same number back."""
    return repr(value).encode()


def _pull(key, ids):
    """Pack a pull, in parts."""
    return (pack(b"CIRRUS.PULL", key.encode(), ids),)


def _push(key, ids, grads, lr, tag):
    """Pack a push, in parts."""
    name, rate = key.encode(), _number(lr)
    more, tail = _tail(tag)
    head = _PUSH % (5 + more, len(name), name, len(rate), rate, ids.nbytes)
    return head, ids, _NEXT % grads.nbytes, grads, b"\r\n" + tail


def _step(key, ids, grads, lr, next_ids, tag):
    """Pack a step, in parts."""
    name, rate = key.encode(), _number(lr)
    more, tail = _tail(tag)
    head = _STEP % (6 + more, len(name), name, len(rate), rate, ids.nbytes)
    middle = _NEXT % grads.nbytes, grads, _NEXT % next_ids.nbytes, next_ids
    return head, ids, *middle, b"\r\n" + tail


def _floats(reply):
    """Return the values of a binary reply."""
    return np.frombuffer(reply, np.float32)


def _tail(tag):
    """Return how many arguments a tag adds to a push, and these arguments packed."""
    if tag is None:
        return 0, b""
    worker, generation, sequence = (b"%d" % value for value in tag)
    return 4, _TAG % (
        *(len(worker), worker, len(generation), generation),
        *(len(sequence), sequence),
    )


_HALVES = {"pull": (_pull, _floats), "push": (_push, (1).__eq__), "step": (_step, _floats)}
"""How a method is packed, and how its reply is read."""
