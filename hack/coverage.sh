#!/usr/bin/env bash
# Which lines of the pure rooms (tests/rooms.rs) no fast test runs: FILE:LINE: TEXT, one a line. docs/coverage.md says why, file by file;
# more lines of a file than it says fail. Needs llvm-profdata and llvm-cov of rustc's own LLVM: `rustup component add llvm-tools`, or a
# distribution's llvm-NN.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
page=docs/coverage.md
build=target/coverage
tests=(acceptance adopt api_server audit chart cli decisions field_sets findings laws policy_file purge reconcile server standalone transfer undo year)

major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
tool() {
  local own
  own=$(compgen -G "$(rustc --print sysroot)/lib/rustlib/*/bin/$1" | head -1) || own=$(command -v "$1-$major") ||
    { echo "make coverage: no $1 of LLVM $major; rustup component add llvm-tools, or apt-get install llvm-$major" >&2; exit 1; }
  echo "$own"
}
profdata=$(tool llvm-profdata) cov=$(tool llvm-cov)

mkdir -p $build/raw
rm -f $build/raw/*
# Our own packages alone are measured.
printf '#!/usr/bin/env bash\n# Not sh: dash drops CARGO_BIN_EXE_cni-steward for its hyphen.\nexec "$@" -C instrument-coverage\n' >$build/rustc
chmod +x $build/rustc
export RUSTC_WORKSPACE_WRAPPER=$PWD/$build/rustc CARGO_TARGET_DIR=$build LLVM_PROFILE_FILE=$PWD/$build/raw/%p-%8m.profraw
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-20260101} CNI_STEWARD_YEARS=${CNI_STEWARD_YEARS:-100}
echo "running the fast tests with counters…" >&2
cargo test --locked --quiet --workspace --lib "${tests[@]/#/--test=}" >$build/tests.log 2>&1 || { tail -50 $build/tests.log >&2; exit 1; }
mapfile -t programs < <(cargo test --locked --workspace --lib "${tests[@]/#/--test=}" --no-run 2>&1 |
  sed -n 's/.*Executable .*(\(.*\))$/\1/p')
$profdata merge -sparse $build/raw/*.profraw -o $build/all.profdata

rooms=$(sed -n '/^const PURE/,/^];/s/^ *"\(.*\)",$/\1/p' tests/rooms.rs | paste -sd'|')
$cov export --format=lcov --instr-profile=$build/all.profdata $build/debug/cni-steward "${programs[@]/#/-object=}" |
  awk -F'[:,]' -v root="$PWD/" -v rooms="^src/($rooms)(/|\\\\.rs$)" '
    $1 == "SF" {
      file = $2; sub(root, "", file); sub(/^verdict\/\.\.\//, "", file)
      wanted = file ~ rooms && file !~ /tests(\.rs$|\/)/
    }
    wanted && $1 == "DA" { if ($3 > 0) ran[file, $2] = 1; seen[file, $2] = 1 }
    END { for (key in seen) if (!(key in ran)) { split(key, part, SUBSEP); print part[1] "\t" part[2] } }' |
  sort -t$'\t' -k1,1 -k2,2n >$build/lines.tsv

while IFS=$'\t' read -r file line; do
  printf '%s:%s: %s\n' "$file" "$line" "$(sed -n "${line}s/^ *//p" "$file")"
done <$build/lines.tsv
awk -F'\t' -v page=$page '
  FILENAME == page { if (split($0, cell, " [|] ") == 3 && cell[1] ~ /^[|] `src/) { gsub(/^[|] `|`$/, "", cell[1]); said[cell[1]] = cell[2] } next }
  { found[$1]++; all++ }
  END {
    for (file in found) if (found[file] > said[file] + 0) {
      printf "%s: %d lines that no fast test runs; %s explains %d\n", file, found[file], page, said[file] >"/dev/stderr"; failed = 1
    }
    for (file in said) if (found[file] + 0 < said[file]) printf "%s: %d lines left, %s says %d\n", file, found[file], page, said[file] >"/dev/stderr"
    printf "%d lines in all\n", all >"/dev/stderr"
    exit failed
  }' $page $build/lines.tsv
