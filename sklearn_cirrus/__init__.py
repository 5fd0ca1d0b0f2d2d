"""scikit-learn estimators that train on serverless workers."""

from ._dataset import Dataset
from ._joblib import register_backend as _register_backend
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
