"""Arrays in one file, in safetensors format: read and written with numpy alone, without copies.

A file is a little-endian uint64, the length of a JSON header, the header, then the arrays, back to
back. Any safetensors reader opens it. The library itself copies what it reads (2 ms per 30 MiB, and
it takes no memory map) and drops the metadata; it copies what it writes twice (30 ms per 30 MiB,
where writing the arrays from where they are takes 4). The tests hold these files and the library
to each other's output.
"""

import json

import numpy as np

from .errors import BlockError

_DTYPES = {
    "U8": np.dtype("u1"),
    "U32": np.dtype("<u4"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}


def encode_tensors(metadata, arrays):
    """Encode named arrays of one dimension.

    Parameters
    ----------
    metadata : dict of str to str
    arrays : dict of str to array
        In the order of the file.

    Returns
    -------
    list of buffers
        The file in pieces: the header, then views of the arrays (nothing is copied unless an
        array is not contiguous).
    """
    header, pieces, end = {"__metadata__": metadata}, [], 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        header[name] = {
            "dtype": dtype_code(array),
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
        pieces.append(memoryview(np.ascontiguousarray(array)).cast("B"))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the arrays begin at a multiple of 8
    return [len(text).to_bytes(8, "little") + text, *pieces]


def decode_tensors(buffer, name, codes, longest_header):
    """Decode named arrays of one dimension without copying them.

    Parameters
    ----------
    buffer : buffer
    name : str
        What errors call the file.
    codes : callable
        Gives the dtypes that an array of a name may have, None if there is no such array.
    longest_header : int
        Bytes; a damaged length is not to cost memory.

    Returns
    -------
    metadata : dict or None
    arrays : dict of str to array
        Views of the buffer, which they keep alive.

    Raises
    ------
    BlockError
        If the buffer is not a whole file.
    """
    view = memoryview(buffer).cast("B")
    header, start = _read_header(view, name, longest_header)
    metadata = header.pop("__metadata__", None)
    places = [_read_entry(key, entry, codes(key), name) for key, entry in header.items()]
    arrays, end = {}, start
    for begin, count, key, dtype in sorted(places, key=lambda place: place[0]):
        if start + begin != end:
            raise BlockError(f"{name}: {key} is not where the array before it ends")
        end += count * dtype.itemsize
        if end > len(view):
            raise BlockError(f"{name}: truncated: {key} runs past the end of the file")
        array = np.frombuffer(view, dtype, count, start + begin)
        arrays[key] = array if array.flags.aligned else array.copy()
    if end != len(view):
        raise BlockError(f"{name}: {len(view) - end} bytes too many at the end")
    return metadata, arrays


def dtype_code(array):
    """Return the header's word for the dtype of an array, None if it has none."""
    return next((code for code, dtype in _DTYPES.items() if array.dtype == dtype), None)


def dtype_name(code):
    """Return numpy's word for a word of the header."""
    return _DTYPES[code].name


def _read_header(view, name, longest):
    """Return the parsed header, and where the arrays begin."""
    if len(view) < 8:
        raise BlockError(f"{name}: truncated: {len(view)} bytes")
    length = int.from_bytes(view[:8], "little")
    if length > longest:
        raise BlockError(f"{name}: not a block: its header would take {length} bytes")
    if 8 + length > len(view):
        raise BlockError(f"{name}: truncated in the header")
    try:
        header = json.loads(bytes(view[8 : 8 + length]))
    except (ValueError, RecursionError) as error:
        raise BlockError(f"{name}: the header is damaged ({error})") from error
    if not isinstance(header, dict):
        raise BlockError(f"{name}: the header is damaged (not a JSON object)")
    return header, 8 + length


def _read_entry(key, entry, codes, name):
    """Return where an array begins behind the header, its number of values, its name, its dtype."""
    if codes is None:
        raise BlockError(f"{name}: unknown array {key[:40]!r}")
    if not isinstance(entry, dict) or entry.get("dtype") not in codes:
        raise BlockError(f"{name}: {key} is not of dtype {' or '.join(codes)}")
    dtype = _DTYPES[entry["dtype"]]
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    if not (_are_counts(shape, 1) and _are_counts(offsets, 2)):
        raise BlockError(f"{name}: the shape or the place of {key} is damaged")
    if offsets[1] - offsets[0] != shape[0] * dtype.itemsize:
        raise BlockError(f"{name}: the place of {key} does not fit its shape")
    return offsets[0], shape[0], key, dtype


def _are_counts(values, length):
    """Return whether this is a list of that many integers, none negative."""
    return (
        isinstance(values, list)
        and len(values) == length
        and all(type(value) is int and value >= 0 for value in values)
    )
