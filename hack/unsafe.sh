#!/usr/bin/env bash
# How much `unsafe` is in what we depend on directly: a line a crate, as docs/dependencies.md has it. Read from the sources that cargo
# has fetched: lines with an `unsafe` block, function, trait or implementation, lines of Rust, and whether the crate forbids it to itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
registry=${CARGO_HOME:-$HOME/.cargo}/registry/src

cargo tree --locked --workspace --depth 1 --no-dedupe --edges normal,build,dev --prefix none --format '{p}' |
  awk '$2 ~ /^v/ && !/\(\// {print $1, substr($2, 2)}' | sort -u |
  while read -r name version; do
    source=$(compgen -G "$registry/*/$name-$version/src" | head -1) ||
      { echo "hack/unsafe.sh: no sources of $name $version in $registry; run \`cargo fetch --locked\`" >&2; exit 1; }
    code=$(find "$source" -name '*.rs' -exec cat {} + | grep -vE '^\s*//' || true)
    says=$(grep -cE '\bunsafe (\{|fn|impl|trait|extern)' <<<"$code" || true)
    forbids=$(grep -qE '#!\[.*forbid\(.*unsafe_code' <<<"$code" && echo ', forbidden' || true)
    printf '| %s | %s | %d of %d%s |\n' "$name" "$version" "$says" "$(wc -l <<<"$code")" "$forbids"
  done
