"""The Python in the docs runs as it stands there."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT

BLOCK = re.compile(r"<!-- run -->\n```python\n(.*?)```", re.S)


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_what_the_page_says_runs(page, tmp_path):
    code = "\n".join(BLOCK.findall((ROOT / page).read_text()))
    assert "larder.connect" in code
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
