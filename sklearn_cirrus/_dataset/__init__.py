"""Data sets on the object store."""

from .dataset import Dataset

__all__ = ["Dataset"]
