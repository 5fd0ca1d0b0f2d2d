"""The HTML representation of what was fitted: scikit-learn's, and a summary of the fit."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
import sklearn
from sklearn import config_context as sklearn_config
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from sklearn_cirrus import CirrusMatrixFactorization, config_context
from sklearn_cirrus._sparkline import sparkline
from sklearn_cirrus.model_selection import CirrusSearchCV

from .small_fits import draw_small, small_model

sklearn_version = tuple(map(int, sklearn.__version__.split(".")[:2]))
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def data():
    return draw_small()


@pytest.fixture(scope="module")
def fitted(data):
    return small_model(early_stopping=True).fit(*data)


class Cells(HTMLParser):
    """Collects the text of the cells of the summaries' tables."""

    def __init__(self):
        super().__init__()
        self.cells, self._is_cell = [], False

    def handle_starttag(self, tag, attrs):
        self._is_cell = self._is_cell or tag == "td"
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        self._is_cell = self._is_cell and tag != "td"

    def handle_data(self, data):
        if self._is_cell:
            self.cells[-1] += data


def summaries(page):
    """Return the summaries in a page, each as a dict of name to text without the picture's."""
    found = []
    for table in re.findall(r"<summary>Fit</summary>(<table.*?</table>)", page, re.S):
        parser = Cells()
        parser.feed(re.sub(r"<svg.*?</svg>", "", table, flags=re.S))
        found.append(dict(zip(parser.cells[::2], parser.cells[1::2], strict=True)))
    return found


def curve_of(page):
    return ElementTree.fromstring(re.search(r"<svg.*?</svg>", page, re.S)[0])


def test_a_fitted_estimator_tells_of_its_fit(fitted):
    page = fitted._repr_html_()
    (facts,) = summaries(page)
    last = fitted.history_[-1]
    lowest = min(entry["valid_loss"] for entry in fitted.history_)
    assert facts["loss"].strip() == (
        f"{last['train_loss']:.4g} training, {last['valid_loss']:.4g} held-out "
        f"(lowest {lowest:.4g})"
    )
    assert facts["rows"].startswith("1,800 in 5 epochs, ")  # a tenth of 400 is held out
    assert facts["time"] == f"{last['seconds']:.3g} s"
    assert (facts["workers"], facts["cost"]) == ("1", "$0")
    assert "early_stopping" in page  # scikit-learn's own
    assert ("Fitted attributes" in page) == (sklearn_version >= (1, 9))


def test_the_curve_has_a_text_and_the_colour_of_what_is_around(fitted):
    picture = curve_of(fitted._repr_html_())
    assert picture.get("role") == "img" and picture.get("stroke") == "currentColor"
    assert picture.get("aria-label") == picture.find("title").text
    first, last = fitted.history_[0]["train_loss"], fitted.history_[-1]["train_loss"]
    assert picture.find("title").text.startswith(f"training loss from {first:.4g} to {last:.4g}, ")
    whole, dashed = picture.findall("polyline")
    assert len(whole.get("points").split()) == 5
    assert whole.get("stroke-dasharray") is None and dashed.get("stroke-dasharray")


def test_what_is_not_fitted_is_scikit_learns_own(fitted):
    for estimator in (small_model(), clone(fitted), CirrusSearchCV(small_model(), {"C": [1.0]})):
        assert summaries(estimator._repr_html_()) == []
        assert "<svg role" not in estimator._repr_html_()


def test_it_is_there_in_a_pipeline(data, fitted):
    pipeline = make_pipeline(StandardScaler(), small_model()).fit(*data)
    (facts,) = summaries(estimator_html_repr(pipeline))
    assert facts["rows"].startswith("2,000 in 5 epochs")
    assert summaries(estimator_html_repr(clone(pipeline))) == []
    with sklearn_config(display="text"):
        assert not hasattr(fitted, "_repr_html_")


def test_nothing_of_the_settings_is_in_it(data, tmp_path):
    settings = {"store_url": f"file://{tmp_path}", "redis_url": "redis://:secret@nowhere.invalid"}
    with config_context(**settings):
        page = small_model().fit(*data)._repr_html_()
    for word in (str(tmp_path), "secret", "nowhere", "redis://", "file://"):
        assert word not in page


def test_a_search_tells_of_itself_and_its_best(data):
    search = CirrusSearchCV(small_model(), {"C": [0.01, 1.0]}, cv=2).fit(*data)
    whole, best = summaries(search._repr_html_())
    assert whole["candidates"] == "2 on 2 splits" and whole["cost"] == "$0"
    assert whole["best score"] == f"{search.best_score_:.4g}"
    assert best["rows"].startswith("2,000 in 5 epochs")
    alone = CirrusSearchCV(small_model(solver="lbfgs"), {"C": [1.0]}, cv=2, refit=False).fit(*data)
    (facts,) = summaries(alone._repr_html_())  # no table, no history
    assert "loss" not in facts and facts["candidates"] == "1 on 2 splits"


def test_ratings_are_called_ratings():
    ratings = np.random.default_rng(0).integers(1, 6, (30, 20)).astype(float)
    given = {"backend": "inline", "random_state": 0, "max_iter": 2}
    (facts,) = summaries(CirrusMatrixFactorization(2, **given).fit(ratings)._repr_html_())
    assert facts["ratings"].startswith("1,200 in 2 epochs") and "ratings/s" in facts["ratings"]


def points(curve):
    (line,) = ElementTree.fromstring(sparkline([curve], "<a & b>")).findall("polyline")
    return np.array([point.split(",") for point in line.get("points").split()], float)


def test_a_curve_goes_from_edge_to_edge():
    drawn = points([3.0, 2.0, 1.0])
    assert drawn.tolist() == [[2, 2], [80, 14], [158, 26]]
    assert points([3.0, np.nan, 1.0]).tolist() == [[2, 2], [158, 26]]
    assert (points([1.0, 1.0])[:, 1] == 14).all()


def test_of_many_points_each_pixel_shows_the_mean():
    drawn = points(np.repeat(np.arange(160.0), 10))
    assert len(drawn) == 160
    assert np.allclose(drawn[:, 1], np.linspace(26, 2, 160), atol=0.06)


def test_one_point_is_a_dot_and_none_is_nothing():
    assert ElementTree.fromstring(sparkline([[1.0]], "x")).find("circle").get("cy") == "14.0"
    assert len(ElementTree.fromstring(sparkline([[np.inf, np.nan]], "x"))) == 1  # the title
    assert len(ElementTree.fromstring(sparkline([], "x"))) == 1
