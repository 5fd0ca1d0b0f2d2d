"""Pictures of fits, searches and scaling, as Display classes in scikit-learn's manner.

They need matplotlib, which is imported when something is drawn: ``pip install
'sklearn-cirrus[plots]'``.
"""

from ._history import HistoryDisplay, plot_history
from ._scaling import ScalingDisplay, plot_scaling
from ._search import SearchDisplay, plot_search

__all__ = [
    "HistoryDisplay",
    "ScalingDisplay",
    "SearchDisplay",
    "plot_history",
    "plot_scaling",
    "plot_search",
]
