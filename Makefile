# What a developer or user types. `make help` lists it; every target works on a fresh machine with Rust and Go.

CARGO ?= cargo
# The architecture of the image, as containers call it. Another than this machine's needs Rust's target and a linker for it (hack/build.sh).
ARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,amd64)
IMAGE ?= cni-steward:dev

# A folder with the manifests and reviews that AWS and real API servers produce, if one is beside the project.
CNI_STEWARD_REAL_DATA ?= $(abspath $(wildcard ../shared/data))
export CNI_STEWARD_REAL_DATA

# Writes the table that a script prints between the marks of that name on a page: SCRIPT, NAME, PAGE.
define write-table
$(1) --table >target/$(2).md
sed -i -e '/<!-- $(2) -->/,/<!-- end of $(2) -->/{/<!-- $(2) -->/{p;r target/$(2).md' -e '};/<!-- end of $(2) -->/!d}' $(3)
endef

.DEFAULT_GOAL := help

.PHONY: help
help: ## Say what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## Build and run the server on this machine, with a certificate authority of its own
	@echo "building cni-steward (a few minutes the first time)…" >&2
	$(CARGO) run --release --locked --quiet -- serve --standalone --policy examples/adopt.yaml

.PHONY: test
test: check control-plane chart ## Formatting, lints, and all tests, those on real API servers included
	PROPTEST_RNG_SEED=$${PROPTEST_RNG_SEED:-20260101} CNI_STEWARD_REQUIRE=control-plane,$$CNI_STEWARD_REQUIRE $(CARGO) test --workspace --locked

