# Guildhall's two commands: `make run` and `make test`. Both install what they need and say so.
.PHONY: run test setup-test format lint rust

run:
	@scripts/run.sh

test: setup-test format lint rust

setup-test:
	@scripts/setup.sh test

format:
	cargo fmt --all --check

lint:
	cargo clippy --workspace --all-targets --locked -- -D warnings

rust:
	scripts/with-postgres.sh cargo nextest run --workspace --locked
