"""Whatever form the data has, the model is the same."""

import array

import numpy as np
import pandas
import polars
import pytest
import sklearn
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from sklearn_cirrus import CirrusLogisticRegression
from sklearn_cirrus._logistic_parameters import SOLVERS

from .oracle import objective, optimum

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fit(X, y, **parameters):
    """Train a few epochs: enough to tell data apart."""
    parameters = {"backend": "inline", "random_state": 0, "max_iter": 10} | parameters
    return CirrusLogisticRegression(**parameters).fit(X, y)


def small_data(dtype=np.float64):
    """300 rows, 6 columns, half of them zeros, float32 numbers."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 6)).astype(np.float32) * (rng.random((300, 6)) < 0.5)
    y = (X @ [1, -1, 2, 0, 0.5, -2] + rng.normal(size=300) > 0).astype(int)
    return X.astype(dtype), y


DENSE, Y = small_data()


def wide_indices(X):
    """A CSR matrix with int64 indices."""
    X = sparse.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def read_only_sparse(X):
    X = sparse.csr_array(X)
    for part in (X.data, X.indices, X.indptr):
        part.flags.writeable = False
    return X


def unsorted(X):
    """A CSR matrix whose rows are stored backwards."""
    X = sparse.csr_array(X)
    parts = [slice(a, b) for a, b in zip(X.indptr, X.indptr[1:], strict=False)]
    order = np.concatenate([np.arange(p.start, p.stop)[::-1] for p in parts])
    return sparse.csr_array((X.data[order], X.indices[order], X.indptr), X.shape)


def duplicated(X):
    """A COO matrix in which each entry is stored as two halves."""
    X = sparse.coo_array(X)
    coordinates = tuple(np.tile(part, 2) for part in X.coords)
    return sparse.coo_array((np.tile(X.data / 2, 2), coordinates), X.shape)


DENSE_FORMS = {
    "float32": lambda X: X.astype(np.float32),
    "lists": lambda X: X.tolist(),
    "fortran": np.asfortranarray,
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "transposed": lambda X: X.T.copy().T,
    "big-endian": lambda X: X.astype(">f8"),
    "read-only": read_only,
    "object": lambda X: X.astype(object),
    "pandas": lambda X: pandas.DataFrame(X, columns=list("abcdef")),
    "pandas float32": lambda X: pandas.DataFrame(X.astype("f4"), columns=list("abcdef")),
    "polars": lambda X: polars.DataFrame(X, schema=list("abcdef")),
    "memory map": None,
}
SPARSE_FORMS = {
    f"{kind}_{form}": getattr(sparse, f"{kind}_{form}")
    for kind in ("csr", "csc", "coo", "lil", "dok")
    for form in ("array", "matrix")
} | {
    "float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "int64 indices": wide_indices,
    "read-only": read_only_sparse,
    "unsorted": unsorted,
    "duplicates": duplicated,
}


@pytest.mark.parametrize("form", DENSE_FORMS)
def test_dense_forms(form, tmp_path):
    if form == "memory map":
        np.save(tmp_path / "x.npy", DENSE)
        X = np.load(tmp_path / "x.npy", mmap_mode="r")
    else:
        X = DENSE_FORMS[form](DENSE)
    expected = fit(DENSE, Y)
    model = fit(X, Y)
    # float32 data is centred with means of float32 values summed in another order.
    assert np.allclose(model.coef_, expected.coef_, rtol=1e-4, atol=1e-6)
    assert model.coef_.dtype == model.intercept_.dtype == np.float64
    assert np.allclose(model.predict_proba(X), expected.predict_proba(DENSE), atol=1e-5)


@pytest.mark.parametrize("form", SPARSE_FORMS)
def test_sparse_forms(form):
    X = SPARSE_FORMS[form](DENSE)
    expected = fit(sparse.csr_array(DENSE), Y)
    before = X.copy()
    model = fit(X, Y)
    assert np.allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-6)
    assert abs(X - before).max() == 0
    assert np.allclose(model.predict_proba(X), expected.predict_proba(DENSE), atol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_sparse_and_dense_come_to_the_same_optimum(solver):
    lowest = objective(optimum(DENSE, Y), DENSE, Y)
    for X in (DENSE, sparse.csr_array(DENSE)):
        model = fit(X, Y, max_iter=100, solver=solver)
        assert objective(model, DENSE, Y) < 1.01 * lowest


def test_stored_zeros_and_empty_rows_and_columns_are_harmless():
    X = sparse.csr_array(np.vstack([DENSE, np.zeros((5, 6))]))
    X = sparse.hstack([X, sparse.csr_array((305, 3))], format="csr")
    stored = X.copy()
    stored.data[::7] = 0
    y = np.append(Y, [0, 1, 0, 1, 0])
    model = fit(stored, y)
    cleaned = stored.copy()
    cleaned.eliminate_zeros()
    assert np.allclose(model.coef_, fit(cleaned, y).coef_, atol=1e-5)
    assert np.array_equal(model.coef_[0, -3:], [0, 0, 0])


def test_the_input_is_left_as_it_is():
    X, y, weights = DENSE.copy(), Y.copy(), np.ones(len(Y))
    fit(X, y).predict(X)
    CirrusLogisticRegression(backend="inline", max_iter=2).fit(X, y, weights)
    assert np.array_equal(X, DENSE) and np.array_equal(y, Y) and weights.min() == 1


LABELS = {
    "strings": np.array(["no", "yes"]),
    "objects": np.array(["no", "yes"], dtype=object),
    "booleans": np.array([False, True]),
    "minus and plus one": np.array([-1, 1]),
    "floats": np.array([2.0, 7.0]),
    "far apart": np.array([-(10**12), 10**12]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind(kind):
    names = LABELS[kind]
    model = fit(DENSE, names[Y])
    expected = fit(DENSE, Y)
    assert np.array_equal(model.classes_, names) and model.classes_.dtype == names.dtype
    assert np.array_equal(model.coef_, expected.coef_)
    assert np.array_equal(model.predict(DENSE), names[expected.predict(DENSE)])


@pytest.mark.parametrize(
    "form", [list, pandas.Series, lambda y: array.array("l", y), lambda y: y.astype(np.uint8)]
)
def test_label_containers(form):
    assert np.array_equal(fit(DENSE, form(Y)).coef_, fit(DENSE, Y).coef_)


def test_a_column_vector_of_labels_is_warned_of():
    with pytest.warns(match="column-vector"):
        model = fit(DENSE, Y[:, np.newaxis])
    assert np.array_equal(model.coef_, fit(DENSE, Y).coef_)


def test_multinomial_strings_are_sorted(iris):
    X, y = iris
    names = np.array(["c", "a", "b"])
    model = fit(X, names[y], max_iter=40)
    assert list(model.classes_) == ["a", "b", "c"]
    assert model.coef_.shape == (3, 4) and model.intercept_.shape == (3,)
    assert np.mean(model.predict(X) == names[y]) > 0.95


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_feature_names(library):
    names = list("abcdef")
    if library == "pandas":
        frame = pandas.DataFrame(DENSE, columns=names)
        other = frame[names[::-1]]
    else:
        frame = polars.DataFrame(DENSE, schema=names)
        other = frame.select(names[::-1])
    if not hasattr(StandardScaler().fit(frame), "feature_names_in_"):
        pytest.skip(f"scikit-learn {sklearn.__version__} sees no names in {library}")
    model = fit(frame, Y)
    assert list(model.feature_names_in_) == names
    assert model.n_features_in_ == 6
    assert np.array_equal(model.predict(frame), fit(DENSE, Y).predict(DENSE))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(other)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(DENSE)
    assert not hasattr(fit(DENSE, Y), "feature_names_in_")


def test_predictions_against_numpy(iris, noisy):
    for X, y in (iris, noisy):
        model = fit(X, y)
        scores = X @ model.coef_.T + model.intercept_
        if scores.shape[1] == 1:
            assert np.allclose(model.decision_function(X), scores[:, 0])
            scores = np.hstack([np.zeros_like(scores), scores])
        else:
            assert np.allclose(model.decision_function(X), scores)
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        assert np.allclose(model.predict_proba(X), chances)
        assert np.allclose(model.predict_log_proba(X), np.log(chances))
        assert np.array_equal(model.predict(X), model.classes_[scores.argmax(axis=1)])
        assert model.score(X, y) == np.mean(model.predict(X) == y)


def test_small_probabilities_keep_their_logarithm(noisy):
    model = fit(*noisy)
    far = np.full((1, 5), 0.0)
    far[0, 0] = 2000 / model.coef_[0, 0]
    low, high = model.predict_log_proba(far)[0]
    assert low == pytest.approx(-model.decision_function(far)[0]) and low < -1500
    assert high == pytest.approx(0)


def test_one_row_of_each_class_and_one_column():
    model = fit([[0.0], [1.0]], ["a", "b"], max_iter=100)
    assert list(model.predict([[-1.0], [2.0]])) == ["a", "b"]
