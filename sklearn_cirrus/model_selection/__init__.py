"""Searches over Cirrus estimators, and cross-validation of ratings."""

from .._ratings import Ratings
from ._rating_folds import RatingsKFold
from ._rating_scorer import rating_rmse_scorer
from ._search import CirrusSearchCV

__all__ = ["CirrusSearchCV", "Ratings", "RatingsKFold", "rating_rmse_scorer"]
