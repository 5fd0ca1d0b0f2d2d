"""What callbacks in a task tell the client, where no socket leads there.

A callback of scikit-learn that is set on an estimator travels with its tasks, and tells the
client's process what it sees through a local socket, whose address and key (a ``ListenerHandle``)
it holds. A function on AWS Lambda cannot reach that one. So the client pickles a call of
:func:`relayed` in its place, which gives a socket of this process; what is sent to it goes home
with the result.

As the client's, a relay answers each message (``multiprocessing.connection``, a pickle each) when
it has it. Relays are kept, for connections to them are: in later tasks they stand for others.
"""

import os
import threading
from multiprocessing import AuthenticationError
from multiprocessing.connection import Listener

_BACKLOG = 128  # as scikit-learn's own


class Relay:
    """A socket that keeps what it is sent.

    Attributes
    ----------
    address : str
    authkey : bytes
    messages : list of bytes
        Pickles.
    """

    def __init__(self):
        self.authkey = os.urandom(32)
        self.messages = []
        self._listener = Listener(authkey=self.authkey, backlog=_BACKLOG)
        self.address = self._listener.address
        threading.Thread(target=self._accept, name="cirrus-relay", daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection = self._listener.accept()
            except (ConnectionError, EOFError, AuthenticationError):  # who came has gone
                continue
            except OSError:  # nobody shall wait for a listener that does not accept
                self._listener.close()
                return
            threading.Thread(
                target=self._keep, args=(connection,), name="cirrus-relay", daemon=True
            ).start()

    def _keep(self, connection):
        try:
            while True:
                message = connection.recv_bytes()
                self.messages.append(message)  # a list that is new with each task
                connection.send(None)
        except (EOFError, OSError):
            connection.close()


class Relays:
    """The relays of a process, of which a task uses the first few."""

    def __init__(self):
        self._kept = []
        self._used = {}

    def begin(self):
        """Begin a task: nothing is relayed yet."""
        self._used = {}
        for relay in self._kept:
            relay.messages = []

    def find(self, address):
        """Return the relay that stands for a socket of the client in this task."""
        if address not in self._used:
            if len(self._used) == len(self._kept):
                self._kept.append(Relay())
            self._used[address] = self._kept[len(self._used)]
        return self._used[address]

    def take(self):
        """Return what has come: pairs of the client's address and a message, in their order."""
        return [
            (address, message)
            for address, relay in self._used.items()
            for message in relay.messages
        ]


relays = Relays()


def relayed(kind, address):
    """Return a handle to a socket of this process; pickles of tasks call this.

    Parameters
    ----------
    kind : callable
        Class of the handle, of an address and a key.
    address : str
        Of the client's socket.
    """
    relay = relays.find(address)

    class Relayed(kind):
        """Handle to a relay here; where it is pickled to, that of the client's socket again."""

        __slots__ = ()

        def __reduce__(self):
            return kind, (address, b"")

        def __copy__(self):
            return self

        def __deepcopy__(self, memo):
            return self

    return Relayed(relay.address, relay.authkey)
