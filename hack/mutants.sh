#!/usr/bin/env bash
# Changes the rooms that decide most, one place at a time, and asks their tests whether they notice (cargo-mutants).
#
#   mutants.sh SHARD/SHARDS   tests every SHARDS-th mutant of each room, beginning with the SHARD-th: 0/1 is all of them
#   mutants.sh --table        what all runs on this machine came to, as Markdown
#   mutants.sh --survivors    which changes nothing noticed, one a line
#
# The tests of `fields` and `policy` are those of the package they are in, which builds in seconds; what survives there has to survive fast
# tests of the whole program, too. `pki` has its own tests and the simulated years.
# A finished shard is kept in the cache, under the commit's sources of the room: a room that has changed begins anew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${CNI_STEWARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cni-steward}/mutants
rooms=(fields policy pki)
program=(acceptance adopt audit chart cli findings laws reconcile undo)
tests=(verdict/tests tests/year tests/year.rs "${program[@]/#/tests/}")

# A name for what the room and its tests are now.
state() {
  git ls-files -s "src/$1" "src/$1.rs" "${tests[@]}" "${tests[@]/%/.rs}" | cksum | cut -d' ' -f1
}

shards() { compgen -G "$cache/$1-$(state "$1")-*/mutants.out" || true; }

# How many lines the files called $1.txt have in the folders that follow.
lines() {
  local name=$1
  shift
  cat "${@/%//$name.txt}" | wc -l
}

# What survived all tests in these folders: a second run is in `again`, beside the first. It tries a few more, since not all kinds of mutants
# can be left out by name.
survivors() {
  local folder
  for folder; do
    folder=${folder%/mutants.out}
    if [ -d "$folder/again" ]; then
      grep -Fxf "$folder/mutants.out/missed.txt" "$folder/again/mutants.out/missed.txt" || true
    else
      cat "$folder/mutants.out/missed.txt"
    fi
  done
}

case ${1:-} in
  --table)
    echo "| room | mutants | tried | noticed by its own tests | by the program's | never ended | survived | do not compile | score |"
    echo "|---|---|---|---|---|---|---|---|---|"
    for room in "${rooms[@]}"; do
      mapfile -t folders < <(shards "$room")
      [ ${#folders[@]} -gt 0 ] || continue
      caught=$(lines caught "${folders[@]}")
      endless=$(lines timeout "${folders[@]}")
      missed=$(survivors "${folders[@]}" | wc -l)
      unviable=$(lines unviable "${folders[@]}")
      later=$(($(lines missed "${folders[@]}") - missed))
      all=$(cat "$cache/$room-$(state "$room").count")
      noticed=$((caught + endless + later)) tried=$((caught + endless + later + missed))
      echo "| \`$room\` | $all | $((tried + unviable)) | $caught | $later | $endless | $missed | $unviable | $(awk "BEGIN {printf \"%.1f\", 100 * $noticed / $tried}") % |"
    done
    exit ;;
  --survivors)
    for room in "${rooms[@]}"; do
      mapfile -t folders < <(shards "$room")
      [ ${#folders[@]} -eq 0 ] || survivors "${folders[@]}"
    done | sed 's|^verdict/\.\./||' | sort
    exit ;;
  *[0-9]/[0-9]*) shard=$1 ;;
  *) echo "mutants.sh: SHARD/SHARDS is needed, as 0/12" >&2; exit 2 ;;
esac

# A survivor is no failure of the run: it is told at the end.
mutate() {
  local folder=$1 code=0
  shift
  cargo mutants -o "$folder" --baseline skip --timeout 120 --no-times --colors never "$@" >&2 || code=$?
  case $code in 0 | 2 | 3) ;; *) return "$code" ;; esac
}

command -v cargo-mutants >/dev/null || { echo "mutants.sh: no cargo-mutants here; cargo install --locked cargo-mutants" >&2; exit 1; }
mkdir -p "$cache"
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 CNI_STEWARD_YEARS=${CNI_STEWARD_YEARS:-100}
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-20260101}
for room in "${rooms[@]}"; do
  package=cni-steward-verdict run=()
  [ "$room" != pki ] || { package=cni-steward; run=(-- --lib --test year); }
  select=(-p "$package" -f "**/src/$room/**" -f "**/src/$room.rs")
  cargo mutants --list "${select[@]}" | wc -l >"$cache/$room-$(state "$room").count"
  folder=$cache/$room-$(state "$room")-${shard/\//-of-}
  [ ! -d "$folder/mutants.out" ] || { echo "$room $shard is done: $folder" >&2; continue; }
  echo "$room: shard $shard of $(cat "$cache/$room-$(state "$room").count") mutants…" >&2
  rm -rf "$folder.partial"
  mutate "$folder.partial" --sharding round-robin --shard "$shard" "${select[@]}" "${run[@]}"
  if [ "$room" != pki ] && [ -s "$folder.partial/mutants.out/missed.txt" ]; then
    mapfile -t again < <(sed 's/[][(){}.*+?^$|\\&]/\\&/g; s/.*/^&$/' "$folder.partial/mutants.out/missed.txt")
    mutate "$folder.partial/again" "${select[@]}" "${again[@]/#/--re=}" --test-package cni-steward -- --lib "${program[@]/#/--test=}"
  fi
  mv "$folder.partial" "$folder"
done
"$0" --table
