#!/usr/bin/env bash
# Signs a release with a key, offline: its checksums, and its provenance statement.
#
#   sign.sh COSIGN FOLDER NAME
#
# $COSIGN_KEY, or a key of this machine outside of the project, made the first time. Nothing is told to a transparency log.
set -euo pipefail
cosign=$1 folder=$2 name=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf '%s\n' "$*" >&2; }

export COSIGN_PASSWORD=${COSIGN_PASSWORD-}
key=${COSIGN_KEY:-}
if [ -z "$key" ]; then
  keys=${XDG_CONFIG_HOME:-$HOME/.config}/cni-steward/release
  key=$keys/cosign.key
  if [ ! -e "$key" ]; then
    install -d -m 0700 "$keys"
    (cd "$keys" && umask 077 && "$cosign" generate-key-pair >/dev/null 2>&1)
    say "no COSIGN_KEY is given: made a key for this machine, $key, locked with COSIGN_PASSWORD (empty if that is not set)"
  else
    say "no COSIGN_KEY is given: signing with this machine's own, $key"
  fi
fi
signing=(--yes --key "$key" --signing-config "$here/signing.json" --trusted-root "$here/trusted-root.json")
quietly() {
  local said
  said=$("$@" 2>&1) || { say "$said"; exit 1; }
}
cd "$folder"
quietly "$cosign" public-key --key "$key" --outfile cosign.pub
quietly "$cosign" sign-blob "${signing[@]}" --bundle SHA256SUMS.sigstore.json SHA256SUMS
quietly "$cosign" attest-blob "${signing[@]}" --statement "$name.provenance.json" --bundle "$name.provenance.sigstore.json"
chmod 0644 cosign.pub ./*.sigstore.json
say "signed; the public key is $(openssl pkey -pubin -in cosign.pub -outform DER | sha256sum | cut -d' ' -f1) (SHA-256 of its DER form)"
