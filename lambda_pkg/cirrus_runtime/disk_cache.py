"""Blocks kept in a file of the worker, for later epochs, when memory has no room for them.

The file has no name: the operating system frees it however the worker ends. It grows up to its
bound and keeps what it has: in passes over all blocks, each in another order, those used last are
no likelier to be used next, and to drop one for another would only lose hits.
"""

import logging
import os
import tempfile

from .blocks import Block, decode_block, encode_block

logger = logging.getLogger(__name__)


def open_disk_cache(job):
    """Return the cache of a worker, or None where reading blocks anew is as quick.

    Parameters
    ----------
    job : TrainJob
    """
    return DiskCache(job.cache_bytes) if job.cache_bytes and is_slow_to_read(job) else None


def is_slow_to_read(job):
    """Return whether blocks of a job come from far, or are hashed when they are read.

    Parameters
    ----------
    job : TrainJob
    """
    views = [part["view"] for part in job.options.get("parts", {}).values()]
    urls = [view["url"] for view in views] or [job.store_url]
    is_hashed = any(step["step"] == "hash" for view in views for step in view["steps"])
    return is_hashed or any(url.startswith("s3://") for url in urls)


class DiskCache:
    """Blocks in a file in the system's temporary folder, ``/tmp`` as a rule.

    Parameters
    ----------
    nbytes : int
        Most bytes of the file.
    """

    def __init__(self, nbytes):
        self._bound = nbytes
        self._file = None
        self._places = {}  # of each block: where it begins in the file, and its length
        self._end = 0

    def __contains__(self, name):
        return name in self._places

    def get(self, name):
        """Return a block, or None if it is not there."""
        if name not in self._places:
            return None
        start, length = self._places[name]
        return decode_block(os.pread(self._file.fileno(), length, start), name)

    def put(self, name, block):
        """Keep a block if there is room.

        Parameters
        ----------
        name : str
        block : Block
            Others are not kept.
        """
        if not isinstance(block, Block) or self._end + block.nbytes > self._bound:
            return
        pieces = [memoryview(piece).cast("B") for piece in encode_block(block)]
        length = sum(piece.nbytes for piece in pieces)
        if self._end + length > self._bound:
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="cirrus-", buffering=0)
            at = self._end
            for piece in pieces:
                while piece.nbytes:
                    written = os.pwrite(self._file.fileno(), piece, at)
                    at, piece = at + written, piece[written:]
        except OSError as error:  # the disk is full: what is there already stays
            logger.warning("no more blocks are kept on disk: %s", error)
            self._bound = 0
            return
        self._places[name] = self._end, length
        self._end += length

    def close(self):
        """Free the file."""
        self._places = {}
        if self._file is not None:
            self._file.close()
            self._file = None
