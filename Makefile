# make check            lint and the unit tests
# make test             everything that CI runs; installs browsers and proxies if apt can
# make e2e GROUP=storm  one group of the end-to-end tests: see e2e/doc.go
# make client           build the browser client, after its sources have changed
# make manifests        checks what deploy has for Docker Compose, Kubernetes, Helm and systemd
# make bench            the figures of docs/performance.md
# make dist             the binaries of a release, with what is in them, licences and checksums
# make freeze-contract  record openapi.yaml as the released contract that later versions are compared with
# make run              the server, on port 3002
# make cluster          three nodes as one server, behind a proxy on port 3002

GO         ?= go
# A number of tries, not a time: at the end of a time Go's fuzzing sometimes fails
# with "context deadline exceeded", and nothing is wrong.
FUZZTIME   ?= 5000x
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The race detector needs a C compiler.
RACE := $(if $(shell command -v gcc || command -v clang),-race)

CHECK_STATICALLY = GOFLAGS="$$($(GO) env GOFLAGS) $(RACE)" $(GO) run -race=false $(STATICCHECK)

# What the tests of proxies and dead links run, beside browsers.
PROXIES = nginx libnginx-mod-stream haproxy apache2 varnish caddy squid coturn
NETWORK = iproute2 iptables
# What judges the alerts, and is asked what the dashboard asks.
WATCHERS = prometheus

.PHONY: test check vulnerabilities lint scripts english platforms unit fuzz e2e manifests faults installs browsers proxies client bench dist freeze-contract run cluster test-cluster-long

# Downloads wait for the network, and the first end-to-end tests wait for clocks. So they run
# beside what computes.
test:
	$(MAKE) -j2 check installs
	$(MAKE) fuzz
	$(MAKE) -j2 manifests e2e
	@echo "All tests passed."

# One after the other, since both compute.
check:
	$(MAKE) lint
	$(MAKE) unit

# Needs the vulnerability database: vuln.go.dev, or a copy at GOVULNDB, with which
# it is a part of the tests.
vulnerabilities:
	$(GO) run $(GOVULNCHECK) $(if $(GOVULNDB),-db $(GOVULNDB)) ./...

# Vet and staticcheck look at what the unit tests compile: without -race, all that
# it needs would be compiled a second time.
lint: scripts english platforms $(if $(GOVULNDB),vulnerabilities)
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "Not formatted (run gofmt -w):"; echo "$$unformatted"; exit 1; }
	$(GO) vet $(RACE) ./...
	cd e2e && $(GO) vet $(RACE) ./...
	cd examples/go-bot && $(GO) vet $(RACE) ./...
	cd examples/webhooks && $(GO) vet ./...
	$(CHECK_STATICALLY) ./...
	cd e2e && $(CHECK_STATICALLY) ./...
	cd examples/go-bot && $(CHECK_STATICALLY) ./...
	cd examples/webhooks && $(CHECK_STATICALLY) ./...
	@command -v npm >/dev/null || test "$$REQUIRE_NODE" = 1 || { echo "npm is missing, so browser/dist is not compared with browser/src."; exit 0; }; \
		built=$$(mktemp -d) && browser/build.sh "$$built" && diff -rq "$$built" browser/dist; \
		same=$$?; rm -rf "$$built"; test "$$same" = 0 || { echo "browser/dist is not of browser/src (run make client)"; exit 1; }

# Other systems have other files and other sizes of int.
platforms:
	$(GO) run ./internal/platforms windows/amd64 darwin/arm64 linux/arm64 linux/386

# Finds the turns of phrase that are hard to read: see CONTRIBUTING.md.
english:
	$(GO) run ./internal/plainenglish

# Checks the types of all JavaScript: the client's sources and the pages' scripts.
scripts:
	@if command -v npm >/dev/null || test "$$REQUIRE_NODE" = 1; then \
		$(MAKE) -s browser/node_modules && cd browser && npx --no-install tsc; \
	else \
		echo "npm is missing, so the JavaScript is not checked. Install Node.js 20 or newer."; \
	fi

