"""Settings of the bank: one file, everything from the environment (docs/settings.md).

A setting that guards money or people has a safe default or none at all: without its secrets the bank does not start
(R8.7).
"""

from datetime import timedelta
from decimal import Decimal
from email.headerregistry import Address
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from bankproject import hosts, in_clear
from bankproject.databases import MSSQL_DRIVERS, Told
from bankproject.databases import database as _database
from bankproject.databases import replica as _replica
from bankproject.environment import BankEnv
from bankproject.operations.logs import FORMATTERS, logging_config
from foundation.keys.rings import refuse_shared

BASE_DIR = Path(__file__).resolve().parent.parent

# Each call is a setting's row: its name, its default, its type by the method, its bounds. `env.table` has them all.
env = BankEnv()
env.read_file("ENV_FILE", default=BASE_DIR / ".env")

# --- What kind of bank this is --------------------------------------------------------------------------

DEBUG = env.on_off("DEBUG", default=False)
# Demo mode shows one-time codes and mails to strangers: never with real people's money.
DEMO = env.on_off("DEMO", default=False)
if DEMO and not (BASE_DIR / "transfers" / "demo").is_dir():
    raise ImproperlyConfigured(
        "DEMO is on, but this installation has no demo. Build the image with --build-arg WITH_DEMO=1, or by compose"
        " with DEMO=1 in .env."
    )

BANK_NAME = env.line("BANK_NAME", default="Alder Bank", least=1, most=60)
SITE_URL = env.site("SITE_URL", default="http://127.0.0.1:8000")
CURRENCY = env.currency("CURRENCY", default="EUR")
# Where to report vulnerabilities, in /.well-known/security.txt; with "" there is no such page.
SECURITY_CONTACT = env.contact("SECURITY_CONTACT")

# --- Secrets: one for each purpose, none with a default (R8.7) -------------------------------------------

SECRET_KEY = env.signing_key("SECRET_KEY")
# Old ones, which still open what they signed (sessions, links) and sign nothing new.
SECRET_KEY_FALLBACKS = env.signing_keys("SECRET_KEY_FALLBACKS")
FIELD_KEYS = env.key_ring("FIELD_KEYS")
LOOKUP_KEYS = env.key_ring("LOOKUP_KEYS")
AUDIT_KEYS = env.key_ring("AUDIT_KEYS")
TOKEN_KEYS = env.key_ring("TOKEN_KEYS")

# Asked for, beside the administrator's own code, to lock or unlock a person (R1.5); "" asks for none.
ADMIN_KEY = env.optional_secret("ADMIN_KEY", least=16)

# A client with this token may read /metrics; with "" there is no such page (R9.5).
METRICS_TOKEN = env.optional_secret("METRICS_TOKEN", least=20)

# The security audit fails on a key that has sealed for longer.
KEY_MAX_AGE_DAYS = env.positive("KEY_MAX_AGE_DAYS", 365, most=3650)

_texts = {"SECRET_KEY": SECRET_KEY}
_texts |= {f"SECRET_KEY_FALLBACKS[{_place}]": _text for _place, _text in enumerate(SECRET_KEY_FALLBACKS)}
refuse_shared(
    {
        "FIELD_KEYS": FIELD_KEYS,
        "LOOKUP_KEYS": LOOKUP_KEYS,
        "AUDIT_KEYS": AUDIT_KEYS,
        "TOKEN_KEYS": TOKEN_KEYS,
    },
    _texts | {"ADMIN_KEY": ADMIN_KEY, "METRICS_TOKEN": METRICS_TOKEN},
)

# --- Limits of money (R3.9) and of guessing (R1.4) --------------------------------------------------------

