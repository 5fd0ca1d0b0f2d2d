"""What a dataset's ``dataset.json`` says."""

import json
from dataclasses import asdict, dataclass, field

from cirrus_runtime.dataset_objects import MANIFEST
from cirrus_runtime.loading import MOST_CLASSES

from ..exceptions import StoreError

VERSION = 2
_FORMAT = "cirrus.dataset"
_OF_BLOCK = {"name", "n_rows", "nbytes", "digest", "classes", "counts"}


@dataclass(frozen=True)
class Manifest:
    """What is known of a dataset without reading its blocks.

    Attributes
    ----------
    kind : {"table", "rows"}
        Whether its blocks are columns (numbers and text) or sparse rows.
    names : list of str or None
        Of the columns; None: they have none, and those of a table are called x0, x1, ...
    types : list of {"number", "text"} or None
        Of the columns of a table.
    n_features : int
        Columns.
    dtype : {"float32", "float64"}
        Of numbers.
    label : str or None
        What the column of labels was called.
    classes : list or None
        Distinct labels, sorted; None: there are no labels.
    blocks : list of dict
        ``name``, ``n_rows``, ``nbytes``, ``digest`` (XXH64, hexadecimal), and of
        labels: ``classes`` of the block, and ``counts`` of each.
    made : dict
        What the dataset was made from, and how.
    skipped_rows : int
        Bad rows that were left out.
    """

    kind: str
    names: list | None
    types: list | None
    n_features: int
    dtype: str
    label: str | None
    classes: list | None
    blocks: list
    made: dict = field(default_factory=dict)
    skipped_rows: int = 0

    @property
    def n_rows(self):
        """Rows of all blocks."""
        return sum(block["n_rows"] for block in self.blocks)

    def encode(self):
        """Return the bytes of the object."""
        return json.dumps({"format": _FORMAT, "version": VERSION, **asdict(self)}).encode()

    @classmethod
    def decode(cls, data, url):
        """Return the manifest that :meth:`encode` made bytes of.

        Raises
        ------
        StoreError
            If it is damaged, or of another version.
        """
        try:
            fields = json.loads(bytes(data))
            known, version = fields.pop("format"), fields.pop("version")
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise StoreError(f"{MANIFEST} in {url} is damaged: {error!r}") from error
        if known != _FORMAT or version != VERSION:
            raise StoreError(
                f"{MANIFEST} in {url} is of version {version}, this program reads {VERSION}: "
                "load the dataset anew, or use the program that made it"
            )
        try:
            manifest = cls(**fields)
            for block in manifest.blocks:
                if not _OF_BLOCK <= block.keys():
                    raise TypeError(f"a block without {', '.join(_OF_BLOCK - block.keys())}")
        except (AttributeError, TypeError) as error:
            raise StoreError(f"{MANIFEST} in {url} is damaged: {error}") from error
        return manifest


def merge_classes(blocks):
    """Return the classes of all blocks, sorted; None if no block has labels.

    Raises
    ------
    StoreError
        If some labels are numbers and some are not.
    """
    known = [block["classes"] for block in blocks if block["classes"] is not None]
    if not known:
        return None
    try:
        merged = sorted({value for classes in known for value in classes})
    except TypeError as error:
        raise StoreError("some labels are numbers and some are texts") from error
    if len(merged) > MOST_CLASSES:
        raise ValueError(
            f"the labels have {len(merged)} distinct values, more than the {MOST_CLASSES} that "
            "classes may have; if these are no classes, load the files without label="
        )
    return merged
