"""The bundle of a worker: what is in it, and that a Python which has nothing else runs it."""

import base64
import hashlib
import json
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from sklearn_cirrus.bundle import Target, build
from sklearn_cirrus.bundle.elf import read_library
from sklearn_cirrus.exceptions import BundleError

from .bare_training import train

# Imports all of numpy in the folder argv[1]; its last line are the modules that it could not.
IMPORT_ALL = """
import pkgutil, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
import numpy
exec("from numpy import *", {})
failed = ["failed:"]
for module in pkgutil.walk_packages(numpy.__path__, "numpy.", onerror=failed.append):
    try:
        module.name.endswith("__main__") or __import__(module.name)
    except Exception:
        failed.append(module.name)
print()
print(*failed)
"""
# They need numpy's own build, or a setuptools that no Python of these brings along.
NEVER_IMPORTABLE = {
    "numpy._core.cversions",
    "numpy.distutils",
    "numpy.f2py._backends._distutils",
}

needs_this_machine = pytest.mark.skipif(
    sys.implementation.name != "cpython" or not Target.here().runs_here(),
    reason="this machine cannot run what Lambda runs",
)


@pytest.fixture(scope="session")
def unpacked(worker_bundle, tmp_path_factory):
    """The folder that Lambda would make of the bundle."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(worker_bundle.path) as archive:
        archive.extractall(folder)
    return folder


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_bundle_says_what_it_is(worker_bundle):
    data = worker_bundle.path.read_bytes()
    digest = hashlib.sha256(data)
    assert worker_bundle.sha256 == digest.hexdigest()
    assert worker_bundle.code_sha256 == base64.b64encode(digest.digest()).decode()
    assert worker_bundle.zipped == len(data) <= 20_000_000
    with zipfile.ZipFile(worker_bundle.path) as archive:
        assert worker_bundle.unzipped == sum(entry.file_size for entry in archive.infolist())
    assert worker_bundle.unzipped < 250 << 20
    assert worker_bundle.path.name == f"worker-{worker_bundle.target.label}.zip"
    assert set(worker_bundle.versions) == {
        "hiredis",
        "numpy",
        "redis",
        "safetensors",
        "sklearn-cirrus",
    } | ({"async-timeout"} & set(worker_bundle.versions))
    for name in ("redis", "safetensors", "sklearn-cirrus"):
        assert worker_bundle.versions[name] == metadata.version(name)


def test_the_runtime_is_whole_and_its_kernels_are_the_target_s(worker_bundle, unpacked, repository):
    runtime = repository / "lambda_pkg" / "cirrus_runtime"
    sources = {name for name in files(runtime) if name.endswith((".py", ".lua", ".txt"))}
    assert sources <= files(unpacked / "cirrus_runtime")
    machine, glibc = read_library(unpacked / "cirrus_runtime" / "libcirrus_kernels.so")
    assert machine == worker_bundle.target.machine
    assert glibc <= worker_bundle.target.glibc


def test_every_module_has_its_bytecode_and_every_part_its_licence(worker_bundle, unpacked):
    if not worker_bundle.precompiled:
        pytest.skip("the running Python is none of Lambda's")
    present = files(unpacked)
    for name in (name for name in present if name.endswith(".py")):
        path = Path(name)
        compiled = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"
        assert compiled.as_posix() in present
    for folder in unpacked.glob("*.dist-info"):
        assert any("licen" in name.lower() for name in files(folder)), folder.name
    assert len(list(unpacked.glob("*.dist-info"))) == len(worker_bundle.versions)


@needs_this_machine
def test_a_bare_python_trains_as_the_installed_runtime_does(unpacked):
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    done = subprocess.run(
        [sys.executable, "-I", "-S", Path(__file__).with_name("bare_training.py"), unpacked],
        input=json.dumps([X.tolist(), y.tolist()]),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    expected = np.array(train(X, y))
    np.testing.assert_allclose(told["weights"], expected, rtol=1e-4, atol=1e-6)
    assert np.mean((X @ expected[:-1] + expected[-1] > 0) == y) > 0.97
    assert told["kernels"] == str(unpacked / "cirrus_runtime" / "libcirrus_kernels.so")
    # Nothing of this environment was loaded in place of the bundle's.
    assert not [file for file in told["files"] if "site-packages" in file]
    assert any(file.startswith(str(unpacked / "numpy")) for file in told["files"])
    assert any(file.startswith(str(unpacked / "redis")) for file in told["files"])


@needs_this_machine
def test_nothing_is_missing_from_numpy(unpacked):
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", IMPORT_ALL, unpacked],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    head, *failed = done.stdout.splitlines()[-1].split()
    assert head == "failed:"
    assert set(failed) <= NEVER_IMPORTABLE


def test_the_same_bytes_from_another_folder(worker_bundle, wheels, tmp_path, monkeypatch):
    def build_small(folder):
        return build._build("worker", ["hiredis>=3.0"], worker_bundle.target, folder, None, wheels)

    one = build_small(tmp_path / "one")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    two = build_small(tmp_path / "elsewhere" / "two")
    assert one.path.read_bytes() == two.path.read_bytes()
    assert one.sha256 == two.sha256
    assert list((tmp_path / "temporary").iterdir()) == []
    with zipfile.ZipFile(one.path) as archive:
        for name in archive.namelist():
            assert str(tmp_path).encode() not in archive.read(name), name


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("WORKER_ZIPPED", "bytes zipped, and a worker's may have 100,000 at most"),
        ("LAMBDA_UNZIPPED", "bytes unzipped, and Lambda takes 100,000 at most"),
    ],
)
def test_a_bundle_that_is_too_large_is_refused(tmp_path, monkeypatch, limit, message):
    def fetch(requirements, target, folder):
        return []

    def add_runtime(root, target):
        for name, size in (("small", 9), ("large", 200_000)):
            (root / name).mkdir(parents=True)
            (root / name / "data.bin").write_bytes(np.random.default_rng(0).bytes(size))

    monkeypatch.setattr(build, "fetch_wheels", fetch)
    monkeypatch.setattr(build, "add_runtime", add_runtime)
    monkeypatch.setattr(build, limit, 100_000)
    with pytest.raises(BundleError, match=f"{message}; the largest parts.*: large 200,000, small"):
        build.build_worker(Target.here(), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