# Cash that customers pay in and out themselves is simulated: it belongs in a demo only (R3.2).
SELF_SERVICE_CASH = env.on_off("SELF_SERVICE_CASH", default=DEMO)
# The most that one customer pays in this way in a day, over all accounts.
CASH_IN_DAILY_LIMIT = env.positive_amount("CASH_IN_DAILY_LIMIT", Decimal(10000))
DAILY_TRANSFER_LIMIT = env.positive_amount("DAILY_TRANSFER_LIMIT", Decimal(25000))
# Nobody can raise a customer's own limit above this; above ten times the usual limit it takes two administrators.
DAILY_LIMIT_CEILING = env.positive_amount("DAILY_LIMIT_CEILING", 10 * DAILY_TRANSFER_LIMIT)
ALERT_AMOUNT = env.positive_amount("ALERT_AMOUNT", Decimal(1000))
ALERT_PAYMENTS_PER_HOUR = env.positive("ALERT_PAYMENTS_PER_HOUR", 5)
SUSPICIOUS_AMOUNT = env.positive_amount("SUSPICIOUS_AMOUNT", Decimal(10000))
# An order that nobody has released or rejected by then is given back (R3.14).
HOLD_EXPIRES_DAYS = env.positive("HOLD_EXPIRES_DAYS", 14, most=365)
STEP_UP_AMOUNT = env.positive_amount("STEP_UP_AMOUNT", Decimal(1000))
STEP_UP_SECONDS = env.positive("STEP_UP_SECONDS", 120, most=3600)
HARDENED_HOURS = env.positive("HARDENED_HOURS", 24, most=8760)
TRANSFERS_PER_MINUTE = env.positive("TRANSFERS_PER_MINUTE", 5)
DEPOSITS_PER_MINUTE = env.positive("DEPOSITS_PER_MINUTE", 20)
WITHDRAWALS_PER_MINUTE = env.positive("WITHDRAWALS_PER_MINUTE", 20)
MAX_OPEN_ACCOUNTS = env.positive("MAX_OPEN_ACCOUNTS", 20)
# What savings earn a year: 0.015 is 1.5 %; with days, 2026-01-01:0.015,2026-11-16:0.02 (R9.2).
SAVINGS_RATE = env.savings_rate("SAVINGS_RATE", default="0.015" if DEMO else "0")
PAYEE_LOOKUPS_PER_HOUR = env.positive("PAYEE_LOOKUPS_PER_HOUR", 60)
REGISTRATIONS_PER_HOUR = env.positive("REGISTRATIONS_PER_HOUR", 20)
REGISTRATION_LINK_HOURS = env.positive("REGISTRATION_LINK_HOURS", 24, most=720)
PASSWORD_RESETS_PER_HOUR = env.positive("PASSWORD_RESETS_PER_HOUR", 20)
PASSWORD_RESET_LINK_MINUTES = env.positive("PASSWORD_RESET_LINK_MINUTES", 60, most=1440)
DOWNLOADS_PER_HOUR = env.positive("DOWNLOADS_PER_HOUR", 100)
TICKETS_PER_HOUR = env.positive("TICKETS_PER_HOUR", 10)
TICKET_REPLIES_PER_HOUR = env.positive("TICKET_REPLIES_PER_HOUR", 60)
REQUESTS_PER_HOUR = env.positive("REQUESTS_PER_HOUR", 10)
MAX_OPEN_REQUESTS = env.positive("MAX_OPEN_REQUESTS", 10)

# Sign-ins by the API in a minute from one network, right ones included (R7.4).
API_LOGINS_PER_MINUTE = env.positive("API_LOGINS_PER_MINUTE", 5)
API_PIN_LOGIN = env.on_off("API_PIN_LOGIN", default=False)
# However often it is refreshed, a program gives both factors again after this long (as browsers do, R1.6).
API_SESSION_DAYS = env.positive("API_SESSION_DAYS", 90, most=3650)

# Open at once for one person, in browsers and programs together: one more ends the one unused for longest.
MAX_SESSIONS = env.positive("MAX_SESSIONS", 20)
SESSION_IDLE_SECONDS = env.positive("SESSION_IDLE_SECONDS", 300, most=86_400)
# How often use of the pages is noted, instead of on each page. A session lives that much longer than its idle time.
SESSION_NOTED_SECONDS = env.positive("SESSION_NOTED_SECONDS", 15, most=60)
SESSION_ABSOLUTE_SECONDS = env.positive("SESSION_ABSOLUTE_SECONDS", 8 * 3600, most=30 * 86_400)

