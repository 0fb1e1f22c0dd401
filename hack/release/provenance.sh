#!/usr/bin/env bash
# Prints the provenance statement of a release (in-toto, SLSA v1): which files, from which commit, with which compilers.
#
#   provenance.sh VERSION COMMIT FOLDER
#
# $BUILDER says who made it, as a URI; without it, somebody's own machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
version=$1 commit=$2 folder=$3
repository=$(sed -n 's/^repository = "\(.*\)"/\1/p' Cargo.toml)

# What each compiler and linker calls itself, and for which architecture it worked.
compilers() {
  for arch in amd64 arm64; do
    hack/build.sh --compiler "$arch" | jq -R --arg arch "$arch" '{name: ., annotations: {"for": "linux/\($arch)"}}'
  done | jq -s 'group_by(.name) | map({
    name: .[0].name,
    uri: (.[0].name
      | (capture("^(?<name>rustc) (?<version>[0-9.]+)") // capture("^(?<name>[^(]+) \\(.*\\) (?<version>[0-9.]+)$") // {name: ., version: "unknown"})
      | "pkg:generic/\(.name | gsub(" "; "-"))@\(.version)"),
    annotations: {"for": (map(.annotations."for") | join(", "))}
  })'
}

(cd "$folder" && sha256sum -- *) | jq -R 'capture("^(?<sum>[0-9a-f]+)  (?<name>.*)$") | {name, digest: {sha256: .sum}}' | jq -s \
  --arg version "$version" --arg commit "$commit" --arg repository "$repository" --argjson compilers "$(compilers)" \
  --arg lock "$(sha256sum <Cargo.lock | cut -d' ' -f1)" --arg builder "${BUILDER:-https://cni-steward.dev/release/own-machine}" '{
    _type: "https://in-toto.io/Statement/v1",
    subject: .,
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "https://cni-steward.dev/release/make/v1",
        externalParameters: {command: "make release VERSION=\($version)", source: "git+\($repository)@\($commit)"},
        internalParameters: {},
        resolvedDependencies: ([
          {name: "source", uri: "git+\($repository)", digest: {gitCommit: $commit}},
          {name: "Cargo.lock", uri: "git+\($repository)#Cargo.lock", digest: {sha256: $lock}}
        ] + $compilers)
      },
      runDetails: {builder: {id: $builder}}
    }
  }'
