"""Bytes that are fetched for many are still given to one each."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from selat.entropy import PIECE_BYTES, fresh_bytes


def test_every_size_is_given_and_nothing_twice() -> None:
    sizes = [10, PIECE_BYTES, 100] * 300
    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(fresh_bytes, sizes))
    assert [len(one) for one in given] == sizes
    assert len({one[:10] for one in given}) == len(sizes)


def test_a_forked_process_is_given_others() -> None:
    fresh_bytes(PIECE_BYTES)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, fresh_bytes(PIECE_BYTES))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, PIECE_BYTES) != fresh_bytes(PIECE_BYTES)
    os.close(reading)
    os.close(writing)
