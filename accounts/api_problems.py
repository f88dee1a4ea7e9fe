"""How the exceptions of this app are answered by the API (`accounts.rest.problems`)."""

from accounts.account_numbers import InvalidAccountNumber
from accounts.api_tokens import TokenInvalid
from accounts.mail_links import LinkInvalid
from accounts.money import InvalidAmount
from accounts.pin_rules import InvalidPin
from accounts.reasons import ReasonMissing, ReasonTooLong, ReasonUnreadable
from accounts.rest.problems import Problem, problem_of, refuse_with, wait
from accounts.services.admin_key import WrongAdminKey
from accounts.services.api_sessions import PasswordChangeRequired, PinLoginOff
from accounts.services.authenticator import NothingToReplace
from accounts.services.email_change import SameAddress
from accounts.services.enrolment_link import LinkNeeded
from accounts.services.passwords import WrongCurrentPassword
from accounts.services.pins import NoPin, PinLocked
from accounts.services.registration import WrongPassword
from accounts.services.sign_in import LockedOut, SignInRefused, TryAgainIn
from accounts.services.two_factor import AlreadyEnrolled, WrongCode
from accounts.services.user_sessions import SessionNotFound
from foundation.paging import InvalidCursor

LOGIN = "login"  # the limit of signing in, as programs are told of it

refuse_with(401, TokenInvalid, detail="This token is not good, or not any more. Sign in again.")
refuse_with(
    401,
    SignInRefused,
    detail="What was given does not sign anybody in. After a wrong code, wait for the next one.",
)
refuse_with(403, PasswordChangeRequired, PinLoginOff)
refuse_with(403, LinkNeeded, detail="Setting up two-factor again takes the link in the mail too.")
refuse_with(404, LinkInvalid, detail="This link was used, has expired, or never was one.")
refuse_with(404, SessionNotFound, detail="There is no such session of yours.")
refuse_with(409, AlreadyEnrolled, detail="Two-factor is on already.")
refuse_with(409, NothingToReplace, detail="There is nothing to replace.")
refuse_with(409, PinLocked, detail="This PIN is locked. Only the bank unlocks it.")
refuse_with(409, NoPin, detail="There is no PIN.")
refuse_with(409, SameAddress, detail="This is your address already.")
refuse_with(422, WrongCode, detail="This code is not right, or was used already. Wait for the next one.")
refuse_with(422, WrongPassword, WrongCurrentPassword, detail="The password is not right.")
refuse_with(422, InvalidAmount, InvalidAccountNumber, InvalidCursor, InvalidPin)
refuse_with(422, ReasonMissing, ReasonTooLong, ReasonUnreadable, WrongAdminKey)


@problem_of(LockedOut)
def _locked_out(error: LockedOut) -> Problem:
    text = "Too many wrong ones from where you are: for a while nobody signs in from there as this person."
    return wait(429, error.code, text, error.seconds)


@problem_of(TryAgainIn)
def _try_again(error: TryAgainIn) -> Problem:
    return wait(429, error.code, "Too soon after a wrong code: this one was not looked at.", error.seconds)
