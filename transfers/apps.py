from django.apps import AppConfig


class TransfersConfig(AppConfig):
    name = "transfers"

    def ready(self) -> None:
        from audit.evidence import register
        from foundation import outbox
        from transfers import notices
        from transfers.ledger.evidence import faults, faults_of_transactions

        outbox.register(notices.MAILS)
        register("transferorder", faults)
        register("transaction", faults_of_transactions)