browser/node_modules: browser/package-lock.json
	cd browser && npm ci --no-audit --no-fund && touch node_modules

client: browser/node_modules
	browser/build.sh browser/dist

# Many tests wait, so one package more than there are processors.
unit:
	$(GO) test $(RACE) -vet=off -p $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) ./...

fuzz:
	STREAM_LINK=parked $(GO) test ./sse -run '^$$' -fuzz FuzzParseEventID -fuzztime $(FUZZTIME)
	STREAM_LINK=parked $(GO) test ./sse -run '^$$' -fuzz FuzzAStream -fuzztime $(FUZZTIME)
	STREAM_LINK=parked $(GO) test ./sse -run '^$$' -fuzz FuzzASnapshot -fuzztime $(FUZZTIME)
	$(GO) test ./cmd/signaling-server/doctor -run '^$$' -fuzz FuzzFrames -fuzztime $(FUZZTIME)
	$(GO) test ./webhooks -run '^$$' -fuzz FuzzReadJournal -fuzztime $(FUZZTIME)
	$(GO) test ./httpapi/decode -run '^$$' -fuzz FuzzDecodeEvent -fuzztime $(FUZZTIME)
	$(GO) test ./httpapi/decode -run '^$$' -fuzz FuzzParseDocument -fuzztime $(FUZZTIME)
	$(GO) test ./httpapi/decode -run '^$$' -fuzz FuzzScan -fuzztime $(FUZZTIME)
	$(GO) test ./access -run '^$$' -fuzz 'FuzzVerify$$' -fuzztime $(FUZZTIME)
	$(GO) test ./access -run '^$$' -fuzz FuzzVerifySigned -fuzztime $(FUZZTIME)
	$(GO) test ./access -run '^$$' -fuzz FuzzReadKeySet -fuzztime $(FUZZTIME)
	$(GO) test ./httpapi/clientip -run '^$$' -fuzz FuzzOf -fuzztime $(FUZZTIME)
	$(GO) test ./httpapi/conns -run '^$$' -fuzz FuzzFieldLines -fuzztime $(FUZZTIME)
	$(GO) test ./httpapi/conns -run '^$$' -fuzz FuzzReadPlain -fuzztime $(FUZZTIME)
	$(GO) test ./httpapi/origins -run '^$$' -fuzz FuzzParse -fuzztime $(FUZZTIME)
	$(GO) test ./httpapi/excerpt -run '^$$' -fuzz FuzzOf -fuzztime $(FUZZTIME)
	$(GO) test ./rooms -run '^$$' -fuzz FuzzRestore -fuzztime $(FUZZTIME)
	$(GO) test ./machine -run '^$$' -fuzz FuzzReadRecord -fuzztime $(FUZZTIME)
	$(GO) test ./iceservers -run '^$$' -fuzz FuzzParse -fuzztime $(FUZZTIME)
	$(GO) test ./cmd/signaling-load -run '^$$' -fuzz FuzzAnswer -fuzztime $(FUZZTIME)

# The name of its file says which group a test belongs to.
group = "^($$(sed -n 's/^func \(Test[A-Za-z0-9]*\).*/\1/p' $(1)*_test.go | paste -sd '|'))$$"
ifdef GROUP
ifeq ($(wildcard e2e/$(GROUP)*_test.go),)
$(error there is no group $(GROUP): e2e/doc.go lists the groups)
endif
endif

# On two cores that do other work as well, the tests may take twice as long. Go does not know that
# they start the server, and would repeat a result from before its last change.
TEST_E2E = cd e2e && $(GO) test $(RACE) -vet=off -count=1 -timeout 30m

# Attacks measure times, so no other tests run beside them.
e2e: installs
ifdef GROUP
	$(TEST_E2E) -run $(call group,$(GROUP)) .
else
	$(TEST_E2E) -skip $(call group,flood) ./...
	$(TEST_E2E) -run $(call group,flood) .
endif

# Go would take a result from its cache although a file outside the module has changed.
# The types of Kubernetes take long to compile: neither the race detector nor vet repeats that, and
# without optimizations it takes a third less.
manifests:
	cd deploy/check && $(GO) test -vet=off -gcflags='all=-N -l' -gcflags=std= -count=1 .

