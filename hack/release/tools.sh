#!/usr/bin/env bash
# What `make release` needs on this machine, and, as it then reads no network, what it needs to have been fetched.
#
#   tools.sh           gets what can be got: Debian's packages (as root), crates, and programs that are built from Go modules
#   tools.sh --check   only says what is missing
#
# stdout: NAME=PATH of each program that was built here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { printf '%s\n' "$*" >&2; }

check=no
[ "${1:-}" != --check ] || check=yes

lacking() {
  for program in jq curl git make gzip sha256sum; do command -v "$program" >/dev/null || printf '%s\n' "$program"; done
  for arch in amd64 arm64; do hack/build.sh --compiler "$arch" >/dev/null 2>&1 || printf 'a compiler for %s\n' "$arch"; done
}

if [ "$check" = no ] && [ -n "$(lacking)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  foreign=arm64 cpu=aarch64
  [ "$(dpkg --print-architecture)" != arm64 ] || { foreign=amd64 cpu=x86-64; }
  say "installing Debian's Rust with the standard library for $foreign, a linker for it, and jq…"
  dpkg --add-architecture "$foreign"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends curl git jq make \
    rustc-web "libstd-rust-web-dev:$foreign" "gcc-$cpu-linux-gnu" "libc6-dev-$foreign-cross" qemu-user >&2
fi
missing=$(lacking)
[ -z "$missing" ] || {
  say "make release: missing: $(paste -sd, <<<"$missing" | sed 's/,/, /g'); \`make release-tools\` as root on Debian gets it, or:"
  hack/build.sh --compiler amd64 >/dev/null || true
  hack/build.sh --compiler arm64 >/dev/null || true
  exit 1
}
if [ "$check" = no ]; then
  say "fetching the crates of Cargo.lock…"
  "${CARGO:-cargo}" fetch --locked --quiet
  tests/control-plane/get.sh helm-4 cosign
else
  tests/control-plane/get.sh --check helm-4 cosign || { say "make release: \`make release-tools\` gets it"; exit 1; }
fi
