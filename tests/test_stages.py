"""Settings of the stages of a workflow, and what each stage is told to have used."""

import threading

import joblib
import numpy as np
import pytest
from scipy.sparse import csr_array

import sklearn_cirrus.config as config_module
from sklearn_cirrus import (
    CirrusFeatureHasher,
    CirrusLogisticRegression,
    CirrusMatrixFactorization,
    CirrusStandardScaler,
    Dataset,
    config_context,
    get_config,
    set_config,
)
from sklearn_cirrus._stages import current_stage, note_usage_of_stage, stage
from sklearn_cirrus.config import stage_report
from sklearn_cirrus.exceptions import CirrusError, ConfigurationError
from sklearn_cirrus.model_selection import CirrusSearchCV

ROWS = 400


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    monkeypatch.setattr(config_module, "_process", {})
    stage_report(reset=True)


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    X = random.normal(size=(ROWS, 5)).astype(np.float32)
    return X, (X @ np.arange(5) + random.normal(size=ROWS) > 0).astype(int)


def quick(**params):
    return CirrusLogisticRegression(max_iter=3, tol=None, random_state=0, **params)


def test_a_stage_has_settings_of_its_own():
    with config_context(n_workers=2, training={"n_workers": 3}, tuning={"block_bytes": 5000}):
        assert get_config().n_workers == 2
        with stage("training"):
            assert get_config().n_workers == 3
            assert get_config(n_workers=4).n_workers == 4  # the estimator's own
            with config_context(training=None):
                assert get_config().n_workers == 2
        with stage("preprocessing"):
            assert get_config().n_workers == 2
        with stage("tuning"):
            assert get_config().n_workers == 2 and get_config().block_bytes == 5000
    assert current_stage() is None


def test_settings_of_a_stage_for_the_whole_process():
    set_config(preprocessing={"n_workers": 7})
    with stage("preprocessing"):
        assert get_config().n_workers == 7
        with config_context(preprocessing={"n_workers": 8}):
            assert get_config().n_workers == 8
    assert get_config().n_workers is None


def test_what_runs_inside_a_stage_belongs_to_it():
    with stage("tuning"), stage("training"):
        assert current_stage() == "tuning"

    @stage("training")
    def train():
        return current_stage()

    assert train() == "training" and train() == "training"
    with stage("tuning"):
        assert train() == "tuning"
    with pytest.raises(ZeroDivisionError), stage("training"):
        raise ZeroDivisionError
    assert current_stage() is None


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (8, "training must be None or a dict of settings of that stage"),
        ({"workers": 8}, "training must be None or a dict"),
        ({"training": {}}, "training must be None or a dict"),
        ({"n_workers": 0}, "training: .*n_workers"),
    ],
)
def test_bad_settings_of_a_stage_are_refused(own, message):
    with pytest.raises(ConfigurationError, match=message), config_context(training=own):
        pass
    with pytest.raises(ConfigurationError, match=message):
        set_config(training=own)


def test_each_stage_runs_where_its_settings_say_and_is_told(rows):
    """The general backend has no server: a stage that took it would fail."""
    X, y = rows
    general = {"backend": "lambda", "function": "none", "store_url": "s3://none"}
    inline = {"backend": "inline"}
    with config_context(**general, preprocessing=inline, training=inline, tuning=inline):
        data = Dataset.from_arrays(X, y)
        scaled = CirrusStandardScaler().fit(data).transform(data)
        model = quick().fit(scaled)
        assert model.score(scaled) > 0.8
        quick().partial_fit(X, y, classes=[0, 1])
        CirrusMatrixFactorization(2, max_iter=2, random_state=0).fit(np.abs(X))
        CirrusSearchCV(quick(), {"C": [0.1, 1]}, cv=2).fit(X, y)
    report = stage_report()
    assert list(report) == ["preprocessing", "training", "tuning"]
    assert report["preprocessing"].runs == 2  # moments and margins
    assert report["preprocessing"].rows == 2 * ROWS
    assert report["training"].runs == 3
    assert report["training"].rows >= (3 + 1) * ROWS
    assert report["tuning"].rows > 0
    for used in report.values():
        assert used.n_workers == 1 and used.cost == 0 and used.rows_per_dollar == float("inf")
        assert 0 < used.seconds == used.worker_seconds < 60


def test_loading_and_writing_out_are_preprocessing(rows, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n" + "".join(f"{i},t{i % 3}\n" for i in range(50)))
    with config_context(backend="lambda", preprocessing={"backend": "inline"}):
        data = Dataset.from_csv(tmp_path / "x.csv", url=f"file://{tmp_path}/blocks")
        CirrusFeatureHasher(16).transform(data).persist(f"file://{tmp_path}/hashed")
    report = stage_report()
    assert list(report) == ["preprocessing"] and report["preprocessing"].runs == 3
    assert report["preprocessing"].rows == 2 * 50


def test_joblib_is_tuning():
    set_config(n_workers=1, tuning={"backend": "inline"})
    with joblib.parallel_config("cirrus"):
        assert joblib.effective_n_jobs(2) == 1  # inline, as the stage says
    set_config(tuning=None)
    with joblib.parallel_config("cirrus", n_jobs=2):
        assert joblib.Parallel(batch_size=1)(map(joblib.delayed(abs), range(4))) == [0, 1, 2, 3]
    used = stage_report()["tuning"]
    assert used.runs == 1 and used.tasks == 4 and used.n_workers == 2
    assert 0 < used.worker_seconds < 2 * used.seconds + 1


def test_a_failed_run_counts(rows, tmp_path):
    with config_context(backend="inline"):
        data = Dataset.from_arrays(csr_array(rows[0]), url=f"file://{tmp_path}/blocks")
        (block,) = (tmp_path / "blocks").glob("block-*")
        block.unlink()
        with pytest.raises(CirrusError, match=block.name):
            CirrusStandardScaler(with_mean=False).fit(data)
    assert stage_report()["preprocessing"].runs == 1


def test_the_report_adds_up_and_prints_and_begins_anew():
    threads = [
        threading.Thread(
            target=note_usage_of_stage,
            args=("training",),
            kwargs={"n_workers": n, "rows": 1000, "seconds": 1.0, "cost": 0.25},
        )
        for n in (1, 3, 2, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = stage_report(reset=True)
    used = report["training"]
    assert (used.runs, used.n_workers, used.rows) == (4, 3, 4000)
    assert used.seconds == 4.0 and used.cost == 1.0 and used.rows_per_dollar == 4000
    header, line = repr(report).splitlines()
    assert header.split() == ["stage", "runs", "workers", "rows", "seconds", "US", "dollars"]
    assert line.split() == ["training", "4", "3", "4,000", "4.0", "1.000000"]
    assert stage_report() == {}
