"""What Feast's two interfaces share: open stores, one for each path, and names of Feast's as Larder has them."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from datetime import timedelta
from typing import Any, Dict, List, Optional

from feast.feature_view import DUMMY_ENTITY_ID

import larder

_NAME_MAX = 128
_stores: Dict[str, larder.Store] = {}
_lock = threading.Lock()


def store_of(url: str, repo_path: Optional[Any]) -> larder.Store:
    """The store at "local:DIR" (relative to the repository) or "cluster:host:port,...", opened when it is needed first: a
    server of Feast's forks before it serves."""
    scheme, _, path = url.partition(":")
    if scheme == "local" and repo_path and not os.path.isabs(path):
        url = f"local:{os.path.join(repo_path, path)}"
    with _lock:
        store = _stores.get(url)
        if store is None or store.closed:
            if scheme == "local":
                os.makedirs(os.path.dirname(url.partition(":")[2]) or ".", exist_ok=True)
            store = _stores[url] = larder.connect(url)
        return store


def close_all() -> None:
    """Closes every store that Feast's interfaces have open in this process; they are opened again when they are needed."""
    with _lock:
        for url in list(_stores):
            _stores.pop(url).close()


def name_of(text: str, suffix: str = "", spare: int = 0) -> str:
    """A name of Feast's as one of Larder's: other characters by their number, what is too long by its hash. spare: characters that
    will be added to it."""
    plain = re.sub(r"[^A-Za-z0-9_]", lambda m: f"_x{ord(m.group()):x}_", text)
    plain = plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}"
    room = _NAME_MAX - len(suffix) - spare
    if len(plain) > room:
        plain = f"{plain[: room - 17]}_{hashlib.sha256(plain.encode()).hexdigest()[:16]}"
    return plain + suffix


def ttl_of(feature_view: Any) -> Optional[timedelta]:
    """None: unbounded, as Feast's 0 and None are, and what Larder refuses for being longer than 10,000 years."""
    ttl: Optional[timedelta] = feature_view.ttl
    return ttl if ttl and ttl < timedelta(days=3_652_425) else None


def key_fields(feature_view: Any) -> List[Any]:
    """The join keys of a view, as Feast's fields; none for a view without entities, for which Feast has a dummy."""
    return [c for c in feature_view.entity_columns if c.name != DUMMY_ENTITY_ID]