# Runs each row of the tables of what a browser may lack, and each test in each browser. The other
# targets run a third.
faults: browsers
	cd e2e && ALL_FAULTS=1 $(GO) test $(RACE) -vet=off -timeout 60m .

# Lets a cluster fail until a million events were accepted.
test-cluster-long:
	cd e2e && CLUSTER_EVENTS=1000000 $(GO) test -vet=off -timeout 11h -run WhateverFails -v .

# apt installs one thing at a time.
installs: browsers
	$(MAKE) proxies

# Without a browser its tests are skipped, and say so. WebKit's browser needs a display.
browsers:
	@missing=; \
	command -v chromium-headless-shell chromium chromium-browser google-chrome >/dev/null || missing="chromium-headless-shell fonts-liberation"; \
	command -v firefox-esr >/dev/null || missing="$$missing firefox-esr"; \
	command -v WebKitWebDriver >/dev/null || missing="$$missing webkit2gtk-driver"; \
	command -v Xvfb >/dev/null || missing="$$missing xvfb"; \
	if test -z "$$missing"; then :; \
	elif command -v apt-get >/dev/null && test "$$(id -u)" = 0; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends $$missing; \
	else \
		echo "Not all browsers are installed, and they cannot be installed here: their tests will be skipped. Missing: $$missing"; \
	fi

# Without a proxy or Prometheus its tests are skipped, and say so. The packages would start
# services of their own, which policy-rc.d forbids meanwhile.
proxies:
	@dpkg -s $(PROXIES) $(NETWORK) $(WATCHERS) >/dev/null 2>&1 || \
	if command -v apt-get >/dev/null && test "$$(id -u)" = 0; then \
		apt-get update -qq && sh e2e/proxies/install.sh $(PROXIES) $(NETWORK) $(WATCHERS); \
	else \
		echo "Not all proxies are installed, or Prometheus is not, and they cannot be installed here: their tests will be skipped."; \
	fi

# FIGURES="-figures event,batch" measures two figures of the whole server: see -h of
# internal/bench. The benchmarks of single steps follow.
bench:
	$(GO) run ./internal/bench $(FIGURES)
	$(GO) test ./rooms ./machine -run '^$$' -bench . -benchtime 500ms
	$(GO) test ./httpapi ./httpapi/decode -run '^$$' -bench . -count 5

# The same sources, commit and Go give the same bytes on every machine. So neither tags nor
# the depth of the clone count, and no setting of Go, which an empty GOFLAGS would leave as it is.
DIST      ?= dist
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64
# Empty if this folder is not a clone. For an archive of the sources, write COMMIT=….
COMMIT    ?= $(shell test -e .git && commit=$$(git rev-parse HEAD) && echo $$commit$$(test -z "$$(git status --porcelain)" || echo -modified))
LINKING    = -s -w -X signaling-server/internal/version.commit=$(COMMIT)

dist:
	@mkdir -p $(DIST) && rm -f $(DIST)/signaling-server-* $(DIST)/SHA256SUMS
	@for platform in $(PLATFORMS); do \
		system=$${platform%/*}; architecture=$${platform#*/}; name=signaling-server-$$system-$$architecture; \
		test $$system != windows || name=$$name.exe; \
		GOFLAGS=-buildvcs=false GOWORK=off CGO_ENABLED=0 GOAMD64=v1 GOARM64=v8.0 GOOS=$$system GOARCH=$$architecture $(GO) build -trimpath -ldflags="$(LINKING)" -o $(DIST)/$$name ./cmd/signaling-server || exit 1; \
	done
	@GOFLAGS=-buildvcs=false GOWORK=off $(GO) run -ldflags="$(LINKING)" ./internal/dist $(DIST)
	@cat $(DIST)/SHA256SUMS

freeze-contract:
	cp openapi.yaml e2e/testdata/released.yaml

run:
	$(GO) run ./cmd/signaling-server

cluster:
	cd e2e && $(GO) run ./cluster
