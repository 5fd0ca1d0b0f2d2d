"""The notebooks run from the first cell to the last, and lie in the tree without outputs."""

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def run(path, folder):
    """Run a notebook as a user does, in a folder of its own; return what its cells printed."""
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    errors = [output.text for output in outputs if output.get("name") == "stderr"]
    assert not errors, errors
    return outputs


def text_of(outputs):
    """What was printed, or would be shown as text."""
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs
    )


@pytest.fixture
def outputs(request, tmp_path, tmp_path_factory, monkeypatch):
    """What a notebook printed, run in an empty folder; of it nothing is left at home."""
    kept = tmp_path_factory.mktemp("jupyter")
    monkeypatch.setenv("IPYTHONDIR", str(kept / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(kept))
    return run(FOLDER / f"{request.param}.ipynb", tmp_path)


@pytest.mark.parametrize("outputs", ["quickstart"], indirect=True)
def test_clicks_are_learnt_and_drawn(outputs):
    text = text_of(outputs)
    constant, ours = (
        float(re.search(rf"^{name} +([\d.]+)", text, re.M)[1]) for name in ("constant", "cirrus")
    )
    assert ours < constant - 0.02
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("outputs", ["search"], indirect=True)
def test_a_search_is_watched_and_gets_a_candidate(outputs):
    boards = [int(n) for n in re.findall(r"^(\d) candidates; best C=", text_of(outputs), re.M)]
    assert boards[0] == 4 and boards[-1] == 5
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("outputs", ["ratings"], indirect=True)
def test_films_are_found_for_somebody_new(outputs):
    text = text_of(outputs)
    errors = [float(error) for error in re.findall(r"RMSE ([\d.]+)", text)]
    assert len(errors) == 3 and max(errors) < 1.2
    found = re.search(r"^\{(\d+: [\d.]+(?:, )?){5}\}", text, re.M)
    assert found


def test_every_notebook_is_tested_and_has_no_outputs():
    tested = re.findall(r'parametrize\("outputs", \["(\w+)"\]', Path(__file__).read_text())
    assert sorted(tested) == [path.stem for path in NOTEBOOKS]
    for path in NOTEBOOKS:
        cells = [
            cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"
        ]
        assert not any(cell.outputs or cell.execution_count for cell in cells), path.name
