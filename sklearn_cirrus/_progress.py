"""The progress bar of a fit."""

from tqdm.auto import tqdm


class Progress:
    """A tqdm bar over epochs, with the loss and the speed.

    Parameters
    ----------
    verbose : int
        0: no bar.
    n_rows : int
        Rows of an epoch.
    max_iter : int
    label : str
    """

    def __init__(self, verbose, n_rows, max_iter, label):
        self._n_rows = n_rows
        self._done = 0
        self._bar = None
        if not verbose:
            return  # a bar that is off would start tqdm's thread all the same
        self._bar = tqdm(
            total=float(max_iter),
            desc=label,
            unit="epoch",
            bar_format="{desc}: {percentage:3.0f}%|{bar}| epoch {n:.1f}/{total:.0f} "
            "[{elapsed}<{remaining}{postfix}]",
        )

    def __call__(self, rows, entry):
        """Take note of the rows done in the running epoch, or of an epoch's history entry."""
        if self._bar is None:
            return
        if entry is None:
            self._bar.n = self._done + min(1.0, rows / self._n_rows)
            self._bar.update(0)
            return
        self._done = entry["epoch"]
        self._bar.n = float(self._done)
        shown = {"loss": f"{entry['train_loss']:.4f}"}
        if "valid_loss" in entry:
            shown["held-out"] = f"{entry['valid_loss']:.4f}"
        shown["rows/s"] = f"{self._done * self._n_rows / entry['seconds']:,.0f}"
        shown["workers"] = entry["workers"]
        self._bar.set_postfix(shown)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        if self._bar is not None:
            self._bar.close()
