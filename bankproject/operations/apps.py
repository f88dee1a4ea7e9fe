from django.apps import AppConfig
from django.conf import settings

from bankproject import starting


class OperationsConfig(AppConfig):
    name = "bankproject.operations"

    def ready(self) -> None:
        starting.close_to_others(settings.DATABASES)
