"""The ways of making a dataset of another."""

from ..config import get_config
from .predictions import scores_step


class Derived:
    """Methods of ``Dataset``."""

    def persist(self, url=None, *, overwrite=False, verbose=0):
        """Write the rows as they are read now, by workers, as a dataset of its own.

        Rows come in the order of the dataset that they are from, whatever order they were
        selected in.

        Parameters
        ----------
        url : str or None, default=None
            As of :meth:`from_csv`.
        overwrite : bool, default=False
        verbose : int, default=0

        Returns
        -------
        Dataset

        Raises
        ------
        ValueError
            If there are no rows, or the url is where they are read from.
        StoreError
            If there is something at the url already, or it cannot be written to.
        """
        from .persist import persist  # late: reading needs no Redis client

        manifest, url, cost = persist(self, url, overwrite, verbose)
        return type(self)(url, manifest, cost=cost)

    def pivot(self, *, index=None, columns=None, values=None, url=None, overwrite=False, verbose=0):
        """Write a table of ratings as sparse rows, by workers: a row of all ratings of each user.

        Numbers in the table say which row and which column a rating belongs to; what is not there
        is not stored. :class:`~sklearn_cirrus.CirrusMatrixFactorization` pivots what it is given,
        unless it has been done: this pays when many fits are to read the same ratings.

        Parameters
        ----------
        index : str or None, default=None
            Column of the numbers of rows, from 0; None: the first one.
        columns : str or None, default=None
            Column of the numbers of columns, from 0; None: the second one.
        values : str or None, default=None
            Column of the values; None: the third one, or the labels if there are two columns.
        url : str or None, default=None
            As of :meth:`from_csv`.
        overwrite : bool, default=False
        verbose : int, default=0

        Returns
        -------
        Dataset

        Raises
        ------
        ValueError
            If there is no such column, a number of rows or columns is none, or there is more than
            one value for the same row and column.
        StoreError
            If there is something at the url already, or it cannot be written to.
        """
        from .pivot import columns_of, pivot  # late: reading needs no Redis client

        places = columns_of(self, (index, columns, values))
        more = {"overwrite": overwrite, "verbose": verbose}
        manifest, url, cost = pivot(self, get_config(), places, url, **more)
        return type(self)(url, manifest, cost=cost)

    def predictions(self, model, method="predict_proba"):
        """Return what a model says of the rows, as a dataset: computed by who reads it.

        :meth:`persist` writes it to a store, where ``model.predict_proba(data)`` brings it here.

        Parameters
        ----------
        model : CirrusLogisticRegression
            Fitted on such columns.
        method : {"predict_proba", "decision_function"}, default="predict_proba"

        Returns
        -------
        Dataset
            A column for each class, named by it; "margin" alone for the margins of two classes.

        Raises
        ------
        ValueError
            If the model was fitted on other columns, or there is no such method.
        """
        return self.with_step({"step": "rows", "dtype": "float64"}).with_step(
            scores_step(self, model, method)
        )
