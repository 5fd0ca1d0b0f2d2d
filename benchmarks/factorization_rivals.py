"""Surprise's SVD, implicit's ALS and LensKit's BiasedMF on a split of ratings.

Surprise and implicit run in this process. LensKit 0.14, the last with BiasedMF, wants older
libraries: it runs in a Python of its own, which this file is given to as a program.

    python benchmarks/factorization_rivals.py SPLIT.npz     (LensKit; prints JSON)
"""

import json
import subprocess
import sys
import time

import numpy as np


def entries(X):
    """Return the user of each stored rating."""
    return np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))


def fit_surprise(split, seed):
    """Fit SVD with its defaults; return the seconds of data and fit, and the error."""
    import pandas
    from surprise import SVD, Dataset, Reader

    columns = {"user": entries(split.X), "item": split.X.indices, "rating": split.X.data}
    frame = pandas.DataFrame(columns).astype({"rating": float})
    start = time.perf_counter()
    reader = Reader(rating_scale=(split.lowest, split.highest))
    trainset = Dataset.load_from_df(frame, reader).build_full_trainset()
    built = time.perf_counter()
    model = SVD(random_state=seed).fit(trainset)
    end = time.perf_counter()
    held = zip(split.users, split.items, split.ratings.astype(float), strict=True)
    predictions = np.array([prediction.est for prediction in model.test(list(held))])
    return {
        "seconds": end - built,
        "seconds_with_trainset": end - start,
        "rmse": split.rmse(predictions),
    }


def fit_implicit(split, rank, iterations, threads):
    """Fit AlternatingLeastSquares; return the seconds. It learns who rated what: no ratings."""
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    X = csr_matrix(split.X)
    model = AlternatingLeastSquares(
        factors=rank, iterations=iterations, num_threads=threads, random_state=0
    )
    with threadpool_limits(1, "blas"):  # as it advises
        start = time.perf_counter()
        model.fit(X, show_progress=False)
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "ratings_per_second": iterations * X.nnz / seconds}


def fit_lenskit(split, python, path, rank, iterations):
    """Fit BiasedMF in another Python; return the seconds of a second fit, and the error."""
    np.savez(
        path, users=entries(split.X), items=split.X.indices, ratings=split.X.data,
        held_users=split.users, held_items=split.items, rank=rank, iterations=iterations,
    )  # fmt: skip
    command = [python, __file__, str(path)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result = json.loads(output)
    predictions = np.array(result.pop("predictions"), float)
    return result | {"rmse": split.rmse(predictions)}


def run_lenskit(path):
    """What the other Python does."""
    import pandas
    from lenskit.algorithms.als import BiasedMF

    data = np.load(path)
    frame = pandas.DataFrame({name[:-1]: data[name] for name in ("users", "items", "ratings")})

    def fit():
        model = BiasedMF(int(data["rank"]), iterations=int(data["iterations"]), rng_spec=0)
        start = time.perf_counter()
        model.fit(frame)
        return model, time.perf_counter() - start

    fit()  # compiles
    model, seconds = fit()
    held = pandas.DataFrame({"user": data["held_users"], "item": data["held_items"]})
    predictions = np.empty(len(held))
    for user, rows in held.groupby("user").indices.items():
        predictions[rows] = model.predict_for_user(user, held["item"].to_numpy()[rows])
    # It predicts nothing for an item that nobody had rated.
    predictions[np.isnan(predictions)] = frame["rating"].mean()
    print(json.dumps({"seconds": seconds, "predictions": predictions.tolist()}))


if __name__ == "__main__":
    run_lenskit(sys.argv[1])
