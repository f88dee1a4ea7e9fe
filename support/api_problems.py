"""How the exceptions of this app are answered by the API (`accounts.rest.problems`); any other refusal is 409."""

from accounts.rest.problems import refuse_with
from support.services.requests import PayloadTooLong, TooManyRequests, WishTooLong
from support.services.tickets import TextMissing, TextTooLong, TextUnreadable, UnknownPayment

refuse_with(422, PayloadTooLong, WishTooLong, TextMissing, TextTooLong, TextUnreadable, UnknownPayment)
refuse_with(409, TooManyRequests)  # open at once, not in a minute: waiting does not help
