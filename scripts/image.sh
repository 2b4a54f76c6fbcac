#!/usr/bin/env bash
# Builds the image and runs it by compose.yaml as docs/deploy.md says, with a simulated model: the doctor inside, the way from a card
# to a commit in a real browser, a backup, and a restore into new volumes. What it makes, it takes away.
#
#   scripts/image.sh                     the whole Dockerfile
#   scripts/image.sh PROGRAM             its last stage alone, around a program that was built already
#
# Needs Docker with compose and buildx, and the images that the Dockerfile begins with. Where their registry is out of reach, Debian's
# packages make the last one: mmdebstrap --variant=minbase trixie base.tar && docker import base.tar debian:trixie-slim
set -euo pipefail
cd "$(dirname "$0")/.."

program=${1:-}
name=guildhall-image-test
dir=$(mktemp -d "${TMPDIR:-/tmp}/guildhall-image.XXXXXX")
stop() {
  [ ! -f "$dir/deploy/.env" ] || compose down --volumes --timeout 45 >/dev/null 2>&1 || true
  docker image rm --force "$name" >/dev/null 2>&1 || true
  rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

say() { echo "image: $*" >&2; }
compose() { (cd "$dir/deploy" && exec docker compose --project-name "$name" "$@"); }
inside() { compose exec -T -u guildhall guildhall guildhall "$@"; }

cp -r deploy "$dir/deploy"
if [ -z "$program" ]; then
  docker build --tag "$name" --file deploy/Dockerfile .
else
  # What stands before the last stage makes the program.
  { printf 'FROM scratch AS program\nCOPY guildhall /guildhall\n'; sed -n '/^FROM debian:/,$p' deploy/Dockerfile; } >"$dir/Dockerfile"
  cp "$program" "$dir/guildhall"
  docker build --tag "$name" --file "$dir/Dockerfile" "$dir"
fi

scripts/page.sh
cargo build --locked --quiet --workspace --bins
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
url=http://127.0.0.1:$port
mkdir -m 0777 "$dir/backups"
cat >"$dir/deploy/.env" <<END
COMPOSE_FILE=compose.yaml:here.yaml
GUILDHALL_PUBLIC_URL=$url
GUILDHALL_MEMORY=4g
GUILDHALL_SIMULATED_PROVIDER_URL=http://model:4301
GUILDHALL_ALLOW_PRIVATE_PROVIDERS=true
GUILDHALL_BACKUP_TO=/backups
GUILDHALL_BACKUP_EVERY=off
END
# Without Caddy: what it does has tests of its own. A machine's own limit of files may be lower than the container's.
cat >"$dir/deploy/here.yaml" <<END
services:
  guildhall:
    image: $name
    build: !reset null
    ports: ['127.0.0.1:$port:4300']
    volumes: ['$dir/backups:/backups']
    ulimits: { nofile: 4096 }
    depends_on: [model]
  model:
    image: $name
    entrypoint: [guildhall-sim, --listen, '0.0.0.0:4301', --first-word-ms, '60', --per-word-ms, '4']
    command: []
    volumes: ['$PWD/target/debug/guildhall-sim:/usr/local/bin/guildhall-sim:ro']
    networks: [front]
    healthcheck: { test: [CMD, 'true'], interval: 1s }
    ulimits: { nofile: 4096 }
END

say "starting it"
compose up --detach --no-build --wait guildhall
inside health
inside doctor | tee "$dir/doctor" || true
for must in 'ok    git:' 'ok    sandbox: agents. commands are kept apart from the host' 'ok    database:'; do
  grep -q "^$must" "$dir/doctor" || { say "the doctor does not say: $must"; exit 1; }
done
say "the way from a card to a commit, in a browser"
(cd ui && GUILDHALL_E2E_URL=$url GUILDHALL_E2E_RESULTS="$dir/results" PLAYWRIGHT_HTML_OUTPUT_DIR="$dir/report" \
  npx --no-install playwright test main-path)

say "a backup, and a restore into new volumes"
inside backup
(umask 077; compose exec -T -u guildhall guildhall tar -C /data -c keys >"$dir/keys.tar")
compose down --volumes --timeout 45
compose run --rm -T --no-deps -u guildhall --entrypoint sh guildhall -c 'umask 077; tar -C /data -x' <"$dir/keys.tar"
compose run --rm -T guildhall restore --from /backups
compose up --detach --no-build --wait guildhall
inside health
status=$(curl -fsS "$url/api/auth/status")
case $status in
  *'"setUp":true'*) ;;
  *) say "the restored server knows no account: $status"; exit 1 ;;
esac
say "all is well"
