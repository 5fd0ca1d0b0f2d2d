"""The files that a dataset is made from: found, measured, and their beginning read."""

import glob
import os
from pathlib import Path

from cirrus_runtime.sources import COMPRESSIONS, decompress, open_source, read_pieces

_HEAD = 1 << 20  # bytes that columns are found out from


def find_files(paths):
    """Return the files of a path, a pattern, a url, or a list of these, as sources.

    Parameters
    ----------
    paths : str, path or list of them
        Of this machine (``*`` and ``?`` stand for any characters), or ``s3://bucket/key``.

    Returns
    -------
    list of dict
        ``url``, ``size`` (bytes), ``stamp`` (changes when it is written anew), ``compression``,
        ``skip``.

    Raises
    ------
    ValueError
        If there are none.
    StoreError
        If one cannot be read.
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    urls = [url for path in paths for url in _urls(os.fspath(path))]
    if not urls:
        raise ValueError(f"there is no file to load in {paths!r}")
    sources = []
    for url in urls:
        size, stamp = open_source(url).size()
        compression = COMPRESSIONS.get(Path(url).suffix.lower())
        source = {"url": url, "size": size, "stamp": stamp, "compression": compression, "skip": 0}
        sources.append(source)
    return sources


def _urls(path):
    """Return the urls of the files that a path means."""
    if "://" in path:
        if any(mark in path for mark in "*?"):
            raise ValueError(f"{path}: * and ? stand for files of this machine alone")
        return [path]
    absolute = os.path.abspath(path)
    if any(mark in path for mark in "*?["):
        return [Path(found).as_uri() for found in sorted(glob.glob(absolute))]
    return [Path(absolute).as_uri()]


def read_head(source):
    """Return the first bytes of a file, without compression, and whether that is all of it."""
    reader = open_source(source["url"])
    if source["compression"] is None:
        return reader.read(0, _HEAD), source["size"] <= _HEAD
    head = b""
    pieces = read_pieces(reader, source["size"])
    for piece in decompress(pieces, source["compression"], source["url"]):
        head += piece
        if len(head) > _HEAD:
            return head[:_HEAD], False
    return head, True
