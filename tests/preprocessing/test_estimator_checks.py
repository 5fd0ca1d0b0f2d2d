"""scikit-learn's own checks."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_cirrus import CirrusFeatureHasher, CirrusMinMaxScaler, CirrusStandardScaler


@pytest.mark.filterwarnings("ignore:Can't test estimator CirrusFeatureHasher")
@parametrize_with_checks([CirrusStandardScaler(), CirrusMinMaxScaler(), CirrusFeatureHasher()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)
