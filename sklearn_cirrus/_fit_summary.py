"""What a fitted estimator's HTML representation says of its fit.

scikit-learn draws an estimator, alone and as a step of a Pipeline, with the table of its
parameters. The summary is put before that table, so it is there wherever the estimator is. It is
made of the history and the cost alone: no setting, no address, no path.
"""

import html

from ._cost import dollars
from ._sparkline import sparkline


class FitSummary:
    """Gives an estimator with ``history_`` and ``cost_`` a summary in its HTML representation."""

    _rows_are = "rows"

    def _get_params_html(self, *args, **kwargs):
        """Return scikit-learn's table of parameters, with the summary before it once fitted."""
        table = super()._get_params_html(*args, **kwargs)
        facts = self._fit_facts()
        if facts:
            of_parameters = table._html_repr
            table._html_repr = lambda: _table(facts) + of_parameters()
        return table

    def _fit_facts(self):
        """Return rows of the summary: pairs of a name and HTML. None of them before a fit."""
        history = getattr(self, "history_", None)
        if not history:
            return []
        names = {"train_loss": "training", "valid_loss": "held-out"}
        curves = {names[key]: _column(history, key) for key in names if key in history[0]}
        rows, seconds = sum(_column(history, "rows")), history[-1]["seconds"]
        done = f"{rows:,} in {_count(len(history), 'epoch')}"
        if seconds > 0:
            done += f", {rows / seconds:,.0f} {self._rows_are}/s"
        return [
            ("loss", _curves(curves)),
            (self._rows_are, html.escape(done)),
            ("workers", f"{max(_column(history, 'workers'))}"),
            ("time", _duration(seconds)),
            ("cost", dollars(self.cost_)),
        ]


class SearchSummary(FitSummary):
    """The same for a search, whose history is a list of histories of tables."""

    def _fit_facts(self):
        results = getattr(self, "cv_results_", None)
        if results is None:
            return []
        entries = [entry for table in self.history_ for entry in table]
        seconds = sum(table[-1]["seconds"] for table in self.history_ if table)
        seconds += getattr(self, "refit_time_", 0.0)
        facts = [("candidates", f"{len(results['params'])} on {_count(self.n_splits_, 'split')}")]
        if entries:  # else all were fitted alone
            facts.insert(0, ("loss", _curves({"best held-out": _column(entries, "valid_loss")})))
        if hasattr(self, "best_score_"):
            facts.append(("best score", f"{self.best_score_:.4g}"))
        return [*facts, ("time", _duration(seconds)), ("cost", dollars(self.cost_))]


def _column(history, key):
    """Return one value of every entry."""
    return [entry[key] for entry in history]


def _count(n, what):
    """Return a number of things in words."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def _duration(seconds):
    """Return a time in words."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _curves(curves):
    """Return curves by name as a sparkline, and where they end in words."""
    parts, ends = [], []
    for name, values in curves.items():
        parts.append(f"{name} loss from {values[0]:.4g} to {values[-1]:.4g}")
        ends.append(f"{values[-1]:.4g} {name}")
        if name == "held-out":
            ends[-1] += f" (lowest {min(values):.4g})"
            parts[-1] += f", lowest {min(values):.4g}"
    n = len(next(iter(curves.values())))
    picture = sparkline(list(curves.values()), f"{', '.join(parts)} in {_count(n, 'epoch')}")
    return f"{picture} {html.escape(', '.join(ends))}"


def _table(facts):
    """Return the summary as a table in the manner of scikit-learn's own."""
    rows = "".join(
        f'<tr class="default"><td class="param">{name}</td><td>{value}</td></tr>'
        for name, value in facts
    )
    return (
        '<div class="estimator-table"><details open><summary>Fit</summary>'
        f'<table class="parameters-table"><tbody>{rows}</tbody></table></details></div>'
    )
