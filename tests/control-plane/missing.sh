#!/usr/bin/env bash
# Says in one line what this machine lacks to run two nodes (see README.md), and how to get it; nothing if all is there.
set -euo pipefail

lacks=() packages=()
need() { # PROGRAM PACKAGE
  command -v "$1" >/dev/null || { lacks+=("$1"); packages+=("$2"); }
}

[ "$(uname -s)" = Linux ] || { echo "nodes need Linux, this is $(uname -s)"; exit; }
[ "$(id -u)" = 0 ] || lacks+=("root")
need containerd containerd
need ctr containerd
need runc runc
need ip iproute2
need nsenter util-linux
need unshare util-linux
need mount mount
[ -x /usr/lib/cni/bridge ] || { lacks+=("the CNI plugin bridge"); packages+=(containernetworking-plugins); }
if [ ${#lacks[@]} -eq 0 ] && ! unshare --mount --net --pid --fork --kill-child --mount-proc true 2>/dev/null; then
  lacks+=("the right to make namespaces")
fi
[ ${#lacks[@]} -gt 0 ] || exit 0
line="missing: $(printf '%s, ' "${lacks[@]}")"
line=${line%, }
[ ${#packages[@]} -eq 0 ] || line+="; get it with \`apt-get install $(printf '%s\n' "${packages[@]}" | sort -u | paste -sd' ')\`"
echo "$line"
