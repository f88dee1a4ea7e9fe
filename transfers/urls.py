from django.urls import path

from transfers.views import cash, history, overview, receipts, sending, statements

urlpatterns = [
    path("dashboard/", overview.dashboard, name="dashboard"),
    path("accounts/open/", overview.account_open, name="account_open"),
    path("accounts/<uuid:public_id>/", overview.account, name="account"),
    path("accounts/<uuid:public_id>/close/", overview.account_close, name="account_close"),
    path("accounts/<uuid:public_id>/deposit/", cash.deposit, name="deposit"),
    path("accounts/<uuid:public_id>/withdraw/", cash.withdraw, name="withdraw"),
    path("accounts/<uuid:public_id>/statements/", statements.statements, name="statements"),
    path("accounts/<uuid:public_id>/statements/<int:year>/<int:month>/", statements.statement, name="statement"),
    path("transfer/own/", sending.transfer_own, name="transfer_own"),
    path("transfer/send/", sending.transfer_send, name="transfer_send"),
    path("transfer/review/<uuid:draft_id>/", sending.transfer_review, name="transfer_review"),
    path("history/", history.history, name="history"),
    path("history/movements.csv", history.history_export, name="history_export"),
    path("history/<uuid:public_id>/<int:sequence>/", history.entry, name="entry"),
    path("receipts/<uuid:public_id>/", receipts.receipt, name="receipt"),
]
