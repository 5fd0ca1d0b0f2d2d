"""Raw click logs to a model: load, hash, split, train, evaluate; rows never pass through here.

    python examples/criteo_pipeline.py
    python examples/criteo_pipeline.py day_0.tsv --url file:///data/criteo
    python examples/criteo_pipeline.py 's3://bucket/criteo/*.tsv' --url s3://bucket/loaded

The argument is a file (or several, with * and ?) in the format of the Criteo challenge: a label, 13
counts and 26 categories, with tabs between, possibly gzipped. Without one, a small file is made up.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

from sklearn_cirrus import CirrusFeatureHasher, CirrusLogisticRegression, Dataset
from sklearn_cirrus.datasets import write_criteo


def run(files, options):
    start = time.perf_counter()
    # Workers read the file by ranges of bytes and write its rows as blocks, at --url or, without
    # one, in a folder that goes with this process. Dataset.open(url) would read them later.
    data = Dataset.from_criteo(files, url=options.url, on_bad_rows="skip")
    print(f"loaded   {data}, {data.skipped_rows} bad rows skipped", clock(start))
    print(data.head(3))

    # Each count becomes floor(log(1 + x)^2), as a text; each text is hashed to a column. Nothing
    # is computed yet: workers hash a block when they read it.
    hasher = CirrusFeatureHasher(2**options.bits, numbers="buckets", alternate_sign=False)
    X = hasher.transform(data)
    train, held_out = train_test_split(X, test_size=0.2, random_state=0)
    print(f"train    {train}\nheld out {held_out}")

    model = CirrusLogisticRegression(
        C=options.C, max_iter=options.passes, tol=None, n_workers=2, random_state=0
    )
    begin = time.perf_counter()
    model.fit(train)
    print(f"trained  {model.n_iter_} passes with C={options.C}", clock(begin))

    begin = time.perf_counter()
    chances, y = model.predict_proba(held_out), held_out.y
    print(f"asked    {len(y):,} rows", clock(begin))
    constant = np.full(len(y), train.y.mean())
    print(f"constant log loss {log_loss(y, constant):.4f}")
    print(
        f"cirrus   log loss {log_loss(y, chances):.4f}, AUC {roc_auc_score(y, chances[:, 1]):.4f}"
    )


def clock(start):
    """How long ago that was."""
    return f"[{time.perf_counter() - start:.1f} s]"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="made up if there are none")
    parser.add_argument("--rows", type=int, default=40_000, help="of a made-up file (40000)")
    parser.add_argument("--url", help="where the blocks go: file:///folder or s3://bucket/prefix")
    parser.add_argument("--bits", type=int, default=18, help="2**bits columns (18)")
    parser.add_argument("--C", type=float, default=0.05, help="strength of the penalty (0.05)")
    parser.add_argument("--passes", type=int, default=8, help="over the rows (8)")
    options = parser.parse_args()
    if options.files:
        run(options.files, options)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clicks.tsv")
        write_criteo(path, options.rows)
        run(path, options)


if __name__ == "__main__":
    main()
