.PHONY: control-plane bench
control-plane: ## Get the programs the API server tests need, building what is not here
	tests/control-plane/get.sh

# What the two peers need is fetched once; the benchmark itself reads no network.
BENCH_GO := $(CURDIR)/target/bench/go-stdlib
BENCH_KUBE := $(CURDIR)/target/bench/kube-axum/release/kube-axum

bench: ## Compare what a review costs, ours beside others, into docs/performance.md (QUICK=1: under a minute, prints only)
	mkdir -p target/bench docs
	-cd benches/peers/go-stdlib && GOFLAGS=-mod=mod go build -o $(BENCH_GO) .
	-cargo build --release --locked --manifest-path benches/peers/kube-axum/Cargo.toml --target-dir target/bench/kube-axum
	BENCH_GO=$(BENCH_GO) BENCH_KUBE=$(BENCH_KUBE) cargo bench --bench compare -- \
		$(if $(QUICK),--quick,--write=$(CURDIR)/docs/performance.md)
