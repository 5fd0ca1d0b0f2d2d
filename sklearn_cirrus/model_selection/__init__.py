"""Searches over Cirrus estimators, and cross-validation of ratings and of blocks."""

from .._ratings import Ratings
from ._block_folds import BlockKFold
from ._rating_folds import RatingsKFold
from ._rating_scorer import rating_rmse_scorer
from ._search import CirrusSearchCV

__all__ = ["BlockKFold", "CirrusSearchCV", "Ratings", "RatingsKFold", "rating_rmse_scorer"]
