#!/usr/bin/env bash
# Prints the licences of the crates that are linked into a release, as their own files have them: most ask for that.
#
#   licences.sh LIST.cdx.json
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${CARGO:-cargo}" metadata --format-version 1 --locked | jq -r '.packages[] | "\(.name)@\(.version)\t\(.manifest_path)"' |
  LC_ALL=C sort >"$work/folders"
jq -r '.components[] | select(.scope == "required") | "\(.name)@\(.version)"' "$1" | LC_ALL=C sort |
  LC_ALL=C join -t $'\t' - "$work/folders" >"$work/linked"

# The same text stands there once, with all whose it is before it.
mkdir "$work/texts"
while IFS=$'\t' read -r name manifest; do
  for file in "${manifest%/*}"/{LICENSE,LICENCE,COPYING,COPYRIGHT,NOTICE,license,UNLICENSE}*; do
    [ -f "$file" ] || continue
    sum=$(sha256sum <"$file" | cut -d' ' -f1)
    [ -e "$work/texts/$sum" ] || cp "$file" "$work/texts/$sum"
    printf '%s (%s)\n' "$name" "${file##*/}" >>"$work/texts/$sum.names"
  done
done <"$work/linked"

printf 'cni-steward is licensed under Apache-2.0 (LICENSE). These are the licences of what is linked into it, beside the GNU C library\n'
printf '(LGPL-2.1-or-later, https://www.gnu.org/software/libc/) and the Rust standard library (MIT or Apache-2.0).\n'
for names in $(cd "$work/texts" && for list in *.names; do printf '%s %s\n' "$(head -1 "$list" | tr ' ' _)" "$list"; done | LC_ALL=C sort | awk '{ print $2 }'); do
  printf '\n%s\n' '================================================================================'
  cat "$work/texts/$names"
  printf '\n'
  cat "$work/texts/${names%.names}"
done
