# make test    everything that CI runs; installs Chromium where apt can
# make client  the browser client, after its sources have changed
# make bench   the figures of the README
# make release takes the contract for released: the next must tell by its version what has changed
# make run     the server, on port 3002

GO         ?= go
# A number of tries, not a time: at the end of a time Go's fuzzing sometimes fails
# with "context deadline exceeded", and nothing is wrong.
FUZZTIME   ?= 20000x
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The race detector needs a C compiler.
RACE := $(if $(shell command -v gcc || command -v clang),-race)

# What the tests of proxies and dead links run, beside a browser.
PROXIES = nginx haproxy apache2 varnish caddy squid
NETWORK = iproute2 iptables

.PHONY: test vulnerabilities lint scripts unit fuzz e2e browser proxies client bench release run

test: lint unit fuzz e2e
	@echo "All tests passed."

# Needs the vulnerability database: vuln.go.dev, or a copy at GOVULNDB, with which
# it is a part of the tests.
vulnerabilities:
	$(GO) run $(GOVULNCHECK) $(if $(GOVULNDB),-db $(GOVULNDB)) ./...

lint: scripts $(if $(GOVULNDB),vulnerabilities)
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "Not formatted (run gofmt -w):"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	cd e2e && $(GO) vet ./...
	cd examples/go-bot && $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	cd e2e && $(GO) run $(STATICCHECK) ./...
	cd examples/go-bot && $(GO) run $(STATICCHECK) ./...
	@built=$$(mktemp -d) && browser/build.sh "$$built" && diff -rq "$$built" browser/dist; \
		same=$$?; rm -rf "$$built"; test "$$same" = 0 || { echo "browser/dist is not of browser/src (run make client)"; exit 1; }

# Checks the types of all JavaScript: the client's sources and the pages' scripts.
scripts:
	@if command -v npm >/dev/null || test "$$REQUIRE_NODE" = 1; then \
		$(MAKE) -s browser/node_modules && cd browser && npx --no-install tsc; \
	else \
		echo "npm is missing, so the JavaScript is not checked. Install Node.js 20 or newer."; \
	fi

browser/node_modules: browser/package-lock.json
	cd browser && npm ci --no-audit --no-fund && touch node_modules

client:
	browser/build.sh browser/dist

unit:
	$(GO) test $(RACE) ./...

fuzz:
	$(GO) test ./sse -run '^$$' -fuzz FuzzParseEventID -fuzztime $(FUZZTIME)
	$(GO) test ./httpapi/decode -run '^$$' -fuzz FuzzDecodeEvent -fuzztime $(FUZZTIME)
	$(GO) test ./httpapi/decode -run '^$$' -fuzz FuzzScan -fuzztime $(FUZZTIME)
	$(GO) test ./access -run '^$$' -fuzz 'FuzzVerify$$' -fuzztime $(FUZZTIME)
	$(GO) test ./access -run '^$$' -fuzz FuzzVerifySigned -fuzztime $(FUZZTIME)
	$(GO) test ./httpapi/clientip -run '^$$' -fuzz FuzzOf -fuzztime $(FUZZTIME)
	$(GO) test ./iceservers -run '^$$' -fuzz FuzzParse -fuzztime $(FUZZTIME)

e2e: browser proxies
	cd e2e && $(GO) test $(RACE) -timeout 15m ./...

# Without a browser the tests that need one are skipped, and say so.
browser:
	@command -v chromium-headless-shell chromium chromium-browser google-chrome >/dev/null || \
	if command -v apt-get >/dev/null && test "$$(id -u)" = 0; then \
		apt-get update -q && apt-get install -yq --no-install-recommends chromium-headless-shell fonts-liberation; \
	else \
		echo "There is no Chromium here, and no way to install it: browser tests will be skipped."; \
	fi

# Without a proxy its tests are skipped, and say so. The packages would start
# services of their own, which policy-rc.d forbids meanwhile.
proxies:
	@dpkg -s $(PROXIES) $(NETWORK) >/dev/null 2>&1 || \
	if command -v apt-get >/dev/null && test "$$(id -u)" = 0; then \
		apt-get update -q && sh e2e/proxies/install.sh $(PROXIES) $(NETWORK); \
	else \
		echo "Not all proxies are here, and there is no way to install them: their tests will be skipped."; \
	fi

bench:
	$(GO) test ./rooms -run '^$$' -bench . -benchtime 500ms
	$(GO) test ./httpapi ./httpapi/decode -run '^$$' -bench . -count 5

release:
	cp openapi.yaml e2e/testdata/released.yaml

run:
	$(GO) run ./cmd/signaling-server
