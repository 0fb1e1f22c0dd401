#!/usr/bin/env bash
# Builds the static program for one architecture: the same bytes in every folder, under every home.
#
#   build.sh amd64|arm64 OUT [FLAG OF RUSTC FOR THE LAST STEP…]
#
# What it says of itself beside its version is $CNI_STEWARD_BUILD. The compiler is the one that rust-toolchain.toml pins, if that has
# the target's standard library; else Debian's, which has other architectures' as packages:
#   dpkg --add-architecture arm64; apt-get install rustc-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu
# `--compiler` only prints which, with the C compiler that links.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }

only=no
if [ "$1" = --compiler ]; then only=yes; shift; fi
arch=$1 out=${2:-}
shift $(($# < 2 ? $# : 2))
case $arch in
  amd64) cpu=x86_64 ;;
  arm64) cpu=aarch64 ;;
  *) say "build.sh: no architecture $arch; there are amd64 and arm64"; exit 2 ;;
esac
triple=$cpu-unknown-linux-gnu

has_target() {
  command -v "$1" >/dev/null && compgen -G "$("$1" --print sysroot)/lib/rustlib/$triple/lib/libstd-*.rlib" >/dev/null
}
rustc=''
for candidate in ${RUSTC:+"$RUSTC"} rustc /usr/bin/rustc; do
  if has_target "$candidate"; then rustc=$candidate; break; fi
done
[ -n "$rustc" ] || {
  say "build.sh: no Rust here has the standard library for $triple; get it with \`rustup target add $triple\`, or on Debian:"
  say "  dpkg --add-architecture $arch; apt-get update; apt-get install rustc-web libstd-rust-web-dev:$arch gcc-$cpu-linux-gnu"
  exit 1
}
cc=cc
[ "$(uname -m)" = "$cpu" ] || cc=$cpu-linux-gnu-gcc
command -v "$cc" >/dev/null || { say "build.sh: no $cc here to link with; Debian has it in gcc-$cpu-linux-gnu"; exit 1; }
if [ "$only" = yes ]; then
  printf '%s\n%s\n%s\n' "$("$rustc" --version)" "$("$cc" --version | head -1)" "$("$cc" -Wl,--version 2>/dev/null | head -1)"
  exit
fi

flags=(-C target-feature=+crt-static)
# Every x86 machine since 2009 counts bits in one instruction (Rust's own default is from 2003): a tenth of a large review's cost.
[ "$arch" != amd64 ] || flags+=(-C target-cpu=x86-64-v2)
# Relocations of a position-independent program, packed: 0.4 MB less in the file, and in memory from the start on (glibc 2.36,
# binutils 2.38).
flags+=(-C "link-arg=-Wl,-z,pack-relative-relocs")
# Relative to the workspace, where rustc runs: as a whole path it would be part of every symbol's hash.
flags+=(-C "link-arg=-Wl,-T,hack/layout.ld")
# Where sources lie is told in panics.
flags+=("--remap-path-prefix=$PWD=/cni-steward" "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo")

target=${CARGO_TARGET_DIR:-target}
# Cargo does not know what the linker reads.
[ ! hack/layout.ld -nt "$target/$triple/release/cni-steward" ] || touch src/main.rs
underscored=${triple//-/_}
# A target is named although it may be this machine's: only then do the flags leave build scripts alone.
env RUSTC="$rustc" CARGO_ENCODED_RUSTFLAGS="$(IFS=$'\x1f'; printf %s "${flags[*]}")" \
  "CC_$underscored=$cc" "CARGO_TARGET_${underscored^^}_LINKER=$cc" \
  "${CARGO:-cargo}" rustc --release --locked --bin cni-steward --target "$triple" -- "$@"
install -D -m 0755 "$target/$triple/release/cni-steward" "$out"
size=$(wc -c <"$out")
[ "$size" -le 8000000 ] || { say "$out has $size bytes; 8 MB is the limit"; exit 1; }
