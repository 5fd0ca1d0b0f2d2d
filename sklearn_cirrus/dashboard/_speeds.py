"""How fast a run or a call goes, and how long it will still go on."""

_RECENT = 20  # epochs that say how fast a run is


def speeds_of(record):
    """Return what happens in a second, by name, None where it is not known.

    Of a run that goes on, over its last epochs; of a call, whose tasks may take long and end
    together, and of what has ended, over all of its time.

    Parameters
    ----------
    record : Record

    Returns
    -------
    dict
        ``rows_per_second``, ``updates_per_second``, ``epochs_per_second``, ``tasks_per_second``,
        ``cost_per_second``.
    """
    names = ("rows", "updates", "epochs", "tasks", "cost")
    speeds = dict.fromkeys(f"{name}_per_second" for name in names)
    columns = record.states if record.kind == "call" else record.epochs
    seconds = columns["seconds"]
    last = len(seconds) - 1
    first = max(0, last - _RECENT)
    if record.kind == "call" or record.has_ended:
        first = 0
    if last < 1 or seconds[last] <= seconds[first]:
        return speeds
    passed = seconds[last] - seconds[first]
    counted = {"cost": columns["cost"]}
    if record.kind == "call":
        counted["tasks"] = columns["done"]
    else:
        counted |= {"rows": columns["rows"], "updates": columns["updates"]}
        speeds["epochs_per_second"] = (last - first) / passed
    for name, column in counted.items():
        speed = (column[last] - column[first]) / passed
        speeds[f"{name}_per_second"] = None if speed != speed else speed
    return speeds


def left_of(record, speeds):
    """Return in how many seconds all epochs or tasks are done at these speeds, or None."""
    speed = speeds["tasks_per_second" if record.kind == "call" else "epochs_per_second"]
    if record.has_ended or record.remaining is None or not speed:
        return None
    return record.remaining / speed
