#!/usr/bin/env bash
# Fuzzes all targets for so many minutes together, on all cores: run.sh MINUTES FUZZ [TARGET…]
# What is learnt is kept in the cache; a finding is told with the command that shows it again, and makes exit code 1.
# run.sh --table: what all runs on this machine came to, as Markdown.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/cni-steward/fuzz
runs=$cache/runs.tsv

# Of lines `target, executions, seconds of CPU, edges, files, findings`: one a target, summed up, and the sum.
table() {
  echo "| target | executions | CPU | edges reached | corpus | findings |"
  echo "|---|---|---|---|---|---|"
  awk -F'\t' '
    function time(s) { return s >= 3600 ? sprintf("%.1f h", s / 3600) : sprintf("%d min", s / 60 + 0.5) }
    !($1 in n) { order[++count] = $1 }
    { n[$1] += $2; cpu[$1] += $3; if ($4 > edges[$1]) edges[$1] = $4; files[$1] = $5; found[$1] += $6
      N += $2; C += $3; F += $6 }
    END {
      for (i = 1; i <= count; i++) { t = order[i]
        printf "| %s | %d | %s | %d | %d | %d |\n", t, n[t], time(cpu[t]), edges[t], files[t], found[t] }
      printf "| together | %d | %s | | | %d |\n", N, time(C), F
    }' "$1"
}

one() {
  local target=$1 seconds=$2 fuzz=$3 line longest words seeds log
  line=$("$fuzz" 2>/dev/null | awk -F'\t' -v t="$target" '$1 == t')
  longest=$(cut -f2 <<<"$line") words=$(cut -f3 <<<"$line")
  read -ra seeds <<<"$(cut -f4 <<<"$line")"
  mkdir -p "$cache/corpus/$target" "$cache/findings" "$cache/logs"
  log=$cache/logs/$target
  seeds+=("fuzz/corpus/$target")
  # Manifests and reviews that are not ours to publish, where there are some.
  [ "$target" != review ] || [ ! -d "${CNI_STEWARD_REAL_DATA:-}/reviews" ] || seeds+=("$CNI_STEWARD_REAL_DATA/reviews")
  # Time is that of the wall here, and a busy machine's.
  local args=(-max_len="$longest" -timeout=300 -report_slow_units=300 -rss_limit_mb=2048 -print_final_stats=1
    -artifact_prefix="$cache/findings/$target-")
  [ -z "$words" ] || args+=(-dict="fuzz/dictionaries/$words")
  local found=0 executions=0 cpu=0 edges=0 files end=$((SECONDS + seconds)) before after TIMEFORMAT='%U %S'
  # A finding ends libFuzzer: it begins again with what time is left, until it has found three.
  while [ "$SECONDS" -lt "$end" ] && [ "$found" -lt 3 ]; do
    before=$(find "$cache/findings" -name "$target-*" | wc -l)
    { time CNI_STEWARD_FUZZ=$target "$fuzz" "${args[@]}" -max_total_time=$((end - SECONDS)) \
      "$cache/corpus/$target" "${seeds[@]}" >"$log" 2>&1; } 2>"$log.time" || true
    after=$(find "$cache/findings" -name "$target-*" | wc -l)
    found=$((found + after - before))
    # A finding leaves no statistics always: the last line that counts.
    executions=$((executions + $(awk '/^stat::number_of_executed_units/ {n = $2} /^#[0-9]/ {sub("#", "", $1); if (n < $1) n = $1} END {print n + 0}' "$log")))
    cpu=$((cpu + $(awk 'NF == 2 {n = int($1 + $2)} END {print n + 0}' "$log.time")))
    edges=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
    if [ "$after" -gt "$before" ]; then
      grep -vE '^#|^stat::|^INFO' "$log" | head -n 30 >&2
    elif ! grep -q '^stat::' "$log"; then
      tail -n 5 "$log" >&2
      break
    fi
  done
  files=$(find "$cache/corpus/$target" -type f | wc -l)
  local row
  row=$(printf '%s\t%d\t%d\t%d\t%d\t%d' "$target" "$executions" "$cpu" "${edges:-0}" "$files" "$found")
  echo "$row" >>"$cache/this-run.tsv"
  echo "$row" >>"$runs"
  echo "$target: $executions executions, $cpu s of CPU, ${edges:-0} edges, $found findings" >&2
}

if [ "${1:-}" = --table ]; then
  table "$runs"
  exit
fi

minutes=$1 fuzz=$2
shift 2
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <("$fuzz" 2>/dev/null | cut -f1)
cores=$(nproc)
seconds=$(awk "BEGIN {s = int($minutes * 60 * $cores / ${#targets[@]}); print s < 1 ? 1 : s}")
mkdir -p "$cache/findings"
: >"$cache/this-run.tsv"
marker=$(mktemp)
echo "fuzzing ${#targets[@]} targets, $seconds s each, $cores at once; what is learnt goes to $cache" >&2
export cache runs
export -f one
printf '%s\n' "${targets[@]}" | xargs -P "$cores" -I{} bash -c "one {} $seconds $fuzz"
table "$cache/this-run.tsv"
found=$(find "$cache/findings" -type f -newer "$marker" | sort)
rm "$marker"
[ -n "$found" ] || exit 0
echo "findings, and how to see them again:" >&2
while read -r file; do
  name=$(basename "$file")
  echo "  $file"
  echo "    cargo run -p cni-steward-fuzz --bin replay -- ${name%%-*} $file"
done <<<"$found" >&2
exit 1
