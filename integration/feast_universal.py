"""What Feast's universal tests run over: Larder's stores, over Feast's own files (FULL_REPO_CONFIGS_MODULE)."""
import os
import shutil
import sys
import tempfile

from larder.feast import LarderOfflineStoreConfig, close_all

from tests.universal.feature_repos.universal.data_sources.file import FileDataSourceCreator
from tests.universal.feature_repos.universal.online_store_creator import OnlineStoreCreator


class LarderDataSourceCreator(FileDataSourceCreator):
    """Feast's files, Larder's joins."""

    def __init__(self, project_name, *args, **kwargs):
        super().__init__(project_name, *args, **kwargs)
        self.folder = tempfile.mkdtemp(prefix="larder-offline-")

    def create_offline_store_config(self):
        return LarderOfflineStoreConfig(path=f"local:{self.folder}/store")

    def teardown(self):
        super().teardown()
        close_all()
        shutil.rmtree(self.folder)


class LarderOnlineStoreCreator(OnlineStoreCreator):
    def create_online_store(self):
        self.folder = tempfile.mkdtemp(prefix="larder-online-")
        return {"type": "larder.feast.LarderOnlineStore", "path": f"local:{self.folder}/store"}

    def teardown(self):
        close_all()
        shutil.rmtree(self.folder)


class _OneForAll(dict):
    """One store under the names of those for which Feast has tests of their own."""

    def values(self):
        return list(super().values())[:1]


# offline: Larder's offline store; online: Larder's online store; sqlite: Feast's own, to compare with
_WHAT = os.environ["FEAST_UNIVERSAL"]
AVAILABLE_OFFLINE_STORES = [("local", LarderDataSourceCreator if _WHAT == "offline" else FileDataSourceCreator)]
AVAILABLE_ONLINE_STORES = {"sqlite": ({"type": "sqlite"}, None)}
if _WHAT != "offline":
    online = ({"type": "larder.feast.LarderOnlineStore"}, LarderOnlineStoreCreator) if _WHAT == "online" else AVAILABLE_ONLINE_STORES["sqlite"]
    AVAILABLE_ONLINE_STORES = _OneForAll({name: online for name in ("redis", "sqlite", "mongodb")})
# tests that Feast has for its file store alone
_module = sys.modules["tests.universal.feature_repos.repo_configuration"]
_module.OFFLINE_STORE_TO_PROVIDER_CONFIG["file"] = AVAILABLE_OFFLINE_STORES[0]
