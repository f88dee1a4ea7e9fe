from django.urls import path

from support.views import lost_factor, requests, tickets

urlpatterns = [
    path("help/", tickets.help_page, name="help"),
    path("help/messages/", tickets.tickets, name="tickets"),
    path("help/messages/new/", tickets.ticket_open, name="ticket_open"),
    path("help/messages/<uuid:public_id>/", tickets.ticket, name="ticket"),
    path("help/requests/", requests.service_requests, name="service_requests"),
    path("help/requests/new/", requests.request_new, name="request_new"),
    path("help/requests/<uuid:public_id>/", requests.service_request, name="service_request"),
    path("help/requests/<uuid:public_id>/cancel/", requests.request_cancel, name="request_cancel"),
    path("sign-in/lost-phone/", lost_factor.lost_factor, name="lost_factor"),
    path("sign-in/lost-phone/sent/", lost_factor.sent, name="lost_factor_sent"),
    path("sign-in/lost-phone/confirm/<str:token>/", lost_factor.confirm, name="lost_factor_confirm"),
]
