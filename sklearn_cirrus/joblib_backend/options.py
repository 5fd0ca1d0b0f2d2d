"""The options of the backend: what a user may pass to ``parallel_config("cirrus", ...)``."""

from dataclasses import dataclass, replace

from ..exceptions import ConfigurationError

_WHERE = (None, "local", "lambda", "inline")


@dataclass(frozen=True)
class Options:
    """Options of the backend; see :class:`~sklearn_cirrus.joblib_backend.CirrusBackend`.

    Raises
    ------
    ConfigurationError
        One has a value that it cannot have.
    """

    where: str | None = None
    retries: int = 2
    task_timeout: float | None = None
    speculate: bool | str = "auto"

    def __post_init__(self):
        if self.where not in _WHERE:
            _refuse("where", self.where, "None, 'local', 'lambda' or 'inline'")
        count = isinstance(self.retries, int) and not isinstance(self.retries, bool)
        if not count or not 0 <= self.retries <= 100:
            _refuse("retries", self.retries, "an integer from 0 to 100")
        seconds = self.task_timeout
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if seconds is not None and not (number and 0 < seconds < float("inf")):
            _refuse("task_timeout", seconds, "None or a positive number of seconds")
        if self.speculate != "auto" and not isinstance(self.speculate, bool):
            _refuse("speculate", self.speculate, "True, False or 'auto'")

    def changed(self, given):
        """Return these options with some others.

        Raises
        ------
        TypeError
            There is no such option.
        """
        try:
            return replace(self, **given)
        except TypeError as error:
            names = ", ".join(map(repr, given))
            raise TypeError(
                f"backend 'cirrus' takes where, retries, task_timeout and speculate, not {names}"
            ) from error


def _refuse(name, value, wanted):
    raise ConfigurationError(f"{name} must be {wanted}, not {value!r}")
