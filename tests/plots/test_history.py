"""What is drawn of a fit is what its history says."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_cirrus.plots import HistoryDisplay, plot_history

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def fitted(data, make_model):
    return make_model(early_stopping=True).fit(*data)


def column(model, key):
    return [entry[key] for entry in model.history_]


def test_both_losses_are_drawn(fitted):
    display = plot_history(fitted)
    train, valid = display.lines_
    assert isinstance(display, HistoryDisplay) and display.figure_ is display.ax_.figure
    assert train.get_xydata().T.tolist() == [column(fitted, "epoch"), column(fitted, "train_loss")]
    assert valid.get_ydata().tolist() == column(fitted, "valid_loss")
    losses = column(fitted, "valid_loss")
    assert display.best_.get_xydata().tolist() == [[1 + np.argmin(losses), min(losses)]]
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["training", "held-out"]
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("Epoch", "Loss")


def test_against_time_and_rows(fitted):
    assert plot_history(fitted, x="seconds").x.tolist() == column(fitted, "seconds")
    assert plot_history(fitted, x="rows").x.tolist() == [360, 720, 1080, 1440, 1800, 2160]
    with pytest.raises(ValueError, match="x must be one of 'epoch', 'seconds', 'rows', got 'day'"):
        plot_history(fitted, x="day")


def test_several_in_the_same_axes(data, fitted, make_model):
    first = plot_history(fitted, name="one")
    pipeline = make_pipeline(StandardScaler(), make_model(max_iter=1)).fit(*data)
    second = plot_history(pipeline, name="two", ax=first.ax_, color="black")
    assert second.ax_ is first.ax_ and second.lines_[0].get_color() == "black"
    assert second.lines_[0].get_marker() == "o" and second.best_ is None  # a single epoch
    labels = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert labels == ["one, training", "one, held-out", "two, training"]


def test_it_can_be_drawn_again(fitted):
    display = plot_history(fitted, name="one")
    before = display.ax_
    assert display.plot().ax_ is not before
    assert display.ax_.get_legend().get_texts()[0].get_text() == "one, training"


def test_what_has_no_history_is_refused(data, make_model):
    with pytest.raises(NotFittedError):
        plot_history(make_model())
    with pytest.raises(ValueError, match="LogisticRegression has no history of a fit"):
        plot_history(LogisticRegression().fit(*data))