# For how long a code that staff gave is fresh enough for the next act that moves money (R5.8).
STAFF_CODE_SECONDS = env.positive("STAFF_CODE_SECONDS", 300, most=3600)
# A person who was an administrator within this many days counts as one who must agree; where there is no other, what
# needs a second administrator takes effect after this many hours. An act that nobody agreed to is forgotten after this
# many days.
SECOND_ADMIN_DAYS = env.positive("SECOND_ADMIN_DAYS", 30, most=365)
SOLE_ADMIN_DELAY_HOURS = env.positive("SOLE_ADMIN_DELAY_HOURS", 24, most=8760)
PENDING_ACT_DAYS = env.positive("PENDING_ACT_DAYS", 7, most=365)

# For this long after a person changed something, nothing is read for them from DATABASE_REPLICA_URL.
REPLICA_LAG_SECONDS = env.positive("REPLICA_LAG_SECONDS", 10, most=86_400)

if DAILY_LIMIT_CEILING < DAILY_TRANSFER_LIMIT:
    raise ImproperlyConfigured("DAILY_LIMIT_CEILING must not be below DAILY_TRANSFER_LIMIT.")

if SESSION_NOTED_SECONDS > SESSION_IDLE_SECONDS:
    raise ImproperlyConfigured("SESSION_NOTED_SECONDS must not be above SESSION_IDLE_SECONDS.")

# Where limits are counted: "" is in rows of the database; redis://, rediss:// (TLS) or unix:// is a Redis or Valkey
# that all servers share. Inexact stores (memcached, one process's memory) are refused (ADR 14).
CACHE_URL = env.cache("CACHE_URL", default="")

# --- Hosts, proxies, HTTPS --------------------------------------------------------------------------------

ALLOWED_HOSTS = env.hosts(
    "ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"], hosts.allowed_host, "host names, without scheme and port"
)
CSRF_TRUSTED_ORIGINS = env.hosts("CSRF_TRUSTED_ORIGINS", [], hosts.origin, "origins, such as https://bank.example")
# Hosts under which a demo may be served although others may reach it.
DEMO_HOSTS = env.hosts("DEMO_HOSTS", [], hosts.allowed_host, "host names, without scheme and port")
# Hosts that the bank may reach without TLS, or without verifying it, since their network is the operator's own.
CLEAR_HOSTS = env.hosts("CLEAR_HOSTS", [], hosts.host, "host names, without scheme and port")
# Networks of our own proxies: X-Forwarded-For is believed only from them, and only its last entry.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")

if DEMO:
    hosts.refuse_public_demo(SITE_URL, ALLOWED_HOSTS, DEMO_HOSTS)

SECURE_SSL_REDIRECT = env.on_off("SECURE_SSL_REDIRECT", default=not DEBUG)
# A redirected program would go on sending its secrets in clear, and nobody would notice: DoorMiddleware refuses it.
SECURE_REDIRECT_EXEMPT = [r"^api/(?!v1/docs/?$)"]
SECURE_HSTS_SECONDS = env.within("SECURE_HSTS_SECONDS", 0 if DEBUG else 31_536_000, least=0, most=63_072_000)
# Both bind more than this host, and a browser's preload list is hard to leave: only when asked.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.on_off("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.on_off("SECURE_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # they ask for the two on every site
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"

SESSION_ENGINE = "accounts.sign_in.sessions.engine"
# From signing in, and longer than both timeouts, which the server keeps by its own times: if the row were gone by then,
# nobody would learn why they are signed out, and nothing would be recorded.
SESSION_COOKIE_AGE = 2 * SESSION_ABSOLUTE_SECONDS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.on_off("SECURE_COOKIES", default=not DEBUG)
# Browsers take cookies with these names only from exactly this host, over HTTPS and for all its paths: a neighbour
# under the same domain can plant none.
SESSION_COOKIE_NAME = "__Host-bank-session" if SESSION_COOKIE_SECURE else "sessionid"
CSRF_COOKIE_NAME = "__Host-bank-csrf" if CSRF_COOKIE_SECURE else "csrftoken"
DEVICE_COOKIE_NAME = "__Host-bank-device" if SESSION_COOKIE_SECURE else "bank-device"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_AGE = 3600
CSRF_FAILURE_VIEW = "bankproject.errors.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        # Some browsers know only report-uri, others only report-to (bankproject/csp_reports.py).
        "report-uri": "/csp-reports/",
        "report-to": "csp",
    }
}

# --- The application --------------------------------------------------------------------------------------

