"""Callbacks of scikit-learn in tasks whose workers cannot reach this process's sockets.

See :mod:`cirrus_runtime.task_relay`. scikit-learn has callbacks since 1.9; how their copies in
workers talk to this process is private to it (``sklearn.callback._transport``), and a test tells
when that changes.
"""

import logging
import pickle
import sys

from cirrus_runtime.task_relay import relayed

_TRANSPORT = "sklearn.callback._transport"

_log = logging.getLogger(__name__)


class CallbackSockets:
    """The sockets of this process that callbacks in tasks send messages to."""

    def __init__(self):
        self._handles = {}

    def is_handle(self, obj):
        """Whether an object is scikit-learn's reference to such a socket."""
        transport = sys.modules.get(_TRANSPORT)  # not loaded: then there is none
        return transport is not None and isinstance(obj, transport.ListenerHandle)

    def reduce(self, handle):
        """Return what to pickle in place of a handle; the key stays here."""
        self._handles[handle.address] = handle
        return relayed, (type(handle), handle.address)

    def deliver(self, messages):
        """Send on what the callbacks of a task have sent to their relays.

        Parameters
        ----------
        messages : list of (str, bytes)
            Address of the socket, and a pickle.
        """
        for address, message in messages:
            try:
                sys.modules[_TRANSPORT].send(self._handles[address], pickle.loads(message))
            except OSError as error:  # the fit that it belongs to is over
                _log.debug("a message to %s was not delivered: %s", address, error)
