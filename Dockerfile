# Streamgauge and Flink in one image: jobs, collector, gateway and command line.
FROM python:3.11.13-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends curl maven openjdk-17-jre-headless procps \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/streamgauge
ENV PATH=/opt/streamgauge/.venv/bin:$PATH XDG_CACHE_HOME=/var/cache PYTHONUNBUFFERED=1 PYTHONFAULTHANDLER=1

COPY requirements requirements
RUN python -m venv .venv \
    && pip install --no-cache-dir --require-hashes -r requirements/uv.txt \
    && uv pip install --no-cache --require-hashes -r requirements/lock.txt

COPY . .
RUN uv pip install --no-deps --no-build-isolation -e . \
    && python -m streamgauge.local.servers.jars \
    && rm -rf /root/.m2 \
    && useradd --create-home streamgauge \
    && install -d -o streamgauge -g streamgauge /var/lib/streamgauge \
    && chown -R streamgauge:streamgauge /var/cache/streamgauge

USER streamgauge
ENV STREAMGAUGE_CONFIG=/etc/streamgauge/streamgauge.yml
ENTRYPOINT ["streamgauge"]
CMD ["--help"]
