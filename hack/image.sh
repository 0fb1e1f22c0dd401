#!/usr/bin/env bash
# Makes an image of one static binary, as an archive that any container runtime imports.
#
#   image.sh NAME DOCKERFILE BINARY ARCH OUT [docker|podman|buildah|none]
#
# DOCKERFILE is `FROM scratch` with one COPY of BINARY. What builds it is whichever of the three is here and works; with none,
# the archive is put together here from what the Dockerfile says, so that neither a daemon nor a registry is needed.
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

# One word of the Dockerfile: what stands after $1, or $2.
after() {
  local value
  value=$(sed -n "s/^$1 //p" "$dockerfile" | tail -1)
  printf '%s' "${value:-$2}"
}

by_hand() {
  local target diff
  work=$(mktemp -d)
  # Not local: at the end of the script it is still asked for.
  trap 'rm -rf "$work"' EXIT
  target=$(after COPY '' | awk '{ print $NF }')
  mkdir "$work/root"
  install -m 0755 "$binary" "$work/root/$(basename "$target")"
  # No time, no name and no order of this machine's, so that the same binary gives the same image.
  local -a plain=(--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar)
  tar "${plain[@]}" -C "$work/root" -cf "$work/layer.tar" "$(basename "$target")"
  diff=$(sha256sum <"$work/layer.tar" | cut -d' ' -f1)
  printf '{"architecture":"%s","os":"linux","created":"1970-01-01T00:00:00Z","config":{"User":"%s","Entrypoint":%s,"Cmd":%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"1970-01-01T00:00:00Z"}]}' \
    "$arch" "$(after USER '')" "$(after ENTRYPOINT null)" "$(after CMD null)" "$diff" >"$work/config.json"
  printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$name" >"$work/manifest.json"
  tar "${plain[@]}" -C "$work" -cf "$out" manifest.json config.json layer.tar
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
  none) by_hand ;;
  *) say "image.sh: cannot build with $builder; there are docker, podman, buildah and none"; exit 2 ;;
esac
say "image $name for $arch ($builder): $(stat -c %s "$out") bytes in $out, the binary $(stat -c %s "$binary")"
