"""Matrix factorization by definition, in float64: the objective minimised over the users."""

from dataclasses import dataclass

import numpy as np

from cirrus_runtime.blocks import Block


@dataclass(frozen=True)
class Ratings:
    """What defines an objective besides the items: see factorization.h."""

    block: Block
    alpha: float
    mean: float
    biased: bool

    def of(self, user):
        """Return items, ratings and weights of a row of the block."""
        part = slice(*self.block.indptr[user : user + 2].astype(int))
        weights = self.block.entry_weights
        weights = np.ones(part.stop - part.start) if weights is None else weights[part]
        ratings = self.block.data[part].astype(np.float64) - self.mean
        return self.block.indices[part], ratings, weights.astype(np.float64)

    def rows(self, model, items):
        """Return what the user's vector is multiplied with, and the items' biases."""
        rows = model[items].astype(np.float64)
        if not self.biased:
            return rows, np.zeros(len(items))
        biases = rows[:, -1].copy()
        rows[:, -1] = 1.0
        return rows, biases

    def solve(self, user, model):
        """Return the best vector of a user given the items."""
        items, ratings, weights = self.of(user)
        rows, biases = self.rows(model, items)
        total = weights.sum()
        if total == 0:
            return np.zeros(model.shape[1])
        normal = rows.T @ (weights[:, None] * rows) + self.alpha * total * np.eye(rows.shape[1])
        return np.linalg.solve(normal, rows.T @ (weights * (ratings - biases)))

    def errors(self, user, model, vector):
        """Return rating minus prediction for a row's ratings."""
        items, ratings, _ = self.of(user)
        rows, biases = self.rows(model, items)
        return ratings - biases - rows @ vector

    def sums(self, users, model):
        """Return sums of squared errors, of the penalty and of weights, users being solved for."""
        model = np.asarray(model, np.float64)
        errors = penalty = total = 0.0
        for user in users:
            items, _, weights = self.of(user)
            vector = self.solve(user, model)
            errors += weights @ self.errors(user, model, vector) ** 2
            norms = vector @ vector + (model[items] ** 2).sum(axis=1)
            penalty += self.alpha * (weights @ norms)
            total += weights.sum()
        return errors, penalty, total

    def gradient(self, users, model):
        """Return the gradient of the sum of errors and penalty, by the envelope theorem."""
        model = np.asarray(model, np.float64)
        gradient = np.zeros_like(model)
        for user in users:
            items, _, weights = self.of(user)
            vector = self.solve(user, model)
            slopes = -2 * weights * self.errors(user, model, vector)
            if self.biased:
                vector[-1] = 1.0
            part = slopes[:, None] * vector + 2 * self.alpha * weights[:, None] * model[items]
            np.add.at(gradient, items, part)
        return gradient


def random_ratings(random, n_users, n_items, longest=None, weights=False, n_empty=2):
    """Return a block of users with 0 to ``longest`` different items each."""
    counts = random.integers(1, (longest or n_items) + 1, n_users)
    counts[:n_empty] = 0
    indices = [random.permutation(n_items)[:count] for count in random.permutation(counts)]
    indptr = np.append(0, np.cumsum([len(items) for items in indices])).astype(np.uint32)
    n = int(indptr[-1])
    return Block(
        indptr=indptr,
        indices=np.concatenate(indices).astype(np.uint32),
        data=(3.5 + random.standard_normal(n)).astype(np.float32),
        labels=None,
        weights=None,
        n_features=n_items,
        entry_weights=random.exponential(size=n).astype(np.float32) if weights else None,
    )
