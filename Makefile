# `make demo` and `make test` do all set-up by themselves.
.DEFAULT_GOAL := help
.PHONY: help setup demo stop test long check docs oracle alertmanager browser page fuzz soak overload clean

VENV := .venv/bin
# without bytecode every process that tests start would compile its modules anew
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo "make demo          set up, start the local stack, and show a metric that passed through the whole pipeline"
	@echo "make stop          stop every process of the demo; its data stays"
	@echo "make test          set up, and run the unit tests, then the tests against the real stack"
	@echo "make long          the tests that make test leaves out: every fault in turn, and an outage of 50,000 alerts"
	@echo "make check         formatting, lint, types, import contracts, and the links of the documentation"
	@echo "make docs          regenerate the reference and build the documentation into build/site"
	@echo "make oracle        build real Prometheus, to compare with in tests/oracle; needs Go"
	@echo "make alertmanager  build a real Alertmanager for integration/alerts/test_notify.py; needs Go"
	@echo "make browser       install the build tools of the web UI, and Chromium for integration/gateway/test_page.py; needs Node"
	@echo "make page          build the web UI from page/ into streamgauge/gateway/assets, which is committed; needs Node"
	@echo "make fuzz          send random queries to Prometheus and to our engine until one differs, or Ctrl-C"
	@echo "make soak          an hour of writes, queries, rules and kills on a stack of its own, then its checks"
	@echo "make overload      five times the usual load for ten minutes, and the time of recovery"
	@echo "make setup         only the set-up"
	@echo "make clean         stop the demo, and delete its data and the results of the set-up"

setup:
	@scripts/setup

demo: setup
	@$(VENV)/streamgauge demo

stop:
	@test ! -x $(VENV)/streamgauge || $(VENV)/streamgauge down

test: setup
	$(VENV)/pytest tests -n auto --maxprocesses 4 --dist loadfile
	$(VENV)/pytest integration --durations=40

long: setup
	$(VENV)/pytest integration -m long --durations=20

check: setup
	$(VENV)/ruff format --check
	$(VENV)/ruff check
	$(VENV)/mypy
	$(VENV)/lint-imports --no-cache
	$(VENV)/mkdocs build --strict --quiet

docs: setup
	$(VENV)/python -m streamgauge.cli.reference
	$(VENV)/mkdocs build --strict

oracle:
	@scripts/oracle

alertmanager:
	@scripts/alertmanager

browser:
	@scripts/browser

page: browser
	cd page && npm run check && npm test && npm run build

fuzz: setup
	@scripts/fuzz

soak: setup
	$(VENV)/python benchmarks/soak.py

overload: setup
	$(VENV)/python benchmarks/overload.py

clean: stop
	rm -rf .streamgauge .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info page/build page/node_modules
