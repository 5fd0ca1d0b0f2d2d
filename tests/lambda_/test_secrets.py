"""One fit with passwords that can be recognised: where they turn up, and where never."""

import json
import logging
import pickle
import re
import traceback

import pytest
import redis

from cirrus_runtime.store import open_store
from sklearn_cirrus import CirrusLogisticRegression, _trainer, config_context, get_config
from sklearn_cirrus.servers.access import WorkerAccess
from sklearn_cirrus.workers import aws_lambda_function

from ..faults.conftest import labelled
from .conftest import PARAMETERS, PASSWORD, SETTINGS, assert_nothing_left

WORKERS = "recognisable-worker-password"
SECRETS = re.compile(f"{PASSWORD}|{WORKERS}")
pytestmark = pytest.mark.filterwarnings("ignore:Maximum number of iterations")


class Everything(logging.Handler):
    """Keeps every line that any logger writes, with its traceback."""

    def __init__(self):
        super().__init__(1)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record) + repr(record.args))


@pytest.fixture
def watched(emulator, server, monkeypatch):
    """What may be seen of a fit: events, answers, log lines of both sides, commands, objects."""
    seen = {"events": [], "answers": [], "objects": {}}
    everything = Everything()
    loggers = [logging.getLogger(name) for name in ("", "sklearn_cirrus", "cirrus_runtime")]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(everything)
    for logger in loggers:
        logger.setLevel(1)
    monkeypatch.setattr("secrets.token_urlsafe", lambda length=None: WORKERS)
    invoke, entry = aws_lambda_function.LambdaFunction.invoke, _trainer.Run._entry

    def note_invoke(function, event):
        seen["events"].append(event.decode())
        answer = invoke(function, event)
        seen["answers"].append(repr(answer))
        return answer

    def note_objects(run, *args):
        store = run.place.store
        seen["objects"] |= {name: bytes(store.get(name)) for name in store.list("runs/")}
        seen["reprs"] = [repr(part) for part in (run, run.place, run.crew, run.job, vars(run.crew))]
        return entry(run, *args)

    monkeypatch.setattr(aws_lambda_function.LambdaFunction, "invoke", note_invoke)
    monkeypatch.setattr(_trainer.Run, "_entry", note_objects)
    seen["log"] = everything.lines
    yield seen
    loggers[0].removeHandler(everything)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def test_where_the_passwords_are(watched, emulator, server):
    first = len(emulator.invocations())
    X, y = labelled()
    with config_context(
        **SETTINGS | {"n_workers": 4, "redis_url": server.url, "checkpoint_seconds": 0.0}
    ):
        model = CirrusLogisticRegression(**PARAMETERS | {"max_iter": 2}).fit(X, y)
        assert not SECRETS.search(repr(get_config()))
    emulator.faults.kill(after=0.2, n=4)  # and once more with workers that die
    with config_context(**SETTINGS | {"n_workers": 4, "redis_url": server.url}):
        CirrusLogisticRegression(**PARAMETERS | {"max_iter": 2}).fit(X, y)
    for kind in ("events", "answers", "reprs", "log"):
        assert watched[kind], kind
        assert not SECRETS.search("\n".join(watched[kind])), kind
    for invocation in emulator.invocations()[first:]:
        assert not SECRETS.search(emulator.log(invocation.request_id))
    assert not SECRETS.search(repr(vars(model)) + repr(model))
    assert not re.search(SECRETS.pattern.encode(), pickle.dumps(model))
    # The job is where the workers' password lies, and the only such place; yours lies nowhere.
    holders = {name for name, data in watched["objects"].items() if WORKERS.encode() in data}
    assert holders and all(re.search(r"/job-\d+\.json$", name) for name in holders)
    assert not [name for name, data in watched["objects"].items() if PASSWORD.encode() in data]
    assert any("checkpoint-" in name for name in watched["objects"])
    assert_nothing_left(emulator, server)


def full_text(error):
    """Return all that a traceback can show of an error, its causes and their arguments."""
    texts = []
    while error is not None:
        texts += traceback.format_exception(error) + [repr(error.args), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


@pytest.mark.parametrize("fault", ["version", "unreachable", "wrong password", "full", "dead"])
def test_errors_hold_no_password(watched, emulator, server, fault, monkeypatch):
    X, y = labelled()
    settings = {"n_workers": 4, "redis_url": server.url, "retry_seconds": 0.5}
    if fault == "version":
        monkeypatch.setattr("sklearn_cirrus.workers.aws_lambda.__version__", "9")
    elif fault == "unreachable":
        settings["redis_url"] = re.sub(r":\d+/0", ":9/0", server.url)
    elif fault == "wrong password":
        settings["redis_url"] = server.url.replace("@", "x@")
    elif fault == "full":
        server.client.config_set("maxmemory", 1)
    else:
        emulator.faults.kill(after=0.0, n=1000)
    with config_context(**SETTINGS | settings):
        with pytest.raises(Exception) as caught:  # noqa: B017 (whichever it is)
            CirrusLogisticRegression(**PARAMETERS).fit(X, y)
    assert type(caught.value).__module__.endswith(("exceptions", "errors"))
    assert not SECRETS.search(full_text(caught.value))
    assert not SECRETS.search("\n".join(watched["log"]))
    server.client.config_set("maxmemory", 0)
    assert_nothing_left(emulator, server)


def test_a_worker_s_password_opens_its_run_alone_and_ends_with_it(emulator, server, monkeypatch):
    urls, grant = [], WorkerAccess.grant

    def note(access):
        grant(access)
        urls.append(access.urls[0])
        with redis.Redis.from_url(access.urls[0]) as client:
            for command in (["KEYS", "*"], ["GET", "other"], ["FLUSHALL"], ["ACL", "WHOAMI"]):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.execute_command(*command)

    monkeypatch.setattr(WorkerAccess, "grant", note)
    X, y = labelled()
    with config_context(**SETTINGS | {"n_workers": 4, "redis_url": server.url}):
        CirrusLogisticRegression(**PARAMETERS | {"max_iter": 1}).fit(X, y)
    assert urls and PASSWORD not in urls[0]
    with redis.Redis.from_url(urls[0]) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_the_job_in_the_store_goes_with_its_run(emulator, server, monkeypatch):
    jobs, entry = [], _trainer.Run._entry

    def note(run, *args):
        with open_store(run.place.store.url) as store:
            jobs.extend(
                json.loads(bytes(store.get(name)))
                for name in store.list("runs/")
                if "/job-" in name
            )
        return entry(run, *args)

    monkeypatch.setattr(_trainer.Run, "_entry", note)
    X, y = labelled()
    with config_context(**SETTINGS | {"n_workers": 4, "redis_url": server.url}):
        CirrusLogisticRegression(**PARAMETERS | {"max_iter": 1}).fit(X, y)
    (job,) = jobs
    assert job["redis_url"].startswith(f"redis://cirrus-{job['run_id']}:")
    assert_nothing_left(emulator, server)
