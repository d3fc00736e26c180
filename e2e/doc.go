// Package e2e tests the built server from the outside, with what its users connect
// to it: WebRTC peers, browsers, proxies, and SSE clients of other authors. It is a
// module of its own, so the server does not depend on any of that.
//
//	make e2e                installs what is missing, if apt can, and runs all tests
//	make e2e GROUP=storm    runs one group
//	go test -run NAME       runs some tests, in this folder
//
// The server is built once, and each test starts a process of it. With -race that
// process looks for races as well. Everything happens on the loopback interface.
//
// The name of its file says which group a test belongs to:
//
//	group     proves                                             needs            takes
//	browser_  the browser client and the pages work in each      Chromium, npm,   180 s
//	          browser, and withstand attacks                     Firefox, WebKit
//	cluster_  three nodes are one server by each rule of the     Chromium         130 s
//	          protocol, and whichever node, NATS server or
//	          link fails; a call goes on, webhooks arrive
//	flood_    an attacker takes no more than its share of        Linux, 12,000    170 s
//	          memory, sockets and time; a school gets all        open files
//	          that it needs
//	peers_    WebRTC peers and another author's SSE client       -                10 s
//	          meet through the server
//	product_  what users get works: the binary by itself, the    Chromium, npm,   60 s
//	          documents' examples, the npm package, the          root (chroot),
//	          generated SDKs, the bot, the hooks for React, the  Prometheus
//	          dashboard and the alerts; what was written for
//	          the last release works as before
//	proxies_  the server keeps its promises through each proxy,  the proxies,     155 s
//	          and each proxy has the limits that                 coturn, npm
//	          docs/deployment.md names; its recipes work
//	storm_    what is accepted arrives once and in order         root, iproute2,  100 s
//	          through a network that fails in every way, and     iptables
//	          a network that vanishes is noticed in time
//
// The times are those of one group alone on two cores that also did other work, with
// warm caches. Groups overlap, since most tests wait most of the time: all of them take
// about 12 minutes. Only the attacks run by themselves, because they measure times. The
// files harness_ are what several groups share: the server, a small client, the browsers
// and their pages, and proxies that fail.
//
// A test runs in Chromium, or by inEachBrowser in Chromium, Firefox and WebKit. WebKit
// is that of Debian's WebKitGTK, whose build has no WebRTC. docs/clients.md lists the
// oldest browsers: the tests of them read all scripts and styles at their level, and take
// from Chromium what they lack.
//
// Variables:
//
//	REQUIRE_BROWSER=1   fail instead of skip if a browser is not installed
//	REQUIRE_PROXIES=1   fail instead of skip if a proxy is not installed
//	REQUIRE_PROMETHEUS=1
//	                    fail instead of skip if Prometheus is not installed
//	REQUIRE_NODE=1      fail instead of skip if there is no npm
//	REQUIRE_NETNS=1     fail instead of skip if no network namespace can be made
//	ALL_FAULTS=1        run each row of the tables of faults, and each browser, instead of a third
//	SHOTS_DIR=folder    take screenshots of the pages into that folder
//	FAULTS_SEED, FAULTS_CLIENTS, FAULTS_FOR
//	                    repeat, enlarge or lengthen the storm; FAULTS_SEED also repeats the
//	                    faults of the cluster
//	CLUSTER_EVENTS=1000000
//	                    let the cluster fail until that many events were accepted
//	CLUSTER_REPORTS=folder
//	                    write the cluster's report into that folder
package e2e
