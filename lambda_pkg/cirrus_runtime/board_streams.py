"""What the board on a Redis server sends to its streams, and what their replies mean."""

from .engines.connection import pack
from .errors import RunEnded, ServerError
from .protocol import encode

_FIELD, _BODY = b"r", b"b"
_GONE = ("NOGROUP", "UNBLOCKED", "no such key", "The XGROUP subcommand requires the key to exist")


class ending:  # noqa: N801 (reads as a function where it is used)
    """Turns what Redis says of a stream that was deleted into RunEnded."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, ServerError) and str(error).startswith(_GONE):
            raise RunEnded("the run has ended") from error


def posting(stream, record):
    """Pack the adding of a record to a stream: one taken down must not come to life again."""
    fields = [_FIELD, encode(record)]
    if getattr(record, "body", b""):
        fields += (_BODY, record.body)
    return pack(b"XADD", stream, b"NOMKSTREAM", b"*", *fields)


def check_posted(replies):
    """Raise RunEnded if a record could not be posted."""
    if None in replies:
        raise RunEnded("the run has ended")


def milliseconds(seconds):
    """Return a time as an argument of BLOCK, for which 0 would be for ever."""
    return b"%d" % max(1, int(1000 * seconds))


def consumer_of(worker, generation):
    """Return the name of a worker as a consumer."""
    return b"%d.%d" % (worker, generation)


def silences_of(reply):
    """Return the (name, seconds since it was last heard of) of a reply of XINFO CONSUMERS."""
    infos = [i if isinstance(i, dict) else dict(zip(i[::2], i[1::2], strict=True)) for i in reply]
    return [(info[b"name"], info[b"idle"] / 1000) for info in infos]


def entries_of(reply):
    """Return the (id, fields) of a reply of XREAD or XREADGROUP on one stream."""
    if not reply:
        return []
    if isinstance(reply, dict):  # RESP3
        return next(iter(reply.values()))
    return reply[0][1]
