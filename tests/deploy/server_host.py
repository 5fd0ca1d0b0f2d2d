"""A host that is not there: runs the script that makes a server, in a folder and as no root.

Everything that the script writes and the programs openssl, redis-cli and redis-server are real.
Stand-ins are what belongs to Amazon: package manager, S3, instance metadata, and systemd, whose
unit file is read and its ExecStart run.
"""

import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

from sklearn_cirrus.deploy.host import setup_script
from sklearn_cirrus.deploy.names import Names
from sklearn_cirrus.deploy.network import SERVER_ADDRESS
from sklearn_cirrus.deploy.objects import Artifact

INSTANCE = "i-0123456789abcdef0"
_STAND_INS = {
    "dnf": 'echo "dnf $*" >>"$CIRRUS_ROOT/calls"',
    "useradd": 'echo "useradd $*" >>"$CIRRUS_ROOT/calls"',
    "chown": 'echo "chown $*" >>"$CIRRUS_ROOT/calls"',
    # get-object ... --bucket B --key K FILE, put-object ... --bucket B --key K --body FILE
    "aws": """
        echo "aws $*" >>"$CIRRUS_ROOT/calls"
        action=$2
        while [ $# -gt 1 ]; do
            case $1 in --bucket) bucket=$2 ;; --key) key=$2 ;; esac
            shift
        done
        object=$CIRRUS_ROOT/s3/$bucket/$key
        case $action in
        get-object) cp "$object" "$1" ;;
        put-object) mkdir -p "$(dirname "$object")" && cp "$1" "$object" ;;
        esac""",
    "curl": f"""
        case $* in
        *api/token*) echo the-token ;;
        *the-token*instance-id*) echo {INSTANCE} ;;
        *) exit 22 ;;
        esac""",
    "systemctl": """
        echo "systemctl $*" >>"$CIRRUS_ROOT/calls"
        [ "$1" = enable ] || exit 0
        command=$(sed -n 's/^ExecStart=//p' "$CIRRUS_ROOT/etc/systemd/system/$3")
        [ "${command%% *}" = /usr/bin/valkey-server ] || exit 1
        "$SERVER_BINARY" ${command#* } >"$CIRRUS_ROOT/log" 2>&1 &
        echo $! >"$CIRRUS_ROOT/pid\"""",
}


class ServerHost:
    """Runs the script, and ends the server that it has started.

    Parameters
    ----------
    folder : Path
    binary, cli : str
        A server with TLS, and its client.
    module : Path
        ``cirrus.so`` for this machine.
    port : int
    password_sha256 : str
    public_address : str
        Of the host, empty if it is private.
    """

    def __init__(self, folder, binary, cli, module, port, password_sha256, public_address=""):
        self.root = Path(folder)
        self.names = Names.of("cirrus", "123456789012", "eu-west-1", "aws")
        artifact = Artifact("a-bucket", "server/cirrus.so")
        self.script = setup_script(self.names, artifact, password_sha256, bool(public_address))
        for folder in ("etc/systemd/system", "programs", "s3/a-bucket/server"):
            (self.root / folder).mkdir(parents=True)
        shutil.copy(module, self.root / "s3/a-bucket/server/cirrus.so")
        for name, body in _STAND_INS.items():
            program = self.root / "programs" / name
            program.write_text(f"#!/bin/bash\n{body}\n")
            program.chmod(0o755)
        (self.root / "programs" / "valkey-cli").symlink_to(cli)
        self._binary = binary
        self._text = (
            self.script.replace("${ServerAddress}", public_address)
            .replace(f"address={SERVER_ADDRESS}", "address=127.0.0.1")
            .replace("port=6379", f"port={port}")
            .replace("bind * -::*", "bind 127.0.0.1")
        )

    def start(self):
        """Run the script to its end."""
        environment = {
            "PATH": f"{self.root / 'programs'}:{os.environ['PATH']}",
            "CIRRUS_ROOT": str(self.root),
            "SERVER_BINARY": self._binary,
            "LC_ALL": "C",
        }
        # Its server outlives it and must not hold a pipe that somebody reads to the end.
        with open(self.root / "output", "wb") as output:
            done = subprocess.run(
                ["/bin/bash", "-c", self._text],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=60,
            )
        assert done.returncode == 0, (self.root / "output").read_text() + self.log()

    def log(self):
        """The output of the server."""
        log = self.root / "log"
        return log.read_text() if log.exists() else "no server was started"

    def calls(self):
        """The commands of stand-ins that were run, each as a list of words."""
        return [shlex.split(line) for line in (self.root / "calls").read_text().splitlines()]

    @property
    def certificate(self):
        """What the host has laid into the bucket."""
        bucket = self.root / "s3" / self.names.bucket
        return (bucket / f"server/ready/{INSTANCE}.pem").read_text()

    def stop(self):
        """End the server."""
        pid = self.root / "pid"
        if pid.exists():
            try:
                os.kill(int(pid.read_text()), signal.SIGKILL)
            except ProcessLookupError:
                pass
