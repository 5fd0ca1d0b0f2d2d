"""What backend "lambda" needs: from the settings, and from what was deployed for the rest."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from .exceptions import ConfigurationError, DeployError

_NEEDED = ("function", "store_url", "redis_url")
_FILES = ("ssl_certfile", "ssl_keyfile", "ssl_ca_path")


def complete_config(config):
    """Return the settings with what they leave to the deployment, and the type of its host.

    Parameters
    ----------
    config : Config

    Returns
    -------
    config : Config
    host : str or None
        Type of the server's host, if the server is that of the deployment and has one.

    Raises
    ------
    ConfigurationError
        Something is missing, or a Lambda could not reach it.
    """
    if config.backend != "lambda":
        return config, None
    host = None
    missing = [name for name in _NEEDED if getattr(config, name) is None]
    if missing:
        found, kind = _deployed(config.stack, missing)
        host = kind if "redis_url" in missing else None
        config = replace(config, **found)
    _check_store(config.store_url)
    urls = tuple(_for_functions(url) for url in config.redis_urls)
    return replace(config, redis_url=urls), host


def complete_for_tasks(config):
    """Return the settings that tasks on Lambda need: function and store, deployed if not set.

    Parameters
    ----------
    config : Config

    Returns
    -------
    Config

    Raises
    ------
    ConfigurationError
        One is missing, or a Lambda could not reach the store.
    """
    missing = [name for name in ("task_function", "store_url") if getattr(config, name) is None]
    if missing:
        config = replace(config, **_deployed(config.stack, missing)[0])
    _check_store(config.store_url)
    return config


def _check_store(url):
    """Refuse a store that a function does not reach."""
    if not url.startswith("s3://"):
        raise ConfigurationError(
            f"backend 'lambda' needs a store that functions reach, not {url!r}: set "
            "store_url (CIRRUS_STORE_URL) to s3://bucket/prefix"
        )


def _deployed(stack, missing):
    """Return the settings that are missing, from the deployment, and the type of its host."""
    from .deploy.record import load_deployment

    names = " and ".join(f"{name} (CIRRUS_{name.upper()})" for name in missing)
    try:
        deployment = load_deployment(stack)
    except DeployError as error:
        raise ConfigurationError(
            f"backend 'lambda' needs {names}, and there is no stack to take it from: {error}"
        ) from error
    found = {
        "function": deployment.worker,
        "task_function": deployment.task,
        "store_url": deployment.store_url,
        "redis_url": deployment.redis_url,
    }
    found = {name: found[name] for name in missing}
    if found.get("task_function", "") is None:
        raise ConfigurationError(
            f"the stack {deployment.stack!r} was deployed without a function for tasks: run "
            "`sklearn-cirrus deploy --task-bundle FILE` with the zip of `sklearn-cirrus bundle "
            "--task`, or set task_function (CIRRUS_TASK_FUNCTION)"
        )
    if found.get("redis_url", "") is None:
        raise ConfigurationError(
            f"the stack {deployment.stack!r} was deployed without a server: set redis_url "
            "(CIRRUS_REDIS_URL), or run `sklearn-cirrus deploy` with --redis-url or "
            "--server-instance"
        )
    return found, deployment.options.instance


def _for_functions(url):
    """Return a server's url as functions can use it, or refuse one that they cannot."""
    if url.startswith("unix://"):
        raise ConfigurationError(
            "backend 'lambda' needs a server that functions reach over a network, not a unix "
            "socket: set redis_url (CIRRUS_REDIS_URL) to rediss://..."
        )
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    for name in _FILES:
        if name in options:
            raise ConfigurationError(
                f"backend 'lambda' cannot use a redis_url with {name}: a function does not have "
                "that file; use ssl_ca_certs or ssl_ca_data, and a password"
            )
    path = options.pop("ssl_ca_certs", None)
    if path is None:
        return url
    try:
        options["ssl_ca_data"] = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"ssl_ca_certs of redis_url cannot be read: {error}") from error
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    return urlunsplit(parts._replace(query=query))
