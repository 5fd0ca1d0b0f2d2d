"""What a fitted estimator tells of its fit."""


def history_of(estimator):
    """Return the history of a fit, one dict for each epoch.

    Raises
    ------
    ValueError
        If there is none.
    """
    history = getattr(estimator, "history_", None)
    if not history or not isinstance(history[0], dict):
        raise ValueError(
            f"{type(estimator).__name__} has no history of a fit: pass a fitted Cirrus estimator, "
            "or for a search its best_estimator_"
        )
    return history
