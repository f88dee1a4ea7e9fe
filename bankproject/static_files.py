"""Style sheets, scripts and pictures: their addresses, and which files are served at all."""

from pathlib import PurePath
from typing import Any

from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Files named after their contents, as whitenoise serves them; each address is built once. A page names two dozen
    files, and one of them 40 times for its icons: that took a twentieth of the page's time."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._addresses: dict[str, str] = {}

    def url(self, name: str, force: bool = False) -> str:
        if name not in self._addresses:
            self._addresses[name] = super().url(name, force)
        return self._addresses[name]


class ServedFiles(WhiteNoiseMiddleware):
    """Serves static files of the kinds that pages use. The folder holds others: the list of all files, maps of sources,
    notes of libraries (ASVS V13.4.7)."""

    KINDS = frozenset({".css", ".js", ".png", ".svg"})

    def find_file(self, url: str) -> Any:
        return super().find_file(url) if self._is_served(url) else None

    def add_file_to_dictionary(self, url: str, path: str, stat_cache: Any = None) -> None:
        if self._is_served(url):
            super().add_file_to_dictionary(url, path, stat_cache=stat_cache)

    def _is_served(self, url: str) -> bool:
        return PurePath(url).suffix in self.KINDS
