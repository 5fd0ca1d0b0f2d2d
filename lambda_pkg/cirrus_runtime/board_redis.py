"""The board of a run on a Redis server: two streams.

Leases are a stream with one consumer group, ``workers``; a worker's place and generation are its
consumer. Taking is XREADGROUP (and XAUTOCLAIM, for leases that nobody renews), renewing XCLAIM to
oneself, finishing one transaction of XADD to the reports, XACK and XDEL. Taking the board down
deletes both streams: Redis 7 and Valkey then wake a blocked XREADGROUP with an error, Redis 6.2
lets it wait to its end.

A transaction whose reply is lost may have been done or not. Leases would be trained on twice if
they were posted once more, so the transaction that posts them also notes the number of the last
one, and who does not know looks there first.

The stream of reports has a group too, in which the trainer is a consumer that never gets anything:
the server knows how long ago it last asked. A key that expires would say the same, until a server
that is short of memory evicts it.

A fit on small data passes here every few milliseconds, so commands go packed through held
connections: one for what may block, one for the rest, for they come from different threads.
"""

import math
import time

from .board import Board
from .board_streams import (
    check_posted,
    consumer_of,
    ending,
    entries_of,
    milliseconds,
    posting,
    silences_of,
)
from .engines.base import refusal
from .engines.connection import HeldConnection, pack
from .errors import RunEnded, ServerError, ServerUnavailable, TrainerLost
from .protocol import Lease, Report, decode

_GROUP = b"workers"
_TRAINER = b"trainer"
_PATIENCE = 4  # times lease_seconds that workers of a silent trainer go on
_MANY = b"1000"
_MOST_READ = 64  # reports: those that were read are deleted together
_MULTI, _EXEC = pack(b"MULTI"), pack(b"EXEC")


