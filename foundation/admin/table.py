"""The table of a staff's list: what its rows have in common is looked up once, not for each cell (R5.4).

For every cell, Django looks up the field, its choices, how an empty value looks and the address of the row's page: half
of what a page of fifty rows costs. The result is Django's, to the letter.
"""

from collections.abc import Callable
from datetime import datetime
from html import escape
from typing import Any

from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import display_for_field, display_for_value, label_for_field
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db.models import BooleanField, CharField, DateField, ForeignKey, GenericIPAddressField, TimeField, URLField
from django.utils import timezone
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

from foundation.templatetags.bank import day, path

# The text of a row's cell, escaped.
Text = Callable[[Any], str]


class Table:
    """The headings and rows of the page that a change list shows. The first column links to the page of its row.

    Keys of rows are numbers or UUIDs, which need no escaping in an address. Columns cannot be sorted by their headings.
    """

    def __init__(self, changes: Any) -> None:
        self._changes = changes
        self._columns = [_Column(changes, shown) for shown in changes.list_display]

    @property
    def headings(self) -> SafeString:
        return mark_safe("".join([column.heading for column in self._columns]))  # noqa: S308 - escaped there # nosec B308 B703

    @property
    def rows(self) -> SafeString:
        """One after another; empty if there are none."""
        (first, *others), link = self._columns, _link_of(self._changes)
        head, cells = f'<tr><th class="{first.kind}">', [(f'<td class="{one.kind}">', one.text) for one in others]
        rows = [
            f"{head}{link(row)}{first.text(row)}</a></th>"
            + "".join([f"{tag}{text(row)}</td>" for tag, text in cells])
            + "</tr>"
            for row in self._changes.result_list
        ]
        return mark_safe("".join(rows))  # noqa: S308 - links and texts are escaped # nosec B308 B703


class _Column:
    """A heading, the classes of its cells, and the function that makes the text of each."""

    def __init__(self, changes: Any, shown: Any) -> None:
        name = shown.__name__ if callable(shown) else shown
        label = escape(capfirst(str(label_for_field(shown, changes.model, model_admin=changes.model_admin))))
        self.heading = f'<th scope="col" class="column-{name}"><div class="text"><span>{label}</span></div></th>'
        field = _field_named(changes.lookup_opts, shown)
        is_narrow = isinstance(field, DateField | TimeField | ForeignKey)
        self.kind = f"field-{name} nowrap" if is_narrow else f"field-{name}"
        empty = changes.model_admin.get_empty_value_display()
        self.text = _field_text(field, empty) if field else _made_text(shown, changes.model_admin, empty)


def _field_named(options: Any, name: Any) -> Any:
    try:
        return options.get_field(name) if isinstance(name, str) else None
    except FieldDoesNotExist:
        return None


def _field_text(field: Any, empty: str) -> Text:
    if isinstance(field, ForeignKey):
        return _related_text(field, empty)
    if field.choices or isinstance(field, BooleanField):
        return _choice_text(field, empty)
    is_text = isinstance(field, CharField | GenericIPAddressField) and not isinstance(field, URLField)

    def text(row: Any) -> str:
        value = getattr(row, field.attname)
        if is_text and value and not value.isspace():
            return escape(value)
        return conditional_escape(display_for_field(_trimmed(value), field, empty))

    return text


def _related_text(field: Any, empty: str) -> Text:
    """Return a function for the text of a related row; a row that many others refer to is read once, since that may
    take decryption."""
    known = {None: conditional_escape(empty)}

    def text(row: Any) -> str:
        key = getattr(row, field.attname)
        if key not in known:
            try:
                known[key] = conditional_escape(str(getattr(row, field.name)))
            except ObjectDoesNotExist:
                known[key] = known[None]
        return known[key]

    return text


def _choice_text(field: Any, empty: str) -> Text:
    known: dict[Any, str] = {}

    def text(row: Any) -> str:
        value = getattr(row, field.attname)
        if value not in known:
            known[value] = conditional_escape(display_for_field(_trimmed(value), field, empty))
        return known[value]

    return text


def _made_text(shown: Any, admin: Any, empty: str) -> Text:
    """Return a function for the text of something that is not a field: a function, an attribute of the admin, or one of
    the row."""
    make = _maker(shown, admin)
    empty, is_boolean = getattr(make, "empty_value_display", empty), getattr(make, "boolean", False)

    def text(row: Any) -> str:
        try:
            value = make(row)
        except ObjectDoesNotExist:
            return conditional_escape(empty)
        if type(value) is str and value and not value.isspace():
            return escape(value)
        return conditional_escape(display_for_value(_trimmed(value), empty, is_boolean))

    return text


def _maker(shown: Any, admin: Any) -> Callable[[Any], Any]:
    if callable(shown):
        return shown
    if shown == "__str__":
        return str
    if hasattr(admin, shown):
        return getattr(admin, shown)

    def of_the_row(row: Any) -> Any:
        found = getattr(row, shown)
        return found() if callable(found) else found

    return of_the_row


def _trimmed(value: Any) -> Any:
    return "" if isinstance(value, str) and not value.strip() else value


def _link_of(changes: Any) -> Callable[[Any], str]:
    """Return a function that makes the opening tag of the link to a row's page, with the filters that lead back to this
    list."""
    options = changes.opts
    page = f"admin:{options.app_label}_{options.model_name}_change"
    kept = {"preserved_filters": changes.preserved_filters, "opts": options}
    tail = escape(add_preserved_filters(kept, path(page, 0)).removeprefix(path(page, 0)))
    if not changes.is_popup:
        return lambda row: f'<a href="{escape(path(page, row.pk))}{tail}">'
    told = changes.to_field or "pk"
    return lambda row: (
        f'<a href="{escape(path(page, row.pk))}{tail}" data-popup-opener="{escape(str(row.serializable_value(told)))}">'
    )


def moment_text(at: datetime) -> str:
    """Return the moment to the second, since much happens in one minute of a bank; the day as the page's language
    writes it."""
    local = timezone.localtime(at)
    return f"{day(local, 'SHORT_DATE_FORMAT')} {local:%H:%M:%S}"
