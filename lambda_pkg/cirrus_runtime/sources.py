"""Files of raw data that somebody else has written: read by ranges of bytes, or as a stream.

A source is known by its url: ``file:///path`` or ``s3://bucket/key``. Unlike the objects of a
store, it may have any name, and nothing is ever written there.
"""

import io
import os
import zlib
from urllib.parse import unquote, urlsplit

from .errors import StoreError
from .store import keep_store

_PIECE = 8 << 20  # bytes of a stream that are read at a time
_GZIP = 16 + zlib.MAX_WBITS
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


def open_source(url):
    """Return the source at a url.

    Raises
    ------
    StoreError
        If the url is not valid.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return _File(url, unquote(parts.path))
    if parts.scheme == "s3" and parts.path.strip("/"):
        return _S3Object(parts.netloc, unquote(parts.path[1:]))
    raise StoreError(f"bad url {url!r} of a file: write file:///path or s3://bucket/key")


class _File:
    """A file of this machine, or of a shared file system."""

    def __init__(self, url, path):
        self._url, self._path = url, path

    def size(self):
        """Return the bytes of the file, and a text that changes when it is written anew."""
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise self._explain(error) from error
        return found.st_size, f"{found.st_size}-{found.st_mtime_ns}"

    def read(self, start, end):
        """Return the bytes from ``start`` to ``end``, fewer at the end of the file."""
        try:
            with open(self._path, "rb") as file:
                file.seek(start)
                return file.read(end - start)
        except OSError as error:
            raise self._explain(error) from error

    def _explain(self, error):
        return StoreError(f"cannot read {self._url}: {error.strerror or error}")


class _S3Object:
    """An object of S3."""

    def __init__(self, bucket, key):
        self._key = key
        self._store = keep_store(f"s3://{bucket}")

    def size(self):
        """Return the bytes of the object, and a text that changes when it is written anew."""
        return self._store.stat_key(self._key)

    def read(self, start, end):
        """Return the bytes from ``start`` to ``end``, fewer at the end of the object."""
        return self._store.read_key(self._key, start, end)


def read_pieces(source, size):
    """Yield a source's bytes in pieces."""
    for start in range(0, size, _PIECE):
        yield source.read(start, min(start + _PIECE, size))


def decompress(pieces, compression, url):
    """Yield what compressed pieces hold.

    Parameters
    ----------
    pieces : iterable of bytes
    compression : {"gzip", "zstd"}
    url : str
        What errors call the file.

    Raises
    ------
    StoreError
        If the file is damaged or cut off, or nothing here reads its format.
    """
    if compression == "zstd":
        yield from _decompress_zstd(pieces, url)
        return
    decompressor, whole = zlib.decompressobj(_GZIP), True
    try:
        for piece in pieces:
            while piece:
                whole = False
                out = decompressor.decompress(piece, _PIECE)
                if out:
                    yield out
                piece = decompressor.unconsumed_tail
                if decompressor.eof:  # another member may follow
                    piece = decompressor.unused_data
                    decompressor, whole = zlib.decompressobj(_GZIP), True
    except zlib.error as error:
        raise StoreError(f"{url} is damaged: {error}") from error
    if not whole:
        raise StoreError(f"{url} is cut off: its last gzip member has no end")


def _decompress_zstd(pieces, url):
    """Yield what pieces of Zstandard hold: by the standard library or the package zstandard."""
    try:
        from compression import zstd  # Python 3.14

        opened, errors = zstd.ZstdFile, (zstd.ZstdError, EOFError)
    except ImportError:
        try:
            import zstandard
        except ImportError as error:
            raise StoreError(
                f"{url} is compressed with Zstandard, which this Python cannot read: use Python "
                "3.14, or install the package zstandard where the workers run"
            ) from error
        opened = zstandard.ZstdDecompressor().stream_reader
        errors = (zstandard.ZstdError, EOFError)
    try:
        with opened(_Stream(pieces)) as stream:
            while piece := stream.read(_PIECE):
                yield piece
    except errors as error:
        raise StoreError(f"{url} is damaged: {error}") from error


class _Stream(io.RawIOBase):
    """Pieces as a file."""

    def __init__(self, pieces):
        self._pieces = iter(pieces)
        self._rest = b""

    def readable(self):
        return True

    def readinto(self, buffer):
        while not self._rest:
            self._rest = next(self._pieces, None)
            if self._rest is None:
                self._rest = b""
                return 0
        n = min(len(buffer), len(self._rest))
        buffer[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n
