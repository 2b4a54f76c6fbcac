#!/bin/sh
# Gets the certificate for pages of services, renews it, and hands it to Caddy: docs/deploy.md, Pages of services. Installed as
# /usr/local/sbin/lego-renew, and run each day by lego-renew.timer with what stands in /etc/lego/renew.env:
#
#   LEGO_EMAIL    an address that the authority may write to
#   LEGO_DNS      the DNS provider, by its name in `lego dnshelp`; the variables of its own that it wants stand beside it
#   LEGO_DOMAIN   the wildcard, such as *.preview.example.com
set -eu

path=${LEGO_PATH:-/etc/lego}
caddy=${CADDY_PATH:-/etc/caddy}
# As lego names its files.
made=$path/certificates/$(printf '%s' "$LEGO_DOMAIN" | tr '*:' '_-')
set -- --accept-tos --path "$path" --email "$LEGO_EMAIL" --dns "$LEGO_DNS" --domains "$LEGO_DOMAIN"
if [ -e "$made.crt" ]; then
  lego "$@" renew --days 30
else
  lego "$@" run
fi

# Whether Caddy was told of this one, rather than whether lego renewed it now: what went wrong last time is made good. It is told of
# none twice, since that ends WebSockets.
if ! cmp -s "$made.crt" "$path/told.crt"; then
  install -m 0640 -g caddy "$made.key" "$caddy/preview.key"
  install -m 0640 -g caddy "$made.crt" "$caddy/preview.pem"
  systemctl try-reload-or-restart caddy
  cp "$made.crt" "$path/told.crt"
fi
