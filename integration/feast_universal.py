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


_LARDER = os.environ["FEAST_UNIVERSAL"]
AVAILABLE_OFFLINE_STORES = [("local", LarderDataSourceCreator if _LARDER == "offline" else FileDataSourceCreator)]
AVAILABLE_ONLINE_STORES = {"sqlite": ({"type": "sqlite"}, None)}
if _LARDER == "online":
    AVAILABLE_ONLINE_STORES = {"larder": ({"type": "larder.feast.LarderOnlineStore"}, LarderOnlineStoreCreator)}
# tests that Feast has for its file store alone
_module = sys.modules["tests.universal.feature_repos.repo_configuration"]
_module.OFFLINE_STORE_TO_PROVIDER_CONFIG["file"] = AVAILABLE_OFFLINE_STORES[0]
