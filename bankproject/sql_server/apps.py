from django.apps import AppConfig
from django.core import checks


class SqlServerConfig(AppConfig):
    name = "bankproject.sql_server"

    def ready(self) -> None:
        from bankproject.sql_server.checks import check_sql_server

        checks.register(check_sql_server, checks.Tags.database)
