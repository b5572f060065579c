"""An existing Feast repository as Larder's definitions, and what of it has no counterpart here."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

from feast.repo_config import load_repo_config

import larder
from larder.errors import InvalidError, LarderError
from larder.reports import WriteReport

from .importer import Importer
from .report import Import
from .stores import name_of

MARK = "# Made by `larder import-feast`; edit it, or make it again."


def import_repo(repo: "str | os.PathLike[str]", folder: "str | os.PathLike[str]") -> Import:
    """Loads a Feast repository (its Python files are run, as `feast apply` does) and writes Larder's definitions into the folder.

    Files of definitions that were not made by an import are not touched: InvalidError. Nothing is applied, and no store opened.
    """
    root = Path(repo).resolve()
    config, contents, unloaded = _load(root)
    _check_free(Path(folder))
    found = Importer(config, contents, Path(folder).resolve()).run()
    for key in unloaded:
        found.row("setting", key).leave_out("what Feast needs for it is not installed here: the import went on without")
    _write(found, Path(folder))
    return found


@dataclass
class Loaded:
    """What one view took of its source."""

    view: str
    report: WriteReport = field(default_factory=WriteReport)
    error: str = ""


def load_data(found: Import, store: larder.Store, folder: "str | os.PathLike[str]") -> List[Loaded]:
    """Applies the definitions and loads what the sources hold until now; a view that cannot be loaded does not keep others from it."""
    out: List[Loaded] = []
    if not found.files:
        return out
    files = {t.name for t in found.things if isinstance(t, larder.Source) and t.type == "file"}
    with store:
        store.apply(folder)
        for view in found.things:
            if isinstance(view, larder.FeatureView) and view.source in files:
                one = Loaded(view.name)
                try:
                    one.report = store.materialize("0001-01-01", dt.datetime.now(dt.timezone.utc), view.name, dir=folder).total
                except LarderError as e:
                    one.error = str(e)
                out.append(one)
    return out


# ---- The repository ----


def _load(root: Path) -> Tuple[Any, Any, List[str]]:
    file = root / os.environ.get("FEAST_FS_YAML_FILE_PATH", "feature_store.yaml")
    if not file.is_file():
        raise InvalidError(f"{root} is no Feast repository: it has no {file.name}")
    parse_repo = importlib.import_module("feast.repo_operations").parse_repo
    before, path = os.getcwd(), list(sys.path)
    try:
        config, unloaded = _config(root, file)
        os.chdir(root)
        sys.path.insert(0, str(root))
        # what the repository prints is not part of the report
        with contextlib.redirect_stdout(sys.stderr):
            return config, parse_repo(root), unloaded
    except Exception as e:  # whatever the repository's own code raises
        raise InvalidError(f"{root} cannot be loaded: {type(e).__name__}: {e}") from e
    finally:
        os.chdir(before)
        sys.path[:] = path


def _config(root: Path, file: Path) -> Tuple[Any, List[str]]:
    """The repository's settings; and those that were left out, since what they name is not installed. An online store is not needed
    for an import, and not spoken of."""
    try:
        return load_repo_config(root, file), []
    except Exception as e:
        if not isinstance(e, ImportError) and "ImportError" not in type(e).__name__:
            raise
        first = e
    yaml = importlib.import_module("yaml")
    raw, gone = yaml.safe_load(file.read_text(encoding="utf-8")), []
    for key in ("online_store", "batch_engine", "feature_server", "offline_store"):
        if raw.pop(key, None) is None:
            continue
        gone.append(key)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / file.name).write_text(yaml.safe_dump(raw), encoding="utf-8")
            try:
                return load_repo_config(root, Path(folder) / file.name), [k for k in gone if k != "online_store"]
            except Exception as e:  # it may be another setting
                if not isinstance(e, ImportError) and "ImportError" not in type(e).__name__:
                    raise
    raise first


# ---- Files ----


def _definitions(folder: Path) -> Iterator[Path]:
    """Every file that `larder apply` would read there."""
    if folder.is_dir():
        yield from (p for p in sorted(folder.rglob("*.yaml")) if p.is_file())


def _check_free(folder: Path) -> None:
    for path in _definitions(folder):
        if not path.read_text(encoding="utf-8", errors="replace").startswith(MARK):
            raise InvalidError(f"{path} is not of an import: --dir names a folder for the definitions, without others")


def _write(found: Import, folder: Path) -> None:
    yaml = importlib.import_module("yaml")  # Feast needs it, too
    documents: Dict[str, List[Any]] = {}
    for thing in found.things:
        for key, values in thing._document().items():
            documents.setdefault(key, []).extend(values)
    for path in _definitions(folder):  # of an import before
        path.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    for i, key in enumerate(k for k in ("entities", "sources", "feature_views", "feature_services") if k in documents):
        document = {"project": name_of(found.project)} if i == 0 else {}
        text = yaml.safe_dump({**document, key: documents[key]}, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
        (folder / f"{key}.yaml").write_text(f"{MARK}\n{text}", encoding="utf-8")
        found.files.append(f"{key}.yaml")
