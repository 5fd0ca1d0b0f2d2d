"""Preprocessing of datasets by workers, in the words of scikit-learn.

The estimators here are scikit-learn's own, and behave like them on arrays. On a
:class:`~sklearn_cirrus.Dataset`, ``fit`` goes over the blocks on the workers, and ``transform``
returns a dataset whose blocks are transformed when they are read: nothing is written, unless
:meth:`Dataset.persist <sklearn_cirrus.Dataset.persist>` is called.
"""

from ._feature_hasher import CirrusFeatureHasher
from ._scalers import CirrusMinMaxScaler, CirrusStandardScaler

__all__ = ["CirrusFeatureHasher", "CirrusMinMaxScaler", "CirrusStandardScaler"]
