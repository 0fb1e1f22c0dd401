#!/usr/bin/env bash
# What can be known of the chart without a cluster: lint with both Helms, unit tests of the templates, tests of the alerts.
# What API servers make of it is in tests/cluster/chart.rs and account.rs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
chart=charts/cni-steward
tools=$(tests/control-plane/get.sh helm-3 helm-4 helm-unittest)

while IFS='=' read -r name path; do
  case $name in
    helm-3 | helm-4)
      for version in 1.24 1.36; do
        echo "chart: $name lint for Kubernetes $version"
        "$path" lint --strict --quiet --kube-version "$version" --values $chart/tests/values.yaml $chart
      done ;;
    helm-unittest)
      echo "chart: unit tests"
      "$path" --strict $chart ;;
  esac
done <<<"$tools"

if command -v promtool >/dev/null; then
  echo "chart: alerts"
  promtool check rules $chart/files/alerts.yaml
  promtool test rules $chart/tests/alerts.promtool.yaml
elif [ -n "${CNI_STEWARD_REQUIRE_PROMTOOL:-}" ]; then
  echo "chart: promtool is missing; it comes with Debian's package prometheus" >&2
  exit 1
else
  echo "chart: alerts not tested, as promtool is missing (Debian: apt-get install --no-install-recommends prometheus)" >&2
fi
