from django.urls import path

from accounts.views import (
    authenticator,
    email_change,
    mailbox,
    password,
    password_reset,
    profile,
    registration,
    sign_in,
    two_factor,
)

urlpatterns = [
    path("", sign_in.home, name="home"),
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-in/code/", sign_in.sign_in_code, name="sign_in_code"),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path("register/", registration.register, name="register"),
    path("register/sent/", registration.register_sent, name="register_sent"),
    path("register/confirm/<str:token>/", registration.register_confirm, name="register_confirm"),
    path("two-factor/enrol/", two_factor.enrol, name="two_factor_enrol"),
    path("password/", password.change, name="password_change"),
    path("password/forgot/", password_reset.forgot, name="password_forgot"),
    path("password/forgot/sent/", password_reset.sent, name="password_forgot_sent"),
    path("password/reset/<str:token>/", password_reset.reset, name="password_reset"),
    path("profile/", profile.profile, name="profile"),
    path("profile/details/", profile.details, name="profile_details"),
    path("profile/sessions/<uuid:public_id>/end/", profile.end_session, name="session_end"),
    path("profile/sessions/end-others/", profile.end_other_sessions, name="sessions_end_others"),
    path("profile/email/", email_change.change, name="email_change"),
    path("profile/email/confirm/<str:token>/", email_change.confirm, name="email_change_confirm"),
    path("profile/recovery-codes/", authenticator.recovery_codes, name="recovery_codes_renew"),
    path("profile/authenticator/", authenticator.replace, name="authenticator_replace"),
    path("profile/authenticator/new/", authenticator.new, name="authenticator_new"),
    path("demo/mailbox/", mailbox.mailbox, name="mailbox"),
    path("demo/mailbox/<int:pk>/", mailbox.mail, name="mail"),
]
