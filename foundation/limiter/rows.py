"""Places in rows: one locked row for each key. Exact on every engine, with only the database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from foundation.compiled import Insert, Select, Update
from foundation.limiter.window import Limit, Place, TooOften, still_counting, taken_ahead, wait_of
from foundation.locking import lock, sweep
from foundation.models import RateWindow
from foundation.transactions import own_transaction

# Longer than any window or lock.
KEPT = timedelta(days=2)

_KEY, _LAST_AT = RateWindow._meta.get_field("key"), RateWindow._meta.get_field("last_at")
_rows: Select = Select(lambda key: RateWindow.objects.filter(key=key), _KEY)
_locked: Select = Select(lambda key: lock(RateWindow.objects).filter(key=key), _KEY)
_old: Select = Select(lambda at: RateWindow.objects.filter(last_at__lt=at).values_list("pk")[:1], _LAST_AT)
_keep = Update(
    lambda pk, stamps, at: (RateWindow.objects.filter(pk=pk), {"stamps": stamps, "last_at": at}),
    *(RateWindow._meta.pk, RateWindow._meta.get_field("stamps"), _LAST_AT),
)
_insert = Insert(RateWindow)


class RowStore:
    """Places in rows. Each is committed at once, so a call inside another transaction is refused (RuntimeError). Rows
    are locked in order of their keys."""

    @own_transaction
    def take(self, places: Sequence[Place], *, now: float) -> list[int]:
        at = datetime.fromtimestamp(now, UTC)
        rows = {place.key: _locked_row(place.key, at) for place in sorted(places, key=lambda one: one.key)}
        return [_taken(rows[place.key], place, now, at) for place in places]  # a refusal rolls back those before it

    @own_transaction
    def spend(self, key: str, token: str) -> None:
        row = next(iter(_locked.instances(key)), None)
        if row is not None:
            stamps = [[stamp, "" if other == token else other] for stamp, other in row.stamps]
            _keep.execute(row.pk, tuple(stamps), row.last_at)

    @own_transaction
    def give_back(self, taken: Sequence[tuple[str, str]]) -> None:
        for key, token in sorted(taken):
            row = next(iter(_locked.instances(key)), None)
            if row and row.stamps:
                left = [stamp for stamp in row.stamps if stamp[1] != token] if token else row.stamps[:-1]
                _keep.execute(row.pk, tuple(left), row.last_at)

    def seconds_to_wait(self, key: str, limit: Limit, *, now: float) -> int:
        row = next(iter(_rows.instances(key)), None)
        return 0 if row is None else wait_of(row.stamps, limit, now)

    def clear(self, key: str) -> None:
        RateWindow.objects.filter(key=key).delete()

    def clear_all(self, prefix: str) -> None:
        RateWindow.objects.filter(key__startswith=prefix).delete()

    def is_any_full(self, prefix: str, limit: Limit, *, now: float) -> bool:
        rows = RateWindow.objects.filter(key__startswith=prefix).values_list("stamps", flat=True)
        return any(wait_of(stamps, limit, now) > 0 for stamps in rows)


def _locked_row(key: str, at: datetime) -> RateWindow:
    row, is_new = _locked.instance_or_new(key, new=lambda: _new_row(key, at))
    if is_new and _old.rows(at - KEPT):  # a caller that makes a row also sweeps: an attacker's keys must not pile up
        sweep(RateWindow.objects.filter(last_at__lt=at - KEPT))
    return row


def _new_row(key: str, at: datetime) -> RateWindow:
    row = RateWindow(key=key, last_at=at)
    _insert.save(row)
    return row


def _taken(row: RateWindow, place: Place, now: float, at: datetime) -> int:
    """Take a place in the locked row; return how many are left.

    Raises:
        TooOften
    """
    limit = place.limit
    stamps = still_counting(row.stamps, limit, now)
    if place.token and any(place.token == other for _, other in stamps):
        return limit.times - len(stamps)
    if len(stamps) >= limit.times:
        raise TooOften(wait_of(stamps, limit, now), place)
    kept = *taken_ahead(row.stamps, limit, now), *stamps, [now, place.token]
    row.stamps = [*kept]
    _keep.execute(row.pk, kept, at)  # one value: a list would be several
    return limit.times - len(stamps) - 1
