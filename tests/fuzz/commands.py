"""Commands to send: valid ones that reach deep, mutations of these, and plain noise. Seeded."""

import numpy as np

from cirrus_runtime.model_spec import COLUMN_SLOT, SCALE_SLOT, SLOTS

from .tables import RAW_SLOT

MODEL_KEYS = [b"m%d" % i for i in range(5)] + [b"", b"\0\xff\r\n", b"k" * 300]
STRING_KEY, NO_KEY = b"a string", b"nothing"
VECTOR = np.arange(8.0).tobytes()  # what the string holds
NAMES = ("CREATE", "PULL", "PUSH", "STEP", "DUMP", "LOAD", "TAG", "INFO", "GATHER")
_MOST_VALUES = 20_000  # of a table, without its state
_FLAGS = (
    b"TAG",
    b"tag",
    b"ROWS",
    b"WIDTH",
    b"OPTIMIZER",
    b"SCALED",
    b"VARIED",
    b"CLOCK",
    b"FOLDED",
    b"L1",
)
_NUMBERS = (
    *(
        b"0",
        b"1",
        b"-1",
        b"-0",
        b"00",
        b"+1",
        b" 1",
        b"1 ",
        b"",
        b"1.5",
        b"1e5",
        b"1e-5",
        b".5",
        b"5.",
    ),
    *(
        b"nan",
        b"-nan",
        b"inf",
        b"-inf",
        b"infinity",
        b"1e38",
        b"3.5e38",
        b"1e39",
        b"1e308",
        b"1e400",
    ),
    *(b"1e-40", b"1e-400", b"0x10", b"0x1p3", b"1_0", b"1,5", b"1\x000", b"\xff", b"a"),
    *(b"101", b"102", b"103", b"65535", b"65536", b"2147483632", b"2147483633", b"2147483648"),
    *(b"4294967295", b"4294967296", b"9007199254740992", b"9007199254740993"),
    *(b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808"),
    *(b"18446744073709551615", b"18446744073709551616", b"1" * 400),
)
_IDS = np.array([0, 1, 2, 2**31 - 1, 2**31, 2**32 - 1], np.uint32)
_FLOATS = np.array(
    [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1e-38, 3.4e38, -3.4e38, 1e20, 1e-20], np.float32
)


class Commands:
    """A stream of commands; what is valid depends on the models there are.

    Parameters
    ----------
    seed : int
    shadow : Shadow
    """

    def __init__(self, seed, shadow):
        self.random = np.random.default_rng(seed)
        self.shadow = shadow

    def next(self):
        """Return the next command, a list of bytes."""
        dice = self.random.random()
        if dice < 0.08:
            return self._noise()
        argv = self._valid()
        if dice < 0.45:
            for _ in range(self.random.integers(1, 4)):
                argv = self._mutated(argv)
        return argv

    def pick(self, choices):
        """Return one of a sequence."""
        return choices[self.random.integers(len(choices))]

    # ---- Valid commands

    def _valid(self):
        """Return a command that most likely succeeds."""
        if self.random.random() < 0.03:
            ids = self.random.integers(0, 8, self.random.integers(0, 6)).astype(np.uint32)
            return [
                b"CIRRUS.GATHER",
                STRING_KEY,
                self.pick((b"1", b"2", b"8", b"3")),
                ids.tobytes(),
            ]
        key = self.pick(MODEL_KEYS)
        served = self.shadow.models.get(key)
        if served is None:
            return [b"CIRRUS.CREATE", key, *self._options()]
        names = ("PULL", "PUSH", "PUSH", "STEP", "STEP", "STEP", "DUMP", "LOAD", "TAG", "INFO")
        name = self.pick((*names, "FILL", "NORMS"))
        return [b"CIRRUS." + name.encode(), key, *getattr(self, "_" + name.lower())(served)]

    def _options(self):
        """Return the options of a model that fits in memory."""
        width = self.pick((1, 1, 1, 2, 3, 17, 450))
        rows = min(self.pick((1, 2, 5, 40, 300, 5000)), max(1, _MOST_VALUES // width))
        options = [b"ROWS", rows, b"WIDTH", width, b"OPTIMIZER", self.pick(list(SLOTS)).encode()]
        extra = {
            b"PENALIZED": lambda: self.random.integers(0, rows + 1),
            b"L1": lambda: self.pick((0.0, 1e-6, 0.01, 1.0, 1e30)),
            b"L2": lambda: self.pick((0.0, 1e-6, 0.01, 1.0, 1e30)),
            b"BETA1": lambda: self.pick((0.0, 0.5, 0.9, 0.999)),
            b"BETA2": lambda: self.pick((0.0, 0.9, 0.999, 0.9999999)),
            b"EPS": lambda: self.pick((0.0, 1e-8, 1.0)),
            b"POWER_T": lambda: self.pick((0.5, 0.75, 0.8, 1.0)),
        }
        for name, value in extra.items():
            if self.random.random() < 0.5:
                options += [name, value()]
        if self.random.random() < 0.4:
            options.append(b"SCALED")
        if self.random.random() < 0.3:
            options.append(b"VARIED")
        if self.random.random() < 0.3:  # now and then so that the stamps are about to overflow
            steps = self.pick((5, 2**31 - 18, 2**31, 2**53 - 1))
            folded = steps - min(steps, 2**31 - 17) if self.random.random() < 0.5 else steps
            options += [b"CLOCK", steps, self.pick((0.0, 0.1)), b"FOLDED", folded]
        return [option if isinstance(option, bytes) else _text(option) for option in options]

    def _pull(self, served):
        return [self._ids(served, repeated=True)]

    def _push(self, served):
        ids = self._ids(served)
        return [self._rate(), ids, self._grads(served, len(ids) // 4), *self._maybe_tag()]

    def _step(self, served):
        rate, ids, grads, *tag = self._push(served)
        return [rate, ids, grads, self._ids(served, repeated=True), *tag]

    def _dump(self, served):
        slot = self._slot(served)
        rows = served.rows(slot)
        first = self.random.integers(0, rows + 1)
        count = self.random.integers(0, min(rows - first, 500) + 1)
        return [_text(slot), _text(first), _text(count)]

    def _load(self, served):
        slot = self._slot(served)
        rows = served.rows(slot)
        first = self.random.integers(0, rows + 1)
        count = int(self.random.integers(0, min(rows - first, 50) + 1))
        size = served.slot_bytes(slot)
        if slot == RAW_SLOT:
            values = served.raw()[first * size : (first + count) * size].tobytes()
        elif slot == SCALE_SLOT:
            values = self.random.uniform(0.1, 10, count).astype(np.float32).tobytes()
        else:
            values = np.abs(self._values(count * served.width)).tobytes()
        return [_text(slot), _text(first), values]

    def _fill(self, served):
        slot, first, count = self._dump(served)
        return [slot, first, count, self.pick((b"0", b"0.1", b"1", b"16"))]

    def _norms(self, served):
        rows = served.model.spec.rows
        first = self.random.integers(0, rows + 1)
        return [_text(first), _text(self.random.integers(0, rows - first + 1))]

    def _tag(self, served):
        return [_text(value) for value in self._tag_values()]

    def _info(self, served):
        return []

    def _slot(self, served):
        """Return the number of a slot that the model has."""
        slots = [*range(len(SLOTS[served.model.spec.optimizer])), RAW_SLOT]
        spec = served.model.spec
        return self.pick(slots + [SCALE_SLOT] * spec.scaled + [COLUMN_SLOT] * spec.varied)

    def _ids(self, served, repeated=False):
        """Return ids of rows that there are, as a blob."""
        rows = served.model.spec.rows
        n = int(self.random.integers(0, 41))
        if repeated:
            return self.random.integers(0, rows, n).astype(np.uint32).tobytes()
        return self.random.choice(rows, min(n, rows), replace=False).astype(np.uint32).tobytes()

    def _grads(self, served, n):
        """Return gradients as a blob."""
        return self._values(n * served.width).tobytes()

    def _values(self, n):
        """Return finite float32 values, now and then very large and very small ones."""
        size = self.pick((1.0, 1.0, 1.0, 1e-20, 1e18, 1e37))
        return (size * np.clip(self.random.standard_normal(n), -9, 9)).astype(np.float32)

    def _rate(self):
        return self.pick((b"0.1", b"0.01", b"1", b"0", b"1e-30", b"1e30", b"3.4e38", b"0.3333"))

    def _tag_values(self):
        """Return worker, generation and sequence: few, so that they meet again."""
        worker = self.pick((0, 1, 2, 3, 17)) if self.random.random() < 0.99 else 65535
        return worker, self.random.integers(0, 3), self.random.integers(0, 2000)

    def _maybe_tag(self):
        if self.random.random() < 0.5:
            return []
        return [b"TAG", *map(_text, self._tag_values())]

    # ---- Mutation and noise

    def _mutated(self, argv):
        """Return a command with one thing changed; its name stays."""
        argv = list(argv)
        at = int(self.random.integers(1, max(2, len(argv))))
        kind = self.random.integers(9)
        if kind == 0 and at < len(argv):
            del argv[at]
        elif kind == 1:
            argv.insert(at, self._argument())
        elif kind == 2 and at < len(argv):
            argv.insert(at, argv[at])
        elif kind == 3 and len(argv) > 2:
            other = int(self.random.integers(1, len(argv)))
            if at < len(argv):
                argv[at], argv[other] = argv[other], argv[at]
        elif kind == 4:
            argv[1:2] = [self.pick((*MODEL_KEYS, STRING_KEY, NO_KEY))]
        elif at < len(argv):
            argv[at] = self._argument() if kind == 5 else self._damaged(argv[at])
        return argv

    def _damaged(self, blob):
        """Return a string with some of its bytes, ids or floats changed, or another length."""
        blob = bytearray(blob)
        kind = self.random.integers(6)
        if kind == 0:
            del blob[int(self.random.integers(0, len(blob) + 1)) :]
        elif kind == 1:
            blob += self.random.bytes(self.random.integers(1, 9))
        elif kind == 2 and blob:
            blob[int(self.random.integers(len(blob)))] = self.random.integers(256)
        elif len(blob) >= 4:
            place = 4 * int(self.random.integers(len(blob) // 4))
            values = (_IDS, _FLOATS)[kind % 2]
            blob[place : place + 4] = self.pick(values).tobytes()
            if kind == 5:  # the same id twice
                blob[:4] = blob[place : place + 4]
        return bytes(blob)

    def _argument(self):
        """Return any argument."""
        kind = self.random.integers(5)
        if kind == 0:
            return self.pick(_FLAGS)
        if kind == 1:
            return self.random.bytes(self.random.integers(0, 33))
        if kind == 2:
            return self.pick(_IDS).tobytes() * int(self.random.integers(1, 4))
        return self.pick(_NUMBERS)

    def _noise(self):
        """Return a command of anything."""
        name = self.pick(NAMES)
        if self.random.random() < 0.2:
            name = name.lower()
        key = self.pick((*MODEL_KEYS, STRING_KEY, NO_KEY))
        count = self.random.integers(0, 12)
        arguments = [key, *(self._argument() for _ in range(count))]
        return [b"CIRRUS." + name.encode(), *arguments[: self.random.integers(0, 13)]]


def _text(number):
    """Return a number as a command takes it."""
    return repr(number.item() if isinstance(number, np.generic) else number).encode()
