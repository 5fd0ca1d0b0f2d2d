"""What a server's replies are, compared with what they should be, and how a message shows them."""

import numpy as np
import redis


def first_word(reply):
    """Return the first word of an error as the server sent it, None if the reply is none."""
    if not isinstance(reply, redis.ResponseError):
        return None
    if isinstance(reply, redis.OutOfMemoryError):
        return "OOM"
    word = str(reply).partition(" ")[0]
    return word if word.isupper() else "ERR"


def told(reply):
    """Return a reply as a message shows it."""
    return f"error {reply!s:.300}" if isinstance(reply, Exception) else f"{reply!r:.300}"


def same(reply, expected):
    """Return whether two replies are the same; one NaN is as good as another."""
    if reply == expected:
        return True
    if not isinstance(reply, bytes) or not isinstance(expected, bytes):
        return False
    if len(reply) != len(expected) or len(reply) % 4:
        return False
    one, other = np.frombuffer(reply, np.float32), np.frombuffer(expected, np.float32)
    differ = one.view(np.uint32) != other.view(np.uint32)
    return bool((np.isnan(one) & np.isnan(other))[differ].all())


def shown(argv):
    """Return a command as a message shows it."""
    return " ".join(f"{argument!r:.200}" for argument in argv or [])
