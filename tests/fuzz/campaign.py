"""One run of the fuzzer: a server, a shadow of it, and the events that both have to survive."""

import tempfile
import time

import numpy as np
import psutil
import redis

from cirrus_runtime.engines.connection import pack

from ..redis_servers import crc64, running_server, wait_until
from . import sanitized
from .commands import MODEL_KEYS, STRING_KEY, VECTOR, Commands
from .replies import first_word, same, shown, told
from .report import Finding, Report
from .shadow import Shadow, Unforeseeable
from .tables import RAW_SLOT, Refused

_GROWTH = 96 << 20  # bytes by which the server may grow while the models stay small
_MOST_DAMAGED = 4096  # bytes; where the damage is matters, how much lies around it does not
_SCRIPT = b"return redis.pcall(unpack(ARGV))"
_OPTIONS = (
    "appendonly yes",
    "appendfsync no",
    "aof-use-rdb-preamble no",
    "auto-aof-rewrite-percentage 0",
)
_OPTIONS += ("crash-log-enabled no", "enable-debug-command yes", "slowlog-log-slower-than -1")


class Campaign:
    """Fires commands at one server program.

    Parameters
    ----------
    program : str
        ``redis-server`` or ``valkey-server``.
    seed : int
    address : bool
        Under AddressSanitizer too; not possible with Valkey.
    every : int
        Calls between two events.
    """

    def __init__(self, program, seed=0, *, address=True, every=1000):
        self.program = program
        self.address = address
        self.every = every
        self.shadow = Shadow()
        self.commands = Commands(seed, self.shadow)
        self.random = np.random.default_rng([seed, 1])
        self.report = Report()
        self.last = None

    def run(self, calls, progress=lambda report: None):
        """Send that many commands.

        Returns
        -------
        Report

        Raises
        ------
        Finding
        """
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="cirrus-fuzz-") as folder:
            self.folder = folder
            module = sanitized.build(folder, self.address)
            self.script = sanitized.wrap(self.program, folder, self.address)
            self.options = (*_OPTIONS, f"loadmodule {module}")
            try:
                while self.report.calls < calls:
                    self._life(calls)
                    self.report.seconds = time.perf_counter() - start
                    progress(self.report)
            except (Finding, AssertionError, redis.RedisError, OSError) as error:
                found = sanitized.reports(folder) or ["the sanitizers have said nothing"]
                raise Finding(
                    f"{error!r}\nafter {shown(self.last)}\n" + "\n".join(found)
                ) from error
            found = sanitized.reports(folder)
            if found:
                raise Finding("\n".join(found))
        return self.report

    def _life(self, calls):
        """Run one server from its start, which loads the log, to its end."""
        with running_server(self.script, self.folder, *self.options, module=False) as server:
            self.client = server.connect(protocol=2)
            pool = self.client.connection_pool
            self.connection = pool.connection_class(**pool.connection_kwargs)
            try:
                self._call(b"SET", STRING_KEY, VECTOR)
                self.shadow.strings[STRING_KEY] = VECTOR
                self._compare_all("start")
                events = (self._reload, self._rewrite, self._load_log, self._unlink_all)
                for event in (*events, *events, None):
                    for _ in range(min(self.every, calls - self.report.calls)):
                        self._one()
                    if event is not None:
                        event()
                    self._compare_all(event.__name__ if event else "_restart")
                    self._check_memory()
                    if self.report.calls >= calls:
                        break
            finally:
                self.connection.disconnect()
                self.client.close()

    # ---- One command

    def _one(self):
        """Send the next command and look at its answer."""
        dice = self.random.random()
        if dice < 0.03:
            self._restore()
        elif dice < 0.05:
            self._copy()
        elif dice < 0.055:
            self._unlink(self.random.choice(len(MODEL_KEYS)))
        else:
            argv = self.commands.next()
            in_script = dice < 0.08
            self._check(argv, self._ask(argv, in_script))
        self.report.calls += 1

    def _ask(self, argv, in_script):
        """Send a command, as it is or from a script; return the reply or the error."""
        self.last = argv
        try:
            if in_script:
                return self._call(b"EVAL", _SCRIPT, b"1", argv[1] if len(argv) > 1 else b"", *argv)
            return self._call(*argv)
        except redis.ResponseError as error:
            return error

    def _check(self, argv, reply):
        """Compare a reply with the shadow's."""
        word = first_word(reply)
        try:
            expected = self.shadow.answer(argv, word)
        except Refused as refused:
            if word != str(refused):
                raise Finding(f"{told(reply)} where {refused} is right") from refused
            self.report.refused += 1
            self.report.words[word] = self.report.words.get(word, 0) + 1
            return
        except Unforeseeable:
            self._unlink_key(argv[1])
            return
        if argv[0].upper() == b"CIRRUS.INFO" and isinstance(reply, list):
            reply = reply[:-2]  # without the memory
        if not same(reply, expected):
            raise Finding(f"{told(reply)} where {expected!r:.300} is right")

    def _restore(self):
        """Offer a damaged payload to RESTORE; what it takes must be a model that works."""
        key = self._some_model(_MOST_DAMAGED)
        if key is None:
            return
        payload = bytearray(self._call(b"DUMP", key)[:-8])
        if len(payload) > _MOST_DAMAGED:
            return  # room for the tags of many workers
        for _ in range(self.random.integers(0, 4)):
            place = int(self.random.integers(10, len(payload) - 2))
            payload[place] = self.random.choice((0, 1, 0x7F, 0x80, 0x81, 0xFF))
        if self.random.random() < 0.2:
            del payload[int(self.random.integers(10, len(payload) - 2)) : -2]
        self.last = [b"RESTORE", b"damaged", b"0", bytes(payload)]
        whole = bytes(payload) + crc64(payload).to_bytes(8, "little")
        self.report.restores += 1
        try:
            self._call(b"RESTORE", b"damaged", b"0", whole)
        except redis.ResponseError as error:
            if "Bad data format" not in str(error):
                raise
            return
        self.report.restored += 1
        info = self._call(b"CIRRUS.INFO", b"damaged")
        fields = dict(zip(info[::2], info[1::2], strict=True))
        rows, width = fields[b"rows"], fields[b"width"]
        last, ones = np.uint32(rows - 1).tobytes(), np.ones(width, np.float32).tobytes()
        self._call(b"CIRRUS.DUMP", b"damaged", b"0", b"0", b"%d" % min(rows, 100))
        self._ask([b"CIRRUS.PUSH", b"damaged", b"0.1", last, ones], False)  # or no step is left
        self._call(b"COPY", b"damaged", b"damaged too")
        self._call(b"CIRRUS.PULL", b"damaged too", last)
        self._call(b"UNLINK", b"damaged", b"damaged too")

    def _copy(self):
        """Copy a model over another, with COPY or with DUMP and RESTORE."""
        source, target = self._some_model(), self.random.choice(len(MODEL_KEYS))
        target = MODEL_KEYS[target]
        if source is None or source == target:
            return
        self.last = [b"COPY", source, target]
        if self.random.random() < 0.5:
            self._call(b"COPY", source, target, b"REPLACE")
        else:
            payload = self._call(b"DUMP", source)
            self._call(b"RESTORE", target, b"0", payload, b"REPLACE")
        self.shadow.copy(source, target)

    def _unlink(self, number):
        """Delete a model, so that another can be created."""
        self._unlink_key(MODEL_KEYS[number])

    def _unlink_key(self, key):
        if key in self.shadow.strings:
            return
        self._call(b"UNLINK", key)
        self.shadow.models.pop(key, None)

    def _some_model(self, most=2**40):
        """Return the key of a model with a table of so many bytes at most, or None."""
        keys = [key for key, served in self.shadow.models.items() if served.model.nbytes <= most]
        return keys[self.random.integers(len(keys))] if keys else None

    def _call(self, *argv):
        """Send a command and return its reply."""
        self.connection.send_packed_command([pack(*argv)], False)
        return self.connection.read_response(disable_decoding=True)

    # ---- Events

    def _reload(self):
        """Save to RDB, forget everything, load it."""
        self._call(b"DEBUG", b"RELOAD")

    def _load_log(self):
        """Forget everything, replay the log as the commands came."""
        self._call(b"DEBUG", b"LOADAOF")

    def _rewrite(self):
        """Write the log anew from the models, then replay it."""
        self._call(b"BGREWRITEAOF")
        wait_until(lambda: not self._is_rewriting(), "the rewrite does not end", 60.0)
        if self.client.info("persistence")["aof_last_bgrewrite_status"] != "ok":
            raise Finding("the log could not be rewritten")
        self._call(b"DEBUG", b"LOADAOF")

    def _is_rewriting(self):
        info = self.client.info("persistence")
        return info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"]

    def _unlink_all(self):
        """Delete all models."""
        for key in MODEL_KEYS:
            self._unlink_key(key)

    def _compare_all(self, event):
        """Compare every bit of every model, and the tags by a push that was applied before."""
        self.report.events[event.strip("_")] = self.report.events.get(event.strip("_"), 0) + 1
        self.last = [event.encode()]
        if self._call(b"DBSIZE") != len(self.shadow.models) + len(self.shadow.strings):
            raise Finding(
                f"the keys are {self._call(b'KEYS', b'*')}, not {[*self.shadow.models]} and strings"
            )
        for key, served in list(self.shadow.models.items()):
            rows = b"%d" % served.model.spec.rows
            for argv in (
                [b"CIRRUS.INFO", key],
                [b"CIRRUS.DUMP", key, b"%d" % RAW_SLOT, b"0", rows],
                [b"CIRRUS.DUMP", key, b"0", b"0", rows],
            ):
                self._check(argv, self._ask(argv, False))
            for worker, (generation, sequence) in served.tags.items():
                tag = [b"TAG", *(b"%d" % value for value in (worker, generation, sequence))]
                argv = [b"CIRRUS.PUSH", key, b"0.1", b"", b"", *tag]
                self._check(argv, self._ask(argv, False))

    def _check_memory(self):
        """Refuse a server that grows, as it would if something were lost."""
        pid = self.client.info("server")["process_id"]
        self.report.resident.append(psutil.Process(pid).memory_info().rss)
        if self.report.resident[-1] - self.report.resident[0] > _GROWTH:
            raise Finding(f"the server grows: {self.report.resident} bytes after each event")
