"""scikit-learn's own checks."""

import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks

from sklearn_cirrus import CirrusFeatureHasher, CirrusMinMaxScaler, CirrusStandardScaler


@estimator_checks.parametrize_with_checks([CirrusStandardScaler(), CirrusMinMaxScaler()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "check",
    [
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_get_params_invariance",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
    ],
)
def test_checks_of_a_hasher_that_need_no_matrix(check):
    """The others are not for what takes dicts, scikit-learn says of its own hasher."""
    getattr(estimator_checks, check)(
        "CirrusFeatureHasher", clone(CirrusFeatureHasher(numbers="buckets"))
    )
