"""The limits on the page of operations are those of the code."""

import re

import pytest

from cirrus_runtime import model_spec
from sklearn_cirrus import Dataset, _journal, _settings
from sklearn_cirrus.bundle import build
from sklearn_cirrus.config import Config
from sklearn_cirrus.exceptions import ConfigurationError
from sklearn_cirrus.workers import aws_lambda, aws_lambda_function


@pytest.fixture(scope="module")
def limits(repository):
    """For each thing, its limit as the page has it."""
    page = (repository / "docs" / "operations.md").read_text()
    table = page[page.index("## Limits") :]
    return dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| [^|]+ \|$", table, re.M))


def test_limits_are_those_of_the_code(limits):
    def of(start):
        (found,) = [limit for what, limit in limits.items() if what.startswith(start)]
        return found

    assert of("weights of a row") == f"{model_spec.MAX_WIDTH:,}"
    assert of("rows of a model") == f"{model_spec.MAX_ROWS:,}"
    assert of("servers") == str(_settings._MOST_SERVERS)
    workers = f'on AWS Lambda {aws_lambda._WORKERS}, with `"auto"` up to {aws_lambda.MOST_WORKERS}'
    assert of("workers of a run") == f"65,536; left open {workers}"
    assert of("a worker's bundle") == f"{build.WORKER_ZIPPED:,} bytes zipped"
    assert (
        of("a function's time") == f"{aws_lambda_function._LEAST_TIMEOUT} s at least, 900 s at most"
    )
    kept = _journal._MOST_JOURNALS, _journal._MOST_BYTES >> 20
    assert of("journals") == "{} and {} MiB".format(*kept)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [("n_workers", 65_536, 65_537), ("n_servers", 64, 65), ("block_bytes", 1 << 30, 1 + (1 << 30))],
)
def test_settings_are_refused_beyond_their_limits(name, good, bad):
    assert getattr(Config(**{name: good}), name) == good
    with pytest.raises(ConfigurationError, match=name):
        Config(**{name: bad})


def test_a_dataset_takes_so_many_labels_and_no_more(limits, tmp_path):
    most = int(limits["distinct labels of a dataset"].replace(",", ""))
    labels = [f"{i:04}" for i in range(most + 1)]
    rows = [[float(i)] for i in range(most + 1)]
    url = f"file://{tmp_path}/labels"
    assert len(Dataset.from_arrays(rows[:-1], labels[:-1], url=url).classes) == most
    with pytest.raises(ValueError, match=str(most)):
        Dataset.from_arrays(rows, labels, url=f"{url}-more")
