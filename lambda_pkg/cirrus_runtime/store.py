"""The object store: blocks, checkpoints and whatever else is too big for Redis.

Objects are written once, read whole, and named by slash-separated words. A store is
known by its url, which the trainer hands to the workers:

- ``file:///folder``: :class:`FolderStore`, here;
- ``s3://bucket/prefix``: :class:`cirrus_runtime.store_s3.S3Store`.
"""

import errno
import mmap
import os
import re
import secrets
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from .errors import StoreError

# No segment may begin with a dot: that rules out "..", and leaves such names to us.
_SEGMENT = r"[A-Za-z0-9_=-][A-Za-z0-9_.=-]{0,199}"
_NAME = re.compile(f"{_SEGMENT}(/{_SEGMENT})*")
_PREFIX = re.compile(f"({_SEGMENT}(/{_SEGMENT})*/?)?")
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}")
_LONGEST_NAME = 700  # S3 allows 1024 bytes, its own prefix included


class Store(ABC):
    """Where objects are kept. One store may be used from many threads and processes.

    Every method raises StoreError, with the name and the url in its message, when the
    store refuses, lacks or cannot hold an object, or when a name is not valid.
    """

    url: str  # open_store(url) opens the same store elsewhere
    requests: Mapping = MappingProxyType({})  # so far, "put" and "get", if they are charged for

    @abstractmethod
    def put(self, name, data):
        """Write an object: a buffer, or a list of buffers that follow each other.

        It appears whole or not at all, and replaces one of the same name.
        """

    @abstractmethod
    def get(self, name):
        """Return an object as a read-only memoryview of its bytes."""

    @abstractmethod
    def exists(self, name):
        """Return whether there is an object of this name."""

    @abstractmethod
    def list(self, prefix=""):
        """Return the sorted names of the objects that begin with the prefix."""

    @abstractmethod
    def delete(self, names):
        """Delete objects by their names; those that are absent are passed over."""

    def delete_prefix(self, prefix):
        """Delete every object whose name begins with the prefix, which is not empty."""
        if not prefix:
            raise StoreError(f"refused to delete everything in {self.url}")
        self.delete(self.list(prefix))

    def close(self):  # noqa: B027 (most stores hold nothing)
        """Free what the store holds (connections); it is not used afterwards."""

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()


def open_store(url, make_client=None):
    """Open the store at a url.

    Parameters
    ----------
    url : str
        ``file:///absolute/folder`` (made if absent) or ``s3://bucket/prefix``.
    make_client : callable, optional
        For S3: what to call in place of ``boto3.Session().client``, which takes its time.

    Returns
    -------
    Store

    Raises
    ------
    StoreError
        If the url is not valid or the store cannot be opened.
    """
    parts = urlsplit(url)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise StoreError(f"bad store url {url!r}: it may have a place and a path only")
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise StoreError(f"bad store url {url!r}: write file:///absolute/folder")
        return FolderStore(unquote(parts.path))
    if parts.scheme == "s3":
        from .store_s3 import S3Store  # only who uses S3 pays for it

        return S3Store(parts.netloc, parts.path.strip("/"), make_client)
    raise StoreError(f"bad store url {url!r}: it begins with neither file:// nor s3://")


_MOST_KEPT = 4  # a job has the run's store, a dataset's, and that of another to be written
_kept = OrderedDict()
_keeping = threading.Lock()


def keep_store(url):
    """Return the store of this process at a url: to make one of S3 takes longer than to read.

    It is not closed by who uses it, but when others have been asked for since.
    """
    key = os.getpid(), url  # a fork must not talk on its parent's connections
    with _keeping:
        if key not in _kept:
            _kept[key] = open_store(url)
            while len(_kept) > _MOST_KEPT:
                _kept.popitem(last=False)[1].close()
        _kept.move_to_end(key)
        return _kept[key]


def check_name(name):
    """Return the name of an object, or raise StoreError if it is not valid."""
    if not (isinstance(name, str) and len(name) <= _LONGEST_NAME and _NAME.fullmatch(name)):
        raise StoreError(f"{name!r} is not a valid object name")
    return name


def check_prefix(prefix):
    """Return the beginning of a name, or raise StoreError if it is not valid."""
    if not (isinstance(prefix, str) and len(prefix) <= _LONGEST_NAME and _PREFIX.fullmatch(prefix)):
        raise StoreError(f"{prefix!r} is not a valid beginning of an object name")
    return prefix


