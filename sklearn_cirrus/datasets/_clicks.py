"""Made-up clicks of the shape of the Criteo challenge, for examples, tests and benchmarks."""

from numbers import Integral

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_scalar

__all__ = ["make_clicks"]

# Distinct values of the categorical fields: those of the Criteo display advertising
# challenge, the largest cut to 2 million.
_VOCABULARIES = (
    1_460, 583, 2_000_000, 2_000_000, 305, 24, 12_517, 633, 3, 93_145, 5_683, 2_000_000, 3_194,
    27, 14_992, 2_000_000, 10, 5_652, 2_173, 4, 2_000_000, 18, 15, 286_181, 105, 142_572,
)  # fmt: skip
# The numeric fields are counts, log-normal where they are not missing:
# (share that is missing, mean of the logarithm, its standard deviation).
_COUNTS = (
    (0.45, 0.5, 1.2), (0.00, 2.5, 2.0), (0.22, 2.0, 1.5), (0.22, 1.5, 1.0), (0.03, 7.5, 2.5),
    (0.22, 3.5, 1.7), (0.04, 1.5, 1.6), (0.00, 2.0, 1.2), (0.04, 3.7, 1.6), (0.45, 0.3, 0.6),
    (0.04, 0.8, 0.9), (0.77, 0.2, 0.8), (0.22, 1.7, 1.1),
)  # fmt: skip
_N_FIELDS = len(_COUNTS) + len(_VOCABULARIES)

# Rows are drawn in groups of this many, each from its own random stream. So a row
# depends on the seed and its own number only, and memory stays small beside the result.
GROUP = 2**14
_ROWS, _CALIBRATION = 0, 1  # what a stream is for
_CALIBRATION_GROUPS = 4  # 65,536 rows set the intercept: 25% positive within 0.3%
_POSITIVE = 0.25
_NORMAL_BITS = 14


def make_clicks(
    n_samples, *, n_features=2**20, signal=1.5, random_state=0, return_probabilities=False
):
    """Make clicks of the shape of the Criteo display advertising challenge.

    A row has 13 numeric fields, counts with heavy tails and missing values, and 26
    categorical fields, whose vocabularies have 3 to 2 million values of Zipf-distributed
    frequencies (the k-th value is drawn about 1/k as often as the first). As is usual
    for linear models of such data, a count x becomes the bucket floor(log(1 + x)^2),
    "missing" is a value like any other, and each (field, value) is hashed to a column.

    Each (field, value) has a planted effect, drawn from the same normal distribution
    for frequent and rare values; the effects of a row add up to the logit of its
    probability of a click. A quarter of the rows are clicks.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    n_features : int, default=2**20
        Number of columns, from 39 to 2**31 - 1.
    signal : float, default=1.5
        Standard deviation of the logits: the higher, the better a model can be.
    random_state : int, RandomState instance or None, default=0
        Determines effects and rows. With the same int, the first rows of a longer data
        set are those of a shorter one.
    return_probabilities : bool, default=False
        Whether to return the true probabilities as well.

    Returns
    -------
    X : csr_array of shape (n_samples, n_features), float32
        39 ones in each row, in columns sorted and distinct. Where two fields of a row
        fall on one column, the second takes the next free one.
    y : int64 array of shape (n_samples,)
        1 for a click, else 0.
    probabilities : float64 array of shape (n_samples,)
        Only if ``return_probabilities``. The log loss of these, the Bayes loss, is what
        no model beats; hash collisions and rare values keep it out of reach.

    Examples
    --------
    >>> from sklearn_cirrus.datasets import make_clicks
    >>> X, y = make_clicks(1000)
    >>> X.shape, X.nnz
    ((1000, 1048576), 39000)
    """
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    check_scalar(n_features, "n_features", Integral, min_val=_N_FIELDS, max_val=2**31 - 1)
    check_scalar(signal, "signal", (float, Integral), min_val=0)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    effects = effects_of(seed, signal)

    columns = np.empty((n_samples, _N_FIELDS), np.int32)
    y = np.empty(n_samples, np.int64)
    probabilities = np.empty(n_samples) if return_probabilities else None
    for group, start in enumerate(range(0, n_samples, GROUP)):
        rows = slice(start, min(start + GROUP, n_samples))
        count = rows.stop - start
        values, chances, _ = draw_rows(seed, group)
        columns[rows] = _hash_to_columns(values, n_features)[:count]
        chance_of_click = effects.probabilities(values)[:count]
        y[rows] = chances[:count] < chance_of_click
        if return_probabilities:
            probabilities[rows] = chance_of_click

    index = np.int32 if columns.size < 2**31 else np.int64
    indptr = np.arange(0, columns.size + 1, _N_FIELDS, dtype=index)
    entries = np.ones(columns.size, np.float32), columns.ravel().astype(index, copy=False), indptr
    X = csr_array(entries, shape=(n_samples, n_features))
    X.has_canonical_format = True
    return (X, y, probabilities) if return_probabilities else (X, y)


