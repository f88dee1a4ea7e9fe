"""The second factor: enrolment, codes that work once, recovery codes (R1.3)."""

import base64
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY
from qrcode.image.svg import SvgPathFillImage
from qrcode.main import QRCode
from qrcode.util import lost_point

from accounts.models import RecoveryCode, TotpDevice
from accounts.sign_in import two_factor
from audit.models import AuditEntry
from tests.acts import at_once, give_code, give_password, is_signed_in, mails, wrong_code_for
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
SHOWN = re.compile(r"<li>([2-9A-HJKMNP-Z]{4}-[2-9A-HJKMNP-Z]{4}-[2-9A-HJKMNP-Z]{4})</li>")


@pytest.fixture
def dora(make_user: Any) -> Any:
    """Dora has a password and no second factor yet."""
    return make_user("Dora", two_factor=False)


def enrol(client: Client, user: Any, code_of: Any) -> list[str]:
    """Enrol through the pages; return the recovery codes shown."""
    give_password(client, user.email)
    client.get("/two-factor/enrol/")
    answer = client.post("/two-factor/enrol/", {"code": code_of(user)}, follow=True)
    assert answer.status_code == 200
    return SHOWN.findall(answer.content.decode())


@proves("V6.5.4")
def test_one_code_turns_it_on_and_ten_recovery_codes_are_shown_once(dora: Any, client: Client, code_of: Any) -> None:
    # R1.3
    codes = enrol(client, dora, code_of)
    assert len(set(codes)) == 10
    assert is_signed_in(client)
    assert not any(code in client.get("/two-factor/enrol/", follow=True).content.decode() for code in codes)
    assert TotpDevice.objects.get(user=dora).confirmed
    assert AuditEntry.objects.get(action="TWO_FACTOR_ENABLED").actor_id == dora.pk
    assert [mail.subject for mail in mails(dora.email)] == ["Two-factor sign-in is on"]


