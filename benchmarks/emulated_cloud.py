"""What the benchmarks of backend "lambda" run on: Lambda, S3 and a Redis server, all on loopback.

Lambda is ``sklearn_cirrus.emulator`` in this process, with the zip that ships; each worker is a
process of its own, S3 is another (``s3_service.py``), and so is the server. All end with the
context, or with this process.
"""

import contextlib
import io
import os
import socket
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from urllib.parse import quote, urlsplit

import redis
from machine import say

BUCKET = "cirrus-bench"
_HERE = Path(__file__).parent
_ROLE = "arn:aws:iam::123456789012:role/worker"
_REQUEST_BYTES = 40 << 20  # of a zip in a request; Lambda takes 50 MB of it in base64
_CREDENTIALS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def add_arguments(parser):
    """Add the options that all benchmarks on the emulated cloud have."""
    parser.add_argument("--memory", type=int, default=1024, help="MB of a function")
    parser.add_argument("--store-ms", type=float, default=0.0, help="more, of a request to S3")
    parser.add_argument("--bundle", help="the zip of `sklearn-cirrus bundle`; else one is built")


def open_cloud(options):
    """Return the cloud that the command line asks for, for a ``with`` block."""
    return EmulatedCloud(options.memory, options.bundle, options.store_ms / 1000)


class EmulatedCloud:
    """Lambda, S3 and a server with our module; boto3 finds them by its variables.

    Parameters
    ----------
    memory : int
        MB of a function.
    bundle : str, optional
        A worker's zip for this machine and Python; by default one is built.
    store_seconds : float
        How long S3 holds each answer back.

    Attributes
    ----------
    emulator : LambdaEmulator
    s3 : boto3 client
    redis_url : str
    client : redis.Redis
    bundle : Path
    """

    def __init__(self, memory=1024, bundle=None, store_seconds=0.0):
        self._memory, self.bundle = memory, bundle and Path(bundle)
        self._store_seconds = store_seconds
        self._ends = contextlib.ExitStack()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._ends.close()
            raise
        return self

    def __exit__(self, *exc_info):
        self._ends.close()

    def deploy(self, name, files=(), handler="cirrus_runtime.handler.handle", timeout=300):
        """Make a function of the bundle, with more files of this folder in it.

        Parameters
        ----------
        name : str
        files : sequence of str
            Names in this folder; they lie at the top of the zip.
        handler : str
        timeout : int
            Seconds.
        """
        code = self.bundle.read_bytes()
        if files:
            whole = io.BytesIO(code)
            with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED) as archive:
                for file in files:
                    archive.write(_HERE / file, file)
            code = whole.getvalue()
        self._lambda.create_function(
            FunctionName=name,
            Runtime=self._target.runtime,
            Architectures=[self._target.architecture],
            Handler=handler,
            Role=_ROLE,
            Code=self._place(name, code),
            MemorySize=self._memory,
            Timeout=timeout,
        )
        self._lambda.get_waiter("function_active_v2").wait(FunctionName=name)

    def _place(self, name, code):
        """Return where a function's code lies: in the request, if that takes it."""
        if len(code) <= _REQUEST_BYTES:
            return {"ZipFile": code}
        key = f"code/{name}.zip"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=code)
        return {"S3Bucket": BUCKET, "S3Key": key}

    def settings(self, function, n_workers, **others):
        """Return what ``config_context`` needs for a fit here."""
        return {
            "backend": "lambda",
            "function": function,
            "n_workers": n_workers,
            "redis_url": self.redis_url,
            "store_url": f"s3://{BUCKET}/fits",
            "checkpoint_seconds": None,
        } | others

    def _start(self):
        """Start everything."""
        # Late: without the extras that they need, a script can still say what it is for.
        import boto3

        from sklearn_cirrus.bundle import Target, build_worker
        from sklearn_cirrus.emulator import LambdaEmulator

        self._target = Target.here()
        if self.bundle is None:
            folder = self._ends.enter_context(tempfile.TemporaryDirectory(prefix="cirrus-bench-"))
            say("building the worker's zip")
            self.bundle = build_worker(self._target, folder).path
        s3_url = self._start_s3()
        self.emulator = self._ends.enter_context(LambdaEmulator(s3_endpoint_url=s3_url))
        variables = _CREDENTIALS | self.emulator.environment() | {"AWS_ENDPOINT_URL_S3": s3_url}
        self._ends.enter_context(_environment(variables))
        self.s3 = boto3.client("s3")
        self._ends.callback(self.s3.close)
        self.s3.create_bucket(Bucket=BUCKET)
        self._lambda = boto3.client("lambda")
        self._ends.callback(self._lambda.close)
        self._start_server()

    def _start_s3(self):
        """Start S3 and return its url."""
        command = [sys.executable, str(_HERE / "s3_service.py"), str(self._store_seconds)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_ENDPOINT_URL")}
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._ends.callback(_end, process)
        port = process.stdout.readline().strip()
        if not port:
            raise SystemExit("the S3 service has not started: pip install 'moto[s3,server]'")
        return f"http://127.0.0.1:{port}"

    def _start_server(self):
        """Start the embedded server, and have it listen on a port too: functions need one."""
        from sklearn_cirrus.servers import EmbeddedServer

        server = EmbeddedServer()
        server.start()
        self._ends.callback(server.stop)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.client = redis.Redis.from_url(server.url)
        self._ends.callback(self.client.close)
        self.client.config_set("bind", "127.0.0.1")
        self.client.config_set("port", port)
        password = quote(urlsplit(server.url).password, safe="")
        self.redis_url = f"redis://:{password}@127.0.0.1:{port}/0"

    def empty(self, prefix):
        """Delete the objects whose names begin with a prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        for page in pages:
            names = [{"Key": entry["Key"]} for entry in page.get("Contents", ())]
            if names:
                self.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": names, "Quiet": True})


@contextlib.contextmanager
def _environment(variables):
    """Set variables for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _end(process):
    """End a process by closing its standard input; kill it if that takes long."""
    process.stdin.close()
    process.stdout.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
