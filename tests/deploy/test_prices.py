"""The table of prices, and the costs of a stack."""

import re

import pytest

from sklearn_cirrus.deploy.estimate import describe_costs, standing_costs, worker_hour
from sklearn_cirrus.deploy.options import Options
from sklearn_cirrus.exceptions import PriceUnknown
from sklearn_cirrus.prices import _REGIONS, price, regions

HOST = Options(server="host", instance="t4g.medium", memory=2048)


@pytest.mark.parametrize("region", regions())
def test_every_price_has_unit_source_and_day(region):
    assert _REGIONS[region].keys() == _REGIONS["us-east-1"].keys()
    for item in _REGIONS[region]:
        found = price(region, item)
        assert 0 <= found.dollars < 1
        assert found.unit
        assert found.source.startswith("https://aws.amazon.com/")
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", found.date)


@pytest.mark.parametrize("region", regions())
def test_sizes_of_a_family_cost_in_proportion(region):
    for family in ("t4g", "c7g", "m7g", "r7g"):
        medium = price(region, f"host.{family}.medium").dollars
        for size, factor in (("large", 2), ("xlarge", 4), ("2xlarge", 8)):
            found = price(region, f"host.{family}.{size}").dollars
            assert found == pytest.approx(factor * medium, rel=0.005)


def test_a_standing_cost_worked_out_by_hand():
    public = Options(server="host", instance="t4g.medium", client_cidr="203.0.113.0/24")
    monthly = 730 * sum(dollars for _, dollars in standing_costs("us-east-1", public))
    assert monthly == pytest.approx(730 * 0.0336 + 8 * 0.08 + 730 * 0.005)
    assert standing_costs("us-east-1", Options()) == []


def test_a_workers_hour_worked_out_by_hand():
    assert worker_hour("us-east-1", HOST) == pytest.approx(2 * 3600 * 0.0000133334 + 4 * 0.2e-6)
    roomy = Options(architecture="x86_64", memory=1024, tmp_size=1536)
    expected = 3600 * (0.0000166667 + 0.0000000309) + 4 * 0.2e-6
    assert worker_hour("us-east-1", roomy) == pytest.approx(expected)


def test_an_unknown_price_is_said_and_not_guessed():
    with pytest.raises(PriceUnknown, match="no region 'mars-1'.*eu-west-1"):
        price("mars-1", "s3.put")
    with pytest.raises(LookupError, match="x9g.huge"):
        price("us-east-1", "host.x9g.huge")
    lines = describe_costs("us-east-1", Options(server="host", instance="c8g.large"))
    assert "host c8g.large: price unknown" in lines
    assert "while nothing runs: price unknown" in lines
    assert "one worker that runs for an hour: price unknown" in describe_costs("mars-1", HOST)


def test_the_costs_name_their_day():
    lines = describe_costs("eu-west-1", HOST)
    assert "host t4g.medium: $0.0368 an hour, $26.86 a month" in lines
    assert re.search(r"list prices of 20\d\d-\d\d-\d\d", lines[-1])
