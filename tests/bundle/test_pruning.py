"""What is left out of a bundle, and that what stays still works."""

import pytest

from sklearn_cirrus.bundle.pruning import is_needed, prune

NEEDED = """
    numpy/__init__.py numpy/testing/__init__.py numpy/_core/_multiarray_umath.cpython-313-x.so
    numpy/f2py/__init__.py numpy.libs/libscipy_openblas64_-72.so sklearn/datasets/data/iris.csv
    cirrus_runtime/engines/model.lua cirrus_runtime/requirements.txt threadpoolctl.py
    redis-8.1.0.dist-info/METADATA numpy-2.4.6.dist-info/licenses/LICENSE.txt
    numpy-2.4.6.dist-info/licenses/numpy/_core/src/npysort/COPYING scipy-1.dist-info/LICENSE.txt
    numpy/_core/tests/_natype.py sklearn/svm/src/liblinear/COPYRIGHT scipy/stats/_binomtest.py
""".split()
LEFT_OUT = """
    numpy/tests/test_lazyloading.py numpy/_core/tests/data/x.csv numpy/__init__.pyi
    numpy/_core/include/numpy/arrayobject.h numpy/_core/lib/libnpymath.a numpy/__init__.pxd
    numpy/_core/_simd.cpython-313-x.so numpy/_core/_multiarray_tests.cpython-313-x.so
    numpy/distutils/core.py numpy/f2py/src/fortranobject.c numpy/conftest.py
    numpy/_core/__pycache__/x.cpython-313.pyc bin/f2py joblib/test/test_hashing.py
    redis-8.1.0.dist-info/RECORD numpy-2.4.6.dist-info/entry_points.txt safetensors/py.typed
    sklearn/conftest.py sklearn/tree/_tree.pyx.tp
""".split()


@pytest.mark.parametrize("path", NEEDED)
def test_needed(path):
    assert is_needed(path)


@pytest.mark.parametrize("path", LEFT_OUT)
def test_left_out(path):
    assert not is_needed(path)


def test_no_empty_folder_is_left(tmp_path):
    for name in ("a/tests/deep/test_x.py", "a/include/x.h", "a/y.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    prune(tmp_path)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "a", tmp_path / "a" / "y.py"]
