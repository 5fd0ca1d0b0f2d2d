"""What client and workers say to each other: jobs, leases and reports, as JSON.

``VERSION`` goes up with every change that an older side would misread: a field removed or
renamed, a meaning changed, a required field added. A worker refuses a job of another version.
"""

import json
from dataclasses import asdict, dataclass, field

from .errors import CirrusError

VERSION = 9


@dataclass(frozen=True)
class TrainJob:
    """All that a worker needs to know of a run.

    Attributes
    ----------
    run_id : str
    n_features : int
        Columns of the data; the model has one row more if ``intercept``.
    width : int
        Weights per row: 1 (binary) or the number of classes.
    intercept : bool
    batch_size : int
        Rows of a minibatch, at most; a block is cut into minibatches of nearly equal size.
    seed : int
        Of the order of rows: with the epoch and the block it decides every minibatch.
    store_url : str
    redis_url : str or None
        None: the worker is given the objects of its own process (backend inline).
    shard_urls : tuple of str
        Further servers, when the model is split over several: ``redis_url`` has the board and the
        first rows, these have the next rows in this order.
    engine : str
        ``"module"``, ``"lua"`` or ``"inline"``.
    worker : int
        Place of the worker in the run, 0 to 65535.
    generation : int
        How often this place was filled before; a newer generation fences off an older.
    prefetch : bool
        Whether a thread loads the next block while one is computed.
    buffer_bytes : int
        Most memory that blocks may take in the worker, besides the one or two in use.
    cache_bytes : int
        Most bytes of blocks that a worker keeps on disk.
    lease_seconds : float
        Age at which a lease that is not renewed may be taken over by another worker.
    kind : str
        What is computed on blocks: ``"logistic"`` or ``"factorization"`` by minibatches,
        ``"search"`` or ``"factor_search"`` for all fits of a search over either (leases with a
        ``plan``), or whole blocks in float64: ``"full_batch"``, ``"als"`` (leases of kind
        ``"gradient"``).
    options : dict
        What else the kernel of this kind must know.
    retry_seconds : float
        How long a worker goes on trying to reach a server that it has lost.
    deadline : float or None
        Time (Unix seconds) by which the worker must have stopped by itself.
    """

    run_id: str
    n_features: int
    width: int
    intercept: bool
    batch_size: int
    seed: int
    store_url: str
    redis_url: str | None = None
    shard_urls: tuple = ()
    engine: str = "module"
    worker: int = 0
    generation: int = 0
    prefetch: bool = True
    buffer_bytes: int = 256 << 20
    cache_bytes: int = 0
    lease_seconds: float = 30.0
    kind: str = "logistic"
    options: dict = field(default_factory=dict)
    retry_seconds: float = 30.0
    deadline: float | None = None

    def to_json(self):
        """Return the job as a dict for JSON."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, fields):
        """Return the job of a dict.

        Raises
        ------
        CirrusError
            If the dict was written by another version.
        """
        fields = dict(fields)
        version = fields.pop("version", None)
        if version != VERSION:
            raise CirrusError(
                f"the client speaks protocol version {version}, this worker {VERSION}: "
                "install the same sklearn-cirrus on both sides"
            )
        fields["shard_urls"] = tuple(fields.get("shard_urls", ()))  # JSON has no tuples
        return cls(**fields)


@dataclass(frozen=True)
class Lease:
    """One block to go through once.

    Attributes
    ----------
    number : int
        Of the lease in its run; unique, so that a block done twice is counted once.
    kind : {"train", "loss", "gradient", "search", "held_out"}
        Train on the block, only sum the loss of the model over it, sum loss and gradient at the
        published vector, train all fits of a search, or only sum their losses. Whole blocks have
        more kinds: see ``full_batch.py`` and ``als.py``.
    epoch : int
    block : int
        Number of the block in its part.
    name : str
        Name of the block in the store.
    lr, lr_end : float
        Learning rate at the first row and after the last; linear between.
    course : dict or None
        If the worker is to go on with the epochs that follow: what they depend on, see
        ``course.py``.
    plan : int
        Of a lease of kind ``"search"`` or ``"held_out"``: which plan says what the fits are.
    home : int or None
        Place of the worker that keeps the block from epochs before: see ``affinity.py``.
    """

    number: int
    kind: str
    epoch: int
    block: int
    name: str
    lr: float = 0.0
    lr_end: float = 0.0
    course: dict | None = None
    plan: int = 0
    home: int | None = None


@dataclass(frozen=True)
class Report:
    """What a worker did with one lease; ``error`` says what it could not do.

    All but ``body`` is JSON; the body goes beside it as it is.

    Attributes
    ----------
    number : int
        Of the lease.
    kind : str
    epoch : int
    worker, generation : int
    rows : int
    weight : float
        Sum of the rows' weights.
    loss : float
        Weighted sum of the rows' losses, each at the model its minibatch was computed with.
    updates : int
        Minibatches pushed.
    nbytes : int
        Sent to and received from the server, for minibatches.
    localize, compute, server : float
        Seconds of numbering the columns of minibatches, of computing on them, and in round trips.
    load : float
        Seconds of reading the block, be it on a thread of its own.
    wait : float
        Seconds before, without a block to work on: until there was a lease and until its block
        was read.
    error : str
    penalty : float
        Per unit of weight: with a course, that of the model at the end of the lease, else the mean
        that the kernel computed; 0 where the server adds the penalty.
    hit, kept : bool
        Whether the worker had the block from an epoch before, in memory or on disk, and whether it
        has it now.
    body : buffer
        Of a lease of kind ``"gradient"``, ``"search"`` or ``"held_out"``: see ``full_batch.py``,
        ``search.py``.
    """

    number: int
    kind: str
    epoch: int
    worker: int
    generation: int
    rows: int = 0
    weight: float = 0.0
    loss: float = 0.0
    updates: int = 0
    nbytes: int = 0
    localize: float = 0.0
    compute: float = 0.0
    server: float = 0.0
    load: float = 0.0
    wait: float = 0.0
    error: str = ""
    penalty: float = 0.0
    hit: bool = False
    kept: bool = False
    body: bytes = b""


def encode(record):
    """Return a Lease or a Report, without its body, as bytes."""
    values = [value for name, value in vars(record).items() if name != "body"]
    return json.dumps(values).encode()


def decode(kind, data, *body):
    """Return the Lease or the Report (``kind`` is the class) that :func:`encode` made into data.

    A Report's body, if it has one, is the last argument.
    """
    return kind(*json.loads(data), *body)
