"""Settings, each read once, from environment variables; one without a safe default has no default.

HOURGLASS_MODE is `production` unless said otherwise; `demo` is what bin/run serves, `test` what bin/test runs.
"""

from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy

from portal.unfold import UNFOLD as UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

HOURGLASS_MODE = env.str("HOURGLASS_MODE", default="production")
if HOURGLASS_MODE not in {"production", "demo", "test"}:
    raise ImproperlyConfigured("HOURGLASS_MODE must be production, demo or test.")
PRODUCTION = HOURGLASS_MODE == "production"
DEMO = HOURGLASS_MODE == "demo"

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# The ledger's signing keys: Ed25519 private keys in PEM, mode 0600, the first key first; or PKCS#11 URIs, with spaces
# between. And the log's name on its checkpoints.
LEDGER_SIGNING_KEY_FILE = env.str("LEDGER_SIGNING_KEY_FILE", default="")
LEDGER_ORIGIN = env.str("LEDGER_ORIGIN", default="hourglass.example/log")
# Public keys of retired signing keys, under which older checkpoints still verify.
LEDGER_OLD_KEYS = env.list("LEDGER_OLD_KEYS", default=[])
# Which witnesses cosign the log, and how many must (c2sp.org/tlog-policy); empty: nobody is asked.
LEDGER_POLICY_FILE = env.str("LEDGER_POLICY_FILE", default="")
# The tree head is kept outside Postgres too, so that a restored backup is noticed.
LEDGER_TREE_HEAD_FILE = env.str("LEDGER_TREE_HEAD_FILE", default="")

if PRODUCTION:
    if DEBUG:
        raise ImproperlyConfigured("DEBUG may not be on in production mode.")
    if len(SECRET_KEY) < 50 or SECRET_KEY.startswith("django-insecure") or len(set(SECRET_KEY)) < 5:
        raise ImproperlyConfigured("SECRET_KEY must be at least 50 random characters in production mode.")
    if not LEDGER_SIGNING_KEY_FILE or not LEDGER_TREE_HEAD_FILE:
        raise ImproperlyConfigured("LEDGER_SIGNING_KEY_FILE and LEDGER_TREE_HEAD_FILE must be set in production mode.")
    if not LEDGER_SIGNING_KEY_FILE.startswith("pkcs11:") and not Path(LEDGER_SIGNING_KEY_FILE).is_file():
        raise ImproperlyConfigured(f"There is no signing key at {LEDGER_SIGNING_KEY_FILE}.")

INSTALLED_APPS = [
    "portal.people",  # before allauth and admin: its templates and user model win
    "unfold.apps.BasicAppConfig",  # its default would put its own admin site in place of ours
    "unfold.contrib.filters",
    "unfold.contrib.import_export",
    "import_export",
    "portal.admin.HourglassAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",  # so that form templates are found among ours
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "ledger",
    "market",
    "scheduler",
    "portal.institutes",
    "portal.grants",
    "portal.wallets",
    "portal.trading",
    "portal.redemptions",
    "portal.reports",
    "rest_framework",
    "drf_spectacular",
    "portal.api",
]

if not PRODUCTION:
    INSTALLED_APPS.append("portal.demo")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "portal.api.middleware.PastThePages",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.people.middleware.NulFindsNothing",
    "portal.people.middleware.SessionsSeen",
    "portal.people.middleware.AuditorsWriteNothing",
    "portal.people.middleware.AdminPolicy",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "portal.people.context.acting",
                "portal.trading.context.fired_alerts",
            ],
            "builtins": [
                "portal.people.templatetags.units",
                "portal.people.templatetags.page",
                "django.templatetags.i18n",
                "django.templatetags.static",
            ],
        },
    }
]

FORM_RENDERER = "portal.people.forms.Renderer"

# The application's own role, which cannot change history. Migrations run as the owner: DATABASE_URL is then the
# owner's (see docs/operations.md).
DATABASES: dict[str, dict[str, Any]] = {"default": env.db_url("DATABASE_URL", engine="portal.database")}
DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=0)
_database_options = DATABASES["default"].setdefault("OPTIONS", {})
if DATABASE_POOL_SIZE:
    _database_options["pool"] = {"min_size": 1, "max_size": DATABASE_POOL_SIZE, "timeout": 10}
# The engine prepares its own statements (ledger.questions). The driver deallocates its own together with all others.
_database_options["prepare_threshold"] = None
DATABASES["default"]["CONN_MAX_AGE"] = 0 if DATABASE_POOL_SIZE else 60

REDIS_URL = env.str("REDIS_URL")
# Kombu spells a Unix socket differently from redis-py.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"

CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14

AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
if HOURGLASS_MODE == "test":
    # The real one is slow on purpose, and tests make hundreds of people.
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = reverse_lazy("wallet")
LOGOUT_REDIRECT_URL = reverse_lazy("landing")
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_ADAPTER = "portal.people.adapters.AccountAdapter"
ACCOUNT_SIGNUP_FORM_CLASS = "portal.people.forms.SignupForm"
SOCIALACCOUNT_ADAPTER = "portal.people.adapters.SocialAccountAdapter"
# An empty dict keeps allauth's own limits on guessing; tests that show them turn them on.
ACCOUNT_RATE_LIMITS: dict[str, str] | bool = {} if HOURGLASS_MODE != "test" else False
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not PRODUCTION
# Whoever governs other people's tokens signs in with more than a password.
ADMIN_REQUIRES_SECOND_STEP = env.bool("ADMIN_REQUIRES_SECOND_STEP", default=PRODUCTION)
USERSESSIONS_TRACK_ACTIVITY = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Hourglass: "
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": env.json("OIDC_PROVIDERS", default=[])}}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["portal.formats"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
# Collected for production; otherwise files are served from where they are.
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

