"""Where models live: in Redis with our module, in Redis without it, or in this process."""

from ..errors import ServerError
from .base import Engine, PushTag
from .inline import InlineEngine
from .lua import LuaEngine
from .module import ModuleEngine
from .sharded import ShardedEngine

__all__ = [
    "Engine",
    "InlineEngine",
    "LuaEngine",
    "ModuleEngine",
    "PushTag",
    "ShardedEngine",
    "open_engine",
    "open_shards",
]

_ENGINES = {"module": ModuleEngine, "lua": LuaEngine}


def open_engine(client, name="auto"):
    """Return an engine by name.

    Parameters
    ----------
    client : redis.Redis or None
        None for the inline engine, which has no server.
    name : {"auto", "module", "lua", "inline"}
        ``"auto"`` is inline without a client, module if the server has the module, else lua.

    Returns
    -------
    Engine

    Raises
    ------
    ValueError
        If there is no such engine, or it needs a client and has none.
    ServerError
        If the server cannot be reached, or lacks the module that ``"module"`` needs.
    """
    if name not in ("auto", "inline", *_ENGINES):
        raise ValueError(f"engine must be auto, inline, module or lua, not {name!r}")
    if name == "inline" or (name == "auto" and client is None):
        return InlineEngine()
    if client is None:
        raise ValueError(f"the {name} engine needs a Redis client")
    if name == "lua":
        return LuaEngine(client)
    engine = ModuleEngine(client)
    if engine.is_there():
        return engine
    engine.close()
    if name == "module":
        raise ServerError("the server does not have the cirrus module loaded")
    return LuaEngine(client)


def open_shards(clients, name="auto"):
    """Return the engine of models that are split over servers.

    Parameters
    ----------
    clients : list of redis.Redis
        One client a server, in the order of the rows that it holds.
    name : {"auto", "module", "lua"}
        ``"auto"`` is module if every server has the module, else lua.

    Returns
    -------
    Engine
        That of :func:`open_engine` if there is one server.

    Raises
    ------
    ServerError
        If a server cannot be reached, or lacks the module that ``"module"`` needs.
    """
    engines = [open_engine(client, name) for client in clients]
    if len(engines) == 1:
        return engines[0]
    if len({engine.name for engine in engines}) > 1:
        engines = [LuaEngine(client) for client in clients]
    return ShardedEngine(engines)
