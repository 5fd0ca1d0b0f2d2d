"""A sample of a dataset's rows, that stands for all where properties of the columns are guessed."""

import numpy as np

from cirrus_runtime.views import as_numbers, read_view

from .reading import as_csr

_BLOCKS = 4
_ROWS = 1 << 14


def sample_rows(data, dtype=np.float32):
    """Return some rows of a Dataset as an array, or as CSR if it has sparse rows.

    Rows of up to four blocks spread over the dataset are read by this process.

    Parameters
    ----------
    data : Dataset
    dtype : dtype

    Returns
    -------
    array or csr_array of shape (n, n_columns)
    """
    names = list(data.blocks())
    places = np.linspace(0, len(names) - 1, min(_BLOCKS, len(names))).round().astype(int)
    view = data.view()
    names = [names[i] for i in dict.fromkeys(places.tolist())]
    blocks = [read_view(view, name) for name in names]
    if not data.is_table:
        return as_csr(blocks, data.shape[1], dtype).astype(dtype, copy=False)
    rows = np.concatenate([
        as_numbers(block, name)[:_ROWS] for block, name in zip(blocks, names, strict=True)
    ]).astype(dtype)  # fmt: skip
    finite = np.isfinite(rows).all(axis=0)
    if not finite.all():
        column = list(data.dtypes)[int(np.flatnonzero(~finite)[0])]
        raise ValueError(
            f"column {column!r} has values that are missing or not finite, and a linear model "
            "takes none: hash the table with CirrusFeatureHasher, or fill them in before loading"
        )
    return rows
