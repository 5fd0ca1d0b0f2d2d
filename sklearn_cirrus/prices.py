"""What AWS asks: list prices in US dollars without tax, on demand, before any free allowance.

One table, each figure with the page where AWS publishes it and the day as of which it is given
here. They were taken from third parties' copies of AWS's lists, not from AWS's pages: compare
those that matter to you. A region or a type that is not here has no price rather than a guessed
one. To add a region, add a column to ``_REGIONS``.
"""

from dataclasses import dataclass

from .exceptions import PriceUnknown

__all__ = ["HOURS_PER_MONTH", "Price", "price", "regions"]

HOURS_PER_MONTH = 730  # as AWS reckons

_LAMBDA = "https://aws.amazon.com/lambda/pricing/"
_S3 = "https://aws.amazon.com/s3/pricing/"
_EC2 = "https://aws.amazon.com/ec2/pricing/on-demand/"
_EBS = "https://aws.amazon.com/ebs/pricing/"
_VPC = "https://aws.amazon.com/vpc/pricing/"
_SSM = "https://aws.amazon.com/systems-manager/pricing/"

# item: unit, page, day as of which the figure is given
_ITEMS = {
    "lambda.gb_second.arm64": ("GB-second", _LAMBDA, "2024-10-01"),
    "lambda.gb_second.x86_64": ("GB-second", _LAMBDA, "2024-10-01"),
    "lambda.request": ("request", _LAMBDA, "2024-10-01"),
    "lambda.tmp_gb_second": ("GB-second beyond 512 MB", _LAMBDA, "2024-10-01"),
    "s3.put": ("PUT, COPY, POST or LIST", _S3, "2026-10-08"),
    "s3.get": ("GET", _S3, "2026-10-08"),
    "s3.gb_month": ("GB-month", _S3, "2026-10-08"),
    "ebs.gb_month": ("GB-month of gp3", _EBS, "2026-10-08"),
    "ipv4.hour": ("hour", _VPC, "2026-10-08"),
    "ssm.parameter_month": ("standard parameter-month", _SSM, "2024-10-01"),
    "vpc.gateway_endpoint_hour": ("hour", _VPC, "2024-10-01"),
}
_HOST = ("hour", _EC2, "2026-10-08")

_EVERYWHERE = {
    "lambda.request": 0.20e-6,
    "s3.put": 0.005e-3,
    "s3.get": 0.0004e-3,
    "s3.gb_month": 0.023,
    "ipv4.hour": 0.005,
    "ssm.parameter_month": 0.0,
    "vpc.gateway_endpoint_hour": 0.0,
    "lambda.gb_second.arm64": 0.0000133334,
    "lambda.gb_second.x86_64": 0.0000166667,
}
# Prices of one size; within a family they grow with the size.
_REGIONS = {
    "us-east-1": _EVERYWHERE
    | {"lambda.tmp_gb_second": 0.0000000309, "ebs.gb_month": 0.08}
    | {
        "host.t4g.medium": 0.0336,
        "host.t4g.large": 0.0672,
        "host.t4g.xlarge": 0.1344,
        "host.t4g.2xlarge": 0.2688,
        "host.c7g.medium": 0.0363,
        "host.c7g.large": 0.0725,
        "host.c7g.xlarge": 0.145,
        "host.c7g.2xlarge": 0.29,
        "host.c7g.4xlarge": 0.58,
        "host.m7g.medium": 0.0408,
        "host.m7g.large": 0.0816,
        "host.m7g.xlarge": 0.1632,
        "host.m7g.2xlarge": 0.3264,
        "host.m7g.4xlarge": 0.6528,
        "host.r7g.medium": 0.0536,
        "host.r7g.large": 0.1071,
        "host.r7g.xlarge": 0.2142,
        "host.r7g.2xlarge": 0.4284,
        "host.r7g.4xlarge": 0.8568,
    },
    "eu-west-1": _EVERYWHERE
    | {"lambda.tmp_gb_second": 0.000000034, "ebs.gb_month": 0.088}
    | {
        "host.t4g.medium": 0.0368,
        "host.t4g.large": 0.0736,
        "host.t4g.xlarge": 0.1472,
        "host.t4g.2xlarge": 0.2944,
        "host.c7g.medium": 0.0388,
        "host.c7g.large": 0.0775,
        "host.c7g.xlarge": 0.155,
        "host.c7g.2xlarge": 0.3101,
        "host.c7g.4xlarge": 0.6202,
        "host.m7g.medium": 0.0455,
        "host.m7g.large": 0.091,
        "host.m7g.xlarge": 0.1819,
        "host.m7g.2xlarge": 0.3638,
        "host.m7g.4xlarge": 0.7276,
        "host.r7g.medium": 0.0599,
        "host.r7g.large": 0.1199,
        "host.r7g.xlarge": 0.2397,
        "host.r7g.2xlarge": 0.4794,
        "host.r7g.4xlarge": 0.9588,
    },
}


@dataclass(frozen=True)
class Price:
    """One list price.

    Attributes
    ----------
    dollars : float
        US dollars for one unit.
    unit : str
    source : str
        Page on which AWS publishes it.
    date : str
        Day as of which it is given, as YYYY-MM-DD.

    Examples
    --------
    >>> from sklearn_cirrus.prices import price
    >>> hour = price("us-east-1", "host.c7g.large")
    >>> hour.dollars, hour.unit, hour.source
    (0.0725, 'hour', 'https://aws.amazon.com/ec2/pricing/on-demand/')
    """

    dollars: float
    unit: str
    source: str
    date: str


def regions() -> list[str]:
    """Return the regions that the table has.

    Examples
    --------
    >>> from sklearn_cirrus.prices import regions
    >>> regions()
    ['eu-west-1', 'us-east-1']
    """
    return sorted(_REGIONS)


def price(region: str, item: str) -> Price:
    """Return a list price.

    Parameters
    ----------
    region : str
        Such as ``"eu-west-1"``.
    item : str
        ``lambda.gb_second.arm64``, ``lambda.gb_second.x86_64``, ``lambda.request``,
        ``lambda.tmp_gb_second``, ``s3.put``, ``s3.get``, ``s3.gb_month``, ``ebs.gb_month``,
        ``ipv4.hour``, ``ssm.parameter_month``, ``vpc.gateway_endpoint_hour`` or
        ``host.<instance type>``.

    Returns
    -------
    Price

    Raises
    ------
    PriceUnknown
        The table has no such region or item.

    Examples
    --------
    >>> from sklearn_cirrus.prices import price
    >>> price("eu-west-1", "lambda.gb_second.arm64").dollars
    1.33334e-05
    >>> price("eu-north-1", "s3.put")
    Traceback (most recent call last):
        ...
    sklearn_cirrus.exceptions.PriceUnknown: ... has no region 'eu-north-1'; it has ...
    """
    if region not in _REGIONS:
        raise PriceUnknown(
            f"the table of prices has no region {region!r}; it has {', '.join(regions())}"
        )
    if item not in _REGIONS[region]:
        raise PriceUnknown(f"the table of prices has no {item!r} for {region}")
    return Price(_REGIONS[region][item], *(_ITEMS.get(item) or _HOST))
