"""First code of a slot: sets its limits and its import path, then becomes awslambdaric.

Run as ``python -I -S -B _bootstrap.py LIBRARIES HANDLER STORAGE DESCRIPTORS``, so that neither
site-packages nor PYTHONPATH nor the current folder of the host can lend the function a module
that its bundle lacks. It imports the standard library alone, and the path it leaves is Lambda's:
the function's folder, the standard library, and last what Lambda's own runtime brings along
(awslambdaric and boto3).
"""

import os
import resource
import runpy
import sys


def main():
    """Wait for the word to go, then run the function until the process is ended."""
    libraries, handler, storage, descriptors = sys.argv[1:]
    # Nothing runs before the guard knows this process; if the emulator dies first, neither do we.
    if os.read(0, 1) != b"g":
        sys.exit("the emulator is gone")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(descriptors), int(descriptors)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(storage), int(storage)))
    sys.path[:] = [os.environ["LAMBDA_TASK_ROOT"], *sys.path, libraries]
    sys.argv[:] = ["bootstrap.py", handler]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
