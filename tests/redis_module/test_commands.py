"""Every bad argument of every command has its error, and leaves server and model as they were."""

import numpy as np
import pytest
import redis

from .conftest import floats_of, ids_of

CREATE = ("CIRRUS.CREATE", "new", "ROWS", 4, "WIDTH", 2, "OPTIMIZER", "adagrad")
ID, GRADS = ids_of(1), floats_of(1, 1)
HUGE = "9" * 40

BAD = [
    ("wrong number of arguments", "CIRRUS.CREATE"),
    ("wrong number of arguments", "CIRRUS.PULL", "m"),
    ("wrong number of arguments", "CIRRUS.PULL", "m", ID, ID),
    ("wrong number of arguments", "CIRRUS.PUSH", "m", "0.1", ID),
    ("wrong number of arguments", "CIRRUS.STEP", "m", "0.1", ID, GRADS),
    ("wrong number of arguments", "CIRRUS.DUMP", "m", 0, 0),
    ("wrong number of arguments", "CIRRUS.DUMP", "m", 0, 0, 1, 1),
    ("wrong number of arguments", "CIRRUS.LOAD", "m", 0, 0),
    ("wrong number of arguments", "CIRRUS.FILL", "m", 0, 0, 1),
    ("wrong number of arguments", "CIRRUS.NORMS", "m", 0),
    ("wrong number of arguments", "CIRRUS.TAG", "m", 0, 0),
    ("wrong number of arguments", "CIRRUS.INFO", "m", "m"),
    ("wrong number of arguments", "CIRRUS.GATHER", "v", 1),
    ("NOMODEL there is no vector", "CIRRUS.GATHER", "none", 1, ID),
    ("WRONGTYPE the key does not hold a vector", "CIRRUS.GATHER", "m", 1, ID),
    *(("BADVALUE the width", "CIRRUS.GATHER", "v", width, ID)
      for width in (0, -1, 65537, HUGE, "x", "", "1.0")),
    ("BADLENGTH ids are 4 bytes", "CIRRUS.GATHER", "v", 1, b"12345"),
    ("BADLENGTH the vector is not of whole rows", "CIRRUS.GATHER", "text", 1, ID),
    ("BADLENGTH the vector is not of whole rows", "CIRRUS.GATHER", "v", 3, ID),
    ("BADID an id is not below", "CIRRUS.GATHER", "v", 2, ids_of(0, 2)),
    ("BADID an id is not below", "CIRRUS.GATHER", "v", 1, ids_of(2**32 - 1)),
    ("BADARG ROWS is missing", "CIRRUS.CREATE", "new"),
    ("BADARG WIDTH is missing", *CREATE[:4], *CREATE[6:]),
    ("BADARG OPTIMIZER is missing", *CREATE[:6]),
    ("BADARG OPTIMIZER lacks its value", *CREATE[:7]),
    ("BADARG CLOCK lacks its value", *CREATE, "CLOCK", 1),
    ("BADARG argument 8 is not an option", *CREATE, "LAYERS", 3),
    ("BADARG argument 8 is not an option", *CREATE, ""),
    ("BADARG argument 9 is not an option", *CREATE, "SCALED", "garbage"),
    ("BADARG ROWS is given twice", *CREATE, "rows", 4),
    ("BADARG SCALED is given twice", *CREATE, "SCALED", "SCALED"),
    *((f"BADVALUE {option} must", *CREATE[:2], option, value) for option, values in {
        "ROWS": (0, -1, 2**31, HUGE, "4.0", "", "nan", "0x4", " 4"),
        "WIDTH": (0, -1, 65537, HUGE, "x"),
        "OPTIMIZER": ("", "SGD", "sgdx", "sg", "adagrad\0"),
        "PENALIZED": (-1, 2**31, "x"),
        "L1": (-0.1, "nan", "inf", "1e39", "", "0.1x"),
        "L2": (-0.1, "nan", "inf", HUGE, "x"),
        "BETA1": (-0.1, 1, "0.99999999999", "nan"),
        "BETA2": (-0.1, 1, "nan"),
        "POWER_T": (0.4, 1.1, "nan"),
        "EPS": (-1e-9, "inf", "nan"),
    }.items() for value in values),
    ("BADVALUE PENALIZED must", *CREATE, "PENALIZED", 5),
    ("BADVALUE CLOCK must", *CREATE, "CLOCK", -1, 0.1),
    ("BADVALUE CLOCK must", *CREATE, "CLOCK", 2**53 + 1, 0.1),
    ("BADVALUE CLOCK must", *CREATE, "CLOCK", 1, "nan"),
    ("BADVALUE FOLDED must", *CREATE, "FOLDED", 1),
    ("BADVALUE FOLDED must", *CREATE, "CLOCK", 1, 0.1, "FOLDED", 2),
    ("BADVALUE FOLDED must", *CREATE, "CLOCK", 2**32, 0.1, "FOLDED", 0),
    ("OOM", *CREATE[:2], "ROWS", 2**31 - 100, "WIDTH", 65536, "OPTIMIZER", "adam"),
    ("OOM", *CREATE[:2], "ROWS", 2**31 - 100, "WIDTH", 64, "OPTIMIZER", "sgd", "SCALED"),
    ("MODELEXISTS", CREATE[0], "m", *CREATE[2:]),
    ("WRONGTYPE", CREATE[0], "text", *CREATE[2:]),
    *((f"{word} ", *command) for key, word in (("none", "NOMODEL"), ("text", "WRONGTYPE"))
      for command in (
        ("CIRRUS.PULL", key, ID),
        ("CIRRUS.PUSH", key, 0.1, ID, GRADS),
        ("CIRRUS.STEP", key, 0.1, ID, GRADS, ID),
        ("CIRRUS.DUMP", key, 0, 0, 1),
        ("CIRRUS.LOAD", key, 0, 0, GRADS),
        ("CIRRUS.FILL", key, 0, 0, 1, 1),
        ("CIRRUS.NORMS", key, 0, 1),
        ("CIRRUS.TAG", key, 0, 0, 0),
        ("CIRRUS.INFO", key),
    )),
    ("BADLENGTH ids", "CIRRUS.PULL", "m", b"\0\0\0"),
    ("BADLENGTH ids", "CIRRUS.STEP", "m", 0.1, ID, GRADS, b"12345"),
    ("BADID", "CIRRUS.PULL", "m", ids_of(4)),
    ("BADID", "CIRRUS.STEP", "m", 0.1, ID, GRADS, ids_of(0, 2**32 - 1)),
    *((text, command, "m", *arguments, *(("",) if command == "CIRRUS.STEP" else ()), *tag)
      for command in ("CIRRUS.PUSH", "CIRRUS.STEP") for text, arguments, tag in (
        ("BADLENGTH ids", (0.1, b"\0", GRADS), ()),
        ("BADLENGTH 1 ids of width 2 need 8 bytes of gradients, not 4", (0.1, ID, b"1234"), ()),
        ("BADLENGTH 1 ids", (0.1, ID, GRADS + b"\0"), ()),
        ("BADLENGTH 0 ids", (0.1, "", GRADS), ()),
        ("BADID an id is not below", (0.1, ids_of(4), GRADS), ()),
        ("BADID an id stands twice", (0.1, ids_of(1, 2, 1), floats_of(*[1] * 6)), ()),
        ("BADVALUE a value is NaN", (0.1, ID, floats_of(1, np.nan)), ()),
        ("BADVALUE a value is NaN", (0.1, ID, floats_of(np.inf, 1)), ()),
        ("BADVALUE the learning rate", ("nan", ID, GRADS), ()),
        ("BADVALUE the learning rate", (-0.1, ID, GRADS), ()),
        ("BADVALUE the learning rate", ("1e39", ID, GRADS), ()),
        ("BADVALUE the learning rate", ("", ID, GRADS), ()),
        ("BADVALUE the learning rate", ("0.1 ", ID, GRADS), ()),
        ("BADARG expected TAG", (0.1, ID, GRADS), ("TAG",)),
        ("BADARG expected TAG", (0.1, ID, GRADS), ("TAG", 1, 1)),
        ("BADARG expected TAG", (0.1, ID, GRADS), ("TAG", 1, 1, 1, 1)),
        ("BADARG expected TAG", (0.1, ID, GRADS), ("TAGS", 1, 1, 1)),
        ("BADARG expected TAG", (0.1, ID, GRADS), ("TAG", 1, 1, 1, "TAG", 1, 1, 1)),
        ("BADVALUE the worker", (0.1, ID, GRADS), ("TAG", 65536, 1, 1)),
        ("BADVALUE the worker", (0.1, ID, GRADS), ("TAG", -1, 1, 1)),
        ("BADVALUE the worker", (0.1, ID, GRADS), ("TAG", "x", 1, 1)),
        ("BADVALUE the generation", (0.1, ID, GRADS), ("TAG", 1, 2**32, 1)),
        ("BADVALUE the generation", (0.1, ID, GRADS), ("TAG", 1, -1, 1)),
        ("BADVALUE the sequence", (0.1, ID, GRADS), ("TAG", 1, 1, -1)),
        ("BADVALUE the sequence", (0.1, ID, GRADS), ("TAG", 1, 1, 2**53 + 1)),
        ("BADVALUE the sequence", (0.1, ID, GRADS), ("TAG", 1, 1, HUGE)),
        ("STALEWORKER generation 5 of worker 3", (0.1, ID, GRADS), ("TAG", 3, 4, 9)),
    )),
    *(("BADVALUE slot", "CIRRUS.DUMP", "m", *numbers) for numbers in (
        (-1, 0, 1), (0, -1, 1), (0, 0, -1), ("x", 0, 1), (0, 2**32, 1), (0, 0, 2**32))),
    *(("BADVALUE the rows", "CIRRUS.DUMP", "m", *numbers) for numbers in (
        (0, 0, 5), (0, 5, 0), (0, 4, 1), (0, 2**32 - 1, 2), (102, 0, 5))),
    *(("BADVALUE the model has no such slot", "CIRRUS.DUMP", "m", slot, 0, 1)
      for slot in (2, 100, 101, 103, 65535)),
    *(("BADVALUE slot", "CIRRUS.FILL", "m", *numbers, 1) for numbers in (
        (-1, 0, 1), (0, -1, 1), (0, 0, -1), ("x", 0, 1), (0, 2**32, 1), (0, 0, 2**32))),
    *(("BADVALUE the value", "CIRRUS.FILL", "m", 0, 0, 1, value)
      for value in ("nan", "inf", -1, "1e39", "", "1x")),
    *(("BADVALUE the rows", "CIRRUS.FILL", "m", *numbers, 1) for numbers in (
        (0, 0, 5), (0, 5, 0), (0, 4, 1), (0, 2**32 - 1, 2))),
    *(("BADVALUE the model has no such slot", "CIRRUS.FILL", "m", slot, 0, n, 1)
      for slot in (2, 101, 102, 103) for n in (0, 1)),
    *(("BADVALUE first", "CIRRUS.NORMS", "m", *numbers) for numbers in (
        (-1, 1), (0, -1), ("x", 1), (0, 2**32))),
    *(("BADVALUE the rows", "CIRRUS.NORMS", "m", *numbers) for numbers in (
        (0, 5), (5, 0), (4, 1), (2**32 - 1, 2))),
    ("BADVALUE slot", "CIRRUS.LOAD", "m", -1, 0, GRADS),
    ("BADVALUE slot", "CIRRUS.LOAD", "m", 0, "x", GRADS),
    ("BADLENGTH a row of this slot takes 8 bytes", "CIRRUS.LOAD", "m", 0, 0, GRADS[:-1]),
    ("BADLENGTH a row of this slot takes 20 bytes", "CIRRUS.LOAD", "m", 102, 0, GRADS),
    ("BADVALUE the rows", "CIRRUS.LOAD", "m", 0, 4, GRADS),
    ("BADVALUE the rows", "CIRRUS.LOAD", "m", 0, 2**32 - 1, GRADS),
    ("BADVALUE the model has no such slot", "CIRRUS.LOAD", "m", 101, 0, GRADS),
    ("BADVALUE a value is NaN", "CIRRUS.LOAD", "m", 0, 0, floats_of(np.nan, 0)),
    ("BADVALUE a scale is not", "CIRRUS.LOAD", "m", 1, 0, floats_of(0, -1)),
    ("BADVALUE a row is stamped in the future", "CIRRUS.LOAD", "m", 102, 0,
     floats_of(0, 0, 0, 0) + ids_of(2)),
    ("BADVALUE a row is stamped in the future", "CIRRUS.LOAD", "m", 102, 0,
     floats_of(0, 0, 0, 0) + ids_of(2**31)),
    ("BADVALUE the worker", "CIRRUS.TAG", "m", 65536, 0, 0),
    ("BADVALUE the generation", "CIRRUS.TAG", "m", 0, "x", 0),
    ("BADVALUE the sequence", "CIRRUS.TAG", "m", 0, 0, -1),
]  # fmt: skip


