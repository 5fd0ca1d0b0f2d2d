"""A store in the memory of this process: for backend inline, and as a double in tests."""

import threading

from .errors import StoreError
from .store import Store, check_name, check_prefix, matching


class MemoryStore(Store):
    """Objects in a dict."""

    url = "memory://"

    def __init__(self):
        self._objects = {}
        self._lock = threading.Lock()

    def put(self, name, data):
        check_name(name)
        data = b"".join(data) if isinstance(data, (list, tuple)) else bytes(data)
        with self._lock:
            self._objects[name] = data

    def get(self, name):
        check_name(name)
        try:
            return memoryview(self._objects[name])
        except KeyError:
            raise StoreError(
                f"cannot read {name!r} in {self.url}: there is no such object"
            ) from None

    def exists(self, name):
        return check_name(name) in self._objects

    def list(self, prefix=""):
        check_prefix(prefix)
        with self._lock:
            return matching(self._objects, prefix)

    def delete(self, names):
        names = [check_name(name) for name in names]
        with self._lock:
            for name in names:
                self._objects.pop(name, None)
