"""Larder under Feast: stores for a feature repository that stays as it is.

    online_store:
      type: larder.feast.LarderOnlineStore
      path: local:data/larder          # or cluster:host:port,...
    offline_store:
      type: larder.feast.LarderOfflineStore
      path: local:data/larder          # the same folder, or another

`larder import-feast` (`imports.py`) makes Larder's own definitions from such a repository.
"""

from .offline import LarderOfflineStore, LarderOfflineStoreConfig
from .online import LarderOnlineStore, LarderOnlineStoreConfig
from .stores import close_all

__all__ = [
    "LarderOfflineStore",
    "LarderOfflineStoreConfig",
    "LarderOnlineStore",
    "LarderOnlineStoreConfig",
    "close_all",
]
