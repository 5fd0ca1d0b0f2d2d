"""scikit-learn estimators that train on serverless workers."""

import importlib
import typing

from ._joblib import register_backend as _register_backend

if typing.TYPE_CHECKING:  # what __getattr__ imports, for those that read this without running it
    from ._dataset import Dataset
    from .config import config_context, get_config, set_config
    from .decomposition import CirrusMatrixFactorization
    from .linear_model import CirrusLogisticRegression
    from .preprocessing import CirrusFeatureHasher, CirrusMinMaxScaler, CirrusStandardScaler

__version__ = "0.1.0"

_register_backend()

__all__ = [
    "CirrusFeatureHasher",
    "CirrusLogisticRegression",
    "CirrusMatrixFactorization",
    "CirrusMinMaxScaler",
    "CirrusStandardScaler",
    "Dataset",
    "config_context",
    "get_config",
    "set_config",
]

# Where the public names live. They are imported when they are first used: scikit-learn takes
# longer to import than most commands of the command line to run.
_HOMES = {
    "CirrusFeatureHasher": "preprocessing",
    "CirrusLogisticRegression": "linear_model",
    "CirrusMatrixFactorization": "decomposition",
    "CirrusMinMaxScaler": "preprocessing",
    "CirrusStandardScaler": "preprocessing",
    "Dataset": "_dataset",
    "config_context": "config",
    "get_config": "config",
    "set_config": "config",
}
_MODULES = {
    *("config", "datasets", "decomposition", "exceptions", "joblib_backend", "linear_model"),
    *("model_selection", "preprocessing"),
}


def __getattr__(name):
    """Import a public name or module at its first use."""
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_HOMES[name]}", __name__)
    value = globals()[name] = getattr(module, name)
    return value


def __dir__():
    """Return all names, imported yet or not."""
    return sorted({*globals(), *__all__, *_MODULES})
