"""Made-up ratings of the shape of the Netflix prize, for examples, tests and benchmarks."""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_scalar

# The Netflix prize: a mean user rated 209 films and the median one 96; a mean film had 5,655
# ratings, the median one 561, the first 233,000. A logarithm of this deviation gives the former.
# The latter: an item at the share x of the order by popularity is drawn in proportion to
# (x + _HEAD)**-2, which makes the mean 9 times the median, and the first item 34 times the mean.
_ACTIVITY = 1.25
_HEAD = 0.03

_MEAN = 3.6
_USER_BIAS, _ITEM_BIAS, _AFFINITY = 0.4, 0.45, 0.5  # standard deviations
_LOWEST, _HIGHEST = 1.0, 5.0

# Users are drawn in groups, each from its own random stream: memory stays small beside the result.
_CELLS = 2**24  # of the table of who rated what in a group, a byte each
_ROUNDS = 8
_PARAMETERS, _USERS = 0, 1  # what a stream is for


def make_ratings(
    n_users=20_000,
    n_items=17_770,
    n_ratings=3_600_000,
    *,
    n_factors=10,
    noise=0.8,
    step=1.0,
    random_state=0,
    return_parameters=False,
):
    """Make ratings of the shape of the Netflix prize: 17,770 films, 1 to 5 stars.

    Few users rate most, and few items are rated most; no user rates an item twice. A rating is

    .. code-block:: text

        mean + user_bias[u] + item_bias[i] + user_factors[u] @ item_factors[i] + noise

    rounded to a whole or half star. The k-th factor has a variance of 1/k of the first's; biases
    and factors do not depend on how many ratings there are of a user or an item.

    The Netflix prize itself had 480,189 users and 100 million ratings:
    ``make_ratings(480_189, 17_770, 100_000_000)`` takes about 1 GB and some minutes.

    Parameters
    ----------
    n_users, n_items : int
        Shape of the matrix.
    n_ratings : int
        Number of ratings, from ``n_users`` (each user has one at least) to ``n_users * n_items``.
    n_factors : int, default=10
        Number of planted factors, 0 or more.
    noise : float, default=0.8
        Standard deviation of the noise, in stars: the RMSE of the planted parameters before
        rounding.
    step : {1.0, 0.5} or None, default=1.0
        1.0: whole stars from 1 to 5. 0.5: half stars from 0.5 to 5, as those of MovieLens. None:
        neither rounded nor bounded.
    random_state : int, RandomState instance or None, default=0
        Determines everything.
    return_parameters : bool, default=False
        Whether to return the planted parameters as well.

    Returns
    -------
    X : csr_array of shape (n_users, n_items), float32
        The stored entries are the ratings. Columns are sorted and distinct in each row.
    parameters : Bunch
        Only if ``return_parameters``: ``mean`` (float), ``user_bias`` of shape (n_users,),
        ``item_bias`` of shape (n_items,), ``user_factors`` of shape (n_users, n_factors) and
        ``item_factors`` of shape (n_items, n_factors), float32.

    Raises
    ------
    ValueError, TypeError
        A parameter is out of its range, or of another type.

    Examples
    --------
    >>> from sklearn_cirrus.datasets import make_ratings
    >>> X = make_ratings(100, 50, 1000)
    >>> X.shape, X.nnz, float(X.data.min()), float(X.data.max())
    ((100, 50), 1000, 1.0, 5.0)
    """
    check_scalar(n_users, "n_users", Integral, min_val=1)
    check_scalar(n_items, "n_items", Integral, min_val=1, max_val=2**31 - 1)
    check_scalar(n_ratings, "n_ratings", Integral, min_val=n_users, max_val=n_users * n_items)
    check_scalar(n_factors, "n_factors", Integral, min_val=0)
    check_scalar(noise, "noise", Real, min_val=0)
    if step not in (None, 1, 0.5):
        raise ValueError(f"step must be 1.0, 0.5 or None, got {step!r}.")
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    random = _stream(seed, _PARAMETERS, 0)
    counts = _share_out(random.lognormal(0, _ACTIVITY, n_users), n_ratings, n_items)
    popularity = _Popularity(n_items, random)
    planted = _plant(n_users, n_items, n_factors, random)

    index = np.int32 if n_ratings < 2**31 else np.int64
    indptr = np.zeros(n_users + 1, index)
    np.cumsum(counts, out=indptr[1:])
    columns, ratings = np.empty(n_ratings, index), np.empty(n_ratings, np.float32)
    users_at_once = max(1, _CELLS // n_items)
    for group, first in enumerate(range(0, n_users, users_at_once)):
        users = np.arange(first, min(first + users_at_once, n_users))
        here = slice(indptr[users[0]], indptr[users[-1] + 1])
        random = _stream(seed, _USERS, group)
        columns[here] = items = _choose(counts[users], popularity, random)
        values = _expected(planted, np.repeat(users, counts[users]), items)
        values += random.standard_normal(values.size, np.float32) * np.float32(noise)
        if step is not None:
            values = np.clip(np.round(values / step) * step, min(_LOWEST, step), _HIGHEST)
        ratings[here] = values

    X = csr_array((ratings, columns, indptr), shape=(n_users, n_items))
    X.has_canonical_format = True
    return (X, planted) if return_parameters else X


def _stream(seed, purpose, group):
    """A random stream of its own for each purpose and group of users."""
    sequence = np.random.SeedSequence(seed, spawn_key=(purpose, group))
    return np.random.Generator(np.random.SFC64(sequence))


def _share_out(weights, total, most):
    """Whole numbers from 1 to ``most`` that add up to ``total``, in proportion to the weights."""
    low, high = 0.0, total * most / weights.min()
    for _ in range(200):
        middle = (low + high) / 2
        shares = np.clip(middle * weights, 1, most)
        low, high = (middle, high) if shares.sum() < total else (low, middle)
    counts = np.floor(shares).astype(np.int64)
    # What the rounding left over goes to those who lost most by it and have room for it.
    left = total - counts.sum()
    loss = np.where(counts < most, shares - counts, -1.0)
    counts[np.argsort(-loss, kind="stable")[:left]] += 1
    return counts


def _plant(n_users, n_items, n_factors, random):
    """The parameters that ratings are made of."""
    # Products of two factors of deviation s have a deviation of s**2.
    variances = 1 / np.arange(1, n_factors + 1)
    scales = (_AFFINITY**2 * variances / variances.sum()) ** 0.25
    scales = scales.astype(np.float32)

    def normal(*shape):
        return random.standard_normal(shape, np.float32)

    return Bunch(
        mean=_MEAN,
        user_bias=normal(n_users) * np.float32(_USER_BIAS),
        item_bias=normal(n_items) * np.float32(_ITEM_BIAS),
        user_factors=normal(n_users, n_factors) * scales,
        item_factors=normal(n_items, n_factors) * scales,
    )


def _expected(planted, users, items):
    """What the planted parameters predict for pairs of a user and an item, float32."""
    values = planted.user_bias[users] + planted.item_bias[items] + np.float32(planted.mean)
    for k in range(planted.item_factors.shape[1]):  # one by one: a gathered table would be large
        values += planted.user_factors[users, k] * planted.item_factors[items, k]
    return values


class _Popularity:
    """How likely items are to be drawn."""

    def __init__(self, n_items, random):
        self._order = random.permutation(n_items).astype(np.int32)  # the item of each rank
        self._low, self._high = 1 / _HEAD, 1 / (1 + _HEAD)
        edges = 1 / (np.arange(n_items + 1) / n_items + _HEAD)
        self.chances = np.empty(n_items)
        self.chances[self._order] = (edges[:-1] - edges[1:]) / (self._low - self._high)

    def draw(self, n, random):
        """Items drawn with replacement, int32 array of shape (n,)."""
        x = random.random(n)  # by the inverse of the distribution of x
        x *= self._high - self._low
        x += self._low
        np.divide(1, x, out=x)
        x -= _HEAD
        x *= len(self._order)
        ranks = x.astype(np.int64)
        return self._order[np.clip(ranks, 0, len(self._order) - 1, out=ranks)]


def _choose(counts, popularity, random):
    """The items of a group of users, user after user, sorted and distinct in each.

    A user draws items one after the other, in proportion to their chances, and passes over those
    drawn before. That is done in rounds: in each, all draw as many as they lack. Whoever lacks
    some after that draws the rest at once: the items whose exponential clocks, running at the
    speed of their chances, ring first (the same distribution).
    """
    n_items = len(popularity.chances)
    drawn = np.zeros((len(counts), n_items), bool)
    cells, lacking = drawn.reshape(-1), counts.copy()
    for _ in range(_ROUNDS):
        users = np.flatnonzero(lacking)
        items = popularity.draw(lacking[users].sum(), random)
        cells[np.repeat(users * n_items, lacking[users]) + items] = True
        lacking[users] = counts[users] - np.count_nonzero(drawn[users], axis=1)
    for user in np.flatnonzero(lacking):
        rest = np.flatnonzero(~drawn[user])
        clocks = random.standard_exponential(rest.size) / popularity.chances[rest]
        first = np.argpartition(clocks, lacking[user] - 1)[: lacking[user]]
        drawn[user, rest[first]] = True
    return np.flatnonzero(cells) % n_items
