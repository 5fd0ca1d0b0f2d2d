"""Programs that a build runs, and folders that it fills, end with the build's process."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from sklearn_cirrus import _scratch
from sklearn_cirrus.bundle.tool import run_tool
from sklearn_cirrus.exceptions import BundleError

from ..redis_servers import wait_until

# Says who it is and what it has started, and goes on for ever.
TREE = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
with open(sys.argv[1] + ".part", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
child.wait()
"""
BUILD = f"""
import sys
from sklearn_cirrus._scratch import temporary_folder
from sklearn_cirrus.bundle.tool import run_tool
with temporary_folder() as folder:
    run_tool([sys.executable, "-c", {TREE!r}, folder + "/pids"], "the tool")
"""


def test_what_a_tool_says_and_how_it_ended(tmp_path):
    script = "import os, sys; print(os.getcwd(), sorted(os.environ)); sys.exit('no')"
    command = [sys.executable, "-I", "-c", script]
    done = run_tool(command, "it", env={"ONE": "1"}, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "no\n")
    assert done.stdout.startswith(str(tmp_path)) and "'ONE'" in done.stdout
    assert "HOME" not in done.stdout
    assert run_tool([tmp_path / "absent"], "it").returncode == 127


def test_a_deadline_ends_all_that_it_has_started(tmp_path):
    begin = time.monotonic()
    with pytest.raises(BundleError, match=r"^the tool took more than 1 s$"):
        run_tool([sys.executable, "-c", TREE, str(tmp_path / "pids")], "the tool", seconds=1)
    assert time.monotonic() - begin < 10
    assert_ended((tmp_path / "pids").read_text())


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_the_process(tmp_path, kind):
    process = start(["-c", BUILD], tmp_path)
    wait_until(lambda: list(tmp_path.glob("*/pids")), "the tool has not begun", 20)
    (file,) = tmp_path.glob("*/pids")
    pids = file.read_text()
    end(process, kind)
    assert_ended(pids)
    wait_until(lambda: not list(tmp_path.iterdir()), "a folder was left", 10)


def test_a_build_that_is_ended_leaves_nothing(tmp_path):
    output = tmp_path / "bundles"
    command = ["-m", "sklearn_cirrus.cli", "bundle", "--output", str(output)]
    process = start(command, tmp_path)
    # Not any file: Python tries out the folder for temporary files by making one there.
    pattern = "sklearn-cirrus-*"
    wait_until(lambda: [*tmp_path.glob(pattern)] or process.poll() is not None, "no folder", 20)
    assert process.poll() is None, process.stderr.read()
    end(process, signal.SIGTERM)
    wait_until(lambda: not list(tmp_path.iterdir()), "a folder was left", 10)


def test_a_temporary_folder_is_removed_by_an_error_too(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ZeroDivisionError), _scratch.temporary_folder() as folder:
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        (Path(folder) / "file").write_text("")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def start(arguments, folder):
    """Start a Python whose temporary folders lie in a folder."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process, kind):
    """Send a signal and see the process end."""
    process.send_signal(kind)
    process.communicate(timeout=20)
    assert process.returncode != 0


def assert_ended(pids):
    """Fail unless processes end."""
    for pid in map(int, pids.split()):
        wait_until(lambda pid=pid: not alive(pid), "a process was left", 10)


def alive(pid):
    """Say whether a process is there, and not only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
