# Guildhall's two commands: `make run` and `make test`. Both install what they need and say so.
.PHONY: run test release setup-test format lint dependencies deploy rules rust ordinary page browser

run:
	@scripts/run.sh

# The released program alone, to be installed: target/release/guildhall.
release:
	@scripts/release.sh

# Everything, in the order of what fails fastest. Each step can be called by itself.
test: setup-test format dependencies deploy rules lint page rust ordinary browser

setup-test:
	@scripts/setup.sh test

format:
	cargo fmt --all --check

dependencies:
	scripts/dependencies.sh

# What operators are given: Caddy's file, systemd's units, compose, the image.
deploy:
	scripts/deploy.sh

# Prometheus's own tests of the rules for it.
rules:
	promtool check rules --lint=all --lint-fatal deploy/prometheus/guildhall.rules.yml
	promtool test rules deploy/prometheus/guildhall.rules.test.yml

lint:
	cargo clippy --workspace --all-targets --locked -- -D warnings

# Types, lints and unit tests of the page, and the page itself, which the server embeds.
page:
	scripts/page.sh
	cd ui && npm run api:check && npm run check

# Tests wait for servers, databases and processes half of the time: with half as many again as processors, these are kept busy.
rust:
	scripts/with-postgres.sh --in-memory cargo nextest run --workspace --locked --test-threads $$(($$(nproc) * 3 / 2))

# What keeps agents apart, once more as a user without any rights, when this one is root.
ordinary:
	scripts/ordinary.sh

browser:
	scripts/browser.sh
