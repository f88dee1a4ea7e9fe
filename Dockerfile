# The bank's image: the web server by default, the mail worker and every manage.py command besides.

FROM python:3.11-slim-bookworm AS build
WORKDIR /bank
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .
# The settings want secrets before they serve anything; these last for this one step only.
RUN python deploy/make_env.py .env && python manage.py collectstatic --noinput && rm .env

FROM python:3.11-slim-bookworm
# mssql-django imports pyodbc, which needs unixODBC; the other libraries are those of Microsoft's driver.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgssapi-krb5-2 libltdl7 unixodbc \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin bank
WORKDIR /bank
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/venv /opt/venv
COPY --from=build /bank /bank
# The code belongs to root: the bank cannot rewrite itself.
USER bank
EXPOSE 8000
# Any answer but a failure of ours: a redirect to HTTPS or a refused host name still means that it lives.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 CMD ["python", "-c", \
    "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/sign-in/'); raise SystemExit(c.getresponse().status >= 500)"]
# Sync workers: threads make writers slower. The heartbeat file in memory, no control socket in a home folder.
CMD ["gunicorn", "bankproject.wsgi:application", "--bind", "0.0.0.0:8000", "--workers", "2", \
    "--worker-tmp-dir", "/dev/shm", "--no-control-socket"]
