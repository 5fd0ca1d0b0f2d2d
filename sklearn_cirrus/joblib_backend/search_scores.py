"""The candidates of a search of scikit-learn's whose fits are the tasks of a call.

GridSearchCV and its like say in the arguments of each task which candidate and which split it is
(``candidate_progress``, ``split_progress``), and find the score in what it returns. Tasks that say
nothing of the kind are none of a search.
"""

import math


class SearchScores:
    """Means over the splits so far, by candidate."""

    def __init__(self):
        self._places = {}  # by number of a batch: candidates of its tasks
        self._first = self._n = 0  # of the candidates of the search's present round, and in all
        self._found = {}  # by candidate: scores

    def note_calls(self, number, calls):
        """Take note of a batch; return parameters of the candidates in it that are new, a list."""
        new, places = [], []
        for _, _, kwargs in calls:
            place = _place_of(kwargs)
            if place is None:
                return []
            if place == 0:
                self._first = self._n  # a halving search begins again with those that are left
            candidate = self._first + place // kwargs["split_progress"][1]
            if candidate == self._n:
                self._n += 1
                new.append(kwargs.get("parameters"))
            places.append(candidate)
        self._places[number] = places
        return new

    def note_results(self, number, values):
        """Take note of what a batch has returned.

        Returns
        -------
        list of list
            Candidate, mean score, number of scores, and name of the first metric if there are
            several: of those that have changed.
        """
        places, changed = self._places.pop(number, None), {}
        if not places or not isinstance(values, list):  # of no search, or it has raised
            return []
        for candidate, value in zip(places, values, strict=True):
            scores = value.get("test_scores") if isinstance(value, dict) else None
            metric = next(iter(scores), None) if isinstance(scores, dict) else None
            score = scores[metric] if metric is not None else scores
            if isinstance(score, float) and math.isfinite(score):
                found = self._found.setdefault(candidate, [])
                found.append(score)
                changed[candidate] = [candidate, math.fsum(found) / len(found), len(found), metric]
        return list(changed.values())


def count_after(kwargs):
    """Return how many tasks come after one in its search's round, or None if it is of no search."""
    place = _place_of(kwargs)
    if place is None:
        return None
    return kwargs["split_progress"][1] * kwargs["candidate_progress"][1] - place - 1


def _place_of(kwargs):
    """Return the place of a task in its search's round, or None if it is of no search."""
    try:
        (split, n_splits), (candidate, n) = kwargs["split_progress"], kwargs["candidate_progress"]
    except (KeyError, TypeError, ValueError):
        return None
    numbers = split, n_splits, candidate, n
    return candidate * n_splits + split if all(type(one) is int for one in numbers) else None
