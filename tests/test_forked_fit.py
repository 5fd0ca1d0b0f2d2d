"""A process that has fitted and forks: parent and child go on fitting, each on its own."""

import subprocess
import sys

FORKED = """
import os
import numpy as np
from sklearn_cirrus import CirrusLogisticRegression

X = np.random.default_rng(0).normal(size=(500, 4))
y = X[:, 0] > 0

def fit():
    model = CirrusLogisticRegression(tol=None, max_iter=5, random_state=0)
    return model.fit(X, y).coef_

first = fit()
child = os.fork()
second = fit()  # both at once, and neither on the other's connections
assert np.array_equal(first, second)
if child:
    assert os.waitpid(child, 0)[1] == 0
    assert np.array_equal(first, fit())
"""


def test_a_fork_fits_on_its_own():
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
