"""Going on with a fit that another process began: which checkpoint, and whether it is of this fit.

A checkpoint holds the state of the model in the columns, minibatches and blocks of its fit. All of
these follow from the data, the parameters and the seed, so a fit that has the same ones finds the
same again; one that has others would go on from numbers that mean something else, and is refused.
"""

import hashlib

import numpy as np
from scipy import sparse

from cirrus_runtime.store import open_store

from ._checkpoint import Checkpoints, runs_with_checkpoints
from .exceptions import ConfigurationError

_FREE = {"verbose", "n_workers", "backend", "warm_start"}  # may be others
_CHUNK_ROWS = 4096


def read_resumed(config):
    """Return the checkpoint that the settings ask to go on from, or None.

    Raises
    ------
    ConfigurationError
        If there is none of this run.
    StoreError
        If it cannot be read.
    """
    if config.resume is None:
        return None
    if config.backend == "inline" or config.store_url is None:
        raise ConfigurationError(
            "resume needs the store that the checkpoint is in: set store_url, and a backend other "
            "than 'inline'"
        )
    with open_store(config.store_url) as store:
        checkpoint = Checkpoints(store, config.resume, None, False).last()
        if checkpoint is None:
            known = ", ".join(runs_with_checkpoints(store)) or "none"
            raise ConfigurationError(
                f"there is no checkpoint of run {config.resume!r} in {store.url}; "
                f"runs that have some: {known}"
            )
    return checkpoint


def identity_of(params, X, labels, weights, seed, n_blocks):
    """Return what tells a fit from others, for JSON.

    Parameters
    ----------
    params : estimator
    X : CSR matrix or array
    labels : array of shape (n_samples,)
    weights : array of shape (n_samples,) or None
    seed : int
    n_blocks : tuple of int
        Of the parts of the data.
    """
    parameters = {
        name: value if isinstance(value, (str, int, float, type(None))) else repr(value)
        for name, value in params.get_params().items()
        if name not in _FREE
    }
    return {
        "estimator": type(params).__name__,
        "parameters": parameters,
        "seed": seed,
        "n_blocks": list(n_blocks),
        "data": _fingerprint(X, labels, weights),
    }


def check_identity(found, expected, run_id):
    """Refuse to go on from a checkpoint of another fit.

    Parameters
    ----------
    found : dict
        Identity in the checkpoint.
    expected : dict
        Identity of this fit.
    run_id : str

    Raises
    ------
    ConfigurationError
    """
    before, now = found.get("parameters", {}), expected["parameters"]
    changed = [
        f"{name}={now.get(name)!r} (was {before.get(name)!r})"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if found.get("estimator") != expected["estimator"]:
        changed.insert(0, f"{expected['estimator']} (was {found.get('estimator')})")
    if found.get("data") != expected["data"]:
        changed.append("the data: X, y or sample_weight")
    if not changed and found != expected:
        changed.append("the seed or the number of blocks")
    if changed:
        raise ConfigurationError(
            f"run {run_id!r} cannot be resumed, for this fit is another: {'; '.join(changed)}"
        )


def _fingerprint(X, labels, weights):
    """Return a hash of the data, as hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    arrays = [X.data, X.indices, X.indptr] if sparse.issparse(X) else [X]
    for array in (*arrays, labels, weights):
        if array is None:
            digest.update(b"none")
            continue
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        for first in range(0, len(array), _CHUNK_ROWS):
            rows = np.ascontiguousarray(array[first : first + _CHUNK_ROWS])
            digest.update(rows.view(np.uint8).data)
    digest.update(str(X.shape).encode())
    return digest.hexdigest()
