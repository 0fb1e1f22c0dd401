# SPDX 2.3 from the list of sbom-list.jq.
def id: "SPDXRef-" + (.purl | ltrimstr("pkg:") | gsub("[^A-Za-z0-9.-]"; "-"));
def checksum($hash): if $hash == "" then {} else {checksums: [{algorithm: "SHA256", checksumValue: $hash}]} end;
. as $list
| (.parts | map({key: .purl, value: .}) | from_entries) as $parts
| {
    spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT",
    name: "\(.name)-\(.version)-linux-\(.arch)",
    documentNamespace: "https://cni-steward.dev/spdx/\(.name)-\(.version)-linux-\(.arch)-\($identity)",
    creationInfo: {created: .created, creators: ["Tool: hack/release/sbom.sh-\(.version)"]},
    packages: [.parts[] | {
        name, SPDXID: id, versionInfo: .version, downloadLocation: "NOASSERTION", filesAnalyzed: false,
        licenseConcluded: "NOASSERTION", licenseDeclared: .license, copyrightText: "NOASSERTION",
        primaryPackagePurpose: (if .purl == $list.root then "APPLICATION" else "LIBRARY" end),
        externalRefs: [{referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: .purl}]
      } + checksum(if .purl == $list.root then $list.hash else .hash end)],
    relationships: (
      [{spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: ($parts[.root] | id)}]
      + [.parts[] | . as $part | .needs[] | $parts[.]
          | if .built then {spdxElementId: id, relationshipType: "BUILD_DEPENDENCY_OF", relatedSpdxElement: ($part | id)}
            else {spdxElementId: ($part | id), relationshipType: "DEPENDS_ON", relatedSpdxElement: id} end])
  }
