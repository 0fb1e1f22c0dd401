# From `cargo metadata` (licences, who needs whom) and two answers of `cargo tree`, which alone knows what features a build has:
# what is linked in, and what else ran while it was built.
#   {name, version, license, hash, created, arch, triple, root, parts: [{name, version, license, hash, purl, built, needs: [purl]}]}
def set($lines): $lines | split("\n") | map(select(. != "") | {key: ., value: true}) | from_entries;
def key: "\(.name)@\(.version)";
def purl: "pkg:cargo/" + key;
def licence: (.license // "NOASSERTION") | gsub(" */ *"; " OR ");
. as $metadata
| ($checksums[0] | add) as $checksums
| set($linked) as $linked
| set($all) as $all
| (.packages | map({key: .id, value: .}) | from_entries) as $packages
| (.resolve.nodes | map({key: .id, value: .}) | from_entries) as $nodes
| (.packages[] | select(.name == "cni-steward") | .id) as $root
| ("pkg:generic/rust-std@\($rust)") as $std
| ("pkg:generic/glibc@\($glibc)") as $libc
| $packages[$root]
| {
    name, version, license, $hash, $created, $arch, $triple, root: purl,
    parts: (
      [$packages[] | select($all[key]) | . as $package | {
        name, version, license: licence, purl: purl,
        hash: ($checksums[key] // ""),
        built: ($linked[key] | not),
        needs: ([$nodes[.id].deps[] | select(.dep_kinds | any(.kind != "dev")) | $packages[.pkg] | select($all[key]) | purl]
          + (if .id == $root then [$std, $libc] else [] end) | unique)
      }]
      + [{name: "rust-std", version: $rust, license: "MIT OR Apache-2.0", purl: $std, hash: "", built: false, needs: []},
         {name: "glibc", version: $glibc, license: "LGPL-2.1-or-later", purl: $libc, hash: "", built: false, needs: []}]
      | sort_by(.purl))
  }
