#!/usr/bin/env bash
# Finds the programs a real API server is made of, and builds those this machine does not have.
#
#   get.sh [--check] [NAME…]      no NAME means all that an API server needs, `nodes` stands for what two nodes need beside
#                                 it, `matrix` for the versions that only `make matrix` runs; --check builds nothing and
#                                 exits 1 if something is missing
#
# stdout: one NAME=PATH per line for each program that is there; stderr: progress and what is missing.
# Looked for in $KUBEBUILDER_ASSETS, then $PATH, then the cache folder; built into the cache folder. See README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${CNI_STEWARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cni-steward}/bin
everything=(kube-apiserver-1.36 kube-apiserver-1.30 kube-apiserver-1.24 kubectl etcd helm-3 helm-4 helm-unittest capa-2.5 capa-latest oracle-sets oracle-writes)
nodes=(kube-controller-manager kube-scheduler kubelet pause)
matrix=(kube-apiserver-1.{25,26,27,28,29,31,32,33,34,35,37} helm-3-first helm-3-old helm-4-first helm-4-old)

say() { printf '%s\n' "$*" >&2; }

# The version of module $2 that folder $1 pins.
pinned() {
  awk -v module="$2" '$1 == "require" { $1 = ""; $0 = $0 } $1 == module && $2 ~ /^v/ { print $2; exit }' "$here/$1/go.mod"
}

# Everything there is to know about one NAME, left in: folder package version program tags stamp takes purpose.
# `program` is what it is called on a PATH, empty if it is never looked for there.
describe() {
  tags='' stamp='-s -w' program='' package='.'
  case $1 in
    kube-apiserver-* | kube-controller-manager | kube-scheduler | kubelet | kubectl)
      folder=kubernetes-1.36
      program=${1%-1.*}
      [ "$program" = "$1" ] || folder=kubernetes-${1##*-}
      package=k8s.io/kubernetes/cmd/$program tags=providerless
      version=$(pinned "$folder" k8s.io/kubernetes)
      # Without these the program calls itself v0.0.0-master, and clients fail to parse it.
      local rest=${version#v1.} variable
      for variable in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        stamp+=" -X $variable.gitVersion=$version -X $variable.gitMajor=1 -X $variable.gitMinor=${rest%%.*}"
      done
      case $1 in
        kubectl) takes='1 min' purpose='to talk to the API server' ;;
        kubelet) takes='1 min' purpose='what makes a node' ;;
        kube-controller-manager | kube-scheduler) takes='1 min' purpose='what makes Deployments run' ;;
        *) takes='3 to 5 min' purpose="the API server the tests run against" ;;
      esac ;;
    etcd)
      folder=etcd program=etcd package=go.etcd.io/etcd/server/v3 takes='1 min' purpose="the API server's store"
      version=$(pinned etcd go.etcd.io/etcd/server/v3) ;;
    helm-[34] | helm-[34]-first | helm-[34]-old)
      local module=helm.sh/helm/v${1:5:1}
      folder=$1 program=helm package=$module/cmd/helm takes='1 to 2 min' purpose='an owner of the CNI'
      version=$(pinned "$folder" "$module")
      stamp+=" -X $module/internal/version.version=$version" ;;
    helm-unittest)
      folder=helm-unittest package=github.com/helm-unittest/helm-unittest/cmd/helm-unittest takes='1 min' purpose="the chart's unit tests"
      version=$(pinned "$folder" github.com/helm-unittest/helm-unittest) ;;
    cosign)
      folder=cosign program=cosign package=github.com/sigstore/cosign/v3/cmd/cosign takes='2 to 5 min' purpose='signs a release'
      version=$(pinned cosign github.com/sigstore/cosign/v3)
      stamp+=" -X sigs.k8s.io/release-utils/version.gitVersion=$version" ;;
    actionlint)
      folder=actionlint program=actionlint package=github.com/rhysd/actionlint/cmd/actionlint takes='10 s' purpose='reads workflows'
      version=$(pinned actionlint github.com/rhysd/actionlint)
      stamp+=" -X github.com/rhysd/actionlint.version=$version" ;;
    capa-*)
      folder=$1 takes='2.5 min' purpose="Cluster API's way of removing the CNI"
      version=$(pinned "$folder" sigs.k8s.io/cluster-api-provider-aws/v2) ;;
    oracle-*)
      # In the folder of API server 1.36, so that it is linked from the very modules that one is built from.
      folder=kubernetes-1.36 package=./$1 tags=providerless takes='3 min' purpose='what Go itself says of field ownership'
      version=$(pinned "$folder" k8s.io/kubernetes) ;;
    pause)
      folder=pause takes='5 s' purpose='what each pod begins with'
      version=1 ;;
    *)
      say "get.sh: no program is called $1; there are: ${everything[*]} ${nodes[*]} ${matrix[*]} cosign actionlint"
      exit 2 ;;
  esac
  version=${version#v}
  case $1 in
    # Our own main.go is part of these, so it is part of the name.
    capa-*) file=capa-$version-$(cksum <"$here/$folder/main.go" | cut -d' ' -f1) ;;
    helm-unittest) file=helm-unittest-$version ;;
    oracle-*) file=$1-$version-$(cksum <"$here/$folder/$1/main.go" | cut -d' ' -f1) ;;
    pause) file=pause-$version-$(cksum <"$here/$folder/main.go" | cut -d' ' -f1) ;;
    *) file=$program-$version ;;
  esac
}

