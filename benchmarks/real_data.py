"""The real data that benchmarks read: a9a, which scikit-learn does not bring along.

https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary.html has the files.
"""

import os
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_svmlight_file


def add_data_dir(parser):
    """Let a command line name the folder of the data."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=os.environ.get("CIRRUS_TEST_DATA") or None,
        help="folder with a9a and a9a.t (LIBSVM); default: the environment's CIRRUS_TEST_DATA",
    )


def load_a9a(folder, name="a9a"):
    """Return X (CSR, 123 columns of ones) and y (0 and 1) of a9a, or of its test set a9a.t.

    Ends the program, with a message that says what to do, where the file is missing.
    """
    if folder is None:
        sys.exit(
            "a9a is needed: name its folder by --data-dir or CIRRUS_TEST_DATA, or leave it out "
            "with --data digits"
        )
    path = Path(folder) / name
    if not path.is_file():
        sys.exit(f"{path} is missing: fetch a9a and a9a.t, or leave it out with --data digits")
    X, y = load_svmlight_file(str(path), n_features=123)
    # The reader makes indices of 64 bits, which saga refuses.
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return X, (y > 0).astype(int)
