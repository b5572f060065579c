"""The example notebooks run as they stand there, and are stored without what they gave."""

import json
import shutil

import pytest
from conftest import EXAMPLES

NOTEBOOKS = sorted((EXAMPLES / "notebooks").glob("*.ipynb"))
NEEDS = {"from_feast": "feast"}  # and the others scikit-learn


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_nothing_is_stored_that_it_gave(path):
    cells = json.loads(path.read_text())["cells"]
    assert any(c["cell_type"] == "code" for c in cells)
    assert [c["id"] for c in cells if c["cell_type"] == "code" and (c["outputs"] or c["execution_count"])] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_runs(path, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    pytest.importorskip(NEEDS.get(path.stem, "sklearn"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    shutil.copytree(EXAMPLES / "notebooks", tmp_path / "notebooks")
    (tmp_path / "flights").symlink_to(EXAMPLES / "flights")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path / "notebooks")}})
    client.execute()
    assert all(c.get("execution_count") for c in notebook.cells if c.cell_type == "code")
