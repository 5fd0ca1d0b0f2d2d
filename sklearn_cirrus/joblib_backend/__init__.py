"""joblib backend "cirrus": ``Parallel`` calls on workers of this machine or on AWS Lambda.

``import sklearn_cirrus`` registers it::

    with joblib.parallel_config("cirrus", n_jobs=100):
        GridSearchCV(...).fit(X, y)
"""

from .backend import CirrusBackend
from .results import RemoteTraceback
from .usage import Usage, last_usage

__all__ = ["CirrusBackend", "RemoteTraceback", "Usage", "last_usage"]
