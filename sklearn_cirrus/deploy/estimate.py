"""What a stack costs: by the hour while nothing runs, and for what fits use."""

from ..exceptions import PriceUnknown
from ..prices import HOURS_PER_MONTH, price
from .host import DISK_GB
from .options import Options


def standing_costs(region: str, options: Options) -> list[tuple[str, float | None]]:
    """Return what is to be paid while nothing runs.

    Parameters
    ----------
    region : str
    options : Options

    Returns
    -------
    list of (str, float or None)
        What, and its dollars per hour; None if the price is not known.
    """
    if options.server != "host":
        return []
    items = [
        (f"host {options.instance}", f"host.{options.instance}", 1.0),
        (f"disk of the host, {DISK_GB} GB", "ebs.gb_month", DISK_GB / HOURS_PER_MONTH),
    ]
    if options.client_cidr:
        items.append(("public address of the host", "ipv4.hour", 1.0))
    return [(what, _dollars(region, item, amount)) for what, item, amount in items]


def worker_hour(region: str, options: Options) -> float | None:
    """Return the dollars for one worker that runs for an hour; None if a price is not known."""
    gigabytes = options.memory / 1024
    costs = [
        _dollars(region, f"lambda.gb_second.{options.architecture}", 3600 * gigabytes),
        _dollars(region, "lambda.request", 3600 / options.timeout),
    ]
    if options.tmp_size > 512:
        extra = (options.tmp_size - 512) / 1024
        costs.append(_dollars(region, "lambda.tmp_gb_second", 3600 * extra))
    return None if None in costs else sum(costs)


def describe_costs(region: str, options: Options) -> list[str]:
    """Return the costs of a stack as lines for a reader."""
    standing = standing_costs(region, options)
    lines = [f"{what}: {_hourly(dollars)}" for what, dollars in standing]
    if any(dollars is None for _, dollars in standing):
        lines.append("while nothing runs: price unknown")
    else:
        lines.append(f"while nothing runs: {_hourly(sum(dollars for _, dollars in standing))}")
    running = worker_hour(region, options)
    running = "price unknown" if running is None else f"${running:.4f}"
    lines.append(f"one worker that runs for an hour: {running}")
    try:
        put, get = price(region, "s3.put"), price(region, "s3.get")
    except PriceUnknown as error:
        return [*lines, str(error)]
    lines.append(
        f"the bucket: ${1000 * put.dollars:.4f} for 1,000 writes, ${1000 * get.dollars:.4f} for "
        f"1,000 reads, ${price(region, 's3.gb_month').dollars:.4f} for a GB in a month"
    )
    lines.append("roles, VPC, gateway endpoint and parameters: free; logs: by their size")
    lines.append(f"list prices of {min(put.date, _lambda_date(region))} or later, without tax")
    return lines


def _lambda_date(region: str) -> str:
    """Return the day of Lambda's prices."""
    return price(region, "lambda.request").date


def _dollars(region: str, item: str, amount: float) -> float | None:
    """Return what an amount costs, None if its price is not known."""
    try:
        return amount * price(region, item).dollars
    except PriceUnknown:
        return None


def _hourly(dollars: float | None) -> str:
    """Write a price by the hour and by the month."""
    if dollars is None:
        return "price unknown"
    return f"${dollars:.4f} an hour, ${dollars * HOURS_PER_MONTH:.2f} a month"