vars().update(
    env.email_url(
        "EMAIL_URL",
        default="dummymail://" if HOURGLASS_MODE == "test" else "consolemail://" if DEMO else environ.Env.NOTSET,
    )
)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Hourglass <hourglass@localhost>")

# Which engine runs jobs: `slurm`, or `local` for this machine with counted GPU slots.
HOURGLASS_ENGINE = env.str("HOURGLASS_ENGINE", default="slurm" if PRODUCTION else "local")
if PRODUCTION and HOURGLASS_ENGINE != "slurm":
    # Its jobs run as the site's own user, who can read the site's keys.
    raise ImproperlyConfigured("HOURGLASS_ENGINE must be slurm in production mode.")
HOURGLASS_JOBS_DIR = env.str("HOURGLASS_JOBS_DIR", default=str(BASE_DIR / "var" / "jobs"))
# All of our environment that Slurm's commands get to see.
HOURGLASS_SLURM_ENVIRONMENT = {name: env.str(name) for name in ("SLURM_CONF", "PATH") if name in env.ENVIRON}
# Whose Slurm jobs they are, when not the worker's own user (then the worker runs as root), and what runs Dask.
HOURGLASS_JOB_USER = env.str("HOURGLASS_JOB_USER", default="")
HOURGLASS_JOB_PYTHON = env.str("HOURGLASS_JOB_PYTHON", default="")
# The Slurm account of wallets whose department names none.
HOURGLASS_SLURM_ACCOUNT = env.str("HOURGLASS_SLURM_ACCOUNT", default="hourglass")
# How many GPUs the local engine counts on this machine.
HOURGLASS_LOCAL_GPUS = env.int("HOURGLASS_LOCAL_GPUS", default=8)
# How long Slurm must deny a job that may have been submitted before it is submitted again.
HOURGLASS_DOUBT_SECONDS = env.float("HOURGLASS_DOUBT_SECONDS", default=600.0)
# How often a worker looks at its jobs, in seconds.
HOURGLASS_FOLLOW_SECONDS = env.float("HOURGLASS_FOLLOW_SECONDS", default=5.0)

# Where the event stream is served; empty means the same origin (a proxy routes /events/).
EVENTS_ORIGIN = env.str("EVENTS_ORIGIN", default="")

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
# Of X-Forwarded-For we believe what our own proxy has put at its end; without one, nothing.
ALLAUTH_TRUSTED_PROXY_COUNT = 0
if PRODUCTION:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    if env.bool("BEHIND_PROXY", default=False):
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
        ALLAUTH_TRUSTED_PROXY_COUNT = 1

_csp_self = ["'self'"]
CONTENT_SECURITY_POLICY = {
    # Unfold's Alpine needs eval; the admin has a policy of its own (portal/people/middleware.py).
    "EXCLUDE_URL_PREFIXES": ["/admin/"],
    "DIRECTIVES": {
        "default-src": _csp_self,
        "script-src": _csp_self,
        "style-src": _csp_self,
        "img-src": ["'self'", "data:"],
        "connect-src": [*_csp_self, EVENTS_ORIGIN] if EVENTS_ORIGIN else _csp_self,
        "frame-ancestors": ["'none'"],
        "form-action": _csp_self,
        "base-uri": _csp_self,
        "object-src": ["'none'"],
    },
}

IMPORT_EXPORT_TMP_STORAGE_CLASS = "import_export.tmp_storages.CacheStorage"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["portal.api.authentication.BearerKey"],
    "DEFAULT_PARSER_CLASSES": ["portal.api.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "portal.api.parsing.AlwaysJSON",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "portal.api.problems.answer",
    "UNAUTHENTICATED_USER": None,
    "NUM_PROXIES": ALLAUTH_TRUSTED_PROXY_COUNT,
}
# Orders a minute that an owner may place whatever comes of them, and beyond those for each that trades.
MARKET_FREE_ORDERS = env.int("MARKET_FREE_ORDERS", default=3000)
MARKET_ORDERS_PER_TRADE = env.int("MARKET_ORDERS_PER_TRADE", default=50)
# Requests a minute of one API key, by the scope they need; `bulk` is the calls that place many orders.
API_RATES = {"read": 1200, "trade": 1200, "bulk": 60, "transfer": 120, "redeem": 60, "device": 60}
SPECTACULAR_SETTINGS = {
    "TITLE": "Hourglass",
    "DESCRIPTION": "Compute tokens: trade, send and redeem them. Amounts are integers of the smallest unit.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "SideEnum": "market.models.Order.Side",
        "OrderKindEnum": "market.models.Order.Kind",
        "OrderStatusEnum": "market.models.Order.Status",
        "AssetKindEnum": "ledger.models.Asset.Kind",
        "PhaseEnum": "market.models.Instrument.Phase",
        "RedemptionKindEnum": "scheduler.models.Redemption.Kind",
        "RedemptionStatusEnum": "scheduler.models.Redemption.Status",
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "portal.api.schema.closed"],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
}

# Above this one person may not issue alone: somebody else approves.
ISSUE_LIMIT_GPU_HOURS = env.int("ISSUE_LIMIT_GPU_HOURS", default=10_000)
ISSUE_LIMIT_CREDITS = env.int("ISSUE_LIMIT_CREDITS", default=1_000_000)
