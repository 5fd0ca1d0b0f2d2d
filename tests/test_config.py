"""Where a setting comes from, and what is refused."""

import os
import threading

import pytest

import sklearn_cirrus.config as config_module
from sklearn_cirrus import config_context, get_config, set_config
from sklearn_cirrus.config import Config
from sklearn_cirrus.exceptions import ConfigurationError

# Setting, text of the environment variable, the value it means; none is a default.
TEXTS = [
    ("backend", "inline", "inline"),
    ("n_workers", "3", 3),
    ("n_workers", "auto", "auto"),
    ("redis_url", "redis://host:6379/0", "redis://host:6379/0"),
    ("redis_url", "redis://:a,b@h,unix:///s", ("redis://:a,b@h", "unix:///s")),
    ("n_servers", "3", 3),
    ("server_binary", "/opt/valkey-server", "/opt/valkey-server"),
    ("engine", "lua", "lua"),
    ("store_url", "s3://bucket/prefix", "s3://bucket/prefix"),
    ("prefetch", "0", False),
    ("prefetch", "False", False),
    ("block_bytes", "65536", 65536),
    ("buffer_bytes", "0", 0),
    ("cache_bytes", "0", 0),
    ("lease_seconds", "2.5", 2.5),
    ("retry_seconds", "2.5", 2.5),
    ("checkpoint_seconds", "2.5", 2.5),
    ("keep_checkpoint", "1", True),
    ("resume", "0123abcd", "0123abcd"),
    ("stack", "mine", "mine"),
    ("function", "mine-worker", "mine-worker"),
    ("task_function", "mine-task", "mine-task"),
    ("max_cost", "0.25", 0.25),
    ("journal", "/var/runs", "/var/runs"),
    ("dashboard", "1", True),
]
BAD = [
    ("backend", "cloud"),
    ("backend", None),
    ("engine", "inline"),
    ("n_workers", 0),
    ("n_workers", "many"),
    ("n_workers", 2.0),
    ("n_workers", True),
    ("n_workers", 65537),
    ("redis_url", "http://host"),
    ("redis_url", 6379),
    ("redis_url", []),
    ("redis_url", ["redis://host", "http://host"]),
    ("redis_url", ["redis://host", None]),
    ("redis_url", ["redis://host", "redis://host"]),
    ("n_servers", 0),
    ("n_servers", 65),
    ("n_servers", 2.0),
    ("server_binary", 1),
    ("store_url", "/folder"),
    ("prefetch", 1),
    ("dashboard", 1),
    ("journal", ""),
    ("journal", None),
    ("prefetch", "yes"),
    ("block_bytes", 1023),
    ("block_bytes", 1e6),
    ("block_bytes", 1 << 31),
    ("buffer_bytes", -1),
    ("cache_bytes", 0.5),
    ("lease_seconds", 0.01),
    ("lease_seconds", "30"),
    ("lease_seconds", float("nan")),
    ("retry_seconds", 0.0),
    ("retry_seconds", float("inf")),
    ("checkpoint_seconds", -1.0),
    ("checkpoint_seconds", True),
    ("keep_checkpoint", 1),
    ("resume", "runs/1"),
    ("resume", ""),
    ("stack", ""),
    ("function", 1),
    ("task_function", 1),
    ("max_cost", 0.0),
    ("max_cost", True),
    ("max_cost", float("inf")),
]


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """Give each test a process that nothing was set in."""
    monkeypatch.setattr(config_module, "_process", {})
    for name in list(os.environ):
        if name.startswith("CIRRUS_"):
            monkeypatch.delenv(name)


def test_the_texts_cover_every_setting():
    assert {name for name, _, _ in TEXTS} == set(vars(Config()))


@pytest.mark.parametrize(("name", "text", "value"), TEXTS)
def test_environment(name, text, value, monkeypatch):
    assert getattr(get_config(), name) != value
    monkeypatch.setenv(f"CIRRUS_{name.upper()}", text)
    found = getattr(get_config(), name)
    assert found == value and type(found) is type(value)


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("CIRRUS_BACKEND", "")
    assert get_config() == Config()


@pytest.mark.parametrize(
    ("name", "text"),
    [("n_workers", "two"), ("prefetch", "maybe"), ("block_bytes", "8M"), ("lease_seconds", "soon")],
)
def test_a_variable_that_cannot_be_read_is_named(name, text, monkeypatch):
    variable = f"CIRRUS_{name.upper()}"
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationError, match=f"{variable}='{text}'") as caught:
        get_config()
    assert isinstance(caught.value.__cause__, (KeyError, ValueError))


