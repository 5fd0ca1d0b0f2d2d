"""The compiled parsers of text.h, as ctypes sees them."""

from ctypes import POINTER, Structure, c_int, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p

from .kernels import declare

SKIP, NUMBER, NUMBER32, TEXT = range(4)  # kinds of columns
TILE, SLACK = 128, 16  # CIRRUS_TILE, CIRRUS_SLACK


class Column(Structure):
    """``cirrus_column`` of text.h."""

    _fields_ = [
        ("numbers", c_void_p),
        ("ends", c_void_p),
        ("bytes", c_void_p),
        ("size", c_uint64),
        ("room", c_uint64),
        ("kind", c_uint32),
        ("required", c_uint32),
        ("place", c_uint32),
    ]


class BadRowStruct(Structure):
    """``cirrus_bad_row`` of text.h."""

    _fields_ = [
        ("start", c_uint64),
        ("line", c_uint32),
        ("column", c_uint32),
        ("code", c_uint32),
    ]


class TextStruct(Structure):
    """``cirrus_text`` of text.h."""

    _fields_ = [
        ("data", c_void_p),
        ("size", c_uint64),
        ("at", c_uint64),
        ("limit", c_uint64),
        ("columns", c_void_p),
        ("spans", c_void_p),
        ("bad", c_void_p),
        ("n_columns", c_uint32),
        ("n_texts", c_uint32),
        ("delimiter", c_uint32),
        ("quote", c_uint32),
        ("is_last", c_uint32),
        ("most_bad", c_uint32),
        ("n_rows", c_uint32),
        ("n_bad", c_uint32),
        ("n_lines", c_uint32),
        ("n_gathered", c_uint32),
        ("narrow", c_uint32),
    ]


class LibsvmStruct(Structure):
    """``cirrus_libsvm`` of text.h."""

    _fields_ = [
        ("data", c_void_p),
        ("size", c_uint64),
        ("at", c_uint64),
        ("limit", c_uint64),
        ("labels", c_void_p),
        ("indptr", c_void_p),
        ("indices", c_void_p),
        ("values", c_void_p),
        ("bad", c_void_p),
        ("is_last", c_uint32),
        ("zero_based", c_uint32),
        ("most_bad", c_uint32),
        ("n_rows", c_uint32),
        ("n_bad", c_uint32),
        ("n_lines", c_uint32),
        ("n_columns", c_uint32),
    ]


follow = declare(
    *("cirrus_text_follow", None),
    *(c_void_p, c_size_t, c_uint32, c_uint32, c_void_p, c_size_t),
)
first_row = declare(
    "cirrus_text_first_row", c_size_t, c_void_p, c_size_t, c_uint32, c_uint32, c_uint32
)
parse = declare("cirrus_text_parse", c_int, POINTER(TextStruct))
count = declare("cirrus_text_count", c_size_t, c_void_p, c_size_t, c_uint8)
parse_libsvm = declare("cirrus_libsvm_parse", None, POINTER(LibsvmStruct))