# Does the program at $2 do as NAME $1? Only plain versions count: a vendor's build may behave in ways of its own.
fits() {
  local seen
  case $1 in
    kube-apiserver-*)
      seen=$("$2" --version 2>/dev/null) && [[ $seen =~ ^Kubernetes\ v${1##*-}\.[0-9]+$ ]] ;;
    kube-controller-manager | kube-scheduler | kubelet)
      seen=$("$2" --version 2>/dev/null) && [[ $seen =~ ^Kubernetes\ v1\.36\.[0-9]+$ ]] ;;
    kubectl)
      seen=$("$2" version --client -o json 2>/dev/null) && [[ $seen =~ \"gitVersion\":\ *\"v1\.(3[4-8])\.[0-9]+\" ]] ;;
    etcd)
      seen=$("$2" --version 2>/dev/null) && [[ $seen =~ etcd\ Version:\ ([0-9]+)\.([0-9]+)\.[0-9]+ ]] &&
        { [ "${BASH_REMATCH[1]}" -gt 3 ] || { [ "${BASH_REMATCH[1]}" -eq 3 ] && [ "${BASH_REMATCH[2]}" -ge 5 ]; }; } ;;
    helm-?)
      seen=$("$2" version --template '{{.Version}}' 2>/dev/null) && [[ $seen == v"${1#helm-}".* ]] ;;
    helm-*)
      seen=$("$2" version --template '{{.Version}}' 2>/dev/null) && [ "$seen" = "v$version" ] ;;
    cosign)
      seen=$("$2" version 2>/dev/null) && [[ $seen =~ GitVersion:\ *v3\.[1-9] ]] ;;
    actionlint)
      seen=$("$2" --version 2>/dev/null) && [[ $seen =~ ^v?1\.[7-9]\. ]] ;;
  esac
}

# Sets `found` to the path of NAME $1, already described, or to nothing.
find_one() {
  found=''
  local candidate
  if [ -n "$program" ]; then
    candidate=${KUBEBUILDER_ASSETS:+$KUBEBUILDER_ASSETS/$program}
    if [ -n "$candidate" ] && [ -x "$candidate" ] && fits "$1" "$candidate"; then found=$candidate; return; fi
    while read -r candidate; do
      if fits "$1" "$candidate"; then found=$candidate; return; fi
    done < <(type -ap "$program" || true)
  fi
  if [ -x "$cache/$file" ]; then found=$cache/$file; fi
}

build() {
  local started=$SECONDS
  # Not local: when the script is stopped it is still asked for.
  partial=$cache/.partial-$file
  command -v go >/dev/null || {
    say "$1 is missing and no Go is here to build it: install Go 1.26 (https://go.dev/dl), then run \`make control-plane\`"
    exit 1
  }
  mkdir -p "$cache"
  if command -v flock >/dev/null; then
    exec 9>"$cache/.lock-$file"
    flock --nonblock 9 || { say "$1: another run is building it, waiting…"; flock 9; }
    if [ -x "$cache/$file" ]; then exec 9>&-; return; fi
  fi
  say "building ${file%-"$version"*} $version ($purpose) from its Go module: about $takes on two cores, once per machine…"
  trap 'rm -f "$partial"' EXIT
  (cd "$here/$folder" && GOWORK=off GOFLAGS='' go build -mod=readonly -trimpath -buildvcs=false ${tags:+-tags "$tags"} \
    -ldflags="$stamp" -o "$partial" "$package") >&2
  mv "$partial" "$cache/$file"
  trap - EXIT
  if command -v flock >/dev/null; then exec 9>&-; fi
  say "built ${file%-"$version"*} $version in $((SECONDS - started)) s"
}

check=no
if [ "${1:-}" = --check ]; then check=yes; shift; fi
[ $# -gt 0 ] || set -- "${everything[@]}"
[ "$*" != nodes ] || set -- "${nodes[@]}"
[ "$*" != matrix ] || set -- "${matrix[@]}"

missing=()
for name in "$@"; do
  describe "$name"
  find_one "$name"
  if [ -z "$found" ] && [ "$check" = no ]; then
    build "$name"
    found=$cache/$file
  fi
  if [ -n "$found" ]; then printf '%s=%s\n' "$name" "$found"; else missing+=("$name"); fi
done
if [ ${#missing[@]} -gt 0 ]; then
  say "missing: ${missing[*]}; get it with \`make control-plane\`"
  exit 1
fi
