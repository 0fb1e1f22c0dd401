#!/usr/bin/env bash
# What can be known of a release without making one: a minute at the first time, seconds then.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
fail() { echo "release-lint: $1" >&2; exit 1; }
command -v jq >/dev/null || fail "there is no jq; it comes with Debian's package jq"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for workflow in .github/workflows/*.yml; do
  actionlint=$(tests/control-plane/get.sh actionlint)
  "${actionlint#actionlint=}" -shellcheck= -pyflakes= "$workflow"
  ! grep -n 'uses:' "$workflow" | grep -vE 'uses: [^@]+@[0-9a-f]{40} # v[0-9]' || fail "$workflow: pin an action by its whole commit, with its version beside"
  grep -qx 'permissions: {}' "$workflow" || fail "$workflow: begin with no permission at all; each job says what it needs"
done

for script in hack/*.sh hack/release/*.sh; do bash -n "$script"; done

# Both lists from what cargo resolved; the same ones twice.
for copy in one two; do hack/release/sbom.sh amd64 "$work/$copy"; done
for form in cdx spdx; do cmp "$work/one.$form.json" "$work/two.$form.json"; done
crates=$(jq '[.components[] | select(.purl | startswith("pkg:cargo/"))] | length' "$work/one.cdx.json")
[ "$crates" -gt 100 ] || fail "the CycloneDX list has only $crates crates"
[ "$(jq '.packages | length' "$work/one.spdx.json")" = "$(jq '(.components | length) + 1' "$work/one.cdx.json")" ] || fail "the two lists differ in length"
jq -e '[.components[] | select((.licenses // []) == [])] == []' "$work/one.cdx.json" >/dev/null || fail "a crate has no licence in the list"
jq -e '[.components[] | select(.purl | startswith("pkg:cargo/cni-steward") or startswith("pkg:generic/") | not) | select(.hashes == null)] == []' \
  "$work/one.cdx.json" >/dev/null || fail "a crate has no checksum in the list"
jq -e '([.packages[].SPDXID] + ["SPDXRef-DOCUMENT"]) as $ids | [.relationships[] | .spdxElementId, .relatedSpdxElement] - $ids == []' \
  "$work/one.spdx.json" >/dev/null || fail "the SPDX list relates what is not in it"

# An image of two architectures whose every digest is that of what it names.
for copy in one two; do
  SOURCE_DATE_EPOCH=1700000000 hack/oci.sh example.org/a/b:1 Dockerfile "$work/$copy.tar" amd64=hack/oci.sh arm64=hack/build.sh >"$work/$copy.digest"
done
cmp "$work/one.tar" "$work/two.tar"
mkdir "$work/layout"
tar -xf "$work/one.tar" -C "$work/layout"
(cd "$work/layout/blobs/sha256" && for blob in *; do echo "$blob  $blob"; done | sha256sum --check --quiet)
[ "$(jq -r '.manifests[0].digest' "$work/layout/index.json")" = "$(cat "$work/one.digest")" ] || fail "oci.sh prints another digest than its index has"
jq -e '[.manifests[].platform.architecture] == ["amd64", "arm64"]' "$work/layout/blobs/sha256/$(cut -d: -f2 "$work/one.digest")" >/dev/null ||
  fail "the image's index has not both architectures"
echo "release-lint: workflow, $crates crates in both lists, image layout"
