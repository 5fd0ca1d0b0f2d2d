"""What is ours in the bundle of tasks: all of it can be imported where there is nothing else."""

import json
import subprocess
import sys

from .client_folder import ONLY, make_client_folder

IMPORT_ALL = """
import json, pkgutil, importlib
sys.path.insert(0, sys.argv[1])
import sklearn_cirrus
names = [m.name for m in pkgutil.walk_packages(sklearn_cirrus.__path__, "sklearn_cirrus.")]
homes = {name: importlib.import_module(name).__file__ for name in names}
print(json.dumps(homes))
"""


def test_every_module_of_the_client_that_ships_can_be_imported(tmp_path, monkeypatch):
    folder = make_client_folder(tmp_path, monkeypatch)
    command = [sys.executable, "-I", "-S", "-B", "-c", ONLY + IMPORT_ALL, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    homes = json.loads(done.stdout)
    assert all(home.startswith(str(folder)) for home in homes.values())
    packages = {"linear_model", "decomposition", "preprocessing", "model_selection", "datasets"}
    assert {f"sklearn_cirrus.{name}" for name in packages} <= set(homes)
    left_out = ("bundle", "cli", "dashboard", "deploy", "emulator", "plots", "redis_module")
    assert not [name for name in homes if name.split(".")[1] in left_out]
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert {file.name for file in files if file.suffix == ".so"} == {"libcirrus_kernels.so"}
    assert sum(file.stat().st_size for file in files) < 2_000_000
