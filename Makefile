# One command for each thing that is done to the bank. `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
# Where a shell sets it, each start of the bank and each run of the tests would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000

PY := .venv/bin/python
STAMP := .venv/requirements-installed
AXE := .venv/axe/installed
UV := .venv/lock/bin/uv
# Only what a lock has the hash of, and nothing that would be built here: a build fetches tools that no lock names.
INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
PACKAGES := accounts transfers support audit foundation bankproject
# The tests that take seconds or need more than Python lie in folders of these names; the everyday run does not even
# read them.
APART = $(sort $(shell find $(PACKAGES) tests -type d \( -name slow -o -path tests/browser -o -path tests/firewall \
    -o -path tests/fuzz -o -path tests/stack \)))
EVERYDAY = $(APART:%=--ignore=%)
# Processes that test beside each other: one for each core, up to six. Where tests wait for servers and browsers, one more.
WORKERS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$cores -le 6 ] || cores=6; echo $$cores)
WAITING := -n $$(($(WORKERS) + 1)) --dist worksteal

.PHONY: help setup odbc cache browser curl firewall-packages postgres fault-packages run run-https firewall code test test-fast test-postgres fuzz walks faults lint format lock sbom bench audit scan mutants clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv, install what is pinned, write missing keys into .env
	@$(PY) deploy/make_env.py

