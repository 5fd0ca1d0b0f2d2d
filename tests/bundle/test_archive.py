"""One zip from one folder: the same bytes wherever and whenever it is packed."""

import os
import zipfile

from sklearn_cirrus.bundle.archive import write_archive

FILES = {"b/two.py": b"2\n", "a.py": b"1\n", "b/lib.so": b"\x7fELF", "c.libs/lib.so.5.0": b"x" * 99}


def fill(folder, names, mode, time):
    """Write FILES in some order, with some modes and times."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FILES[name])
        path.chmod(mode)
        os.utime(path, (time, time))


def test_order_modes_and_times_of_the_files_do_not_count(tmp_path):
    one, two = tmp_path / "one", tmp_path / "elsewhere" / "two"
    fill(one, FILES, 0o600, 1)
    fill(two, reversed(FILES), 0o777, 2_000_000_000)
    assert write_archive(one, tmp_path / "1.zip") == sum(map(len, FILES.values()))
    write_archive(two, tmp_path / "2.zip")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "1.zip") as archive:
        entries = archive.infolist()
        assert [entry.filename for entry in entries] == sorted(FILES)
        assert {entry.filename: archive.read(entry) for entry in entries} == FILES
        modes = {entry.filename: entry.external_attr >> 16 for entry in entries}
    assert modes == {name: 0o100755 if ".so" in name else 0o100644 for name in FILES}


def test_a_file_is_replaced_and_nothing_lies_beside_it(tmp_path):
    fill(tmp_path / "in", FILES, 0o644, 1)
    path = tmp_path / "out" / "x.zip"
    path.parent.mkdir()
    path.write_text("old")
    write_archive(tmp_path / "in", path)
    assert zipfile.is_zipfile(path)
    assert list(path.parent.iterdir()) == [path]
