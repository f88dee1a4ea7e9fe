from django.urls import path

from transfers.views import account_settings, cash, history, overview, payees, pictures, receipts, sending, statements

urlpatterns = [
    path("dashboard/", overview.dashboard, name="dashboard"),
    path("dashboard/live/", overview.dashboard_live, name="dashboard_live"),
    path("accounts/open/", overview.account_open, name="account_open"),
    path("accounts/<uuid:public_id>/", overview.account, name="account"),
    path("accounts/<uuid:public_id>/settings/", account_settings.account_settings, name="account_settings"),
    path("accounts/<uuid:public_id>/close/", account_settings.account_close, name="account_close"),
    path("accounts/<uuid:public_id>/deposit/", cash.deposit, name="deposit"),
    path("accounts/<uuid:public_id>/withdraw/", cash.withdraw, name="withdraw"),
    path("accounts/<uuid:public_id>/statements/", statements.statements, name="statements"),
    path("accounts/<uuid:public_id>/statements/<int:year>/<int:month>/", statements.statement, name="statement"),
    path("transfer/own/", sending.transfer_own, name="transfer_own"),
    path("transfer/send/", sending.transfer_send, name="transfer_send"),
    path("transfer/review/<uuid:draft_id>/", sending.transfer_review, name="transfer_review"),
    path("payees/", payees.payees, name="payees"),
    path("payees/<uuid:public_id>/", payees.payee, name="payee"),
    path("payees/<uuid:public_id>/remove/", payees.payee_remove, name="payee_remove"),
    path("history/", history.history, name="history"),
    path("history/movements.csv", history.history_export, name="history_export"),
    path("history/<uuid:public_id>/<int:sequence>/", history.entry, name="entry"),
    path("money-over-time/", pictures.money_over_time, name="pictures"),
    path("receipts/<uuid:public_id>/", receipts.receipt, name="receipt"),
    path("receipts/<uuid:public_id>/receipt.pdf", receipts.receipt_pdf, name="receipt_pdf"),
]
