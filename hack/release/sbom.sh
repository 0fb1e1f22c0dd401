#!/usr/bin/env bash
# Says what a release binary is made of, in two forms: OUT.cdx.json (CycloneDX 1.6) and OUT.spdx.json (SPDX 2.3).
#
#   sbom.sh amd64|arm64 OUT [BINARY]
#
# Crates, versions, licences and checksums are what cargo resolved from Cargo.lock for that architecture; with them stand the Rust
# standard library and the C library, which are linked in too. What only ran while it was built (build scripts, procedural macros) is
# marked so. Both forms come from one list, and the same commit and compilers give the same bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

arch=$1 out=$2 binary=${3:-}
case $arch in
  amd64) triple=x86_64-unknown-linux-gnu ;;
  arm64) triple=aarch64-unknown-linux-gnu ;;
  *) echo "sbom.sh: no architecture $arch; there are amd64 and arm64" >&2; exit 2 ;;
esac
rust=$(hack/build.sh --compiler "$arch" | sed -n '1s/^rustc \([^ ]*\).*/\1/p')
cc=cc
[ "$(uname -m)" = "${triple%%-*}" ] || cc=${triple%%-*}-linux-gnu-gcc
glibc=$(echo '#include <features.h>
glibc __GLIBC__ __GLIBC_MINOR__' | "$cc" -E -P - | awk '$1 == "glibc" { print $2 "." $3 }')
hash=''
[ -z "$binary" ] || hash=$(sha256sum <"$binary" | cut -d' ' -f1)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${CARGO:-cargo}" metadata --format-version 1 --locked --filter-platform "$triple" >"$work/metadata.json"
tree() {
  "${CARGO:-cargo}" tree --locked -p cni-steward --target "$triple" -e "$1" --prefix none -f '{p}' | awk '{ print $1 "@" substr($2, 2) }' | sort -u
}
awk -F'"' '
  /^name = / { name = $2 } /^version = / { version = $2 }
  /^checksum = / { printf "%s{\"%s@%s\":\"%s\"}", (n++ ? "," : "["), name, version, $2 }
  END { print "]" }' Cargo.lock >"$work/checksums.json"

arguments=(--arg arch "$arch" --arg hash "$hash" --arg rust "$rust" --arg glibc "$glibc" --arg triple "$triple"
  --arg linked "$(tree normal,no-proc-macro)" --arg all "$(tree normal,build)"
  --arg created "$(date -u -d "@${SOURCE_DATE_EPOCH:-0}" +%Y-%m-%dT%H:%M:%SZ)" --slurpfile checksums "$work/checksums.json")
jq "${arguments[@]}" -f hack/release/sbom-list.jq "$work/metadata.json" >"$work/list.json"
# The number of a list is what is in it.
identity=$(sha256sum <"$work/list.json" | cut -d' ' -f1)
mkdir -p "$(dirname "$out")"
jq --arg identity "$identity" -f hack/release/sbom-cyclonedx.jq "$work/list.json" >"$out.cdx.json"
jq --arg identity "$identity" -f hack/release/sbom-spdx.jq "$work/list.json" >"$out.spdx.json"
