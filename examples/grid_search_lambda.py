"""A search on AWS Lambda: each fit of a GridSearchCV is a task of the joblib backend "cirrus".

    sklearn-cirrus bundle --task                                   # once
    python examples/grid_search_lambda.py --bundle task-x86_64-py313.zip --emulate
    python examples/grid_search_lambda.py                          # on what `deploy` has put up

With ``--emulate`` Lambda and S3 are imitated on this machine (pip install 'sklearn-cirrus[test]'),
and the zip must be one for this machine and this Python: `sklearn-cirrus bundle --task
--architecture x86_64 --python 3.13`, say. On AWS it runs on the function of `sklearn-cirrus deploy
--task-bundle FILE`, and costs a fraction of a cent.
"""

import argparse
import contextlib
import os
import platform
import sys
import time
from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.svm import SVC

from sklearn_cirrus import config_context
from sklearn_cirrus.joblib_backend import last_usage

GRID = {"C": [0.1, 1.0, 10.0], "gamma": [0.0001, 0.001, 0.01]}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--emulate", action="store_true", help="on this machine, not on AWS")
    parser.add_argument("--bundle", type=Path, help="the zip for --emulate")
    parser.add_argument("--jobs", type=int, default=4, help="tasks at the same time")
    options = parser.parse_args()
    if options.emulate and options.bundle is None:
        parser.error("--emulate needs --bundle: the zip of `sklearn-cirrus bundle --task`")
    return options


@contextlib.contextmanager
def emulated(bundle):
    """Imitate Lambda and S3 here, with a function of the bundle, and have boto3 find them."""
    import boto3
    from moto.server import ThreadedMotoServer

    from sklearn_cirrus.emulator import LambdaEmulator

    s3 = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    s3.start()
    try:
        url = "http://{}:{}".format(*s3.get_host_and_port())
        with LambdaEmulator(s3_endpoint_url=url) as emulator:
            os.environ.update(emulator.environment() | {"AWS_ENDPOINT_URL_S3": url})
            with contextlib.closing(boto3.client("s3")) as client:
                client.create_bucket(Bucket="example-bucket")
                client.upload_file(str(bundle), "example-bucket", "code/task.zip")
            with contextlib.closing(boto3.client("lambda")) as client:
                client.create_function(
                    FunctionName="task",
                    Runtime="python{}.{}".format(*sys.version_info),
                    Architectures=["arm64" if platform.machine() == "aarch64" else "x86_64"],
                    Handler="cirrus_runtime.task.handle",
                    Role="arn:aws:iam::123456789012:role/task",
                    Code={"S3Bucket": "example-bucket", "S3Key": "code/task.zip"},
                    MemorySize=1024,
                    Timeout=120,
                )
                client.get_waiter("function_active_v2").wait(FunctionName="task")
            with config_context(task_function="task", store_url="s3://example-bucket/tasks"):
                yield
    finally:
        s3.stop()


def main():
    options = parse()
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    search = GridSearchCV(SVC(), GRID, cv=3)

    with emulated(options.bundle) if options.emulate else contextlib.nullcontext():
        start = time.perf_counter()
        with joblib.parallel_config("cirrus", where="lambda", n_jobs=options.jobs):
            search.fit(X_train, y_train)
        seconds = time.perf_counter() - start
    used = last_usage()
    print(f"{used.tasks} fits in {used.batches} batches, {seconds:.1f} s with the refit here")
    print(f"sent: {used.buffer_bytes:,} bytes of arrays, {used.call_bytes:,} of everything else")
    print(f"cost by AWS's list prices: {used.cost:.6f} US dollars")
    print(f"best: {search.best_params_}")
    print(f"accuracy of 3 folds  {search.best_score_:.4f}")
    print(f"accuracy held out    {search.score(X_test, y_test):.4f}")


if __name__ == "__main__":
    main()