def test_bad_arguments(client):
    client.set("text", "x")
    client.set("v", np.arange(4.0).tobytes())
    client.execute_command(CREATE[0], "m", *CREATE[2:], "L2", 0.1)
    client.execute_command("CIRRUS.PUSH", "m", 0.1, ID, GRADS, "TAG", 3, 5, 1)
    before = client.dump("m")
    for text, *command in BAD:
        with pytest.raises(redis.ResponseError) as refusal:
            client.execute_command(*command)
        message = str(refusal.value)
        if isinstance(refusal.value, redis.OutOfMemoryError):  # redis-py cuts its word off
            message = f"OOM {message}"
        assert text in message, (command, message)
        assert not client.exists("new")
    assert client.dump("m") == before


def test_a_reply_has_a_limit(client):
    client.execute_command("CIRRUS.CREATE", "m", *"ROWS 2 WIDTH 65536 OPTIMIZER sgd".split())
    client.set("v", bytes(8 * 65536))
    many = bytes(4 * 2049)
    for command in (
        ("CIRRUS.PULL", "m", many),
        ("CIRRUS.STEP", "m", 1, "", "", many),
        ("CIRRUS.GATHER", "v", 65536, many),
    ):
        with pytest.raises(redis.ResponseError, match="^BADLENGTH the reply would exceed"):
            client.execute_command(*command)