.PHONY: check
check: ## Formatting and lints
	$(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --test record --locked -- -D warnings

.PHONY: dist
dist: ## The static binary, as it goes into the image: dist/ARCH/cni-steward
	@echo "building the static cni-steward for $(ARCH) (a few minutes the first time)…" >&2
	@CARGO="$(CARGO)" hack/build.sh $(ARCH) dist/$(ARCH)/cni-steward

.PHONY: image
image: dist ## The image, by docker, podman or buildah where one works; as an archive: dist/ARCH/cni-steward.tar
	@hack/image.sh $(IMAGE) Dockerfile dist/$(ARCH)/cni-steward $(ARCH) dist/$(ARCH)/cni-steward.tar $(BUILDER)

.PHONY: release-tools
release-tools: ## Get what a release is made with: Debian's compilers for ARM (as root), crates, Helm and cosign; the only step that needs the network
	@CARGO="$(CARGO)" hack/release/tools.sh >/dev/null

.PHONY: release
release: ## Make release VERSION=x of this commit in dist/x, offline: programs, images, chart, SBOMs, provenance, signatures (many minutes)
	@CARGO="$(CARGO)" hack/release.sh "$(VERSION)"

.PHONY: release-check
release-check: ## Show that dist/x is what it says: make it again elsewhere and compare, spoil it, run it, follow its page (VERSION=x)
	@CARGO="$(CARGO)" hack/release/check.sh "$(VERSION)"

.PHONY: release-lint
release-lint: ## What can be known of a release without making one: workflow, lists of crates, image layout (needs jq)
	@CARGO="$(CARGO)" hack/release/lint.sh

.PHONY: chart
chart: ## Lint the chart with both Helms, run its unit tests, and test its alerts if promtool is here
	@tests/chart.sh

.PHONY: chart-docs
chart-docs: ## Write anew what the chart has from elsewhere: README's table from the schema, CEL from the program
	CNI_STEWARD_WRITE=yes $(CARGO) test --locked --quiet --test chart -- readme expressions

# Into target/book; mdBook is built once if it is not here.
.PHONY: docs
docs: ## The pages in docs/ as a site, in target/book (installs mdBook with cargo if it is not here: minutes)
	@command -v mdbook >/dev/null || $(CARGO) install --locked --quiet mdbook
	mdbook build

.PHONY: man
man: ## The manual pages, into dist/man
	@mkdir -p dist/man
	CNI_STEWARD_MAN=$(CURDIR)/dist/man $(CARGO) test --locked --quiet --test shells -- man::

.PHONY: deny
deny: ## Licences, sources and bans of the dependencies (needs cargo-deny)
	$(CARGO) deny --locked check bans licenses sources

.PHONY: coverage
coverage: ## Which lines of the pure rooms no fast test runs, held to docs/coverage.md (needs LLVM's tools; ten minutes)
	@hack/coverage.sh

.PHONY: mutants
mutants: ## Change the rooms that decide, place by place: do tests notice? SHARD=0/12 for every twelfth (needs cargo-mutants; hours)
	@hack/mutants.sh $${SHARD:-0/1}

.PHONY: mutants-docs
mutants-docs: ## Write what all mutants tried on this machine came to into docs/coverage.md
	$(call write-table,hack/mutants.sh,mutants,docs/coverage.md)

.PHONY: break-laws
break-laws: ## Break each law on purpose and show which test notices, into docs/laws.md (half an hour; CNI_STEWARD_LAW=9 for one law)
	@tests/control-plane/get.sh >/dev/null
	CNI_STEWARD_REQUIRE=control-plane $(CARGO) test --locked --quiet --test break_laws -- --ignored --nocapture

.PHONY: demo
demo: ## The whole story on real API servers, before and after, on one screen
	@tests/control-plane/get.sh kube-apiserver-1.36 etcd kubectl helm-3 helm-4 >/dev/null
	@echo "building cni-steward…" >&2
	@$(CARGO) test --locked --quiet --test demo

.PHONY: control-plane
control-plane: ## Get the programs the API server tests need, building what is not here
	@tests/control-plane/get.sh >/dev/null

.PHONY: test-node
test-node: ## The image and the chart on two real nodes without CNI (Linux, root, containerd, runc); left out in one line elsewhere
	@missing=$$(tests/control-plane/missing.sh); \
	if [ -z "$$missing" ]; then $(MAKE) --no-print-directory test-node-here; \
	elif echo ",$$CNI_STEWARD_REQUIRE," | grep -q ,nodes,; then echo "nodes: $$missing" >&2; exit 1; \
	else echo "nodes: all tests left out; $$missing" >&2; fi

.PHONY: test-node-here
test-node-here: image
	@tests/control-plane/get.sh kube-apiserver-1.36 etcd kubectl helm-3 helm-4 >/dev/null
	@tests/control-plane/get.sh nodes >/dev/null
	CNI_STEWARD_REQUIRE=control-plane,nodes CNI_STEWARD_IMAGE=$(CURDIR)/dist/$(ARCH)/cni-steward.tar \
	CNI_STEWARD_REVIEWS=$${CNI_STEWARD_REVIEWS:-10000} $(CARGO) test --locked --test nodes

# Those on two nodes too, where nodes can run. The page names what was left out.
.PHONY: reliability
reliability: control-plane ## Each of the 67 faults of docs/reliability.md, by the tests that make it happen; writes that page (half an hour)
	@[ -n "$$(tests/control-plane/missing.sh)" ] || { $(MAKE) --no-print-directory image && tests/control-plane/get.sh nodes >/dev/null; }
	PROPTEST_RNG_SEED=$${PROPTEST_RNG_SEED:-20260101} CNI_STEWARD_IMAGE=$(CURDIR)/dist/$(ARCH)/cni-steward.tar \
	CNI_STEWARD_REVIEWS=$${CNI_STEWARD_REVIEWS:-5000} CNI_STEWARD_SOAK_MINUTES=$${CNI_STEWARD_SOAK_MINUTES:-2} \
	$(CARGO) test --locked --quiet --test reliability

# What else is needed than for `make test` is built the first time: five minutes for each API server.
.PHONY: matrix
matrix: ## Each Kubernetes from 1.24 to 1.37 with six Helms, old and new, into docs/compatibility.md (half an hour; the first time two)
	@tests/control-plane/get.sh kube-apiserver-1.24 kube-apiserver-1.30 kube-apiserver-1.36 etcd kubectl helm-3 helm-4 >/dev/null
	@tests/control-plane/get.sh matrix >/dev/null
	$(CARGO) test --locked --quiet --test matrix -- --ignored --nocapture

.PHONY: matrix-ends
matrix-ends: ## The oldest and the newest Kubernetes of it with the newest Helms, as CI does; writes nothing
	@tests/control-plane/get.sh kube-apiserver-1.24 kube-apiserver-1.37 etcd kubectl helm-3 helm-4 >/dev/null
	CNI_STEWARD_MATRIX="1.24 1.37 helm-3 helm-4" $(CARGO) test --locked --quiet --test matrix -- --ignored --nocapture

.PHONY: oracle
oracle: ## Field ownership against Go itself at full size: a million pairs of sets, 50 000 sequences of writes (hours)
	@tests/control-plane/get.sh oracle-sets oracle-writes >/dev/null
	CNI_STEWARD_REQUIRE=control-plane \
	CNI_STEWARD_ORACLE_PAIRS=$${CNI_STEWARD_ORACLE_PAIRS:-1000000} \
	CNI_STEWARD_ORACLE_SEQUENCES=$${CNI_STEWARD_ORACLE_SEQUENCES:-50000} \
	$(CARGO) test --locked --release --test oracle

# The steps and the pairs are drawn from CNI_STEWARD_SEED (7 without it).
.PHONY: sequences
sequences: ## Random writes by EKS, Helm and kubectl on real API servers: 200 sequences on 1.36 and on 1.24 (an hour)
	@tests/control-plane/get.sh >/dev/null
	CNI_STEWARD_REQUIRE=control-plane CNI_STEWARD_SEQUENCES=$${CNI_STEWARD_SEQUENCES:-200} \
	$(CARGO) test --locked --test cluster -- sequences::

.PHONY: rotations
rotations: dist ## 10 000 reviews at 200 a second through rotations, hand-overs and a deleted Secret, on a real API server (two minutes)
	@tests/control-plane/get.sh kube-apiserver-1.36 etcd kubectl >/dev/null
	CNI_STEWARD_REQUIRE=control-plane CNI_STEWARD_REVIEWS=$${CNI_STEWARD_REVIEWS:-10000} CNI_STEWARD_BINARY=$(BENCH_OURS) \
	$(CARGO) test --locked --test cluster -- trust::no_review_is_lost --nocapture

.PHONY: forecast
forecast: ## The forecast of Helm's answer against Helm 3 and Helm 4: 300 pairs of live and rendered state (minutes)
	@tests/control-plane/get.sh >/dev/null
	CNI_STEWARD_REQUIRE=control-plane CNI_STEWARD_PAIRS=$${CNI_STEWARD_PAIRS:-300} \
	$(CARGO) test --locked --test cluster -- pairs::

# What the two peers are built from is fetched once; the benchmark itself reads no network. PROFILE=0 takes no new profile, which
# needs a build of its own.
BENCH_GO := $(CURDIR)/target/bench/go-stdlib
BENCH_KUBE := $(CURDIR)/target/bench/kube-axum/release/kube-axum
BENCH_PROFILE := $(CURDIR)/target/bench/profile.md
# Ours is measured as it is in the image.
BENCH_OURS := $(CURDIR)/dist/$(ARCH)/cni-steward
export BENCH_GO BENCH_KUBE BENCH_OURS

.PHONY: bench
bench: bench-peers dist ## What a review costs, ours beside others, into docs/performance.md (QUICK=1: a minute or two, prints only)
	@mkdir -p docs
	@tests/control-plane/get.sh kube-apiserver-1.36 etcd kubectl >/dev/null
	@$(if $(QUICK)$(filter 0,$(PROFILE)),,rm -f $(BENCH_PROFILE); $(MAKE) --no-print-directory profile || true)
	$(CARGO) bench --locked --bench compare -- \
		$(if $(QUICK),--quick,--profile=$(BENCH_PROFILE) --write=$(CURDIR)/docs/performance.md)

.PHONY: bench-peers
bench-peers:
	@mkdir -p target/bench
	@echo "building what the benchmark compares with…" >&2
	cd benches/peers/go-stdlib && GOFLAGS=-mod=mod go build -o $(BENCH_GO) .
	$(CARGO) build --release --locked --quiet --manifest-path benches/peers/kube-axum/Cargo.toml --target-dir target/bench/kube-axum

# The same code with symbols, in a folder of its own.
.PHONY: profile
profile: ## Where the CPU of a review goes, function by function (needs perf; Debian: linux-perf)
	@command -v perf >/dev/null || { echo "make profile: no perf here; Debian has it in linux-perf" >&2; exit 1; }
	@mkdir -p target/bench
	env -u BENCH_OURS CARGO_PROFILE_BENCH_STRIP=false CARGO_PROFILE_BENCH_DEBUG=1 CARGO_PROFILE_RELEASE_STRIP=false CARGO_PROFILE_RELEASE_DEBUG=1 \
		$(CARGO) bench --locked --bench compare --target-dir target/profile -- --write-profile=$(BENCH_PROFILE)

# Instrumented as cargo-fuzz does it with `--sanitizer none`: that much a stable compiler can do.
FUZZ_FLAGS = -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=4 -C llvm-args=-sanitizer-coverage-inline-8bit-counters \
	-C llvm-args=-sanitizer-coverage-pc-table -C llvm-args=-sanitizer-coverage-trace-compares
FUZZ_TRIPLE := $(shell uname -m)-unknown-linux-gnu
FUZZ = target/fuzz/$(FUZZ_TRIPLE)/fuzz/fuzz

# A target is named although it is this machine's: only then do the flags leave build scripts alone.
.PHONY: fuzz
fuzz: ## Any input whatever, at every way in: MINUTES=10 for all targets together, or TARGETS="decide socket" (needs a C++ compiler)
	@echo "building the fuzz targets (a few minutes the first time)…" >&2
	RUSTFLAGS='$(FUZZ_FLAGS)' $(CARGO) build --locked --quiet --profile fuzz --target $(FUZZ_TRIPLE) --target-dir target/fuzz \
		-p cni-steward-fuzz --features libfuzzer --bin fuzz
	@fuzz/run.sh $${MINUTES:-10} $(FUZZ) $(TARGETS)

.PHONY: fuzz-docs
fuzz-docs: ## Write what all fuzzing on this machine came to into docs/fuzzing.md
	$(call write-table,fuzz/run.sh,runs,docs/fuzzing.md)

.PHONY: soak
soak: dist ## Mixed load with faults on a real API server, MINUTES=60: memory and descriptors stay flat, nothing fails
	@tests/control-plane/get.sh kube-apiserver-1.36 etcd kubectl helm-4 >/dev/null
	CNI_STEWARD_REQUIRE=control-plane CNI_STEWARD_SOAK_MINUTES=$${MINUTES:-60} CNI_STEWARD_BINARY=$(BENCH_OURS) \
	$(CARGO) test --locked --test cluster -- soak:: --nocapture

# The map is asked for in a second link of the same code.
.PHONY: layout
layout: dist ## Find anew which functions a server calls, for hack/layout.ld: they lie together in memory (needs valgrind, python3)
	@mkdir -p target/layout
	@tests/control-plane/get.sh kube-apiserver-1.36 etcd kubectl >/dev/null
	CARGO="$(CARGO)" hack/build.sh $(ARCH) target/layout/cni-steward -C link-arg=-Wl,-Map=$(CURDIR)/target/layout/map
	hack/layout.sh target/layout/cni-steward target/layout/map

.PHONY: record
record: ## Record anew the reviews in tests/fixtures/reviews, from real API servers
	@tests/control-plane/get.sh >/dev/null
	$(CARGO) test --locked --quiet --test record

.PHONY: clean
clean: ## Remove what was built here (not the cache of control-plane programs)
	$(CARGO) clean
