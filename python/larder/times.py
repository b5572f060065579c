"""Times: int microseconds since 1970 UTC inside, datetime outside."""

from __future__ import annotations

import datetime as dt
import re
from typing import Union

from .errors import InvalidError

Time = Union[dt.datetime, dt.date, int, str]
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_MICRO = dt.timedelta(microseconds=1)
_TEXT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?\s*(Z|z|[+-]\d\d:?\d\d)?"
)


def from_us(us: int) -> dt.datetime:
    """A datetime in UTC."""
    return EPOCH + us * _MICRO


def _parse(text: str) -> int:
    if re.fullmatch(r"-?\d+", text) and not re.fullmatch(r"\d{4}", text):
        return int(text)
    m = _TEXT.fullmatch(text.strip())
    if not m:
        raise InvalidError(f"not a time: {text!r} (expected 2013-01-31T06:00:00Z, or whole microseconds)")
    year, month, day, hour, minute, second, fraction, zone = m.groups()
    offset = dt.timedelta(0)
    if zone and zone not in "Zz":
        sign = -1 if zone[0] == "-" else 1
        offset = sign * dt.timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    try:
        t = dt.datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
            int((fraction or "0").ljust(6, "0")), dt.timezone.utc,
        )  # fmt: skip
    except ValueError as e:
        raise InvalidError(f"not a time: {text!r} ({e})") from None
    return (t - EPOCH - offset) // _MICRO


def to_us(t: Time) -> int:
    """Microseconds of a datetime (without a zone: UTC), date, text as in files, or a number of microseconds."""
    if isinstance(t, bool):
        raise InvalidError(f"not a time: {t!r}")
    if isinstance(t, int):
        return t
    if isinstance(t, str):
        return _parse(t)
    if isinstance(t, dt.datetime):
        if getattr(t, "nanosecond", 0):
            raise InvalidError(f"{t} has parts of a microsecond: round it first")
        if t.tzinfo is None:
            t = t.replace(tzinfo=dt.timezone.utc)
        return (t - EPOCH) // _MICRO
    if isinstance(t, dt.date):
        return (dt.datetime(t.year, t.month, t.day, tzinfo=dt.timezone.utc) - EPOCH) // _MICRO
    if type(t).__module__ == "numpy" and hasattr(t, "astype"):
        if str(t) == "NaT":
            raise InvalidError("not a time: NaT")
        us = t.astype("datetime64[us]")
        if us != t:
            raise InvalidError(f"{t} has parts of a microsecond: round it first")
        return int(us.astype("int64"))
    raise InvalidError(f"not a time: {t!r}")
