#!/usr/bin/env bash
# Makes a release of the commit that is checked out, in dist/VERSION, without the network (`make release-tools` fetches before).
#
#   release.sh VERSION
#
# All but the signatures is the same, byte for byte, wherever it is made with the same compilers; `make release-check` shows it.
# $COSIGN_KEY signs, with $COSIGN_PASSWORD; without it a key of this machine, which is made the first time. UNSIGNED=yes leaves
# signatures to who signs otherwise, as the release workflow does. DIRTY=yes lets a trial be made of files that are not committed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
umask 022
export LC_ALL=C TZ=UTC
export CARGO_NET_OFFLINE=true GOPROXY=off GOFLAGS=-mod=readonly

say() { printf '%s\n' "$*" >&2; }
fail() { say "make release: $1"; exit "${2:-1}"; }

version=${1:-}
[ -n "$version" ] || fail "which version? \`make release VERSION=0.1.0\`" 2
version=${version#v}
stated=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
[ "$version" = "$stated" ] || fail "Cargo.toml says $stated, not $version; change it there, in charts/cni-steward/Chart.yaml and in CHANGELOG.md, and commit" 2
for key in version appVersion; do
  [ "$(sed -n "s/^$key: //p" charts/cni-steward/Chart.yaml)" = "$version" ] || fail "charts/cni-steward/Chart.yaml: $key is not $version"
done
grep -q "^## $version" CHANGELOG.md || fail "CHANGELOG.md has no section \"## $version\""
commit=$(git rev-parse HEAD)
said="$version (commit ${commit:0:12})"
if [ -n "$(git status --porcelain)" ]; then
  [ "${DIRTY:-}" = yes ] || fail "there are changes that are not committed; commit them, or try with DIRTY=yes"
  said="$version (commit ${commit:0:12} and changes)"
fi
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

tools=$(hack/release/tools.sh --check)
tool() { sed -n "s/^$1=//p" <<<"$tools"; }

out=$PWD/dist/$version
name=cni-steward-$version
repository=$(sed -n 's/^repository = "\(.*\)"/\1/p' Cargo.toml)
image=$(sed -n '/^image:/,/^[^ ]/s/^  repository: //p' charts/cni-steward/values.yaml)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$out"
mkdir -p "$out"

# Nothing of this machine in an archive: no owner, order or time but the commit's.
pack() { # FOLDER OUT
  tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w --format=ustar \
    -C "$(dirname "$1")" -cf - "$(basename "$1")" | gzip -9 -n >"$2"
}

for arch in amd64 arm64; do
  say "building cni-steward $said for $arch (minutes)…"
  CNI_STEWARD_BUILD=$said hack/build.sh "$arch" "$work/$arch/cni-steward"
  hack/release/sbom.sh "$arch" "$out/$name-linux-$arch" "$work/$arch/cni-steward"
done

say "manual pages and completions…"
mkdir -p "$work/man" "$work/completions"
CNI_STEWARD_MAN=$work/man "${CARGO:-cargo}" test --locked --quiet --test shells -- man:: >&2
own=$work/amd64/cni-steward
case $(uname -m) in aarch64 | arm64) own=$work/arm64/cni-steward ;; esac
"$own" completion bash >"$work/completions/cni-steward.bash"
"$own" completion zsh >"$work/completions/_cni-steward"
"$own" completion fish >"$work/completions/cni-steward.fish"
"$own" completion powershell >"$work/completions/cni-steward.ps1"

say "archives, chart and images…"
for arch in amd64 arm64; do
  folder=$work/$name-linux-$arch
  mkdir "$folder"
  cp "$work/$arch/cni-steward" README.md CHANGELOG.md SECURITY.md CONTRIBUTING.md ARCHITECTURE.md LICENSE "$folder/"
  hack/release/licences.sh "$out/$name-linux-$arch.cdx.json" >"$folder/LICENSES-OF-OTHERS"
  # Files that git knows or would take: tests leave empty folders among them, and those no clone has.
  git ls-files -z --cached --others --exclude-standard docs examples certs charts | tar --null -T - -cf - | tar -xf - -C "$folder"
  cp -r "$work/completions" "$folder/"
  install -d "$folder/man/man1"
  cp "$work"/man/*.1 "$folder/man/man1/"
  pack "$folder" "$out/$name-linux-$arch.tar.gz"
done

"$(tool helm-4)" package charts/cni-steward --version "$version" --app-version "$version" --destination "$work" >/dev/null
mkdir "$work/chart"
tar -xzf "$work/$name.tgz" -C "$work/chart"
pack "$work/chart/cni-steward" "$out/$name.tgz"

LABELS=$(jq -cn --arg version "$version" --arg commit "$commit" --arg source "$repository" '{
  "org.opencontainers.image.title": "cni-steward", "org.opencontainers.image.version": $version,
  "org.opencontainers.image.revision": $commit, "org.opencontainers.image.source": $source,
  "org.opencontainers.image.licenses": "Apache-2.0"}')
export LABELS
for arch in amd64 arm64; do
  hack/oci.sh "$image:$version" Dockerfile "$out/$name-image-linux-$arch.tar" "$arch=$work/$arch/cni-steward" >/dev/null
done
hack/oci.sh "$image:$version" Dockerfile "$out/$name-image.tar" "amd64=$work/amd64/cni-steward" "arm64=$work/arm64/cni-steward" \
  >"$out/$name-image.digest"
for file in "$out"/*-image*.tar; do
  size=$(stat -c %s "$file")
  case $file in *-linux-*) [ "$size" -le 8000000 ] || fail "$file has $size bytes; 8 MB is the limit" ;; esac
done
cp docs/verify.md "$out/README.md"

# What it says was made, of what and how. Who believes it has to believe who signed it.
hack/release/provenance.sh "$version" "$commit" "$out" >"$work/provenance.json"
mv "$work/provenance.json" "$out/$name.provenance.json"
(cd "$out" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" SHA256SUMS)

if [ "${UNSIGNED:-}" != yes ]; then
  hack/release/sign.sh "$(tool cosign)" "$out" "$name"
fi
say "$out:"
(cd "$out" && wc -c -- * >&2)
say "image $image:$version $(cat "$out/$name-image.digest")"
