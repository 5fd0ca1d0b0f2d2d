"""A search that is watched, halved, stopped, and changed while it runs."""

import logging
import threading

import numpy as np
import pytest

from sklearn_cirrus._halving import Halving
from sklearn_cirrus._search_results import rank
from sklearn_cirrus.model_selection import CirrusSearchCV

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
GRID = {"C": [1e-5, 1e-4, 0.001, 0.02, 0.1, 1.0, 10.0, 100.0]}


def test_halving_drops_the_worse_half_at_every_rung(data, clf):
    seen = []

    def watch(search):
        seen.append({row["candidate"]: row["status"] for row in search.leaderboard_})

    clf.set_params(tol=None, max_iter=12)
    halved = CirrusSearchCV(clf, GRID, cv=3, halving=2, min_epochs=3, callback=watch).fit(*data)
    whole = CirrusSearchCV(clf, GRID, cv=3).fit(*data)
    alive = [list(row.values()).count("training") for row in seen]
    assert alive[:11] == [8, 8, 4, 4, 4, 2, 2, 2, 2, 2, 2]
    dropped = halved.cv_results_["dropped"]
    assert dropped.sum() == 6
    ranks = halved.cv_results_["rank_test_score"]
    assert ranks[~dropped].max() < ranks[dropped].min()
    assert not dropped[halved.best_index_]
    assert halved.best_score_ == pytest.approx(whole.best_score_, abs=0.01)
    fits = [entry["fits"] for entry in halved.history_[0]]
    assert fits[0] == 24
    assert fits[-2] == 6
    # Those that went on are not disturbed by those that were dropped.
    scores = [search.cv_results_["mean_test_score"][~dropped] for search in (halved, whole)]
    np.testing.assert_allclose(*scores, atol=1e-5)


def test_rungs():
    halving = Halving(3, 2)
    losses = {c: float(c) for c in range(9)}
    assert halving.losers(dict.fromkeys(range(9), 1), losses) == []
    assert halving.losers(dict.fromkeys(range(9), 2), losses) == [3, 4, 5, 6, 7, 8]
    assert halving.losers(dict.fromkeys(range(3), 5), losses) == []
    assert halving.losers(dict.fromkeys(range(3), 6), losses | {1: float("nan")}) == [1, 2]
    # A latecomer is compared with those that were at the rung before it.
    assert halving.losers({0: 9, 9: 2}, {0: 0.0, 9: 0.5}) == []
    assert halving.losers({0: 9, 10: 2}, {0: 0.0, 10: 7.5}) == [10]


def test_ranks_with_dropped_candidates():
    means = np.array([-3.0, -1.0, np.nan, -2.0, -2.0])
    assert rank(means, np.array([False, True, False, False, False])).tolist() == [3, 5, 4, 1, 1]


def test_candidates_come_and_go_while_it_runs(data, clf):
    numbers = []

    def steer(search):
        if len(numbers) == 0:
            numbers.extend(search.add_candidates({"C": [0.05], "solver": ["adagrad", "sgd"]}))
            search.drop_candidates([0])
            with pytest.raises(ValueError, match=r"no candidates \[99\]"):
                search.drop_candidates([99])
            with pytest.raises(ValueError, match="Invalid parameter"):
                search.add_candidates({"c": [1.0]})

    clf.set_params(tol=None, max_iter=12)
    grid = {"C": [0.001, 0.02]}
    search = CirrusSearchCV(clf, grid, cv=2, callback=steer).fit(*data)
    assert numbers == [2, 3]
    assert [p["C"] for p in search.cv_results_["params"]] == [0.001, 0.02, 0.05, 0.05]
    epochs = {row["candidate"]: row["epochs"] for row in search.leaderboard_}
    assert epochs == {0: 1, 1: 12, 2: 12, 3: 12}
    assert len(search.history_) == 2  # sgd has a table of its own
    late = CirrusSearchCV(clf, {"C": [0.05]}, cv=2).fit(*data)
    expected = late.cv_results_["mean_test_score"][0]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"][2:], expected, atol=0.01)


def test_another_thread_stops_it(data, clf):
    entered, stopped = threading.Event(), threading.Event()

    def wait(search):
        entered.set()
        assert stopped.wait(20)

    search = CirrusSearchCV(clf, [GRID, {"solver": ["sgd"]}], cv=2, refit=False, callback=wait)

    def stop():
        assert entered.wait(20)
        search.stop()
        stopped.set()

    with pytest.raises(RuntimeError, match="no search runs"):
        search.stop()
    thread = threading.Thread(target=stop)
    thread.start()
    search.fit(*data)
    thread.join()
    assert len(search.history_[0]) == 1
    assert len(search.cv_results_["params"]) == 8  # sgd was not begun
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_it_tells_how_it_stands(data, clf, capsys, caplog):
    with caplog.at_level(logging.INFO, "sklearn_cirrus"):
        CirrusSearchCV(clf.set_params(max_iter=3), GRID, cv=2, verbose=2).fit(*data)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 3
    assert lines[0].startswith("epoch 1: 16 fits, best candidate ")
    assert f"search: {lines[2]}" in caplog.messages
