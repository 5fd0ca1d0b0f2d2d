"""Speed against workers, of fits and of numbers."""

import numpy as np
import pytest

from sklearn_cirrus.plots import ScalingDisplay, plot_scaling

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_repeats_are_a_median_and_a_range():
    display = plot_scaling({4: 300.0, 1: [100.0, 90.0, 120.0], 2: (180.0, 200.0)})
    assert isinstance(display, ScalingDisplay)
    assert display.line_.get_xydata().tolist() == [[1, 100], [2, 190], [4, 300]]
    ranges = [segment[:, 1].tolist() for segment in display.errorbar_.lines[2][0].get_segments()]
    assert ranges == [[90, 120], [180, 200], [300, 300]]
    assert display.proportional_.get_ydata().tolist() == [100, 200, 400]
    assert display.ax_.get_xscale() == "linear" and display.ax_.get_ylim()[0] == 0


def test_many_workers_are_on_logarithmic_axes():
    display = plot_scaling({1: 1.0, 64: 50.0}, name="ours")
    assert (display.ax_.get_xscale(), display.ax_.get_yscale()) == ("log", "log")
    again = plot_scaling({2: 3.0, 4: 5.0}, name="theirs", ax=display.ax_)
    assert again.ax_.get_yscale() == "log"
    labels = {text.get_text() for text in display.ax_.get_legend().get_texts()}
    assert labels == {"ours", "ours, in proportion", "theirs", "theirs, in proportion"}


def test_fits_are_placed_by_the_workers_they_had(data, make_model):
    fits = [make_model(max_iter=n).fit(*data) for n in (3, 4)]
    display = plot_scaling(fits)
    speeds = [400 * m.n_iter_ / m.history_[-1]["seconds"] for m in fits]
    assert display.workers == [1] and display.rows_per_second[0].tolist() == speeds
    fits[1].history_ = [entry | {"workers": 2} for entry in fits[1].history_]
    assert plot_scaling(iter(fits)).line_.get_xydata().tolist() == [[1, speeds[0]], [2, speeds[1]]]


@pytest.mark.parametrize("results", [{}, {1: []}, {0: 1.0}, {1: -1.0}, {1: [1.0, np.nan]}])
def test_what_cannot_be_is_refused(results):
    with pytest.raises(ValueError, match="at least one measurement|positive and finite"):
        plot_scaling(results)


def test_no_history_is_refused(make_model):
    with pytest.raises(ValueError, match="CirrusLogisticRegression has no history"):
        plot_scaling([make_model()])
