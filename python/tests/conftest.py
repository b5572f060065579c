"""Stores in folders of their own, and the examples' data."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import larder

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
CLI = os.environ.get("LARDER", str(ROOT / "build" / "debug" / "bin" / "larder"))


@pytest.fixture
def store(tmp_path):
    with larder.connect(f"local:{tmp_path}/store") as s:
        yield s


@pytest.fixture
def cli():
    """Runs the command line."""

    def run(*args, ok=(0,)):
        done = subprocess.run([CLI, *map(str, args)], capture_output=True, text=True, check=False)
        assert done.returncode in ok, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def flights(tmp_path_factory):
    """The flights example, materialized: its folder and its URL."""
    folder = tmp_path_factory.mktemp("flights")
    shutil.copytree(EXAMPLES / "flights", folder, dirs_exist_ok=True)
    url = f"local:{folder}/store"
    with larder.connect(url) as s:
        s.apply(folder)
        report = s.materialize("1950-01-01", "2013-02-28T23:59:59Z")
        assert report.total.taken > 1000
    return folder, url
