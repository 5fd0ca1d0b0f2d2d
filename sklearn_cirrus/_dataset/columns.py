"""What the columns of a dataset are: those of the manifest, or what its steps make of them."""

import numpy as np


class Columns:
    """Properties of ``Dataset``, from its ``manifest`` and its ``steps``."""

    @property
    def _width(self):
        widths = [step["n_features"] for step in self.steps if "n_features" in step]
        return widths[-1] if widths else self.manifest.n_features

    @property
    def _last(self):
        """The last step that made other columns, or an empty one."""
        made = [step for step in self.steps if step["step"] in ("hash", "rows", "scores")]
        return made[-1] if made else {"step": None}

    @property
    def is_table(self):
        """Whether it has columns of numbers and text, not sparse rows."""
        last = self._last["step"]
        return last == "scores" or (last is None and self.manifest.kind == "table")

    @property
    def columns(self):
        """Names of the columns, or None."""
        if self._last["step"] == "scores":
            return list(self._last["names"])
        hashed = any(step["step"] == "hash" for step in self.steps)
        return None if hashed or self.manifest.names is None else list(self.manifest.names)

    @property
    def types(self):
        """Kind of each column of a table: "number" or "text"."""
        if self._last["step"] == "scores":
            return ["number"] * self.shape[1]
        return self.manifest.types

    @property
    def dtype(self):
        """Dtype of numbers."""
        found = [step["dtype"] for step in self.steps if "dtype" in step]
        return found[-1] if found else self.manifest.dtype

    @property
    def dtypes(self):
        """What each column holds."""
        if not self.is_table:
            return self.dtype
        words = {"number": self.dtype, "text": "text"}
        names = self.columns or [f"x{i}" for i in range(self.shape[1])]
        return {name: words[kind] for name, kind in zip(names, self.types, strict=True)}

    @property
    def classes(self):
        """Distinct labels, sorted, or None."""
        found = self.manifest.classes
        if found is None:
            return None
        classes = np.array(found)
        whole = classes.dtype.kind == "f" and (classes == np.trunc(classes)).all()
        return classes.astype(np.int64) if whole else classes