def effects_of(seed, signal):
    """Return the effects that a seed plants, with a signal."""
    effects = _Effects(seed)
    groups = [_draw(seed, _CALIBRATION, i)[0] for i in range(_CALIBRATION_GROUPS)]
    effects.calibrate(signal, groups)
    return effects


def draw_rows(seed, group):
    """Return the rows of a group.

    Returns
    -------
    values : uint32 array of shape (39, GROUP)
        Of each field: of a count its bucket and one, 0 if it is missing; of a category its rank.
    chances : float64 array of shape (GROUP,)
        Uniform; the row is a click if it lies below its probability.
    counts : float64 array of shape (13, GROUP)
        The counts before they are bucketed, also where they are missing.
    """
    return _draw(seed, _ROWS, group)


def _draw(seed, purpose, group):
    """Draw one group of a stream; see draw_rows."""
    stream = np.random.SeedSequence(seed, spawn_key=(purpose, group))
    random = np.random.Generator(np.random.SFC64(stream))
    values = np.empty((_N_FIELDS, GROUP), np.uint32)
    counts = np.empty((len(_COUNTS), GROUP))
    for field, (missing, mean, deviation) in enumerate(_COUNTS):
        counts[field] = np.floor(np.exp(random.normal(mean, deviation, GROUP)))
        buckets = np.log1p(counts[field]) ** 2 + 1
        values[field] = np.where(random.random(GROUP) < missing, 0, buckets)
    for field, vocabulary in enumerate(_VOCABULARIES, start=len(_COUNTS)):
        # floor(v ** u), u uniform in [0, 1), is k with a probability of log(1 + 1/k) / log(v).
        ranks = random.random(GROUP)
        ranks *= np.log(vocabulary + 1)
        values[field] = np.exp(ranks, out=ranks)
    return values, random.random(GROUP), counts


def scramble(values, salt):
    """A well mixed uint32 of each value of each field (the finisher of MurmurHash3)."""
    fields = np.arange(values.shape[0], dtype=np.uint32)[:, None]
    mixed = values ^ (fields * np.uint32(0x9E3779B9) + np.uint32(salt))
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed ^= mixed >> np.uint32(shift)
        mixed *= np.uint32(factor)
    mixed ^= mixed >> np.uint32(16)
    return mixed


def _hash_to_columns(values, n_features):
    """The columns (rows, fields) of values (fields, rows): sorted and distinct in a row."""
    mixed = scramble(values, salt=0).T.astype(np.uint64)
    columns = ((mixed * np.uint64(n_features)) >> np.uint64(32)).astype(np.int32)
    columns.sort(axis=1)
    meet = np.flatnonzero((columns[:, 1:] == columns[:, :-1]).any(axis=1))
    if meet.size:
        apart = columns[meet].astype(np.int64)
        places = np.arange(_N_FIELDS)
        # Distinct and sorted means that column - place never falls along the row.
        apart = np.maximum.accumulate(apart - places, axis=1) + places
        columns[meet] = np.minimum(apart, n_features - _N_FIELDS + places)
    return columns


class _Effects:
    """The planted effect of each (field, value), looked up by a hash instead of stored."""

    def __init__(self, seed):
        self._salt = seed + 1
        # Quantiles of a normal distribution, near enough: sums of 12 uniform numbers.
        uniform = np.random.RandomState(seed).random_sample((12, 2**_NORMAL_BITS))
        self._table = (uniform.sum(axis=0) - 6).astype(np.float32)
        self._scale, self._intercept = 1.0, 0.0

    def calibrate(self, signal, groups):
        """Set scale and intercept so that the groups have the signal and share of clicks."""
        sums = np.concatenate([self._sums(values) for values in groups])
        self._scale = signal / sums.std()
        logits = self._scale * sums
        low, high = -50.0, 50.0
        while high - low > 1e-9:
            self._intercept = (low + high) / 2
            if _logistic(logits + self._intercept).mean() < _POSITIVE:
                low = self._intercept
            else:
                high = self._intercept

    def probabilities(self, values):
        """The chance of a click of each row of values (fields, rows)."""
        return _logistic(self._scale * self._sums(values) + self._intercept)

    def _sums(self, values):
        """The sums, over the fields, of the effects before they are scaled."""
        picks = scramble(values, self._salt) >> np.uint32(32 - _NORMAL_BITS)
        return self._table[picks].sum(axis=0, dtype=np.float64)


def _logistic(logits):
    """1 / (1 + exp(-logits)); the logits of clicks are far from overflow."""
    return 1 / (1 + np.exp(-logits))
