# CycloneDX 1.6 from the list of sbom-list.jq.
def uuid: "\(.[0:8])-\(.[8:12])-8\(.[13:16])-8\(.[17:20])-\(.[20:32])";
def hashes: if .hash == "" then {} else {hashes: [{alg: "SHA-256", content: .hash}]} end;
def licences: if .license == "NOASSERTION" then {} else {licenses: [{expression: .license}]} end;
. as $list
| {
    "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX", specVersion: "1.6", serialNumber: "urn:uuid:\($identity | uuid)", version: 1,
    metadata: {
      timestamp: .created,
      tools: {components: [{type: "application", name: "hack/release/sbom.sh", version: .version}]},
      component: ({type: "application", "bom-ref": .root, name, version, purl: .root}
        + licences + hashes
        + {properties: [{name: "cni-steward:target", value: .triple}]})
    },
    components: [.parts[] | select(.purl != $list.root)
      | {type: "library", "bom-ref": .purl, name, version, purl, scope: (if .built then "excluded" else "required" end)} + licences + hashes],
    dependencies: [.parts[] | {ref: .purl, dependsOn: .needs}]
  }
