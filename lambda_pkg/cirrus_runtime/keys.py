"""The keys and names of a run: one table for client and workers.

The braces are a Redis Cluster hash tag: all keys of a run live on one node, so a transaction or a
script may touch several. Nothing of ours has a key outside ``cirrus:``.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunKeys:
    """Keys of one run on the server, and its prefix in the store.

    Parameters
    ----------
    run_id : str
        Letters, digits and dashes; new for every run.
    """

    run_id: str

    @property
    def model(self):
        """The model: one key of the module's type (or what the Lua engine derives from it)."""
        return f"cirrus:{{{self.run_id}}}:model"

    def table(self, plan):
        """The model of a search while it follows a plan: see ``search.py``."""
        return f"cirrus:{{{self.run_id}}}:model-{plan}"

    def plan(self, number):
        """Name in the store of a plan of a search."""
        return f"{self.prefix}plan-{number:06d}.json"

    @property
    def vector(self):
        """The parameters at which a full batch is evaluated: float64 values in a plain string."""
        return f"cirrus:{{{self.run_id}}}:vector"

    @property
    def leases(self):
        """Stream of leases: blocks that wait for a worker or are with one."""
        return f"cirrus:{{{self.run_id}}}:leases"

    @property
    def reports(self):
        """Stream of reports: what workers have done."""
        return f"cirrus:{{{self.run_id}}}:metrics"

    @property
    def offered(self):
        """Number of the last lease that the trainer has posted."""
        return f"cirrus:{{{self.run_id}}}:offered"

    @property
    def pattern(self):
        """Pattern of all keys of the run, for an ACL user that may have no others."""
        return f"cirrus:{{{self.run_id}}}:*"

    def block(self, part, number):
        """Name in the store of a block of a part of the data (``"train"``, ``"valid"``)."""
        return f"{self.prefix}{part}-{number:06d}.safetensors"

    def checkpoint(self, number):
        """Name in the store of a checkpoint."""
        return f"{self.prefix}checkpoint-{number:06d}.safetensors"

    def job(self, number):
        """Name in the store of a job that functions are to read; it holds a worker's password."""
        return f"{self.prefix}job-{number:06d}.json"

    def buffer(self, digest):
        """Name in the store of a buffer that tasks have in their arguments."""
        return f"{self.prefix}buffer-{digest}"

    def call(self, task):
        """Name in the store of what a task is to do, if that is too big for its job."""
        return f"{self.prefix}call-{task:06d}.pickle"

    def result(self, task, attempt):
        """Name in the store of what a task has returned, if that is too big for its answer."""
        return f"{self.prefix}result-{task:06d}-{attempt:02d}.pickle"

    @property
    def task_key(self):
        """Name in the store of the key that signs the tasks of the run, for functions."""
        return f"{self.prefix}task-key"

    @property
    def prefix(self):
        """What the names of all objects of the run begin with."""
        return f"runs/{self.run_id}/"
