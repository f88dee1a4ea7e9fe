from django.apps import AppConfig


class TransfersConfig(AppConfig):
    name = "transfers"

    def ready(self) -> None:
        from django.core import checks

        from accounts.permission import second_person
        from audit.evidence import register
        from foundation import outbox
        from transfers import notices
        from transfers.interest.counted_rates import check_late_rates
        from transfers.ledger.evidence import faults, faults_of_transactions
        from transfers.orders.large_reversals import REVERSE_TRANSACTION
        from transfers.orders.screening import check_thresholds

        outbox.register(notices.MAILS)
        second_person.register(REVERSE_TRANSACTION)
        register("transferorder", faults)
        register("transaction", faults_of_transactions)
        checks.register(check_thresholds)
        checks.register(check_late_rates, checks.Tags.database)