# Made anew when a lock changes: what it names no longer would stay behind.
$(STAMP): requirements.txt requirements-dev.txt
	@command -v $(PYTHON) >/dev/null || { \
	    echo "$(PYTHON) is not installed: the bank needs Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "The bank needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
	         "Name another with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv
	$(PY) $(INSTALL) -r requirements-dev.txt
	@touch $@

# The tests compile for SQL Server through its backend, which needs unixODBC though no server is spoken to.
odbc: setup
	@if $(PY) -c 'import pyodbc' 2>/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -qq --no-install-recommends unixodbc; \
	else false; fi || { echo "unixODBC is missing: install it (as root: apt-get install unixodbc)," \
	             "then make test again." >&2; exit 1; }

# Limits are counted in rows or in a shared cache: the tests start one of their own (RUNLEVEL: and apt starts none).
cache: setup
	@if command -v redis-server >/dev/null || command -v valkey-server >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -qq --no-install-recommends redis-server; \
	else false; fi || { echo "Neither redis-server nor valkey-server is installed: install one (as root:" \
	             "apt-get install redis-server), then make test again." >&2; exit 1; }

# axe-core, by the digest in tests/browser/package-lock.json (ADR 32). Where there is no npm, PyPI has one.
$(AXE): tests/browser/package.json tests/browser/package-lock.json | setup
	@command -v npm >/dev/null || $(PY) $(INSTALL) -r tests/browser/requirements.txt
	@rm -rf .venv/axe && mkdir .venv/axe && cp $^ .venv/axe
	@cd .venv/axe && PATH="$$PATH:$$PWD/../bin" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The browser tests drive Debian's Chromium, or else the one that Playwright brings. Never a silent skip.
browser: setup $(AXE)
	@if [ -x /usr/bin/chromium ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; \
	else \
	    $(PY) -m playwright install chromium && $(PY) -c "$$CHECK_BROWSER"; \
	fi || { echo "No browser for the browser tests: install Debian's chromium (as root:" \
	             "apt-get install chromium), then make test again." >&2; exit 1; }

# The walk-through of docs/api.md is run as it stands, with curl. Never a silent skip.
curl:
	@if command -v curl >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends curl; \
	else false; fi || { echo "curl is missing: install it (as root: apt-get install curl)," \
	             "then make test again." >&2; exit 1; }

# Debian's own packages; the firewall's tests need them too (RUNLEVEL: and apt starts none). Never a silent skip.
firewall-packages:
	@if [ -x /usr/sbin/nginx ] && [ -e /usr/lib/nginx/modules/ngx_http_modsecurity_module.so ] \
	    && [ -e /etc/modsecurity/crs/crs-setup.conf ] && command -v openssl >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -qq --no-install-recommends nginx libnginx-mod-http-modsecurity modsecurity-crs openssl; \
	else false; fi || { echo "The firewall is missing: install it (as root: apt-get install" \
	             "nginx libnginx-mod-http-modsecurity modsecurity-crs openssl), then make this again." >&2; exit 1; }

# A server for the tests alone. Debian makes a cluster of its own besides, which stays down and empty (RUNLEVEL).
postgres: setup
	@if [ -n "$$TEST_DATABASE_URL" ] || command -v initdb >/dev/null \
	    || [ -n "$$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -qq --no-install-recommends postgresql; \
	else false; fi || { echo "PostgreSQL is missing: install it (as root: apt-get install postgresql) or set" \
	             "TEST_DATABASE_URL, then make test-postgres again." >&2; exit 1; }

# What lets a disk be full, fail or be slow for a trial: strace. Never a silent skip.
fault-packages:
	@if command -v strace >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends strace; \
	else false; fi || { echo "strace is missing: install it (as root: apt-get install strace)," \
	             "then make this again." >&2; exit 1; }

define CHECK_BROWSER
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    playwright.chromium.launch().close()
endef
export CHECK_BROWSER

# The web server, the mail worker and the scheduler live and die together: the shell waits for them in the background, so
# that a signal reaches its trap at once, and the trap ends whatever still runs.
define RUN_BANK
children=
finish() { trap '' INT TERM HUP; [ -z "$$children" ] || kill $$children 2>/dev/null; wait; }
trap finish EXIT; trap 'exit 130' INT; trap 'exit 143' TERM HUP
start() { $(PY) manage.py "$$@" & last=$$!; children="$$children $$last"; }
step() { start "$$@"; wait $$last || exit; children=; }
step migrate --noinput --verbosity 0
step check --database default
step seed_demo
start send_queued_mail --watch; worker=$$last
start run_scheduled; scheduler=$$last
start runserver --noreload "$(HOST):$(PORT)"; server=$$last
while kill -0 $$worker 2>/dev/null && kill -0 $$scheduler 2>/dev/null && kill -0 $$server 2>/dev/null; do
    sleep 1 & wait $$!
done
echo "The web server, the mail worker or the scheduler stopped; all are ended." >&2
exit 1
endef
export RUN_BANK

run: setup ## Serve the demo bank with its mail worker and scheduler on http://HOST:PORT (127.0.0.1:8000)
	@exec env DEBUG=1 DEMO=1 PYTHONUNBUFFERED=1 SITE_URL="$${SITE_URL:-http://$(HOST):$(PORT)}" sh -c "$$RUN_BANK"

# As in the containers: gunicorn behind the firewall, DEBUG off. FIREWALL=no: gunicorn alone speaks TLS.
FIREWALL ?= yes
run-https: setup $(if $(filter no,$(FIREWALL)),,firewall-packages) ## Serve the demo bank by HTTPS, behind its firewall, on https://HOST:PORT (127.0.0.1:8443)
	@exec env FIREWALL="$(FIREWALL)" HOST="$(HOST)" PORT="$(if $(filter file,$(origin PORT)),8443,$(PORT))" deploy/run_https

firewall: firewall-packages ## Serve the running bank through its firewall on http://127.0.0.1:8080
	@exec deploy/firewall/serve

# Every shell has a USER already: only one given to make counts.
code: setup ## Print a demo user's sign-in code: make code USER=alice@example.com
ifeq ($(origin USER),command line)
	@DEMO=1 $(PY) manage.py demo_code "$$USER"
else
	@echo "usage: make code USER=alice@example.com" >&2; exit 2
endif

# The everyday tests measure coverage (of what: pyproject.toml); the others add little to it. All run, whatever fails. The
# bar is asked of the file: slipcover asked for it in the run itself forgets what the workers measured before it prints.
test: setup odbc cache browser curl firewall-packages fault-packages postgres ## Run every test and measure coverage
	$(PY) -m slipcover --json --out .coverage.json -m pytest -n $(WORKERS) $(EVERYDAY); everyday=$$?; \
	$(PY) -m slipcover --merge .coverage.json --out .coverage.json --fail-under 95 || everyday=1; \
	$(PY) -m pytest $(WAITING) $(APART) && exit $$everyday

test-fast: setup odbc cache ## Run the everyday tests: no browser, no firewall, nothing slow
	$(PY) -m pytest -n $(WORKERS) $(EVERYDAY)

# In the temporary folder, on a port of its own, and gone afterwards. TEST_DATABASE_URL names another server.
test-postgres: setup odbc cache browser curl firewall-packages fault-packages postgres ## Run every test on PostgreSQL, whose rows lock for real
	$(PY) -m tests.postgres_server $(PY) -m pytest $(WAITING)

# On a database that is thrown away. The seed is told if it fails; given again, the same cases come.
FUZZ_CASES ?= 12000
FUZZ_SEED ?= $(shell date +%s)
fuzz: setup odbc ## Send the API requests made from its own document: make fuzz FUZZ_CASES=50000
	FUZZ_CASES="$(FUZZ_CASES)" FUZZ_SEED="$(FUZZ_SEED)" $(PY) -m pytest -n $(WORKERS) tests/fuzz

# On banks of their own, in the temporary folder. A seed walks the same way each time; JSON appends the figures of each run.
STEPS ?= 5000
RUNS ?= 1
JSON ?=
SEED ?=
walks: setup ## Walk at random through the services beside a model: make walks SEED=1 RUNS=20 STEPS=5000
	$(PY) -m tests.faults.walk --seed "$(or $(SEED),1)" --runs "$(RUNS)" --steps "$(STEPS)" --processes $(WORKERS) \
	    $(if $(JSON),--json "$(JSON)")

# Banks of its own on loopback, gone afterwards. What ARGS may be: docs/reliability.md, or ARGS=--help.
MINUTES ?= 10
faults: export TEST_DATABASE_URL :=
faults: setup postgres cache fault-packages ## Let customers pay while the bank is broken on purpose: make faults MINUTES=10 SEED=…
	$(PY) -m tests.faults --minutes "$(MINUTES)" $(if $(SEED),--seed "$(SEED)") $(ARGS)

lint: setup ## Check style, types, imports, migrations, proofs, English, compose file and workflow
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) manage.py check
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) -m tests.proof_column
	$(PY) -m tests.english
	$(PY) -m check_jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(PY) -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(PY) -m check_jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

format: setup ## Format the code and sort imports
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

# Needs no other environment: that one cannot be made while a lock is broken, after a merge say.
$(UV): deploy/supply/requirements.txt
	@$(PYTHON) -m venv --clear .venv/lock
	.venv/lock/bin/python $(INSTALL) -r $<
	@touch $@

# What stands in a lock stays as it is, unless pyproject.toml or ARGS asks for another. For every Python from 3.11 on and
# every processor: the hashes are those of all files of a release. colorama is for Windows alone. The last two are for
# environments apart, and hold packages that come as source only.
define COMPILE
	$(UV) pip compile --quiet --universal --python .venv/lock/bin/python --python-version 3.11 --generate-hashes \
	    --no-strip-extras --no-emit-package colorama --custom-compile-command "make lock" $(ARGS) \
	    --group $(1) --output-file $(2) $(3)

endef
lock: $(UV) ## Write the locks from pyproject.toml: make lock ARGS=--upgrade
	$(call COMPILE,bank,requirements.txt,--only-binary :all:)
	$(call COMPILE,dev,requirements-dev.txt,--only-binary :all: --constraints requirements.txt)
	$(call COMPILE,lock,deploy/supply/requirements.txt,--only-binary :all:)
	$(call COMPILE,node,tests/browser/requirements.txt,--only-binary :all:)
	$(call COMPILE,mutants,tests/faults/mutation/requirements.txt)
	$(call COMPILE,scanners,tests/scanners/requirements.txt)

sbom: setup ## Write bill of materials and licence notices into build/
	$(PY) deploy/supply/sbom.py

# Servers of its own on loopback, gone afterwards. BASE is a checkout of commit 11100bd with its .venv, to compare with;
# QUICK=yes only tries whether everything runs.
BASE ?=
QUICK ?=
bench: export TEST_DATABASE_URL :=
bench: setup postgres ## Measure the bank beside hand-written SQL: make bench QUICK=yes
	$(PY) benchmarks/bench.py $(if $(BASE),--base "$(BASE)") $(if $(QUICK),--quick)

audit: setup ## Look at the bank as an auditor would: make audit ARGS=--strict makes "not reachable" fatal
	$(PY) manage.py security_audit $(ARGS)

# sqlmap and wapiti are installed apart from the bank: see the head of the program. Not for CI.
SQLMAP ?= sqlmap
WAPITI ?= wapiti
scan: setup ## Attack a demo bank on loopback: make scan SQLMAP=path WAPITI=path MINUTES=10
	$(PY) -m tests.scanners.scan --sqlmap "$(SQLMAP)" --wapiti "$(WAPITI)" --minutes $(MINUTES)

# cosmic-ray is installed apart from the bank: see tests/faults/mutation/made.py. Takes hours, may be stopped and goes on;
# not for CI.
COSMIC_RAY ?= python3
MODULES ?=
mutants: setup odbc cache ## Name changes of the money path that no test notices: make mutants MODULES=…
	$(PY) -m tests.faults.mutation --cosmic-ray "$(COSMIC_RAY)" --at-once $(WORKERS) $(MODULES)

clean: ## Remove what setup and tools made; keep .env and database
	rm -rf .venv staticfiles test-results build .coverage.json \
	    .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .bench .mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
