"""The date that a report bears."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from mcverify.errors import InputError


def date_of_report() -> datetime:
    """That of SOURCE_DATE_EPOCH where it is set, else now, to the second.

    Raises:
        InputError: if SOURCE_DATE_EPOCH is no date.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(f"`SOURCE_DATE_EPOCH={epoch!r}` is no date; give whole seconds since 1970.") from error
