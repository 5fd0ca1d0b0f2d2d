"""Digests of objects are XXH64: its published values, and the same bytes cut anywhere."""

import numpy as np
import pytest

from cirrus_runtime.dataset_objects import digest_of


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("", "ef46db3751d8e999"),
        ("a", "d24ec4f1a98c6e5b"),
        ("abc", "44bc2cf5ad770999"),
        ("Nobody inspects the spammish repetition", "fbcea83c8a378bf1"),
    ],
)
def test_published_values(text, digest):
    assert digest_of([text.encode()]) == digest


def test_pieces_are_the_same_as_the_whole():
    rng = np.random.default_rng(0)
    data = rng.bytes(1000)
    for _ in range(200):
        size = int(rng.integers(0, 200))
        cuts = sorted(rng.integers(0, size + 1, 4).tolist())
        ends = [0, *cuts, size]
        pieces = [data[a:b] for a, b in zip(ends, ends[1:], strict=False)]
        assert digest_of(pieces) == digest_of([data[:size]]), ends


def test_every_byte_counts():
    data = bytearray(np.random.default_rng(1).bytes(101))
    digests = {digest_of([data])}
    for i in range(len(data)):
        data[i] ^= 1
        digests.add(digest_of([data]))
        data[i] ^= 1
    assert len(digests) == 102
