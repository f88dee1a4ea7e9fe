"""The staff's workplace: Django's admin, read-only, behind two-factor (R5.1)."""

from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from accounts.roles import STAFF_ROLES
from accounts.views import sign_in
from bankproject.front_page import figures_for, movements_for
from foundation.admin.read_only import ReadOnlyAdmin

# "View on site", completion of typed names, texts for scripts of forms, and the page after Django's own change of a
# password.
_UNUSED = frozenset({"view_on_site", "autocomplete", "jsi18n", "password_change_done"})


class BankAdminSite(admin.AdminSite):
    site_header = settings.BANK_NAME
    site_title = f"{settings.BANK_NAME} staff"
    index_title = "Staff area"
    site_url = "/"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the user is staff by role, with a second factor given; a superuser flag opens nothing
        (R1.7)."""
        user: Any = request.user
        return user.is_authenticated and user.can_sign_in and user.is_verified() and user.role in STAFF_ROLES

    def get_urls(self) -> list[Any]:
        """Return Django's addresses without those that nothing here links to: each would answer whoever invents its
        arguments (`/admin/r/9/1/` was a fault of ours, 500)."""
        return [pattern for pattern in super().get_urls() if getattr(pattern, "name", None) not in _UNUSED]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Answer 403 to a signed-in person who is not staff; Django would show a second sign-in page (R1.7)."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if not self.has_permission(request):
                raise PermissionDenied
            return inner(request, *args, **kwargs)

        return guarded

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return Django's context without the list of all lists, for which every model checks a permission: only the
        sidebar shows it, and that is off here."""
        return {
            "site_title": self.site_title,
            "site_header": self.site_header,
            "has_permission": self.has_permission(request),
            "is_popup": False,
            "is_nav_sidebar_enabled": self.enable_nav_sidebar,
        }

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the figures of the bank before the lists they come from (R5.3)."""
        user: Any = request.user
        page = {
            "figures": figures_for(user, at=timezone.now()),
            "transactions": movements_for(user),
        }
        return super().index(request, page | (extra_context or {}))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Send to the bank's sign-in page, the only one."""
        return redirect("home")

    def logout(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Sign out by the bank's own view, which is audited."""
        return sign_in.sign_out(request)

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send to the bank's own page: Django's counts no guesses at the old password, and tells nobody (R1.4,
        R1.8)."""
        return redirect("password_change")

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register only read-only pages. The pages that libraries bring for groups and queued mails would let a
        superuser rewrite roles and read the links in other people's mails (R5.1)."""
        if admin_class is not None and issubclass(admin_class, ReadOnlyAdmin):
            super().register(model_or_iterable, admin_class, **options)
