"""One zip file from a folder, the same bytes each time."""

import os
import zipfile
from pathlib import Path

_TIME = (1980, 1, 1, 0, 0, 0)  # the oldest that the format knows
_LEVEL = 6  # 9 takes more than twice as long and saves one per cent
_UNIX = 3


def write_archive(folder: Path, path: Path) -> int:
    """Pack a folder.

    Names, order, modes and times in the file depend on what the folder holds and on nothing
    else. The compressed bytes are those of this machine's zlib.

    Parameters
    ----------
    folder : Path
    path : Path
        It is replaced at once when the new file is whole.

    Returns
    -------
    int
        Bytes of all files, unpacked.
    """
    unzipped = 0
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            for name, file in sorted(
                (file.relative_to(folder).as_posix(), file)
                for file in folder.rglob("*")
                if file.is_file()
            ):
                entry = zipfile.ZipInfo(name, _TIME)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.create_system = _UNIX
                # Lambda runs functions as another user than the owner: all must be able to read.
                executable = file.name.endswith(".so") or ".so." in file.name
                entry.external_attr = (0o100755 if executable else 0o100644) << 16
                data = file.read_bytes()
                archive.writestr(entry, data, compresslevel=_LEVEL)
                unzipped += len(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return unzipped
