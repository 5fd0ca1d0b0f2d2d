"""The board of a run on a Redis server: two streams.

Leases are a stream with one consumer group, ``workers``; a worker's place and generation are its
consumer. Taking is XREADGROUP (and XAUTOCLAIM, for leases that nobody renews), renewing XCLAIM to
oneself, finishing one transaction of XADD to the reports, XACK and XDEL. Taking the board down
deletes both streams: Redis then wakes a blocked XREADGROUP with an error.
"""

from contextlib import contextmanager

import redis

from .board import Board
from .errors import RunEnded, ServerError
from .protocol import Lease, Report, decode, encode

_GROUP = b"workers"
_FIELD = b"r"
_MANY = 1000


class RedisBoard(Board):
    """Leases and reports of one run.

    Parameters
    ----------
    client : redis.Redis
    keys : RunKeys
    worker, generation : int, optional
        Who uses it, if a worker.
    lease_seconds : float
        Age at which a lease that is not renewed may be taken over.
    """

    def __init__(self, client, keys, *, worker=0, generation=0, lease_seconds=30.0):
        self._client = client
        self._leases = keys.leases
        self._reports = keys.reports
        self._consumer = _consumer(worker, generation)
        self._idle_ms = int(1000 * lease_seconds)
        self._last = b"0"

    def put_up(self):
        """Make the streams; the trainer does so once, before anything else."""
        with self._errors(), self._client.pipeline(transaction=True) as pipe:
            for stream in (self._leases, self._reports):
                pipe.xgroup_create(stream, _GROUP, id="0", mkstream=True)
            pipe.execute()

    def offer(self, leases):
        with self._errors(), self._client.pipeline(transaction=True) as pipe:
            for lease in leases:
                self._post(pipe, self._leases, lease)
            _check(pipe.execute()[-1])

    def collect(self, timeout):
        with self._errors():
            reply = self._client.xread(
                {self._reports: self._last}, count=_MANY, block=max(1, int(1000 * timeout))
            )
        reports = []
        for self._last, fields in _entries(reply):
            reports.append(decode(Report, fields[_FIELD]))
        return reports

    def reclaim(self, worker, generation):
        consumer = _consumer(worker, generation)
        count = 0
        while True:
            with self._errors():
                held = self._client.xpending_range(
                    self._leases, _GROUP, min="-", max="+", count=_MANY, consumername=consumer
                )
            for entry in held:
                token = entry["message_id"]
                with self._errors():
                    found = self._client.xrange(self._leases, token, token)
                if found:
                    self.give_back(token, decode(Lease, found[0][1][_FIELD]))
                    count += 1
            if len(held) < _MANY:
                return count

    def take_down(self):
        with self._errors():
            self._client.unlink(self._leases, self._reports)

    def take(self, timeout):
        with self._errors():
            reply = self._client.xreadgroup(
                *(_GROUP, self._consumer, {self._leases: ">"}),
                count=1,
                block=max(1, int(1000 * timeout)),
            )
            for token, fields in _entries(reply):
                return token, decode(Lease, fields[_FIELD])
            reply = self._client.xautoclaim(
                self._leases, _GROUP, self._consumer, self._idle_ms, count=1
            )
        for token, fields in reply[1]:
            if fields:  # None: finished by its first owner in this very moment
                return token, decode(Lease, fields[_FIELD])
        return None

    def renew(self, tokens):
        with self._errors():
            self._client.xclaim(
                self._leases, _GROUP, self._consumer, 0, message_ids=list(tokens), justid=True
            )

    def finish(self, token, report):
        self._replace(token, self._reports, report)

    def give_back(self, token, lease):
        self._replace(token, self._leases, lease)

    def _replace(self, token, stream, record):
        """Let go of a lease and post a record, both or neither."""
        with self._errors(), self._client.pipeline(transaction=True) as pipe:
            pipe.xack(self._leases, _GROUP, token)
            pipe.xdel(self._leases, token)
            self._post(pipe, stream, record)
            _check(pipe.execute()[-1])

    @staticmethod
    def _post(pipe, stream, record):
        """Add a record to a stream that is there: one taken down must not come to life again."""
        pipe.xadd(stream, {_FIELD: encode(record)}, nomkstream=True)

    @contextmanager
    def _errors(self):
        """Translate the errors of Redis."""
        try:
            yield
        except redis.ResponseError as error:
            if "NOGROUP" in str(error) or "UNBLOCKED" in str(error):
                raise RunEnded("the run has ended") from error
            raise ServerError(f"the server refused a command: {error}") from error
        except (redis.RedisError, OSError) as error:
            raise ServerError(f"the server cannot be reached: {error}") from error


def _consumer(worker, generation):
    """Return the name of a worker as a consumer."""
    return b"%d.%d" % (worker, generation)


def _check(entry):
    """Raise RunEnded if a record could not be posted."""
    if entry is None:
        raise RunEnded("the run has ended")


def _entries(reply):
    """Return the (id, fields) of a reply of XREAD or XREADGROUP on one stream."""
    if not reply:
        return []
    streams = reply.values() if isinstance(reply, dict) else (stream[1] for stream in reply)
    entries = next(iter(streams))
    # RESP3 wraps the entries of a stream in one list more.
    return entries[0] if entries and isinstance(entries[0], list) else entries
