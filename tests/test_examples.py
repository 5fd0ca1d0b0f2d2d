"""The examples run without a warning and print figures that are as good as scikit-learn's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def run_example(repository, tmp_path):
    """Run an example as a user does, with warnings as errors, and return what it printed."""

    def run(name, *arguments):
        done = subprocess.run(
            [sys.executable, "-W", "error", repository / "examples" / name, *arguments],
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


def test_texts_are_told_apart_as_well_as_by_scikit_learn(run_example):
    output = run_example("text_classification.py")
    ours, exact = (
        [
            float(number)
            for number in re.search(rf"^{name} +([\d.]+) +([\d.]+)", output, re.M).groups()
        ]
        for name in ("cirrus", "scikit-learn")
    )
    assert ours[0] > max(0.93, exact[0] - 0.01)
    assert ours[1] < exact[1] + 0.02
    assert re.search(r"^s3 .*bucket", output, re.M)
    assert re.search(r"^dynamodb .*table", output, re.M)


def test_text_of_a_csv_file_in_two_classes(run_example, tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "fruit.csv"
    rows = [("pear apple fig", "fruit"), ("pear bus train", "traffic")] * 40
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    output = run_example("text_classification.py", "--source", path)
    assert re.search(r"^cirrus +1\.0000", output, re.M)
    (words,) = re.findall(r"^fruit +(.+)$", output, re.M)
    assert {"apple", "fig"} <= set(words.split(", ")) and "bus" not in words


def test_clicks_are_learnt_and_kept(run_example):
    output = run_example("clicks.py", "--rows", "20000")
    figures = {
        name: [float(number.replace(",", "")) for number in numbers]
        for name, *numbers in re.findall(
            r"^(\w[\w ]+?) +([\d.]+) +([\d.]+) +[\d.]+ s +([\d,]+)$", output, re.M
        )
    }
    constant, ours = figures["constant"], figures["cirrus"]
    assert len(figures) == 5
    assert ours[0] < min(constant[0] - 0.03, figures["SGDClassifier"][0] + 0.005)
    assert ours[1] > max(0.65, figures["SGDClassifier"][1] - 0.01)
    for name in ("early stopping", "elastic net"):
        assert figures[name][0] < constant[0] - 0.02, name
    assert 0 < figures["elastic net"][2] < ours[2] / 20
    assert "the same predictions" in output


def test_clicks_of_a_csv_file(run_example, tmp_path_factory):
    path = tmp_path_factory.mktemp("clicks") / "clicks.csv"
    rows = [f"{int(i % 10 < 3)},site{i % 10},{i % 7}\n" for i in range(2000)]
    path.write_text("".join(["clicked,site,day\n", *rows]))
    output = run_example("clicks.py", "--data", path, "--target", "clicked")
    assert "1,600 rows to train, 400 held out" in output
    assert figure(output, "cirrus") < figure(output, "constant") / 2


def test_tuning_finds_a_penalty_and_goes_beyond_its_grid(run_example):
    output = run_example("tune_clicks.py", "--rows", "10000")
    assert "C=10 joins" in output
    assert "33 fits and the refit" in output
    assert re.search(r"^best: \{'C': [\d.]+, 'class_weight': None\}", output, re.M)
    assert figure(output, "search") < figure(output, "constant") - 0.02


def test_every_example_is_tested(repository):
    names = {path.name for path in (repository / "examples").glob("*.py")}
    tested = set(re.findall(r'run_example\("([\w.]+)"', Path(__file__).read_text()))
    assert names == tested
