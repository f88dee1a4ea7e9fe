from django.contrib import admin
from django.urls import include, path

from bankproject import component_page

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("transfers.urls")),
    path("", include("support.urls")),
    path("admin/", admin.site.urls),
    path("components/", component_page.components, name="components"),
]
