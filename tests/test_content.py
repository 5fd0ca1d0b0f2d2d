"""Whether arrays hold the same: equal for equal ones, another text for any difference."""

import hashlib

import numpy as np
import pytest
from scipy import sparse

from sklearn_cirrus import _content
from sklearn_cirrus._content import content_of

RANDOM = np.random.default_rng(0)


def nh(words):
    """NH of a chunk of 128 words, by whole numbers."""
    key = [int(word) for word in _content._key]
    words = [int(word) for word in words]
    pairs = zip(words[::2], words[1::2], key[::2], key[1::2], strict=True)
    return sum(((a + k) % 2**64) * ((b + m) % 2**64) for a, b, k, m in pairs) % 2**128


def test_it_is_the_hash_that_it_says():
    data = RANDOM.integers(0, 256, 2500, dtype=np.uint8)
    chunks = np.zeros(3 * 1024, np.uint8)
    chunks[:2500] = data
    condensed = b"".join(nh(c).to_bytes(16, "little") for c in chunks.view("<u8").reshape(3, -1))
    expected = hashlib.blake2b(b"|u1(2500,);" + condensed, digest_size=16)
    assert content_of(data) == expected.hexdigest()


@pytest.mark.parametrize("together", [1 << 24, 2048])
def test_every_byte_counts(together, monkeypatch):
    monkeypatch.setattr(_content, "_TOGETHER", together)
    data = RANDOM.integers(0, 256, 5000, dtype=np.uint8)
    found = {content_of(data)}
    for place in (0, 1, 1023, 1024, 2047, 2048, 4095, 4096, 4999):
        other = data.copy()
        other[place] ^= 1
        found.add(content_of(other))
    assert len(found) == 10
    assert content_of(data.copy()) in found
    shifted = np.frombuffer(b"?" + data.tobytes(), np.uint8)[1:]  # at an odd address
    assert content_of(shifted) in found


def test_dtype_shape_order_and_place_count():
    X = np.zeros((6, 4), np.float32)
    csr = sparse.csr_array(np.eye(4))
    values = [
        *((X,), (X.astype("f8"),), (X.reshape(4, 6),), (np.asfortranarray(X),), (X[:, ::2],)),
        *((X, None), (None, X), (X, X), (X[:0],), ()),
        *((csr,), (sparse.csr_array(2 * np.eye(4)),), (sparse.csr_array(np.eye(4)[::-1]),)),
        (csr.data, csr.indices, csr.indptr),
    ]
    assert len({content_of(*some) for some in values}) == len(values)


def test_views_are_what_they_show():
    wide = RANDOM.normal(size=(9000, 6))
    view = wide[:, ::2]
    found = content_of(view)
    assert content_of(wide.copy()[:, ::2]) == found
    wide[8999, 1] += 1  # not shown
    assert content_of(view) == found
    wide[8999, 2] += 1
    assert content_of(view) != found
    assert content_of(sparse.csr_array(wide)) == content_of(sparse.csr_array(wide.copy()))
