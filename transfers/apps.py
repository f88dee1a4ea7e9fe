from django.apps import AppConfig


class TransfersConfig(AppConfig):
    name = "transfers"

    def ready(self) -> None:
        from audit.evidence import register
        from transfers import notices  # noqa: F401 - registers the writers of this app's mails
        from transfers.evidence import faults, faults_of_transactions

        register("transferorder", faults)
        register("transaction", faults_of_transactions)
