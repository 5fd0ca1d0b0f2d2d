"""What client and worker agree on about tasks: digests, signatures, names of warnings.

A task and its result are pickles, and to read a pickle is to run it. Each is therefore signed with
a key that the run alone has (HMAC-SHA256), and is read only after its signature was found right.
What is signed names the digests of all that belongs to it, so the bytes may lie in a store that
others can write to.
"""

import hashlib
import hmac
import importlib
import json
from functools import lru_cache

# Set while a task runs: what would start workers of its own does without them then.
TASK_VARIABLE = "CIRRUS_TASK"

_SIGNED = ("run_id", "task", "versions", "buffers", "digest")


def digest(buffer):
    """Return the BLAKE2b digest (128 bits, hexadecimal) of the bytes of a contiguous buffer."""
    return hashlib.blake2b(buffer, digest_size=16).hexdigest()


def sign_call(key, job):
    """Return the signature of a job: of what is run, and on which buffers.

    Parameters
    ----------
    key : bytes
    job : dict
        With ``run_id``, ``task``, ``versions``, ``buffers`` and ``digest``. The rest of it (which
        attempt it is, where the key lies) is not signed: it does not decide what is run.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return _sign(key, {name: job[name] for name in _SIGNED} | {"of": "call"})


def sign_result(key, result):
    """Return the signature of a result: of all that it says but ``signature``.

    Parameters
    ----------
    key : bytes
    result : dict

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    said = {name: value for name, value in result.items() if name != "signature"}
    return _sign(key, said | {"of": "result"})


def is_signed(signature, expected):
    """Return whether a signature that came along is the expected one, in constant time."""
    return isinstance(signature, str) and hmac.compare_digest(signature.encode(), expected.encode())


def _sign(key, message):
    """Sign the JSON of a message, which is the same text wherever it is made."""
    text = json.dumps(message, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), "sha256").hexdigest()


@lru_cache(maxsize=256)
def find_category(module, name):
    """Return the class of a warning by its name.

    Parameters
    ----------
    module, name : str
        ``__module__`` and ``__qualname__`` of the class.

    Returns
    -------
    type
        The class. If it is not to be found here: a new one of that name, derived from UserWarning,
        so that a filter made for it matches nothing else.
    """
    found = None
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError):
        found = None
    if isinstance(found, type) and issubclass(found, Warning):
        return found
    return type(name.rpartition(".")[2], (UserWarning,), {"__module__": module})
