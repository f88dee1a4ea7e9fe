from django.contrib.admin.apps import AdminConfig


class BankAdminConfig(AdminConfig):
    """Mounts the bank's admin instead of Django's, so that there is only one."""

    default_site = "bankproject.admin_site.BankAdminSite"
