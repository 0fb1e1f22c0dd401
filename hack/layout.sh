#!/usr/bin/env bash
# Finds out which functions a server calls and writes hack/layout.ld by it (see hack/layout.py). Called by `make layout`.
#   hack/layout.sh PROGRAM MAP    the static program, and the map that the linker wrote with it
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1 map=$2
for tool in valgrind python3 curl openssl; do
  command -v "$tool" >/dev/null || { echo "make layout: no $tool here; Debian has it in a package of that name" >&2; exit 1; }
done

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
  -keyout "$folder/tls.key" -out "$folder/tls.crt" 2>/dev/null

cat >"$folder/cni-steward" <<END
#!/usr/bin/env bash
exec valgrind --quiet --tool=callgrind --dump-instr=yes --callgrind-out-file="\$CALLS/%p.calls" "$(realpath "$program")" "\$@"
END
chmod +x "$folder/cni-steward"
mkdir "$folder/alone" "$folder/cluster"

# What is called by a server that answers: reviews of every kind, of every mode, the rare answers, probes and a scrape.
serve() {
  local mode=$1 log="$folder/$1.log" server address telemetry
  sed "s/^mode: .*/mode: $mode/" examples/adopt.yaml >"$folder/$mode.yaml"
  CALLS="$folder/alone" "$folder/cni-steward" serve \
    --policy "$folder/$mode.yaml" --cert "$folder/tls.crt" --key "$folder/tls.key" --listen 127.0.0.1:0 --telemetry 127.0.0.1:0 \
    --log-format json >"$log" 2>&1 &
  server=$!
  until grep -q serving "$log"; do
    kill -0 "$server" || { cat "$log" >&2; exit 1; }
    sleep 0.2
  done
  address=$(awk '$1 == "reviews" { print $2 }' "$log")
  telemetry=$(awk '$1 == "metrics" { print $2 }' "$log")
  for suite in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384; do
    for review in tests/fixtures/reviews/1.36/*.json examples/review.json; do
      post "$address" "@$review" --tls13-ciphers "$suite"
    done
  done
  post "$address" '{'
  head -c 9000000 /dev/zero | post "$address" @-
  curl --silent --insecure --output /dev/null "$address/elsewhere"
  for path in metrics livez readyz; do curl --silent --output /dev/null "${telemetry%/metrics}/$path"; done
  touch "$folder/$mode.yaml" && sleep 3
  kill -TERM "$server"
  wait "$server" || true
}

post() {
  local address=$1 body=$2
  shift 2
  curl --silent --insecure --output /dev/null --header 'content-type: application/json' --data-binary "$body" "$@" "$address"
}

for mode in Observe Adopt Block; do
  echo "a server that has mode $mode…" >&2
  serve "$mode"
done

# What one calls besides that has a cluster: leading, rotating, repairing, its probes and Events.
echo "servers that have a cluster (minutes)…" >&2
CALLS="$folder/cluster" CNI_STEWARD_BINARY="$folder/cni-steward" CNI_STEWARD_REQUIRE=control-plane CNI_STEWARD_REVIEWS=100 \
  cargo test --locked --quiet --test cluster -- trust::no_review_is_lost >&2 || echo "make layout: the test failed under valgrind; its calls count all the same" >&2
find "$folder" -name '*.calls' -empty -delete
hack/layout.py "$map" "$folder/alone" "$folder/cluster" >"$folder/layout.ld"
mv "$folder/layout.ld" hack/layout.ld