def test_options_in_any_order_and_case(client):
    words = "Scaled l2 0.5 clock 9 0.25 optimizer adam width 2 penalized 3 ROWS 4 folded 4".split()
    client.execute_command("cirrus.create", "m", *words)
    reply = client.execute_command("CIRRUS.INFO", "m")
    info = dict(zip(reply[::2], reply[1::2], strict=True))
    expected = {b"rows": 4, b"width": 2, b"optimizer": b"adam", b"penalized": 3, b"scaled": 1}
    expected |= {b"steps": 9, b"rate": b"0.25", b"l1": b"0", b"l2": b"0.5", b"state_slots": 3}
    assert {name: info[name] for name in expected} == expected


def test_a_tag_fences_a_worker_off(client):
    client.execute_command(CREATE[0], "m", *CREATE[2:])
    client.execute_command("CIRRUS.TAG", "m", 3, 5, 1)
    with pytest.raises(redis.ResponseError, match="^STALEWORKER"):
        client.execute_command("CIRRUS.PUSH", "m", 0.1, ID, GRADS, "TAG", 3, 4, 9)
    assert client.execute_command("CIRRUS.PUSH", "m", 0.1, ID, GRADS, "TAG", 3, 5, 1) == 0
    assert client.execute_command("CIRRUS.PUSH", "m", 0.1, ID, GRADS, "TAG", 3, 5, 2) == 1


def test_steps_beyond_what_a_stamp_can_count(client):
    """The counter of steps starts anew after 2^31 - 16; the model goes on as if it had not."""
    models = {}
    for name, folded in (("wraps", 0), ("does not", 2**31 - 20)):
        words = "ROWS 3 WIDTH 1 OPTIMIZER adagrad L2 0.1 CLOCK".split()
        clock = (2**31 - 19, 0.1, "FOLDED", folded)
        client.execute_command("CIRRUS.CREATE", name, *words, *clock)
        for slot in (1, 0):
            client.execute_command("CIRRUS.LOAD", name, slot, 0, floats_of(1, 2, 3))
        for step in range(9):
            client.execute_command("CIRRUS.PUSH", name, 0.1, ids_of(step % 2), floats_of(1))
        reply = client.execute_command("CIRRUS.DUMP", name, 0, 0, 3)
        models[name] = np.frombuffer(reply, np.float32)
        assert client.execute_command("CIRRUS.INFO", name)[-7] == 2**31 - 10
    np.testing.assert_allclose(models["wraps"], models["does not"], rtol=1e-6)