@pytest.mark.parametrize(
    ("name", "text"), [("backend", "cloud"), ("n_workers", "0"), ("lease_seconds", "nan")]
)
def test_a_variable_out_of_range_is_refused(name, text, monkeypatch):
    monkeypatch.setenv(f"CIRRUS_{name.upper()}", text)
    with pytest.raises(ConfigurationError, match=name):
        get_config()


def test_order_of_precedence(monkeypatch):
    assert get_config().n_workers is None
    monkeypatch.setenv("CIRRUS_N_WORKERS", "2")
    assert get_config().n_workers == 2
    set_config(n_workers=3)
    assert get_config().n_workers == 3
    with config_context(n_workers=4):
        assert get_config().n_workers == 4
        assert get_config(n_workers=5).n_workers == 5
        assert get_config(n_workers=None).n_workers == 4  # a parameter left alone
        with config_context(n_workers=None):
            assert get_config().n_workers is None
    assert get_config().n_workers == 3


def test_settings_are_independent(monkeypatch):
    monkeypatch.setenv("CIRRUS_ENGINE", "lua")
    set_config(prefetch=False)
    with config_context(backend="inline"), config_context(block_bytes=4096):
        found = get_config(n_workers=1)
    expected = Config(engine="lua", prefetch=False, backend="inline", block_bytes=4096, n_workers=1)
    assert found == expected


def test_a_context_ends_with_an_error():
    with pytest.raises(LookupError), config_context(backend="inline"):
        raise LookupError
    assert get_config() == Config()


def test_a_context_is_its_threads_own():
    inside, seen = threading.Barrier(2), {}

    def other():
        with config_context(n_workers=7):
            inside.wait(10)  # both contexts are open now
            seen["other"] = get_config().n_workers
            inside.wait(10)

    thread = threading.Thread(target=other)
    with config_context(n_workers=4):
        thread.start()
        inside.wait(10)
        seen["main"] = get_config().n_workers
        inside.wait(10)
        thread.join(10)
    assert seen == {"main": 4, "other": 7}


def test_set_config_is_for_all_threads():
    seen = []
    set_config(n_workers=6)
    thread = threading.Thread(target=lambda: seen.append(get_config().n_workers))
    thread.start()
    thread.join(10)
    assert seen == [6]


@pytest.mark.parametrize(("name", "value"), BAD)
@pytest.mark.parametrize("way", [set_config, get_config, config_context])
def test_bad_settings_are_named(way, name, value):
    if way is get_config and value is None:
        return  # None is no override
    with pytest.raises(ConfigurationError, match=rf"the setting {name} must be"):
        result = way(**{name: value})
        if way is config_context:
            with result:
                pass
    assert get_config() == Config()


def test_every_setting_is_checked():
    assert {name for name, _ in BAD} == set(vars(Config()))


@pytest.mark.parametrize("way", [set_config, config_context, get_config])
def test_an_unknown_setting_is_named_with_those_that_are(way):
    with pytest.raises((ConfigurationError, TypeError), match="'?workers'?") as caught:
        with way(workers=2):
            pass
    if way is not get_config:
        assert "n_workers" in str(caught.value)
    assert get_config() == Config()


def test_one_bad_setting_spoils_the_others_of_its_call():
    with pytest.raises(ConfigurationError):
        set_config(backend="inline", engine="steam")
    assert get_config().backend == "local"


def test_a_configuration_cannot_be_changed():
    with pytest.raises(AttributeError):
        get_config().backend = "inline"


@pytest.mark.parametrize(
    "url", ["redis://user:s3cret@host:6379", "unix:///tmp/x?password=s3cret", "rediss://:s3cret@h"]
)
def test_no_secret_is_shown(url):
    with config_context(redis_url=url):
        assert get_config().redis_url == url
        for text in (repr(get_config()), str(get_config()), f"{get_config()}"):
            assert "s3cret" not in text
            assert url.split("://")[0] in text


def test_no_secret_is_shown_of_a_bad_url():
    with pytest.raises(ConfigurationError) as caught:
        set_config(redis_url="http://:s3cret@host")
    assert "s3cret" not in str(caught.value)
    assert "http" in str(caught.value)
