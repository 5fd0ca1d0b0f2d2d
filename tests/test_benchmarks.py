"""Benchmarks that use more of the code than its public names must go on running."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def run(repository):
    """Return a function that runs a benchmark and returns its results."""
    folder = repository / "benchmarks"

    def run(script, *arguments):
        done = subprocess.run(
            [sys.executable, folder / script, *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["results"]

    return run


def test_the_stages_of_a_fit_are_found_and_make_up_the_whole(run):
    results = run(
        *("fit_stages.py", "--rows", 20_000, "--bits", 12),
        *("--repeats", 1, "--epochs", 2),
    )
    client = {stage: entry["seconds"] for stage, entry in results["client"].items()}
    assert sum(client.values()) == pytest.approx(results["profiled_seconds"]["median"])
    assert min(client.values()) >= 0
    for stage in ("localize", "compute", "server", "load"):
        assert 0 < results["each_worker"][stage]["seconds"] < results["seconds"]["median"]


def test_every_rung_of_the_ladder_learns(run, worker_bundle, tmp_path):
    drawing = tmp_path / "ladder.svg"
    has_matplotlib = importlib.util.find_spec("matplotlib") is not None
    results = run(
        *("lambda_ladder.py", "--bundle", worker_bundle.path),
        *("--rows", 2000, "--held-out", 500, "--bits", 12, "--each", 5),
        *("--seconds", 0.2, "--repeats", 1, "--epochs", 2),
        *(("--plot", drawing) if has_matplotlib else ()),
    )
    assert len(results["rungs"]) == 6
    for rung in results["rungs"]:
        first, *_, last = rung["curve"]
        assert first["updates"] == 0 and last["updates"] == rung["updates"] > 0
        assert last["loss"] < first["loss"]
        assert rung["steady_updates_per_second"] > 0
    gradients = [rung["gradients"] / rung["updates"] for rung in results["rungs"]]
    assert gradients == [2, 2, 2, 2, 1, 1]  # ours: each worker's gradient is an update
    assert drawing.exists() == has_matplotlib


def test_starts_and_rates_on_the_emulated_lambda_are_told(run, worker_bundle):
    results = run(
        *("lambda_start.py", "--bundle", worker_bundle.path),
        *("--rows", 20_000, "--bits", 17, "--batch-size", 100),
        *("--workers", 2, "--repeats", 1, "--epochs", 2),
    )
    (start,), (rate,) = results["start"], results["rates"]
    assert start["init_seconds"]["n"] == 2
    assert start["cold_seconds"]["min"] > start["init_seconds"]["min"] > 0
    assert rate["later_epochs_rows_per_second"]["min"] > rate["whole_fit_rows_per_second"]["min"]


def test_a_log_becomes_a_model_in_bounded_memory_wherever_it_lies(run):
    """Two workers train on 41 MB of hashed rows and keep 2 MB of them each."""
    results = run(
        *("datasets.py", "--rows", 250_000, "--epochs", 1, "--bits", 14),
        *("--buffer-mib", 2, "--cache-mib", 2, "--block-mib", 1),
        *("--compare-rows", 5000, "--repeats", 1),
    )
    told = results["pipelines"]["folder"]
    assert set(told["stages"]) == {"write", "load", "split", "train", "evaluate"}
    assert told["stages"]["load"]["mb"] > 50
    assert told["stages"]["train"]["n_workers"] == 2
    assert 0 < told["stages"]["train"]["worker_rise_mb"] < 15
    assert told["log_loss"] < told["constant_log_loss"] - 0.05
    assert set(results["loading"]["seconds"]) >= {"cirrus"}
    for scaler in ("StandardScaler", "MinMaxScaler"):
        assert results["scalers"][scaler]["largest_relative_difference_of_scales"] < 1e-9


def test_the_model_of_scaling_keeps_within_its_bounds(run):
    results = run(
        *("scaling_model.py", "--rows", 5000, "--bits", 14, "--batch-sizes", 20, 100),
        *("--predict", 1, 10, 1000, "--steps", 100, "--passes", 1),
        *("--repeats", 1, "--epochs", 2),
    )
    assert len(results["validation"]) == 4 and len(results["advice"]) == 5
    for prediction in results["predictions"]:
        saturates = prediction["saturates"]
        rates = [row["updates_per_second"] for row in prediction["table"]]
        assert rates == sorted(rates)
        assert rates[-1] <= saturates["updates_per_second"] * (1 + 1e-9)
        for row in prediction["table"]:
            assert max(row["busy"].values()) <= 1 + 1e-9
            assert row["reading_rows_per_second"] <= row["rows_per_second"]
