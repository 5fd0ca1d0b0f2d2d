"""Whether workers reach what they are to read or to write."""

from .exceptions import ConfigurationError


def check_reach(config, *urls):
    """Refuse files and stores of this machine for workers elsewhere.

    Parameters
    ----------
    config : Config
    urls : str or None

    Raises
    ------
    ConfigurationError
    """
    for url in urls:
        if url and config.backend == "lambda" and not url.startswith("s3://"):
            raise ConfigurationError(
                f"backend 'lambda' cannot reach {url}: its functions read and write s3:// alone; "
                "copy it there, or choose backend='local'"
            )
