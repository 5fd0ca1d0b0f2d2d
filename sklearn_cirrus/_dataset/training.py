"""What workers make of the blocks of a dataset when a model with minibatches is trained on them."""

from cirrus_runtime.views import pack_numbers


def training_view(data, center, becomes, weights=None):
    """Return the view of a dataset whose blocks are rows of float32 with labels of a fit.

    Parameters
    ----------
    data : Dataset
    center : array of shape (n_columns,) or None
        What is taken off the columns.
    becomes : array of shape (n_classes,)
        Which class of the fit each class of the dataset is.
    weights : array or None
        Of the classes of the fit.
    """
    if center is not None:
        parts = {"center": pack_numbers(center), "scale": None, "shift": None}
        data = data.with_step({"step": "affine", **parts, "clip": None})
    data = data.with_step({"step": "rows", "dtype": "float32"})
    weights = None if weights is None else weights.tolist()
    labels = {"step": "labels", "becomes": becomes.astype(float).tolist(), "weights": weights}
    return data.with_step(labels).view()
