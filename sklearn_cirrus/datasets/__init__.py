"""Made-up data of the shape of real tasks, and a reader of ratings."""

from ._clicks import make_clicks
from ._criteo import write_criteo
from ._rating_files import load_ratings
from ._ratings import make_ratings

__all__ = ["load_ratings", "make_clicks", "make_ratings", "write_criteo"]
