"""What a STEP costs beside a plain GET and SET of the same bytes, through the same client.

A STEP sends the gradient of one minibatch and gets the weights of the next. The yardstick
sends as many bytes with a SET and gets as many with a GET. It is measured twice: over the
same kind of held connection as STEP uses, which is the stricter, and with the methods of
redis-py's client. The three take turns, so that a busy moment falls on all of them.

    python benchmarks/step_round_trip.py
    python benchmarks/step_round_trip.py --engines module lua inline --ids 700
"""

import argparse
import secrets
import time

import numpy as np
from machine import describe_machine, print_report, quantiles, say

from cirrus_runtime.engines.connection import HeldConnection, pack
from cirrus_runtime.server import ModelSpec, ParameterServer, open_engine
from sklearn_cirrus.servers import open_server

WARM_UP = 200  # the first calls open connections and fault memory in


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ids", type=int, nargs="+", default=[50, 700, 7_000, 30_000])
    parser.add_argument("--rows", type=int, default=2**20, help="of the model")
    parser.add_argument("--optimizer", default="adagrad")
    parser.add_argument("--engines", nargs="+", default=["module"])
    parser.add_argument("--repeats", type=int, default=3_000, help="round trips of each kind")
    parser.add_argument("--redis-url", help="default: an embedded server on a unix socket")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def take_turns(calls, repeats):
    """Call each in turn, many times; return the spread of the seconds of each."""
    for call in calls.values():
        for _ in range(min(WARM_UP, repeats)):
            call()
    seconds = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: quantiles(values) for name, values in seconds.items()}


def compare(client, model, options, n_ids, key):
    """Measure one size of minibatch against the yardstick."""
    random = np.random.default_rng(options.seed)
    # Several minibatches, so that no kind of call finds its rows in the cache for free.
    batches = [
        random.choice(options.rows, n_ids, replace=False).astype(np.uint32) for _ in range(16)
    ]
    gradient = random.normal(size=(n_ids, 1)).astype(np.float32)
    turn = iter(range(10**9))

    def step():
        i = next(turn)
        return model.step(batches[i % 16], gradient, 0.01, batches[(i + 1) % 16])

    sent = bytes(2 * batches[0].nbytes + gradient.nbytes)
    received = bytes(gradient.nbytes)
    held = HeldConnection(client)
    get_name, set_name = f"{key}:get", f"{key}:set"
    client.set(get_name, received)
    get, put = (b"GET", get_name.encode()), (b"SET", set_name.encode(), sent)
    calls = {
        "step": step,
        "held_get": lambda: held.call(pack(*get)),
        "held_set": lambda: held.call(pack(*put)),
        "client_get": lambda: client.get(get_name),
        "client_set": lambda: client.set(set_name, sent),
    }
    try:
        spread = take_turns(calls, options.repeats)
    finally:
        client.delete(get_name, set_name)
        held.close()
    median = {name: values["median"] for name, values in spread.items()}
    ratios = {
        "held": median["step"] / (median["held_get"] + median["held_set"]),
        "client": median["step"] / (median["client_get"] + median["client_set"]),
    }
    say(f"{model.engine.name}, {n_ids} ids: step {median['step'] * 1e6:.0f} us, ratios {ratios}")
    return {"ids": n_ids, "step_over_get_and_set": ratios, "seconds": spread}


def main():
    options = parse()
    machine = describe_machine()
    server = open_server(options.redis_url)
    results = []
    with server.client() as client:
        for name in options.engines:
            engine = open_engine(None if name == "inline" else client, name)
            key = f"cirrus:{{benchmark-{secrets.token_hex(4)}}}:model"
            model = ParameterServer(engine, key)
            model.create(ModelSpec(rows=options.rows, width=1, optimizer=options.optimizer))
            try:
                sizes = [compare(client, model, options, n, key) for n in options.ids]
            finally:
                model.drop()
                engine.close()
            results.append({"engine": name, "sizes": sizes})
        server_info = client.info("server")
    params = vars(options) | {"redis_url": server.address}
    answered = {name: server_info.get(name) for name in ("server_name", "redis_version")}
    print_report("step_round_trip", machine, params, {"server": answered, "engines": results})


if __name__ == "__main__":
    main()
