#!/usr/bin/env bash
# Writes an image of one static binary, for one architecture or several, as an archive that holds an OCI image layout.
#
#   oci.sh NAME DOCKERFILE OUT ARCH=BINARY…
#
# DOCKERFILE is `FROM scratch` with one COPY; user and commands are taken from it. Neither a daemon nor a registry is needed, and no
# time, name or order of this machine gets in: the same binaries give the same bytes. $SOURCE_DATE_EPOCH is when the image was made (else
# 1970), $LABELS what else it says of itself, as a JSON object. For one architecture docker's own list is in there too, for engines
# that know no other. stdout: the image's digest.
set -euo pipefail
umask 022

name=$1 dockerfile=$2 out=$3
shift 3
created=$(date -u -d "@${SOURCE_DATE_EPOCH:-0}" +%Y-%m-%dT%H:%M:%SZ)
labels=${LABELS:-'{}'}
plain=(--sort=name --mtime="@${SOURCE_DATE_EPOCH:-0}" --owner=0 --group=0 --numeric-owner --format=ustar)

# The name as registries and containerd have it: docker.io where none is said.
case $name in
  */*) host=${name%%/*} ;;
  *) host='' ;;
esac
case $host in
  *.* | *:* | localhost) full=$name ;;
  '') full=docker.io/library/$name ;;
  *) full=docker.io/$name ;;
esac

# The last instruction $1 of the Dockerfile, or $2.
after() {
  local value
  value=$(sed -n "s/^$1 //p" "$dockerfile" | tail -1)
  printf '%s' "${value:-$2}"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
blobs=$work/layout/blobs/sha256
mkdir -p "$blobs"

# Takes file $1 in, and leaves `digest` and `size`.
keep() {
  digest=$(sha256sum <"$1" | cut -d' ' -f1)
  size=$(stat -c %s "$1")
  mv "$1" "$blobs/$digest"
}

oci=application/vnd.oci.image
program=$(basename "$(after COPY '' | awk '{ print $NF }')")
manifests=''
for pair in "$@"; do
  arch=${pair%%=*} binary=${pair#*=}
  mkdir "$work/root"
  install -m 0755 "$binary" "$work/root/$program"
  tar "${plain[@]}" -C "$work/root" -cf "$work/layer.tar" "$program"
  rm -r "$work/root"
  diff=$(sha256sum <"$work/layer.tar" | cut -d' ' -f1)
  gzip -9 -n "$work/layer.tar"
  keep "$work/layer.tar.gz"
  layer=$digest
  layers="[{\"mediaType\":\"$oci.layer.v1.tar+gzip\",\"digest\":\"sha256:$digest\",\"size\":$size}]"
  printf '{"architecture":"%s","os":"linux","created":"%s","config":{"User":"%s","Entrypoint":%s,"Cmd":%s,"Labels":%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"%s","created_by":"hack/oci.sh"}]}' \
    "$arch" "$created" "$(after USER '')" "$(after ENTRYPOINT null)" "$(after CMD null)" "$labels" "$diff" "$created" >"$work/config"
  keep "$work/config"
  config=$digest
  printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"sha256:%s","size":%s},"layers":%s,"annotations":%s}' \
    "$oci" "$oci" "$digest" "$size" "$layers" "$labels" >"$work/manifest"
  keep "$work/manifest"
  manifests+="${manifests:+,}{\"mediaType\":\"$oci.manifest.v1+json\",\"digest\":\"sha256:$digest\",\"size\":$size,\"platform\":{\"architecture\":\"$arch\",\"os\":\"linux\"}}"
done

top=manifest.v1
docker=()
if [ $# -gt 1 ]; then
  printf '{"schemaVersion":2,"mediaType":"%s.index.v1+json","manifests":[%s],"annotations":%s}' "$oci" "$manifests" "$labels" >"$work/index"
  keep "$work/index"
  top=index.v1
else
  printf '[{"Config":"blobs/sha256/%s","RepoTags":["%s"],"Layers":["blobs/sha256/%s"]}]' "$config" "$name" "$layer" >"$work/layout/manifest.json"
  docker=(manifest.json)
fi
printf '{"imageLayoutVersion":"1.0.0"}' >"$work/layout/oci-layout"
printf '{"schemaVersion":2,"mediaType":"%s.index.v1+json","manifests":[{"mediaType":"%s.%s+json","digest":"sha256:%s","size":%s,"annotations":{"io.containerd.image.name":"%s","org.opencontainers.image.ref.name":"%s"}}]}' \
  "$oci" "$oci" "$top" "$digest" "$size" "$full" "${full##*:}" >"$work/layout/index.json"
mkdir -p "$(dirname "$out")"
tar "${plain[@]}" -C "$work/layout" -cf "$out" oci-layout index.json "${docker[@]}" blobs
printf 'sha256:%s\n' "$digest"
