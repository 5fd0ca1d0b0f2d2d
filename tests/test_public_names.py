"""What a user may import, and what importing costs."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_cirrus

MODULES = [
    info.name
    for info in pkgutil.walk_packages(sklearn_cirrus.__path__, "sklearn_cirrus.")
    if not any(part.startswith("_") for part in info.name.split("."))
]


def test_the_names_of_the_design_that_exist_so_far():
    assert sklearn_cirrus.__all__ == [
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


def test_public_modules_are_found():
    assert {"sklearn_cirrus.linear_model", "sklearn_cirrus.config"} <= set(MODULES)


@pytest.mark.parametrize("name", ["sklearn_cirrus", *MODULES])
def test_all_is_sorted_and_true(name):
    module = importlib.import_module(name)
    names = getattr(module, "__all__", None)
    if names is None:
        return
    assert list(names) == sorted(set(names))
    assert all(hasattr(module, public) for public in names)


def test_names_are_the_same_objects_wherever_they_come_from():
    from sklearn_cirrus.config import get_config
    from sklearn_cirrus.linear_model import CirrusLogisticRegression

    assert sklearn_cirrus.CirrusLogisticRegression is CirrusLogisticRegression
    assert sklearn_cirrus.get_config is get_config


@pytest.mark.parametrize("name", sklearn_cirrus.__all__)
def test_public_names_are_documented(name):
    assert len(getattr(sklearn_cirrus, name).__doc__) > 20


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("CirrusLogisticRegression", {"coef_", "intercept_", "classes_"}),
        ("CirrusMatrixFactorization", {"components_", "item_bias_", "user_factors_", "mean_"}),
    ],
)
def test_every_constructor_parameter_and_fitted_attribute_is_documented(name, some):
    kind = getattr(sklearn_cirrus, name)
    text = inspect.getdoc(kind)  # without the indentation, which Python 3.13 leaves out itself
    for parameter in kind().get_params():
        assert f"\n{parameter} : " in text, parameter
    tree = ast.parse(Path(sys.modules[kind.__module__].__file__).read_text())
    fitted = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and node.attr.endswith("_")
    }
    assert fitted >= some | {"history_", "n_iter_", "cost_"}
    for attribute in fitted:
        assert f"\n{attribute} : " in text, attribute


def test_names_are_there_before_they_are_imported():
    """And importing the package alone does not import scikit-learn."""
    program = (
        "import sys, sklearn_cirrus\n"
        "assert not {'sklearn', 'scipy'} & set(sys.modules)\n"
        "assert set(sklearn_cirrus.__all__) < set(dir(sklearn_cirrus))\n"
        "assert sklearn_cirrus.exceptions.CirrusError and not hasattr(sklearn_cirrus, 'nothing')\n"
        "from sklearn_cirrus import *\n"
        "assert CirrusLogisticRegression is sklearn_cirrus.linear_model.CirrusLogisticRegression"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_importing_starts_nothing_and_leaves_the_cloud_alone():
    program = (
        "import sys, threading, sklearn_cirrus, sklearn_cirrus.plots\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "import multiprocessing; assert not multiprocessing.active_children()\n"
        "unwanted = 'boto3', 'botocore', 'polars', 'matplotlib'\n"
        "print([m for m in unwanted if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_constructing_and_cloning_starts_nothing():
    program = (
        "import os, sys, threading\n"
        "from sklearn.base import clone\n"
        "from sklearn_cirrus import CirrusLogisticRegression, config_context\n"
        "before = len(os.listdir('/proc/self/fd')) if os.path.isdir('/proc/self/fd') else 0\n"
        "with config_context(redis_url='redis://nowhere.invalid', store_url='s3://nothing'):\n"
        "    clone(CirrusLogisticRegression(C=-1, backend='local', n_workers=99)).get_params()\n"
        "after = len(os.listdir('/proc/self/fd')) if before else 0\n"
        "assert threading.active_count() == 1 and before == after\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