INSTALLED_APPS = [
    # Ours first: their commands and templates win over those of the libraries.
    "support",
    "transfers",
    "accounts",
    "audit",
    "foundation",
    "bankproject.apps.BankAdminConfig",
    "bankproject.security_audit.apps.SecurityAuditConfig",
    "bankproject.sql_server.apps.SqlServerConfig",
    "bankproject.operations.apps.OperationsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_otp",
    "axes",
    "csp",
    "crispy_forms",
    "crispy_bootstrap5",
    "bootstrap",
    "post_office",
    "ninja",  # its files of Swagger, which the page about the API shows
]

MIDDLEWARE = [
    # The outermost, so that no answer is without its headers.
    "bankproject.middleware.SecurityHeadersMiddleware",
    "foundation.request_context.RequestContextMiddleware",
    # Before everything that might refuse a health check, and around everything that takes time.
    "bankproject.operations.middleware.OperationsMiddleware",
    "bankproject.refused.RefusedMiddleware",
    "bankproject.middleware.ErrorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "bankproject.middleware.NotEmbeddedMiddleware",
    "bankproject.static_files.ServedFiles",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "bankproject.door.DoorMiddleware",
    "accounts.sign_in.sessions.middleware.ReplicaMiddleware",
    "bankproject.middleware.PageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.sign_in.sessions.middleware.TwoFactorMiddleware",
    "axes.middleware.AxesMiddleware",
]

# Bytes of a whole body, as at the firewall: no form of the bank is longer (DoorMiddleware).
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024

ROOT_URLCONF = "bankproject.urls"
WSGI_APPLICATION = "bankproject.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "bankproject.navigation.bank",
            ],
        },
    },
]
CRISPY_ALLOWED_TEMPLATE_PACKS = CRISPY_TEMPLATE_PACK = "bootstrap5"

# --- Database ---------------------------------------------------------------------------------------------

_told = Told(
    kept_seconds=env.within("CONN_MAX_AGE", 60, least=0, most=86_400),
    driver=env.one_of("MSSQL_DRIVER", MSSQL_DRIVERS[0], *MSSQL_DRIVERS),
    extra_params=env.odbc_words("MSSQL_EXTRA_PARAMS", default=""),
    is_debug=DEBUG,
)
_url, _parsed = env.database("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
DATABASES = {"default": _database("DATABASE_URL", _url, _parsed, _told)}
_url, _parsed = env.database("DATABASE_REPLICA_URL", default="")
DATABASES |= _replica(_url, _parsed, _told, DATABASES["default"])
DATABASE_ROUTERS = ["foundation.replica.ReplicaRouter"] if "replica" in DATABASES else []
# Django keeps connections itself; a second store below it would hand out dead ones.
DATABASE_CONNECTION_POOLING = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People: passwords, lockout, second factor (R1) --------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "sign_in"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
PASSWORD_MIN_CHARS = env.within("PASSWORD_MIN_CHARS", 12, least=12, most=64)
# Passwords known from thefts, in the format of Have I Been Pwned; "" means none (docs/settings.md).
BREACHED_PASSWORDS_FILE = env.readable_file("BREACHED_PASSWORDS_FILE")
# Fields of forms that hold a secret: no page shows one again, and axes records none.
SECRET_FIELDS = [
    "password",
    "password1",
    "password2",
    "old_password",
    "new_password1",
    "new_password2",
    "code",
    "pin",
    "pin_again",
    "admin_key",
    "customer_code",
]
# NIST SP 800-63B-4: length and block lists, no rules about kinds of characters.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "accounts.sign_in.passwords.rules.LengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
     "OPTIONS": {"user_attributes": ("first_name", "last_name", "email")}},
    {"NAME": "accounts.sign_in.passwords.rules.CommonPasswordValidator"},
    {"NAME": "accounts.sign_in.passwords.rules.ExpectedWordsValidator"},
    {"NAME": "accounts.sign_in.passwords.rules.PatternValidator"},
    {"NAME": "accounts.sign_in.passwords.breached.BreachedPasswordValidator"},
]  # fmt: skip
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "accounts.sign_in.axes.CountedPasswordBackend",
]