def test_the_page_offers_a_picture_and_the_secret_as_text(dora: Any, client: Client) -> None:
    # R1.3
    give_password(client, dora.email)
    answer = client.get("/two-factor/enrol/")
    page = answer.content.decode()
    device = TotpDevice.objects.get(user=dora)
    assert device.key not in page
    text = answer.context["secret_text"]
    assert text in page
    assert re.fullmatch(r"([A-Z2-7]{4} ){7}[A-Z2-7]{4}", text)
    assert base64.b32decode(text.replace(" ", "")) == bytes.fromhex(device.key)
    kind, _, data = answer.context["qr_data_uri"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    picture = base64.b64decode(data).decode()
    assert picture.startswith("<?xml")
    assert "<path" in picture
    assert "style=" not in picture, "the content security policy has no inline style"
    again = client.get("/two-factor/enrol/")
    assert again.context["secret_text"] == text, "a reload must not invalidate what was scanned"
    assert answer.context["demo_code"] is None


def test_the_picture_is_the_one_that_a_camera_reads_best(
    dora: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R1.3: drawn as in the bank, with the slow choice of the mask. In all other tests the first mask is used.
    monkeypatch.setattr(QRCode, "best_mask_pattern", QRCode.find_best_mask_pattern)
    give_password(client, dora.email)
    drawn = client.get("/two-factor/enrol/").context["qr_data_uri"].partition(",")[2]
    code = QRCode(box_size=12)
    code.add_data(two_factor.provisioning_uri(TotpDevice.objects.get(user=dora)))
    code.best_fit()
    lost = []
    for mask in range(8):
        code.makeImpl(True, mask)
        lost.append(lost_point(code.modules))
    code.makeImpl(False, lost.index(min(lost)))
    picture = io.BytesIO()
    code.make_image(SvgPathFillImage).save(picture)
    assert base64.b64decode(drawn) == picture.getvalue()


@proves("V6.5.3")
def test_a_secret_shown_at_another_sign_in_is_worthless(dora: Any, client: Client, code_of: Any) -> None:
    # R1.3: a person who knows a first password must not look at the secret and wait.
    stranger = Client()
    give_password(stranger, dora.email)
    seen = stranger.get("/two-factor/enrol/").context["secret_text"]
    give_password(client, dora.email)
    shown = client.get("/two-factor/enrol/").context["secret_text"]
    assert shown != seen
    assert client.post("/two-factor/enrol/", {"code": code_of(dora)}).status_code == 302
    device = TotpDevice.objects.get(user=dora)
    assert base64.b32decode(seen.replace(" ", "")) != bytes.fromhex(device.key)
    assert stranger.get("/two-factor/enrol/")["Location"] == "/sign-in/code/"


def test_the_uri_in_the_picture_names_bank_person_and_secret(dora: Any, settings: Any) -> None:
    # R1.3: the Key URI Format of the authenticator apps.
    settings.BANK_NAME = "Müller & Söhne"
    device = two_factor.enrolment_device(dora)
    parts = urlsplit(two_factor.provisioning_uri(device))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == "/Müller & Söhne:dora@example.com"
    query = parse_qs(parts.query, strict_parsing=True)
    assert query["secret"] == [base64.b32encode(bytes.fromhex(device.key)).decode()]
    assert query["issuer"] == ["Müller & Söhne"]
    assert (query.get("digits", ["6"]), query.get("period", ["30"])) == (["6"], ["30"])
    assert "+" not in parts.query, "apps show a plus where a space was meant"


@proves("V6.5.3")
def test_the_secret_is_160_random_bits(dora: Any, make_user: Any) -> None:
    # RFC 4226, 4: at least 128, 160 recommended.
    keys = {two_factor.enrolment_device(user).key for user in (dora, make_user("Emil", two_factor=False))}
    assert len(keys) == 2
    assert all(len(bytes.fromhex(key)) == 20 for key in keys)


def test_a_wrong_code_turns_nothing_on(dora: Any, client: Client, code_of: Any) -> None:
    # R1.3
    give_password(client, dora.email)
    client.get("/two-factor/enrol/")
    answer = client.post("/two-factor/enrol/", {"code": wrong_code_for(code_of(dora))})
    assert answer.status_code == 200
    assert "This code is not right" in answer.content.decode()
    assert not TotpDevice.objects.get(user=dora).confirmed
    assert not RecoveryCode.objects.exists()
    assert not is_signed_in(client)
    assert client.post("/two-factor/enrol/", {"code": ""}).context["form"].errors["code"]


def test_without_a_password_there_is_nothing_to_enrol(dora: Any, client: Client) -> None:
    # R1.3
    for answer in (client.get("/two-factor/enrol/"), client.post("/two-factor/enrol/", {"code": "123456"})):
        assert (answer.status_code, answer["Location"]) == (302, "/sign-in/")
    assert not TotpDevice.objects.exists()


def test_the_password_alone_does_not_replace_a_second_factor(alice: Any, client: Client) -> None:
    # R1.3, a peer's fault: credentials changed without the old one.
    key = TotpDevice.objects.get(user=alice).key
    give_password(client, alice.email)
    for answer in (client.get("/two-factor/enrol/"), client.post("/two-factor/enrol/", {"code": "123456"})):
        assert (answer.status_code, answer["Location"]) == (302, "/sign-in/code/")
    with pytest.raises(two_factor.AlreadyEnrolled):
        two_factor.enrolment_device(alice)
    with pytest.raises(two_factor.AlreadyEnrolled):
        two_factor._switch_on(alice, TotpDevice(user=alice, name="x", key="00" * 20), [])
    assert TotpDevice.objects.get(user=alice).key == key


@pytest.mark.django_db(transaction=True)
def test_two_windows_that_enrol_at_once_turn_it_on_once(dora: Any, code_of: Any) -> None:
    # R1.3
    device = two_factor.enrolment_device(dora)
    rows = [[RecoveryCode(user=dora, selector=f"{letter}{n}", code_hash="x") for n in range(10)] for letter in "AB"]
    results = at_once(*[lambda r=row: two_factor._switch_on(dora, device, r) for row in rows])
    assert sorted(type(result).__name__ for result in results) == ["AlreadyEnrolled", "NoneType"]
    assert RecoveryCode.objects.filter(user=dora).count() == 10


@proves("V6.5.8")
def test_a_code_of_the_last_or_next_half_minute_is_accepted_and_older_are_not(alice: Any) -> None:
    # RFC 6238, 5.2
    with time_machine.travel(NOON, tick=False) as clock:
        device = TotpDevice.objects.get(user=alice)
        codes = {}
        for shift in (-60, -30, 0, 30, 60):
            totp = device.totp()
            totp.time = NOON.timestamp() + shift
            codes[shift] = f"{totp.token():06d}"
        assert two_factor.verify_totp(alice, codes[-60]) is None
        clock.shift(2)
        assert two_factor.verify_totp(alice, codes[60]) is None
        clock.shift(3)
        assert two_factor.verify_totp(alice, codes[-30]) == device
        assert two_factor.verify_totp(alice, codes[0]) == device
        assert two_factor.verify_totp(alice, codes[30]) == device


@proves("V6.5.1")
def test_no_code_works_twice_nor_an_older_one_after_a_newer(alice: Any) -> None:
    # RFC 6238, 5.2
    with time_machine.travel(NOON, tick=False) as clock:
        device = TotpDevice.objects.get(user=alice)
        totp = device.totp()
        totp.time = NOON.timestamp()
        now = f"{totp.token():06d}"
        totp.time -= 30
        before = f"{totp.token():06d}"
        assert two_factor.verify_totp(alice, now) == device
        assert two_factor.verify_totp(alice, now) is None
        clock.shift(5)
        assert two_factor.verify_totp(alice, before) is None


@proves("V6.1.1")
def test_wrong_codes_never_close_the_app_in_use(alice: Any, code_of: Any) -> None:
    # R1.4: or strangers could keep her out; the guesses are counted before (`test_codes_from_anywhere`).
    with time_machine.travel(NOON, tick=False):
        for _ in range(8):
            assert two_factor.verify_totp(alice, wrong_code_for(code_of(alice))) is None
        assert two_factor.verify_totp(alice, code_of(alice)) is not None


@proves("V6.3.1")
def test_after_a_wrong_first_code_one_waits_longer_each_time(dora: Any) -> None:
    # R1.4: for a device that waits to be confirmed; each sign-in has its own.
    with time_machine.travel(NOON, tick=False) as clock:
        device = two_factor.enrolment_device(dora)

        def right() -> str:
            totp = device.totp()
            totp.time = timezone.now().timestamp()
            return f"{totp.token():06d}"

        for wait in (1, 2, 4):
            with pytest.raises(two_factor.WrongCode):
                two_factor.confirm_enrolment(dora, device, code=wrong_code_for(right()))
            clock.shift(wait - 0.5)
            with pytest.raises(two_factor.WrongCode):
                two_factor.confirm_enrolment(dora, device, code=right())
            clock.shift(0.6)
        assert two_factor.confirm_enrolment(dora, device, code=right())[0] == device


@in_one_world("code", ["", "12345a", "１２３４５６", "-12345", "1e5", "12.456", "½½½½½½"])
def test_anything_except_a_code_never_verifies_and_never_fails(alice: Any, code: str) -> None:
    # R1.3
    assert two_factor.verify_totp(alice, code) is None


def test_a_user_without_a_device_has_no_code(dora: Any) -> None:
    # R1.3: an unconfirmed device proves nothing.
    two_factor.enrolment_device(dora)
    assert two_factor.verify_totp(dora, "123456") is None
    assert two_factor.use_recovery_code(dora, "ABCD-EFGH-JKMN") is None


def test_a_recovery_code_signs_in_once(dora: Any, client: Client, code_of: Any) -> None:
    # R1.3
    codes = enrol(client, dora, code_of)
    for attempt, expected in ((codes[0], True), (codes[0], False), (codes[1].lower().replace("-", " "), True)):
        browser = Client()
        give_password(browser, dora.email)
        give_code(browser, attempt)
        assert is_signed_in(browser) is expected
    assert RecoveryCode.objects.filter(user=dora, used_at__isnull=True).count() == 8
    assert [entry.details for entry in AuditEntry.objects.filter(action="RECOVERY_CODE_USED").order_by("id")] == [
        {"left": 9},
        {"left": 8},
    ]
    assert "9 are left" in mails(dora.email)[1].message.replace("\n", " ")


def test_a_recovery_code_of_somebody_else_or_with_a_slip_does_not_work(
    dora: Any, alice: Any, client: Client, code_of: Any
) -> None:
    # R1.3
    code = enrol(client, dora, code_of)[0]
    browser = Client()
    give_password(browser, alice.email)
    assert give_code(browser, code).status_code == 200
    assert not is_signed_in(browser)
    slip = code[:-1] + ("2" if code[-1] != "2" else "3")
    assert two_factor.use_recovery_code(dora, slip) is None
    assert two_factor.use_recovery_code(dora, code[:4]) is None
    assert RecoveryCode.objects.filter(used_at__isnull=False).count() == 0


@proves("V6.5.1")
@pytest.mark.django_db(transaction=True)
def test_a_recovery_code_used_in_eight_windows_at_once_works_in_one(dora: Any, client: Client, code_of: Any) -> None:
    # R1.3
    code = enrol(client, dora, code_of)[0]
    results = at_once(*[lambda: two_factor.use_recovery_code(dora, code)] * 8)
    assert results.count(None) == 7, results
    assert RecoveryCode.objects.filter(used_at__isnull=False).count() == 1


@proves("V6.5.2")
def test_recovery_codes_are_hashed(dora: Any, client: Client, code_of: Any) -> None:
    # R8.1
    enrol(client, dora, code_of)
    row = RecoveryCode.objects.filter(user=dora).first()
    assert row is not None
    assert row.code_hash.startswith("argon2$")
    assert str(row) == f"{row.selector}-… of dora@example.com"


def test_enrolling_goes_on_to_the_page_one_wanted(dora: Any, client: Client, code_of: Any) -> None:
    # R1.10
    from tests.plugin import PASSWORD

    client.post("/sign-in/", {"email": dora.email, "password": PASSWORD, "next": "/transfer/own/"})
    client.get("/two-factor/enrol/")
    answer = client.post("/two-factor/enrol/", {"code": code_of(dora)}, follow=True)
    assert answer.context["continue_url"] == "/transfer/own/"


def test_reading_and_typing_may_take_longer_than_an_idle_session(dora: Any, client: Client, code_of: Any) -> None:
    # R1.3, R1.6
    with time_machine.travel(NOON, tick=False) as clock:
        give_password(client, dora.email)
        client.get("/two-factor/enrol/")
        clock.shift(timedelta(minutes=9))
        assert client.post("/two-factor/enrol/", {"code": code_of(dora)}).status_code == 302
        assert is_signed_in(client)


def test_codes_are_shown_in_demo_mode_only(alice: Any, dora: Any, settings: Any, code_of: Any) -> None:
    # R9.1: with real people it would not be a second factor.
    for forbidden in (lambda: two_factor.current_code(alice), lambda: two_factor.enrol_for_demo(dora)):
        with pytest.raises(RuntimeError, match="demo mode only"):
            forbidden()
    assert not TotpDevice.objects.filter(user=dora).exists()
    settings.DEMO = True
    assert two_factor.current_code(dora) is None
    two_factor.enrol_for_demo(dora)
    two_factor.enrol_for_demo(dora)
    assert TotpDevice.objects.filter(user=dora, confirmed=True).count() == 1
    with time_machine.travel(NOON, tick=False) as clock:
        for _ in range(2):  # once used, it is the next one; then there is none until time passes
            code = two_factor.current_code(alice)
            assert code is not None
            assert two_factor.verify_totp(alice, code) is not None
        assert two_factor.current_code(alice) is None
        clock.shift(30)
        assert two_factor.current_code(alice) is not None


@in_one_world(
    "named", ["accounts.totpdevice/0", "accounts.totpdevice/-1", "accounts.totpdevice/x", "accounts.user/1", "x", "/"]
)
def test_what_names_no_device_verifies_nobody(named: str, alice: Any, browser_of: Any) -> None:
    # R1.3: a session's second factor, whatever it contains.
    browser = browser_of(alice)
    session = browser.session
    session[DEVICE_ID_SESSION_KEY] = named
    session.save()
    assert not is_signed_in(browser)


def test_a_device_that_is_gone_or_not_confirmed_any_more_verifies_nobody(alice: Any, browser_of: Any) -> None:
    # R1.3
    browser, other = browser_of(alice), browser_of(alice)
    assert is_signed_in(browser)
    TotpDevice.objects.filter(user=alice).update(confirmed=False)
    assert not is_signed_in(browser)
    TotpDevice.objects.filter(user=alice).delete()
    assert not is_signed_in(other)
