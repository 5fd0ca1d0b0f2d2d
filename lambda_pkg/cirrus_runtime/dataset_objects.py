"""The objects of a dataset: what they are called, and how a block is written.

    dataset.json                    what is known of the dataset: the client's manifest.py
    block-000000-000.safetensors    rows: a TableBlock or a Block
    labels-000000-000.safetensors   their labels alone, if they have any
    loading.json, part-000000.json  while files are being loaded: what is loaded, what is done

The first number of a block is that of the range of a file, or of the block, that it was made of.
"""

from ctypes import c_size_t, c_uint64, c_void_p

import numpy as np

from .blocks import encode_block
from .kernels import declare
from .tables import TableBlock, encode_table
from .tensors import decode_tensors, encode_tensors

MANIFEST = "dataset.json"
PLAN = "loading.json"
PART = "part-"
KINDS = MANIFEST, PLAN, PART, "block-", "labels-"  # what the names of all objects begin with
_LONGEST_HEADER = 4096

_digest = declare("cirrus_digest", c_uint64, c_void_p, c_void_p, c_size_t)


def block_name(number, piece=0):
    """Return the name of a block."""
    return f"block-{number:06d}-{piece:03d}.safetensors"


def part_name(number):
    """Return the name of the object that says what became of a range."""
    return f"{PART}{number:06d}.json"


def _labels_name(name):
    """Return the name of the object that holds the labels of a block alone."""
    return name.replace("block-", "labels-", 1)


def put_block(store, name, block, classes):
    """Write a block and its labels.

    Parameters
    ----------
    store : Store
    name : str
    block : Block or TableBlock
    classes : list or None
        Labels that the block's label indices stand for.

    Returns
    -------
    dict
        What a manifest says of the block: ``name``, ``n_rows``, ``nbytes``, ``digest``,
        ``classes``, and ``counts`` of each.
    """
    pieces = encode_table(block) if isinstance(block, TableBlock) else encode_block(block)
    store.put(name, pieces)
    counts = None
    if block.labels is not None:
        store.put(_labels_name(name), encode_tensors({}, {"labels": block.labels}))
        counts = np.bincount(block.labels.astype(np.int64), minlength=len(classes)).tolist()
    return {
        "name": name,
        "n_rows": block.n_rows,
        "nbytes": sum(len(memoryview(piece).cast("B")) for piece in pieces),
        "digest": digest_of(pieces),
        "classes": None if block.labels is None else classes,
        "counts": counts,
    }


def get_labels(store, name):
    """Return the label indices of a block, float32."""
    name = _labels_name(name)
    codes = {"labels": ("F32",)}
    _, arrays = decode_tensors(store.get(name), name, codes.get, _LONGEST_HEADER)
    return arrays["labels"]


def digest_of(pieces):
    """Return the digest of an object's bytes: XXH64, 16 hexadecimal digits.

    It is to notice damage, and blocks of another dataset. Who can write to the store could write a
    manifest with other digests as well, so that a stronger one would protect from nobody.

    Parameters
    ----------
    pieces : sequence of buffers
    """
    arrays = [np.frombuffer(piece, np.uint8) for piece in pieces]
    n = len(arrays)
    places = (c_void_p * n)(*(array.ctypes.data for array in arrays))
    sizes = (c_uint64 * n)(*(array.size for array in arrays))
    return f"{_digest(places, sizes, n):016x}"
