# The bank's image: the web server by default, the mail worker, the scheduler and every manage.py command besides.
# Built twice over: what compiles, collects and holds keys for a moment stays behind in the first stage.

# The tag moves with Debian's and Python's mends: build anew to get them (docs/deployment.md).
FROM python:3.11-slim-bookworm AS build
WORKDIR /bank
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt .
# Only what the lock has the hash of, and nothing that would be built here: a build fetches tools that no lock names.
RUN pip install --require-hashes --only-binary :all: -r requirements.txt
COPY . .
# Only a demo needs its people's lives and the commands that fill it and tell codes; without them DEMO is refused.
ARG WITH_DEMO=
RUN [ "$WITH_DEMO" = 1 ] \
    || rm -r transfers/demo support/management/commands/seed_demo.py accounts/management/commands/demo_code.py
# The settings want secrets before they serve anything; these last for this one step only. Then the code is compiled:
# where it runs, nothing can be written beside it.
RUN python deploy/make_env.py .env \
    && python manage.py collectstatic --noinput \
    && rm .env \
    && python -m compileall -q /bank

FROM python:3.11-slim-bookworm
# mssql-django imports pyodbc, which needs unixODBC; the other libraries are those of Microsoft's driver.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgssapi-krb5-2 libltdl7 unixodbc \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 bank \
    && useradd --system --uid 10001 --gid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin bank
WORKDIR /bank
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 WEB_BIND=0.0.0.0:8000
COPY --from=build /opt/venv /opt/venv
COPY --from=build /bank /bank
# The code belongs to root: the bank cannot rewrite itself. By number, so that an engine can tell that it is not root.
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 CMD ["python", "-c", \
    "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["gunicorn", "--config", "deploy/gunicorn.conf.py"]
