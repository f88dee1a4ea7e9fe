from django.contrib import admin
from django.urls import include, path, re_path

from bankproject import api_page, component_page, csp_reports
from bankproject.api import api

urlpatterns = [
    # First, so that a program's request is not compared with the address of every page.
    path("api/v1/docs/", api_page.api_docs, name="api_docs"),
    path("api/v1/", api.urls),
    # Without its slash too: the page's address is completed, as those of all pages are.
    re_path("^api/(?!v1/docs$)", api_page.nowhere, name="api_nowhere"),
    path("", include("accounts.urls")),
    path("", include("transfers.urls")),
    path("", include("support.urls")),
    path("admin/", admin.site.urls),
    path("", include("bankproject.well_known")),
    path(csp_reports.ADDRESS.removeprefix("/"), csp_reports.reports, name="csp_reports"),
    path("components/", component_page.components, name="components"),
]

handler500 = "bankproject.errors.server_error"
