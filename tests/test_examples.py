"""The examples run without a warning and print figures that are as good as scikit-learn's."""

import re
import subprocess
import sys

import pytest


@pytest.fixture
def run_example(repository, tmp_path):
    """Run an example as a user does, with warnings as errors, and return what it printed."""

    def run(name):
        done = subprocess.run(
            [sys.executable, "-W", "error", repository / "examples" / name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        assert not list(tmp_path.iterdir())
        return done.stdout

    return run


def figure(output, label):
    """The number behind a label."""
    return float(re.search(rf"{re.escape(label)}\s+([\d.]+)", output)[1])


def test_quickstart_learns_as_well_as_sgd_classifier(run_example):
    output = run_example("quickstart.py")
    cirrus, sgd = figure(output, "cirrus"), figure(output, "SGDClassifier")
    assert figure(output, "true chances") < cirrus < sgd + 0.005
    assert cirrus < figure(output, "constant") - 0.05
    assert "2 workers" in output


def test_grid_search_prefers_the_weak_penalty_and_scores_as_scikit_learn(run_example):
    output = run_example("pipeline_grid_search.py")
    assert "27 fits" in output
    rows = re.findall(r"^C=([\d.]+)((?:\s+[\d.]+){3})$", output, re.M)
    assert [row[0] for row in rows] == ["0.01", "0.1", "1.0"]
    losses = [[float(loss) for loss in row[1].split()] for row in rows]
    # One C is one optimum, whatever the solver; less penalty fits digits better.
    for row in losses:
        assert max(row) < 1.03 * min(row)
    assert min(losses[0]) > max(losses[1]) > max(losses[2])
    assert "'cirruslogisticregression__C': 1.0" in output
    ours = figure(output, "cirrus      ")
    assert ours > 0.93 and abs(ours - figure(output, "scikit-learn")) < 0.015


def test_every_example_is_tested(repository):
    names = {path.name for path in (repository / "examples").glob("*.py")}
    assert names == {"quickstart.py", "pipeline_grid_search.py"}
