package doctor

// Line is what an operator writes into the configuration of a proxy, or removes there.
type Line struct {
	Proxy  string `json:"proxy"`
	Place  string `json:"place"` // the block that the line belongs to
	Text   string `json:"text"`
	Remove bool   `json:"remove,omitempty"`
}

// fault is what a proxy may do wrong, as docs/deployment.md names it. A test compares the
// lines with its table.
type fault string

const (
	faultBuffering   fault = "events come late, or all at once"
	faultIdle        fault = "idle streams are cut"
	faultCompression fault = "answers are compressed"
	faultHTTP2       fault = "browsers get no HTTP/2"
	faultChain       fault = "the chain is incomplete"
	faultCORS        fault = "headers of CORS are doubled"
)

var lines = map[fault][]Line{
	faultBuffering: {
		{"nginx", "location", "proxy_buffering off;", false},
		{"HAProxy", "backend", "option http-no-delay", false},
		{"Caddy", "reverse_proxy", "flush_interval -1", false},
		{"Traefik", "loadBalancer", "responseForwarding: {flushInterval: -1ms}", false},
	},
	faultIdle: {
		{"nginx", "location", "proxy_read_timeout 1h;", false},
		{"HAProxy", "defaults", "timeout client 1h", false},
		{"HAProxy", "defaults", "timeout server 1h", false},
		{"Caddy", "transport http", "read_timeout 1h", false},
		{"Traefik", "transport", "respondingTimeouts: {writeTimeout: 0s}", false},
	},
	faultCompression: {
		{"nginx", "location", "gzip off;", false},
		{"HAProxy", "backend", "compression algo gzip", true},
		{"Caddy", "site", "encode gzip", true},
		{"Traefik", "compress", "excludedContentTypes: [text/event-stream]", false},
	},
	faultHTTP2: {
		{"nginx", "server", "listen 443 ssl http2;", false},
		{"HAProxy", "frontend", "bind :443 ssl crt /etc/ssl/signaling/signaling.pem alpn h2,http/1.1", false},
		{"Caddy", "servers", "protocols h1 h2 h3", false},
		{"Traefik", "tls.options", "default: {alpnProtocols: [h2, http/1.1]}", false},
	},
	faultChain: {
		{"nginx", "server", "ssl_certificate /etc/ssl/signaling/fullchain.pem;", false},
		{"HAProxy", "frontend", "bind :443 ssl crt /etc/ssl/signaling/signaling.pem alpn h2,http/1.1", false},
		{"Caddy", "site", "tls /etc/ssl/signaling/fullchain.pem /etc/ssl/signaling/privkey.pem", false},
		{"Traefik", "tls.certificates", "certFile: /etc/ssl/signaling/fullchain.pem", false},
	},
	faultCORS: {
		{"nginx", "location", "add_header Access-Control-Allow-Origin *;", true},
		{"HAProxy", "backend", "http-response add-header Access-Control-Allow-Origin *", true},
		{"Caddy", "site", "header Access-Control-Allow-Origin *", true},
		{"Traefik", "headers", "accessControlAllowOriginList: [\"*\"]", true},
	},
}