def matching(names, prefix):
    """The sorted names that begin with the prefix; what is no object's name is left out."""
    return sorted(name for name in names if name.startswith(prefix) and _NAME.fullmatch(name))


class FolderStore(Store):
    """Objects as files of a folder, on this machine or on a shared file system.

    An object is written to a hidden file beside its place and renamed, so a reader sees
    it whole or not at all. What ``get`` returns is a memory map: nothing is copied, and
    it stays valid when the object is deleted or replaced meanwhile. A name cannot be
    both an object and the beginning of longer names ("a" and "a/b").

    Parameters
    ----------
    folder : str or path
        An absolute path; made, private to its owner, if absent.
    """

    def __init__(self, folder):
        self._root = Path(folder)
        if not self._root.is_absolute():
            raise StoreError(f"the folder of a store must be absolute, not {str(folder)!r}")
        self.url = self._root.as_uri()
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._explain(error, "open") from error

    def put(self, name, data):
        path = self._root / check_name(name)
        pieces = data if isinstance(data, list | tuple) else (data,)
        try:
            self._write(path, pieces)
        except OSError as error:
            raise self._explain(error, "write", name) from error

    def _write(self, path, pieces, attempts=50):
        """Write the file beside its place, then rename it."""
        temporary = path.with_name(f".{secrets.token_hex(8)}")
        while True:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                file = open(temporary, "xb")
                break
            except (FileNotFoundError, FileExistsError):
                attempts -= 1  # a delete may have removed the empty folder in between
                if not attempts:
                    raise
        try:
            with file:
                for piece in pieces:
                    file.write(piece)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            self._remove_empty(path.parent)
            raise

    def get(self, name):
        try:
            with open(self._root / check_name(name), "rb") as file:
                if not os.fstat(file.fileno()).st_size:
                    return memoryview(b"")  # nothing cannot be mapped
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except OSError as error:
            raise self._explain(error, "read", name) from error

    def exists(self, name):
        return (self._root / check_name(name)).is_file()

    def list(self, prefix=""):
        return matching(self._files(prefix), prefix)

    def _files(self, prefix):
        """The names of all files in the folders where names with the prefix may be."""
        top = self._root / check_prefix(prefix).rpartition("/")[0]
        names = []

        def refuse(error):
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                raise self._explain(error, "list", prefix) from error

        for folder, _, files in os.walk(top, onerror=refuse):
            inside = Path(folder).relative_to(self._root)
            names += [(inside / file).as_posix() for file in files]
        return names

    def delete_prefix(self, prefix):
        super().delete_prefix(prefix)
        # Writers that were killed have left their hidden files.
        for name in self._files(prefix):
            if name.startswith(prefix) and _TEMPORARY.fullmatch(name.rpartition("/")[2]):
                (self._root / name).unlink(missing_ok=True)
                self._remove_empty((self._root / name).parent)

    def delete(self, names):
        folders = set()
        for name in names:
            path = self._root / check_name(name)
            try:
                path.unlink(missing_ok=True)
            except NotADirectoryError:
                continue  # "a/b" where "a" is an object: absent
            except OSError as error:
                raise self._explain(error, "delete", name) from error
            folders.add(path.parent)
        for folder in folders:
            self._remove_empty(folder)

    def _remove_empty(self, folder):
        """Remove the folder and those above it, up to the root, as long as they are empty."""
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:  # not empty, or already gone: either way not ours to remove
                return
            folder = folder.parent

    def _explain(self, error, verb, name=""):
        """The StoreError that says what an OSError means here."""
        what = f"cannot {verb} {name!r} in {self.url}" if name else f"cannot {verb} {self.url}"
        reason = _REASONS.get(error.errno, error.strerror or error)
        if verb == "write" and error.errno == errno.ENOENT:
            reason = "it was deleted while it was written"
        return StoreError(f"{what}: {reason}")


_REASONS = {
    errno.ENOENT: "there is no such object",
    errno.ENOTDIR: "a part of its path is a file",
    errno.EISDIR: "it is the beginning of other objects' names",
    errno.EEXIST: "a part of its path is a file",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.EFBIG: "it is larger than a file may be here",
}