class RedisBoard(Board):
    """Leases and reports of one run.

    Parameters
    ----------
    client : redis.Redis
    keys : RunKeys
    worker, generation : int, optional
        Who uses it, if a worker.
    lease_seconds : float
        Age at which a lease that is not renewed may be taken over. Workers end when the trainer
        has not been heard of for four times as long.
    """

    def __init__(self, client, keys, *, worker=0, generation=0, lease_seconds=30.0):
        self._waiting = HeldConnection(client)
        self._prompt = HeldConnection(client)
        self._leases = keys.leases.encode()
        self._reports = keys.reports.encode()
        self._offered = keys.offered.encode()
        self._unsure = ()  # numbers of leases that may have been posted: the reply was lost
        self._consumer = consumer_of(worker, generation)
        self._lease_seconds = lease_seconds
        self._idle_ms = b"%d" % int(1000 * lease_seconds)
        self._heard = -math.inf  # when the trainer was last heard of, by its own clock
        self._last, self._read = b"0", []  # reports that were read and are still there
        self._are_many = False
        self._taken = set()  # tokens of leases that this worker holds and knows of
        self._may_overlook = False

    def put_up(self):
        """Make the streams; the trainer does so before anything else."""
        self._last, self._read, self._are_many = b"0", [], False
        streams = self._leases, self._reports
        create = [
            pack(b"XGROUP", b"CREATE", stream, _GROUP, b"0", b"MKSTREAM") for stream in streams
        ]
        # A trainer that was killed may have left them, and this one goes on with its run.
        nothing = pack(b"SET", self._offered, b"-1")
        self._transaction([pack(b"UNLINK", *streams), *create, nothing])
        self._unsure = ()
        self._heard = -math.inf
        self.beat()

    def beat(self):
        now = time.monotonic()
        if now - self._heard > self._lease_seconds / 3:
            self._heard = now
            command = (b"XREADGROUP", b"GROUP", _GROUP, _TRAINER, b"COUNT", b"1")
            self._call(*command, b"STREAMS", self._reports, b"0")

    def offer(self, leases):
        self.beat()
        if self._unsure:
            posted = self._call(b"GET", self._offered) == b"%d" % self._unsure[-1]
            leases = [one for one in leases if not (posted and one.number in self._unsure)]
            self._unsure = ()
        if not leases:
            return
        posts = [posting(self._leases, lease) for lease in leases]
        self._unsure = tuple(lease.number for lease in leases)
        note = pack(b"SET", self._offered, b"%d" % self._unsure[-1], b"XX")
        check_posted(self._transaction([*posts, note]))
        self._unsure = ()

    def collect(self, timeout):
        self.beat()
        self._delete_read()
        command = (b"XREAD", b"COUNT", _MANY, b"BLOCK", milliseconds(timeout))
        reply = self._waiting.call(pack(*command, b"STREAMS", self._reports, self._last))
        if not reply and not self._call(b"EXISTS", self._reports):
            raise RunEnded("the run has ended")  # XREAD waits for streams that are yet to come
        reports = []
        for self._last, fields in entries_of(reply):
            reports.append(decode(Report, *fields[1::2]))
            self._read.append(self._last)
            self._are_many |= bool(reports[-1].body) or len(self._read) >= _MOST_READ
        return reports

    def _delete_read(self):
        """Delete the reports that were read, if they are many or heavy: nobody else reads them.

        Before others are read, not after: if the connection is lost here, no report is in hand.
        """
        if self._are_many:
            self._call(b"XDEL", self._reports, *self._read)
            self._read, self._are_many = [], False

    def reclaim(self, worker, generation):
        consumer = consumer_of(worker, generation)
        count = 0
        while True:
            command = (b"XPENDING", self._leases, _GROUP, b"-", b"+", _MANY, consumer)
            held = self._call(*command)
            for token, *_ in held:
                for _, fields in self._call(b"XRANGE", self._leases, token, token):
                    self._replace(token, (), decode(Lease, fields[1]))
                    count += 1
            if len(held) < int(_MANY):
                return count

    def held(self, worker, generation):
        command = (b"XPENDING", self._leases, _GROUP, b"-", b"+", _MANY)
        leases = []
        for token, *_ in self._call(*command, consumer_of(worker, generation)):
            for _, fields in self._call(b"XRANGE", self._leases, token, token):
                leases.append(decode(Lease, fields[1]))
        return leases

    def silence(self):
        silence = {}
        for name, seconds in silences_of(self._call(b"XINFO", b"CONSUMERS", self._leases, _GROUP)):
            worker, generation = map(int, name.split(b"."))
            silence[worker, generation] = seconds
        return silence

    def count(self):
        return self._call(b"XLEN", self._leases)

    def check(self):
        if self._call(b"EXISTS", self._leases, self._reports) < 2:
            raise RunEnded("the run has ended")

    def instance(self):
        try:
            info = self._call(b"INFO", b"server")
        except ServerUnavailable:
            raise
        except ServerError:  # a user that may not ask
            return None
        return info.partition(b"run_id:")[2].split(None, 1)[0].decode()

    def take_down(self):
        self._call(b"UNLINK", self._leases, self._reports, self._offered)

    def join(self):
        command = (b"XGROUP", b"CREATECONSUMER", self._leases, _GROUP, self._consumer)
        return bool(self._call(*command))

    def take(self, timeout):
        try:
            entries = self._overlooked() or self._next(timeout)
        except ServerUnavailable:
            self._may_overlook = True
            raise
        for token, fields in entries:
            if fields:  # None: finished by its first owner in this very moment
                self._taken.add(token)
                return token, decode(Lease, fields[1])
        return None

    def _next(self, timeout):
        """Return the entry of the next lease, or of one that nobody renews, in a list."""
        command = (b"XREADGROUP", b"GROUP", _GROUP, self._consumer, b"COUNT", b"1")
        command += (b"BLOCK", milliseconds(timeout), b"STREAMS", self._leases, b">")
        entries = entries_of(self._wait(*command))
        if not entries:
            command = (b"XAUTOCLAIM", self._leases, _GROUP, self._consumer, self._idle_ms)
            entries = self._wait(*command, b"0", b"COUNT", b"1")[1]
        if not entries:
            self._look_for_trainer(self._wait)
        return entries

    def _overlooked(self):
        """Return the entry of a lease that was given out in a reply that got lost, in a list."""
        if not self._may_overlook:
            return []
        taken = set(self._taken)  # as of now: another thread may finish one before the reply
        command = (b"XREADGROUP", b"GROUP", _GROUP, self._consumer, b"STREAMS", self._leases, b"0")
        entries = entries_of(self._wait(*command))
        entries = [(token, fields) for token, fields in entries if token not in taken]
        self._may_overlook = len(entries) > 1
        return entries[:1]

    def renew(self, tokens):
        self._call(b"XCLAIM", self._leases, _GROUP, self._consumer, b"0", *tokens, b"JUSTID")
        self._look_for_trainer(self._call)

    def _look_for_trainer(self, call):
        """Raise TrainerLost if the trainer has been silent for too long."""
        for name, seconds in silences_of(call(b"XINFO", b"CONSUMERS", self._reports, _GROUP)):
            if name == _TRAINER and seconds > _PATIENCE * self._lease_seconds:
                raise TrainerLost(f"the trainer has not been heard of for {seconds:.0f} s")

    def finish(self, token, *reports, then=None):
        if then is not None and not self._holds(token):
            then = None
        self._replace(token, reports, then)

    def give_back(self, token, lease):
        if self._holds(token):
            self._replace(token, (), lease)

    def _holds(self, token):
        """Return whether this worker still holds a lease.

        One that was frozen, and wakes up epochs later, does not: its lease was taken over and done.
        Posted once more, be it for a moment, it would be taken by who waits for one, and trained
        on at the rate of its own epoch, in the middle of a later one.
        """
        command = (b"XPENDING", self._leases, _GROUP, token, token, b"1", self._consumer)
        return bool(self._call(*command))

    def close(self):
        self._waiting.close()
        self._prompt.close()

    def _replace(self, token, reports, lease):
        """Let go of a lease and post reports and a lease, all or nothing."""
        release = pack(b"XACK", self._leases, _GROUP, token), pack(b"XDEL", self._leases, token)
        posts = [posting(self._reports, report) for report in reports]
        if lease is not None:
            posts.append(posting(self._leases, lease))
        was_held, *_, last = replies = self._transaction([*release, *posts])
        check_posted(replies)
        self._taken.discard(token)
        if lease is not None and not was_held:  # taken over, or done when the reply was lost
            self._call(b"XDEL", self._leases, last)

    def _call(self, *command):
        """Run a command that does not block."""
        with ending():
            return self._prompt.call(pack(*command))

    def _wait(self, *command):
        """Run a command that may block."""
        with ending():
            return self._waiting.call(pack(*command))

    def _transaction(self, packed):
        """Run packed commands, all or none; return their replies."""
        packed = [_MULTI, *packed, _EXEC]
        with ending():
            replies = self._prompt.call_all(b"".join(packed), len(packed))[-1]
            for reply in replies:
                if isinstance(reply, Exception):  # redis-py raises no error inside a reply
                    raise refusal(str(reply)) from reply
        return replies
