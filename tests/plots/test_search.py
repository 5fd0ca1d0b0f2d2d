"""What is drawn of a search is what its cv_results_ say."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sklearn_cirrus.model_selection import CirrusSearchCV
from sklearn_cirrus.plots import SearchDisplay, plot_search

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def points(display, i=0):
    return display.errorbars_[i].lines[0].get_xydata()


@pytest.fixture(scope="module")
def grid_search(data):
    grid = {"C": [0.01, 1.0, 10.0], "solver": ["lbfgs", "newton-cg"]}
    scoring = ["accuracy", "neg_log_loss"]
    return GridSearchCV(
        LogisticRegression(), grid, cv=2, scoring=scoring, refit="neg_log_loss"
    ).fit(*data)


def test_one_parameter_is_the_axis(data, make_model):
    search = CirrusSearchCV(make_model(), {"C": [1.0, 0.001, 30.0]}, cv=2, refit=False).fit(*data)
    display = plot_search(search)
    means = search.cv_results_["mean_test_score"]
    assert isinstance(display, SearchDisplay)
    assert points(display).tolist() == [[c, m] for c, m in zip([1.0, 0.001, 30.0], means, strict=1)]
    assert display.ax_.get_xscale() == "log" and display.ax_.get_xlabel() == "C"
    assert display.line_.get_xydata().tolist() == points(display)[[1, 0, 2]].tolist()
    best = np.argmax(means)
    assert display.best_.get_xydata().tolist() == [points(display)[best].tolist()]
    bars = display.errorbars_[0].lines[2][0].get_segments()
    heights = [(end - start)[1] / 2 for start, end in bars]
    assert heights == pytest.approx(search.cv_results_["std_test_score"])


def test_searches_in_the_same_axes_have_names(grid_search):
    first = plot_search(grid_search, name="ours")
    second = first.plot(first.ax_, name="theirs", color="C2")
    assert second is first and first.errorbars_[0].lines[0].get_color() == "C2"
    labels = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert sorted(labels) == [
        *("ours, best", "ours, candidates", "theirs, best", "theirs, candidates")
    ]


def test_several_parameters_are_ranked_or_chosen(grid_search):
    display = plot_search(grid_search)
    results = grid_search.cv_results_
    assert points(display)[:, 0].tolist() == results["rank_test_neg_log_loss"].tolist()
    assert display.line_ is None and display.ax_.get_xlabel() == "Rank"
    assert display.ax_.get_ylabel() == "neg_log_loss on held-out rows"
    display = plot_search(grid_search, param="C", metric="accuracy")
    means = results["mean_test_accuracy"].reshape(3, 2)
    assert display.line_.get_ydata().tolist() == means.max(axis=1).tolist()
    display = plot_search(grid_search, param="solver")
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["lbfgs", "newton-cg"]
    assert points(display)[:, 0].tolist() == [0, 1, 0, 1, 0, 1] and display.line_ is None


def test_dropped_candidates_are_hollow_and_never_best(data, make_model):
    search = CirrusSearchCV(
        make_model(), {"C": [1e-4, 1e-3, 1.0]}, cv=2, refit=False, halving=3, min_epochs=2
    ).fit(*data)
    search.cv_results_["mean_test_score"][0] = 1.0  # of one that was dropped
    display = plot_search(search)
    assert search.cv_results_["dropped"].tolist() == [True, True, False]
    assert points(display, 0)[:, 0].tolist() == [1.0]
    assert points(display, 1)[:, 0].tolist() == [1e-4, 1e-3]
    assert display.errorbars_[1].lines[0].get_markerfacecolor() == "none"
    assert display.best_.get_xdata().tolist() == [1.0]


def test_no_penalty_has_a_place(data):
    grid = {"C": [np.inf, 0.1, 1.0]}
    search = GridSearchCV(LogisticRegression(), grid, cv=2).fit(*data)
    display = plot_search(search)
    assert points(display)[:, 0].tolist() == [2, 0, 1]
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["0.1", "1.0", "inf"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
def test_failed_candidates_are_left_out(data):
    search = GridSearchCV(LogisticRegression(), {"C": [-1.0, 1.0]}, cv=2).fit(*data)
    assert points(plot_search(search))[:, 0].tolist() == [1.0]
    search.cv_results_["mean_test_score"][:] = np.nan
    with pytest.raises(ValueError, match="every fit has failed"):
        plot_search(search)


def test_what_is_not_there_is_refused(grid_search):
    with pytest.raises(NotFittedError):
        plot_search(GridSearchCV(LogisticRegression(), {}))
    with pytest.raises(ValueError, match="sets 'tol'; those that all set: C, solver"):
        plot_search(grid_search, param="tol")
    with pytest.raises(ValueError, match="one of accuracy, neg_log_loss, got 'f1'"):
        plot_search(grid_search, metric="f1")
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]})
    search.cv_results_ = {"mean_test_a": [1.0], "mean_test_b": [1.0], "params": [{"C": 1.0}]}
    with pytest.raises(ValueError, match="several metrics, pass one: a, b"):
        plot_search(search)
