"""Cross-validation of ratings."""

from .._ratings import Ratings
from ._rating_folds import RatingsKFold
from ._rating_scorer import rating_rmse_scorer

__all__ = ["Ratings", "RatingsKFold", "rating_rmse_scorer"]
