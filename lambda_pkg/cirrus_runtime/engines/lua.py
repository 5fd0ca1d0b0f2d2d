"""Models in a Redis or Valkey that refuses modules, as managed ones do: a server-side script."""

import hashlib
from pathlib import Path

import numpy as np
import redis

from ..errors import ServerError
from ..model_spec import SCALE_SLOT
from .base import Engine, check_tag
from .connection import HeldConnection, pack, read_vector

_SCRIPT = b"\n".join(
    Path(__file__).with_name(name).read_bytes() for name in ("model.lua", "commands.lua")
)
_DIGEST = hashlib.sha1(_SCRIPT, usedforsecurity=False).hexdigest().encode()
_COUNTS = ("rows", "width", "penalized")
_NUMBERS = ("l1", "l2", "beta1", "beta2", "eps", "power_t")
_FIELDS = ("rows", "width", "optimizer", "penalized", "scaled", "varied", *_NUMBERS, "rate")
_CHUNK_VALUES = 65536  # of a dump or load: the server does nothing else while a script runs


class LuaEngine(Engine):
    """Keeps each model in two keys, its own and ``<key>:table``, and updates them by a script.

    The key should hold a ``{hash tag}``, so that a cluster keeps both on one node.

    Parameters
    ----------
    client : redis.Redis
    """

    name = "lua"

    def __init__(self, client):
        self._held = HeldConnection(client)

    def create(self, key, spec, steps, rate):
        fields = {name: getattr(spec, name) for name in _COUNTS}
        fields |= {name: float(np.float32(getattr(spec, name))) for name in _NUMBERS}
        fields |= {"scaled": int(spec.scaled), "varied": int(spec.varied)}
        fields |= {"base": steps, "step": 0}
        fields["rate"] = float(np.float32(rate))
        command = [b"create", b"optimizer", spec.optimizer.encode()]
        for name, value in fields.items():
            command += (name.encode(), repr(value).encode())
        self._run(key, *command)

    def pull(self, key, ids):
        return _floats(self._run(key, *_pull(ids)))

    def push(self, key, ids, grads, lr, tag):
        return self._run(key, *_push(ids, grads, lr, tag)) == 1

    def step(self, key, ids, grads, lr, next_ids, tag):
        return _floats(self._run(key, *_step(ids, grads, lr, next_ids, tag)))

    def send(self, method, key, *arguments):
        make, decode = _HALVES[method]
        script = _keys(key) + make(*arguments)
        self._held.send(pack(b"EVALSHA", _DIGEST, b"2", *script))

        def receive():
            try:
                return decode(self._held.receive()[0])
            except ServerError as error:
                return decode(self._run_anew(error, script))

        return receive

    def fence(self, key, worker, generation):
        self._run(key, b"tag", *_tail((worker, generation, 0)))

    def dump(self, key, slot, first, count):
        chunks = []
        rows = max(1, _CHUNK_VALUES // self._width(key, slot))
        for start in range(first, first + count, rows):
            size = min(rows, first + count - start)
            command = (b"dump", b"%d" % slot, b"%d" % start, b"%d" % size)
            chunks.append(_floats(self._run(key, *command)))
        return np.concatenate(chunks) if chunks else np.empty(0, np.float32)

    def load(self, key, slot, first, values):
        width = self._width(key, slot)
        rows = max(1, _CHUNK_VALUES // width)
        for start in range(0, max(1, values.size), rows * width):
            chunk = values[start : start + rows * width]
            self._run(key, b"load", b"%d" % slot, b"%d" % (first + start // width), chunk)

    def info(self, key):
        *fields, steps, memory = self._run(key, b"info")
        info = dict(zip(_FIELDS, fields, strict=True))
        info |= {name: int(info[name]) for name in _COUNTS}
        info |= {name: float(info[name]) for name in (*_NUMBERS, "rate")}
        info |= {name: info[name] == b"1" for name in ("scaled", "varied")}
        info["optimizer"] = info["optimizer"].decode()
        return info | {"steps": int(steps), "memory": int(memory)}

    def publish(self, key, values):
        self._held.call(pack(b"SET", key.encode(), values))

    def read(self, key):
        return read_vector(self._held, key)

    def drop(self, key):
        self._held.call(pack(b"UNLINK", *_keys(key)))

    def close(self):
        self._held.close()

    def _width(self, key, slot):
        """Return the values that a row has in a slot."""
        return 1 if slot == SCALE_SLOT else self.info(key)["width"]

    def _run(self, key, *arguments):
        """Run the script, and send it if the server does not know it yet."""
        script = _keys(key) + arguments
        try:
            return self._held.call(pack(b"EVALSHA", _DIGEST, b"2", *script))
        except ServerError as error:
            return self._run_anew(error, script)

    def _run_anew(self, error, script):
        """Run the script with its text, if the error says that the server does not know it."""
        if not isinstance(error.__cause__, redis.exceptions.NoScriptError):
            raise error
        return self._held.call(pack(b"EVAL", _SCRIPT, b"2", *script))


def _keys(key):
    """Return the two keys of a model."""
    return key.encode(), key.encode() + b":table"


def _pull(ids):
    """Return the arguments of a pull."""
    return b"pull", ids


def _push(ids, grads, lr, tag):
    """Return the arguments of a push."""
    return b"push", repr(lr).encode(), ids, grads, *_tail(tag)


def _step(ids, grads, lr, next_ids, tag):
    """Return the arguments of a step."""
    return b"step", next_ids, repr(lr).encode(), ids, grads, *_tail(tag)


def _floats(reply):
    """Return the values of a binary reply."""
    return np.frombuffer(reply, np.float32)


def _tail(tag):
    """Return the arguments that a tag adds to a push."""
    if tag is None:
        return ()
    check_tag(tag)
    return tuple(b"%d" % value for value in tag)


_HALVES = {"pull": (_pull, _floats), "push": (_push, (1).__eq__), "step": (_step, _floats)}
"""How a method becomes arguments, and how its reply is read."""
