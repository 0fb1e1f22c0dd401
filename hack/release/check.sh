#!/usr/bin/env bash
# Shows that a release in dist/VERSION is what it says, to somebody who has only that folder.
#
#   check.sh VERSION
#
# 1. Its files are those that were signed, and a changed byte in any of them is noticed.
# 2. Both programs answer the same review over HTTPS with the same bytes (the foreign one under qemu).
# 3. The image is what containerd takes for it, on both architectures.
# 4. docs/verify.md works, typed on a real API server.
# 5. Made once more, in another folder under another home without a network, it has the same bytes (AGAIN=no leaves this out).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export LC_ALL=C
version=${1:?which version?}
version=${version#v}
release=$PWD/dist/$version
name=cni-steward-$version

say() { printf '%s\n' "$*" >&2; }
fail() { say "release-check: $1"; exit 1; }

[ -e "$release/SHA256SUMS.sigstore.json" ] || fail "there is no signed release in $release; \`make release VERSION=$version\` makes it"
tools=$(hack/release/tools.sh --check)
cosign=$(sed -n 's/^cosign=//p' <<<"$tools")
work=$(mktemp -d)
pids=()
finish() {
  [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# As a person does it who follows docs/verify.md.
verified() { (
  cd "$1"
  "$cosign" verify-blob --key cosign.pub --bundle SHA256SUMS.sigstore.json --insecure-ignore-tlog=true SHA256SUMS &&
    sha256sum --check --quiet --strict SHA256SUMS &&
    "$cosign" verify-blob-attestation --key cosign.pub --bundle "$name.provenance.sigstore.json" --type slsaprovenance1 \
      --insecure-ignore-tlog=true "$name-linux-amd64.tar.gz"
) >/dev/null 2>&1; }

cp -r "$release" "$work/copy"
verified "$work/copy" || fail "the release does not verify as it is"
noticed=0
for file in "$work/copy"/*; do
  # In the middle, another letter: in a signature's JSON too it stays what it was but for that.
  at=$(($(stat -c %s "$file") / 2))
  cp "$file" "$work/whole"
  byte=$(od -An -tu1 -j "$at" -N 1 "$file")
  printf %b "\\x$(printf %02x $((byte ^ 1)))" | dd of="$file" bs=1 seek="$at" conv=notrunc status=none
  ! verified "$work/copy" || fail "a changed byte at $at of ${file##*/} is not noticed"
  cp "$work/whole" "$file"
  noticed=$((noticed + 1))
done
verified "$work/copy" || fail "the copy was not put back as it was"
say "a changed byte is noticed in each of $noticed files"

# The answer of each program to the example, from a server of its own.
for arch in amd64 arm64; do
  tar -xzf "$release/$name-linux-$arch.tar.gz" -C "$work"
  cpu=x86_64
  [ "$arch" = amd64 ] || cpu=aarch64
  run=()
  [ "$(uname -m)" = "$cpu" ] || run=("qemu-$cpu")
  folder=$work/$name-linux-$arch
  said=$("${run[@]}" "$folder/cni-steward" --version)
  [[ $said == "cni-steward $version (commit "* ]] || fail "the program for $arch says: $said"
  "${run[@]}" "$folder/cni-steward" serve --standalone --state "$work/state-$arch" --policy "$folder/examples/adopt.yaml" \
    --listen 127.0.0.1:0 --telemetry off >"$work/log-$arch" 2>&1 &
  pids+=($!)
  url=''
  for _ in $(seq 300); do
    url=$(sed -n 's|.*\(https://127.0.0.1:[0-9]*/mutate\).*|\1|p' "$work/log-$arch" | head -1)
    [ -z "$url" ] || ! curl -s --cacert "$work/state-$arch/ca.crt" "${url%/mutate}/readyz" >/dev/null || break
    sleep 0.1
  done
  curl -sS --fail --cacert "$work/state-$arch/ca.crt" -H 'content-type: application/json' \
    --data-binary "@$folder/examples/review.json" "$url" >"$work/answer-$arch" || { cat "$work/log-$arch" >&2; fail "no answer from $arch"; }
  say "$said for $arch (${run[*]:-here}) answered $(stat -c %s "$work/answer-$arch") bytes, the program has $(stat -c %s "$folder/cni-steward")"
done
cmp "$work/answer-amd64" "$work/answer-arm64" || fail "the two programs answer differently"
grep -q '"patch"' "$work/answer-amd64" || fail "there is no patch in the answer"

if command -v containerd >/dev/null && [ "$(id -u)" = 0 ]; then
  containerd --root "$work/containerd" --state "$work/containerd-state" --address "$work/containerd.sock" --log-level error >"$work/log-containerd" 2>&1 &
  pids+=($!)
  for _ in $(seq 100); do [ ! -S "$work/containerd.sock" ] || break; sleep 0.1; done
  ctr() { command ctr --address "$work/containerd.sock" "$@"; }
  ctr images import --all-platforms --no-unpack "$release/$name-image.tar" >/dev/null
  seen=$(ctr images ls | awk 'NR == 2 { print $1, $3, $6 }')
  expected=$(cat "$release/$name-image.digest")
  [[ $seen == *":$version $expected linux/amd64,linux/arm64"* ]] || fail "containerd has: $seen; expected $expected for both architectures"
  say "containerd imports $seen"
else
  say "left out: importing the image, as there is no containerd, or this is not root"
fi

tests/control-plane/get.sh kube-apiserver-1.36 etcd kubectl helm-3 helm-4 cosign >/dev/null
CNI_STEWARD_REQUIRE=control-plane CNI_STEWARD_RELEASE=$release "${CARGO:-cargo}" test --locked --quiet --test cluster -- docs::verify >&2

if [ "${AGAIN:-yes}" != no ]; then
  commit=$(sed -n 's/.*"gitCommit": "\(.*\)".*/\1/p' "$release/$name.provenance.json")
  crates=${CARGO_HOME:-$HOME/.cargo}
  elsewhere=$work/another\ folder
  mkdir -p "$work/home" "$work/crates"
  mkdir "$work/crates/registry"
  cp -r "$crates/registry/cache" "$crates/registry/index" "$work/crates/registry/"
  git clone --quiet --no-checkout . "$elsewhere"
  git -C "$elsewhere" checkout --quiet --detach "$commit"
  alone=(unshare --net)
  [ "$(id -u)" = 0 ] || alone=(unshare --map-root-user --net)
  "${alone[@]}" true 2>/dev/null || { alone=(); say "this machine lets nobody take the network away; making it again with it"; }
  say "making it again, as of commit $commit, in another folder under another home ${alone[*]:+without a network}…"
  env -u CARGO_TARGET_DIR HOME="$work/home" CARGO_HOME="$work/crates" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" \
    CNI_STEWARD_CACHE="${CNI_STEWARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cni-steward}" UNSIGNED=yes \
    "${alone[@]}" "$elsewhere/hack/release.sh" "$version"
  differ=0
  for file in "$release"/*; do
    case $file in *.sigstore.json | */cosign.pub) continue ;; esac
    cmp "$file" "$elsewhere/dist/$version/${file##*/}" || differ=$((differ + 1))
  done
  [ "$differ" = 0 ] || fail "$differ files differ when the release is made again elsewhere"
  say "made again elsewhere, all files but the signatures have the same bytes"
fi