AXES_FAILURE_LIMIT = env.positive("AXES_FAILURE_LIMIT", 5)
LOCKOUT_MINUTES = env.positive("LOCKOUT_MINUTES", 10, most=1440)
# Wrong ones at sign-in from one network, for all addresses together, within LOCKOUT_MINUTES.
GUESSES_PER_NETWORK = env.positive("GUESSES_PER_NETWORK", 100)
if GUESSES_PER_NETWORK < AXES_FAILURE_LIMIT:
    raise ImproperlyConfigured("GUESSES_PER_NETWORK must not be below AXES_FAILURE_LIMIT.")
AXES_COOLOFF_TIME = timedelta(minutes=LOCKOUT_MINUTES)
AXES_HANDLER = "accounts.sign_in.axes.ExactHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "accounts.sign_in.axes.email_of"
AXES_CLIENT_IP_CALLABLE = "foundation.request_context.client_ip"
AXES_LOCKOUT_CALLABLE = "accounts.views.sign_in.keep_our_answer"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_SENSITIVE_PARAMETERS = SECRET_FIELDS
AXES_ALLOWED_CORS_ORIGINS = SITE_URL
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# --- Mail: our outbox feeds django-post-office's queue (R3.8) ---------------------------------------------

EMAIL_URL, _mail = env.mail("EMAIL_URL", default="dummymail://" if DEMO else "smtp://localhost:25")
vars().update(_mail)
POST_OFFICE: dict[str, Any] = {
    "BACKENDS": {"default": _mail["EMAIL_BACKEND"]},
    # A mail server may be away for two days. A mail is tried again after ten seconds, after twenty, and so on, up to
    # this interval (foundation/delivery.py).
    "MAX_RETRIES": 200,
    "RETRY_INTERVAL": timedelta(minutes=15),
    # How many a worker takes at a time and records together: this many may be sent twice when it is killed.
    "BATCH_SIZE": 20,
    "MESSAGE_ID_ENABLED": True,
    "MESSAGE_ID_FQDN": SITE_URL.partition("://")[2].partition(":")[0],
}
EMAIL_BACKEND = "post_office.EmailBackend"
EMAIL_TIMEOUT = 20
# How long a mail belongs to the worker that took it; after that it is anybody's, since that worker may be gone (ADR
# 25).
MAIL_LEASE_SECONDS = env.positive("MAIL_LEASE_SECONDS", 120, most=86_400)
MAIL_KEPT_DAYS = env.positive("MAIL_KEPT_DAYS", 30, most=3650)
DEFAULT_FROM_EMAIL = env.sender(
    "DEFAULT_FROM_EMAIL", default=str(Address(display_name=BANK_NAME, addr_spec="no-reply@example.com"))
)

if not DEBUG:
    in_clear.refuse_clear(
        {
            "DATABASE_URL": in_clear.use_of_database(DATABASES["default"]),
            "DATABASE_REPLICA_URL": in_clear.use_of_database(DATABASES.get("replica", DATABASES["default"])),
            "CACHE_URL": in_clear.use_of_cache(CACHE_URL),
            "EMAIL_URL": in_clear.use_of_mail(_mail),
        },
        CLEAR_HOSTS,
    )

# --- Language, time, files, logs ---------------------------------------------------------------------------

LANGUAGE_CODE = env.language("LANGUAGE_CODE", default="en-gb")
TIME_ZONE = env.time_zone("TIME_ZONE", default="UTC")
USE_TZ = True

# No page takes a file: what a form sends of one is dropped, never written to the disk. A page that takes files
# installs a handler of its own, bounded, after sign-in.
FILE_UPLOAD_HANDLERS: list[str] = []

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEBUG
# No other site has a use for them; without this line each would be open to scripts of all sites.
WHITENOISE_ALLOW_ALL_ORIGINS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "bankproject.static_files.StaticFiles"
    },
}

LOGGING = logging_config(
    level=env.one_of("LOG_LEVEL", "INFO", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    form=env.one_of("LOG_FORMAT", "line", *FORMATTERS),
    file=env.writable_file("LOG_FILE"),
    megabytes=env.positive("LOG_FILE_MEGABYTES", 20, most=100_000),
    kept=env.positive("LOG_FILES_KEPT", 10, most=10_000),
    tells_requests=not DEBUG,  # Django's own server for development does
)
