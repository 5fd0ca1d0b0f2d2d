"""The examples run without a warning and print figures that are as good as scikit-learn's."""

import gzip
import importlib.util
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import cirrus_runtime
from sklearn_cirrus.datasets import write_criteo


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
    assert "18 fits" in output
    rows = re.findall(r"^C=([\d.]+)((?:\s+[\d.]+){2})$", output, re.M)
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


def test_films_are_recommended(run_example, tmp_path_factory):
    drawing = tmp_path_factory.mktemp("films") / "films.png"
    has_matplotlib = importlib.util.find_spec("matplotlib") is not None
    output = run_example("recommend_films.py", *(("--plot", drawing) if has_matplotlib else ()))
    assert "20,000 ratings of 400 films by 600 users" in output
    errors = {
        label: float(error)
        for label, error in re.findall(r"^([\w ]+?) +RMSE +([\d.]+)", output, re.M)
    }
    assert len(errors) == 11
    constant = errors["the mean rating"]
    assert errors["16 epochs"] < errors["1 epochs"] < constant
    assert errors["10 factors"] < min(errors["1 factors"], 0.8 * constant)
    stars = [float(number) for number in re.findall(r"^  ([\d.]+)  film \d+$", output, re.M)]
    assert len(stars) == 5 and stars == sorted(stars, reverse=True)
    assert drawing.exists() == has_matplotlib
    assert not has_matplotlib or drawing.read_bytes().startswith(b"\x89PNG")


def test_films_of_a_csv_file_by_their_titles(run_example, tmp_path_factory):
    """Half of the users like the odd films, the others the even ones."""
    folder = tmp_path_factory.mktemp("films")
    random = np.random.default_rng(0)
    rows = [
        f"{user},{film},{5 if (user + film) % 2 else 1}\n"
        for user in range(60)
        for film in random.choice(40, 25, replace=False)
    ]
    path, titles = folder / "ratings.csv", folder / "movies.csv"
    path.write_text("userId,movieId,rating\n" + "".join(rows))
    titles.write_text(
        "movieId,title\n" + "".join(f'{film},"{film % 2}, no. {film}"\n' for film in range(40))
    )
    output = run_example("recommend_films.py", path, "--titles", titles, "--user", "7")
    assert "for user 7:" in output
    seen = {row.split(",")[1] for row in rows if row.startswith("7,")}
    films = re.findall(r"^  [\d.]+  (\d), no. (\d+)$", output, re.M)
    assert len(films) == 5 and {odd for odd, _ in films} == {"0"}  # 7 likes the even ones
    assert not seen & {film for _, film in films}


# In place of the 60 MB that ship: the libraries that are installed here.
SHIM = """
import sys
sys.path += {path!r}
__path__ = [{runtime!r}]
__version__ = {version!r}
"""


def test_a_search_on_the_emulated_lambda(run_example, tmp_path_factory):
    runtime = Path(cirrus_runtime.__file__).parent
    path = [str(runtime.parent), *filter(None, sys.path)]
    text = SHIM.format(path=path, runtime=str(runtime), version=cirrus_runtime.__version__)
    bundle = tmp_path_factory.mktemp("bundle") / "task.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("cirrus_runtime/__init__.py", text)
    output = run_example("grid_search_lambda.py", "--emulate", "--bundle", bundle, "--jobs", "2")
    assert output.startswith("27 fits in ")
    assert 0 < figure(output, "list prices:") < 0.01
    assert "best: {'C': 1.0, 'gamma': 0.001}" in output
    assert figure(output, "accuracy held out") > 0.97


def test_a_criteo_file_is_loaded_hashed_and_learnt(run_example):
    output = run_example("criteo_pipeline.py")
    assert "Dataset(40,000 rows x 39 columns" in output and ", 0 bad rows skipped" in output
    assert "Dataset(32,000 rows x 262,144 columns" in output
    assert figure(output, "cirrus   log loss") < figure(output, "constant log loss") - 0.06
    assert figure(output, "AUC") > 0.72


def test_a_criteo_file_of_the_user(run_example, tmp_path_factory):
    """One that is compressed and has a row that cannot be read."""
    folder = tmp_path_factory.mktemp("criteo")
    write_criteo(folder / "day.tsv", 3000)
    (folder / "day.tsv.gz").write_bytes(
        gzip.compress((folder / "day.tsv").read_bytes() + b"1\tno number\n")
    )
    arguments = "--url", f"file://{folder}/loaded", "--bits", "12", "--passes", "2"
    output = run_example("criteo_pipeline.py", folder / "day.tsv.gz", *arguments)
    assert "Dataset(3,000 rows x 39 columns" in output and ", 1 bad rows skipped" in output
    assert "Dataset(600 rows x 4,096 columns" in output
    assert (folder / "loaded" / "dataset.json").exists()


def test_every_example_is_tested(repository):
    names = {path.name for path in (repository / "examples").glob("*.py")}
    tested = set(re.findall(r'run_example\("([\w.]+)"', Path(__file__).read_text()))
    assert names == tested
