"""Paths and URLs of files: the file systems behind them, and how they are shown: credentials never are."""

from __future__ import annotations

import re
from typing import Any, Optional, Tuple, Type
from urllib.parse import unquote

from ._native import need
from .errors import InvalidError, StoreIOError, UnsupportedError

PATTERN = "*?["
_GCS_SECONDS = 60  # as long as Google's client repeats what fails; by itself it would do so for 15 minutes
_REFUSED = re.compile(
    r"ACCESS_DENIED|ExpiredToken|InvalidToken|ACCESS_KEY_ID|SIGNATURE_DOES_NOT|HTTP status 40[013]"  # S3
    r"|UNAUTHENTICATED|PERMISSION_DENIED|\b40[13] |Credentials?\b|Authentication",  # Google's, Microsoft's
    re.IGNORECASE,
)
# S3's answer to HEAD has a status and nothing else, and that to a GET goes where the object should go: another request gets the words.
_WORDLESS = re.compile(r"No response body|operation:\s*$")


def far(path: str) -> bool:
    return "://" in path


def split(url: str) -> Tuple[str, str]:
    """A URL's place and its options. A `?` may be part of a pattern, too: options have a `=`."""
    place, mark, options = url.rpartition("?")
    return (place, mark + options) if mark and "=" in options else (url, "")


def inside(folder: str, name: str) -> str:
    """The path of a file in a folder, which may be a URL with options."""
    place, options = split(folder) if far(folder) else (folder, "")
    return f"{place.rstrip('/')}/{name}{options}"


def shown(path: str) -> str:
    """As it may be shown: without credentials and options."""
    if not far(path):
        return path
    scheme, _, rest = split(path)[0].partition("://")
    return f"{scheme}://{rest[len(_user(rest)):]}"


def _user(rest: str) -> str:
    """What stands before a URL's host, with its `@`. A password may have a slash that nobody escaped; what is no credential (the
    container of abfs://) stays."""
    user, at, _ = rest.rpartition("@")
    return user + at if ":" in user else ""


def base(path: str) -> str:
    """The folder above the first part that is a pattern."""
    parts = path.split("/")
    fixed = []
    for p in parts:
        if any(c in p for c in PATTERN):
            break
        fixed.append(p)
    return "/".join(fixed) if len(fixed) < len(parts) else path


def open_place(url: str) -> Tuple[Any, str]:
    """The file system that a URL without patterns names, and the path in it."""
    fs = need("pyarrow.fs", "object stores", "'larder[arrow]'")
    scheme = url.partition("://")[0]
    if scheme in ("gs", "gcs") and "retry_limit_seconds=" not in url:
        url += ("&" if split(url)[1] else "?") + f"retry_limit_seconds={_GCS_SECONDS}"
    try:
        system, path = fs.FileSystem.from_uri(url)
    except NotImplementedError as e:
        raise UnsupportedError(f"'{shown(url)}': this pyarrow does not have {scheme}://: {_scrubbed(str(e), url)}") from None
    except ValueError as e:
        raise InvalidError(f"'{shown(url)}' names no place: {_scrubbed(str(e), url)}") from None
    return system, path


def failures() -> Tuple[Type[BaseException], ...]:
    """What pyarrow raises when a file system cannot do something; Azure's raises the broadest of its own."""
    return OSError, need("pyarrow", "object stores", "'larder[arrow]'").ArrowException


def failed(url: str, what: str, e: BaseException, place: Optional[Tuple[Any, str]] = None) -> StoreIOError:
    """The error to raise for one of a file system: the path, what went wrong, whether it is worth a repeat."""
    text = _scrubbed(str(e), url)
    if place is not None and _WORDLESS.search(text):
        text += _words(url, *place)
    refused = far(url) and _REFUSED.search(text) is not None
    if refused:
        text += " (credentials come from the environment: 'Parquet and object stores' in docs/python.md)"
    return StoreIOError(f"'{shown(url)}' {what}: {text}", retryable=far(url) and not refused)


def _words(url: str, system: Any, path: str) -> str:
    fs = need("pyarrow.fs", "object stores")
    try:
        system.get_file_info(fs.FileSelector(path, allow_not_found=True))
        return ""
    except failures() as e:
        return f"; asked for what lies below: {_scrubbed(str(e), url)}"


def _scrubbed(text: str, url: str) -> str:
    """Without what the URL has of credentials and options, however it is spelled."""
    if not far(url):
        return text
    place, options = split(url)
    rest = place.partition("://")[2]
    secrets = [url, place] if place != shown(url) else [url]
    user = _user(rest)
    if user:
        secrets += [user, *user[:-1].split(":", 1)]
    secrets += [o.partition("=")[2] for o in options[1:].split("&") if "secret" in o or "sig" in o or "key" in o or "token" in o]
    for s in secrets:
        for spelled in (s, unquote(s)):
            if spelled:
                text = text.replace(spelled, shown(url) if s in (url, place) else "***")
    return text
