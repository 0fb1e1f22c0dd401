#!/usr/bin/env bash
# Makes an image of one static binary, as an archive that any container runtime imports.
#
#   image.sh NAME DOCKERFILE BINARY ARCH OUT [docker|podman|buildah|none]
#
# DOCKERFILE is `FROM scratch` with one COPY of BINARY. What builds it is whichever of the three is here and works; with none,
# `oci.sh` puts the archive together from what the Dockerfile says.
set -euo pipefail

name=$1 dockerfile=$2 binary=$3 arch=$4 out=$5 builder=${6:-}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }

works() {
  command -v "$1" >/dev/null && case $1 in
    docker) docker version >/dev/null 2>&1 ;;
    podman | buildah) "$1" info >/dev/null 2>&1 ;;
  esac
}

if [ -z "$builder" ]; then
  builder=none
  for candidate in docker podman buildah; do
    if works "$candidate"; then builder=$candidate; break; fi
  done
  [ "$builder" != none ] || say "no docker, podman or buildah that works is here: putting the archive together without"
fi
[ -x "$binary" ] || { say "image.sh: no program at $binary; \`make dist\` builds it"; exit 1; }
mkdir -p "$(dirname "$out")"
rm -f "$out"
build=(-q -t "$name" --platform "linux/$arch" --build-arg "TARGETARCH=$arch" -f "$dockerfile")
case $builder in
  docker) docker build "${build[@]}" "$root" >&2 && docker save -o "$out" "$name" ;;
  podman) podman build "${build[@]}" "$root" >&2 && podman save -q --format docker-archive -o "$out" "$name" >&2 ;;
  buildah) buildah build "${build[@]}" "$root" >&2 && buildah push -q "$name" "docker-archive:$out:$name" >&2 ;;
  none) "$root/hack/oci.sh" "$name" "$dockerfile" "$out" "$arch=$binary" >/dev/null ;;
  *) say "image.sh: cannot build with $builder; there are docker, podman, buildah and none"; exit 2 ;;
esac
say "image $name for $arch ($builder): $(stat -c %s "$out") bytes in $out, the binary $(stat -c %s "$binary")"
