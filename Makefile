# The commands of this project. CI calls the same names.
# Everything expensive is kept outside the checkout, in $(NETPROOF_CACHE).

SHELL := bash
NETPROOF_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/netproof
export NETPROOF_CACHE
export CARGO_TARGET_DIR ?= $(NETPROOF_CACHE)/target

.PHONY: help lab demo demo-down test faults e2e lint fuzz bench crds

help:
	@echo 'make test       unit, property and loopback tests: no cluster, no root, no network'
	@echo 'make lab        the main job in seconds, on networks of this machine: no cluster, no Docker'
	@echo 'make demo       the main job, on a real cluster of its own'
	@echo 'make demo-down  removes what demo and e2e made (PURGE=1: the cache too)'
	@echo 'make faults     every fault on every case in the lab, and its other tests'
	@echo 'make e2e        tests on that cluster'
	@echo 'make lint       formatting, clippy, licences, purity, names, shell scripts, alerts'
	@echo 'make fuzz       hostile policies and files, for a minute'
	@echo 'make bench      benchmarks'
	@echo 'make crds       writes deploy/crds anew from crds/'

test:
	.ci/test.sh

lab:
	e2e/lab.sh

faults:
	.ci/faults.sh

demo:
	e2e/demo.sh

demo-down:
	e2e/cluster/down.sh $(if $(PURGE),--purge)

e2e:
	e2e/run.sh

lint:
	.ci/lint.sh

fuzz:
	.ci/fuzz.sh

bench:
	cargo bench -p netproof-probe --bench attempts
	cargo bench -p netproof-conformance --bench evaluation
	cargo bench -p netproof-manifests --bench parsing

crds:
	cargo run -q -p netproof-crds --example yaml -- deploy/crds
