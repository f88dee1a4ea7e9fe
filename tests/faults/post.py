"""The mail server of a round, which can tell whether each transfer's mails left (R3.8).

    with PostOffice.begun(folder) as post:
        environment |= post.environment
        …
        post.require_mails({"the description of a transfer": ["payer@example.com", "payee@example.com"]})

A mail is known by its Message-ID, which is the same however often it comes, and belongs to the transfer whose
description it quotes. So the harness gives each transfer a description of its own.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from pathlib import Path

from aiosmtpd.smtp import Envelope, Session

from tests.faults.fault import Violation
from tests.mail_server import MailServer, Mood, ended

# After how long the mails of a killed mail worker are due again. A worker gives back what it has not begun after half
# of the lease; the other half is more than one mail takes, with recording it, on a busy machine.
LEASE_SECONDS = 40
# A worker records its deliveries after this many (POST_OFFICE["BATCH_SIZE"]): a kill doubles no more.
UNRECORDED = 20
# A lease, and a mail that was refused three times in a row, with some room for a busy machine.
WITHIN_SECONDS = 240
_NAMED = 5  # of what is wrong, before "and so on"
_DESCRIPTION = re.compile(rb"^Description: (.*?)\r?$", re.MULTILINE)


@dataclass(frozen=True)
class TakenMail:
    """What the harness needs of a mail; it keeps none of its words."""

    message_id: str
    recipients: tuple[str, ...]
    subject: str
    description: str  # "" for a mail about something other than a transfer


class PostOffice(MailServer):
    """Records the owner of each mail, and how often it came."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._times: Counter[TakenMail] = Counter()
        self._may_double = 0  # since the last look
        self._explained = 0  # mails that came again, at that check
        super().__init__()

    @classmethod
    @contextmanager
    def begun(cls, folder: Path | None = None) -> Iterator["PostOffice"]:
        """Start one that listens, and ends with the block; it needs no folder."""
        with ended(cls()) as post:
            yield post

    @property
    def environment(self) -> dict[str, str]:
        """The environment of all processes of a bank whose mails go there."""
        return {"EMAIL_URL": self.url, "MAIL_LEASE_SECONDS": str(LEASE_SECONDS)}

    def keep(self, session: Session, envelope: Envelope) -> None:
        mail = _read(envelope.original_content or b"", tuple(envelope.rcpt_tos))
        with self._guard:
            self._times[mail] += 1
            # The sender cannot know.
            self._may_double += self.mood is Mood.TAKES_AND_BREAKS_OFF

    def taken(self) -> Counter[TakenMail]:
        """Return all mails so far, each with how often it came."""
        with self._guard:
            return self._times.copy()

    def came(self) -> int:
        """Return how many times a mail came so far."""
        with self._guard:
            return self._times.total()

    def may_double(self, mails: int = UNRECORDED) -> None:
        """Allow this many more mails to come again until the next `require_mails()`: their worker was killed before it
        could record them. Repeats come before all mails have left, so nothing is carried over."""
        with self._guard:
            self._may_double += mails

    def require_mails(self, told: Mapping[str, Collection[str]], *, within: float = WITHIN_SECONDS) -> int:
        """Wait until each of these people has the mail about the transfer of this description: `told` has all transfers
        that are committed, and whom the bank tells about each. Return how many mails came.

        Raises:
            Violation: one did not leave in this many seconds, one was written twice, one is about a transfer that was
                not committed, or more came again since the last check than killed workers had delivered.
        """
        end = time.monotonic() + within
        while missing := self._missing(told):
            if time.monotonic() > end:
                raise Violation(f"Mails did not leave within {within:.0f} s: {_some(missing)}")
            time.sleep(0.2)
        if wrong := self._too_many(told):
            raise Violation(wrong)
        with self._guard:
            self._explained, self._may_double = _again(self._times), 0
        return self.came()

    def _missing(self, told: Mapping[str, Collection[str]]) -> list[str]:
        have = {(mail.description, address) for mail in self.taken() for address in mail.recipients}
        return [
            f"“{description}” to {address}"
            for description, addresses in told.items()
            for address in addresses
            if (description, address) not in have
        ]

    def _too_many(self, told: Mapping[str, Collection[str]]) -> str:
        taken = self.taken()
        about = [mail for mail in taken if mail.description]
        if strange := [mail for mail in about if not set(mail.recipients) <= set(told.get(mail.description, ()))]:
            return f"Mails about what was not committed: {_some(strange)}"
        written = Counter((mail.description, mail.recipients, mail.subject) for mail in about)
        if twice := [one for one, times in written.items() if times > 1]:
            return f"Mails that were written more than once: {_some(twice)}"
        again = _again(taken) - self._explained
        if again > self._may_double:
            doubled = [mail for mail, times in taken.items() if times > 1]
            return f"{again} mails came again, and kills explain {self._may_double}: {_some(doubled)}"
        return ""


def _again(taken: "Counter[TakenMail]") -> int:
    """Return how many mails were not the first of their kind."""
    return taken.total() - len(taken)


def _read(content: bytes, recipients: tuple[str, ...]) -> TakenMail:
    head, _, body = content.partition(b"\r\n\r\n")
    headers = message_from_bytes(head)
    found = _DESCRIPTION.search(body)
    return TakenMail(
        message_id=str(headers["Message-ID"]),
        recipients=recipients,
        subject=str(make_header(decode_header(str(headers["Subject"])))),
        description=found[1].decode() if found else "",
    )


def _some(found: Collection[object]) -> str:
    named = ", ".join(str(one) for one in list(found)[:_NAMED])
    return f"{named} and {len(found) - _NAMED} more" if len(found) > _NAMED else named
