package e2e

// product is a proxy as people run it: a Debian package with the configuration that it
// ships, and the lines in proxies/ that lead to the server.
type product struct {
	name    string
	pkg     string
	command []string // the program, with the arguments that keep it in the foreground
	config  string   // the configuration that the package ships; empty: the lines are the whole configuration
	lines   string   // the file in proxies/ with the added lines, if any
	recipe  string   // the block of docs/deployment.md with the added lines, in place of such a file
	socket  edit     // what leads the lines to a Unix socket, as docs/deployment.md says
	edits   []edit   // what turns both into the configuration of an instance
	env     []string
	path    string // below which it serves the server, if not the root
	forward bool   // users set it in their clients; all other proxies are in front of the server
	isTLS   bool   // clients reach it by https, as signaling.example.com
}

// edit replaces a part of a configuration. That part must be there exactly once, so the
// test notices if a package ships another configuration. The test fills in <folder>
// (the folder of the instance, with the files of a certificate), <address> and <port> (on
// which it listens), <plain> (another free port), <server-port>, and <lines> (the added
// lines).
type edit struct{ old, new string }

// The edits give an instance its own port and folder, and remove what only root may do.
// They change no setting that concerns the traffic.
var (
	nginx = product{
		name: "nginx", pkg: "nginx",
		command: []string{"/usr/sbin/nginx", "-c", "<folder>/config", "-e", "stderr", "-g", "daemon off;"},
		config:  "/etc/nginx/nginx.conf",
		lines:   "nginx.conf",
		edits: []edit{
			{"user www-data;\n", ""},
			{"pid /run/nginx.pid;", "pid <folder>/pid;"},
			{"error_log /var/log/nginx/error.log;\n", ""},
			{"access_log /var/log/nginx/access.log;", "access_log <folder>/access;"},
			{"http {\n", "http {\n\tclient_body_temp_path <folder>/body;\n\tproxy_temp_path <folder>/proxy;\n" +
				"\tfastcgi_temp_path <folder>/fastcgi;\n\tuwsgi_temp_path <folder>/uwsgi;\n\tscgi_temp_path <folder>/scgi;\n"},
			{"include /etc/nginx/sites-enabled/*;\n", "<lines>"},
			{"listen 80;", "listen <address>;"},
		},
	}
	haproxy = product{
		name: "HAProxy", pkg: "haproxy",
		command: []string{"/usr/sbin/haproxy", "-db", "-f", "<folder>/config"},
		config:  "/etc/haproxy/haproxy.cfg",
		lines:   "haproxy.cfg",
		edits: []edit{
			{"\tlog /dev/log\tlocal0\n", "\tlog stderr local0\n"},
			{"\tlog /dev/log\tlocal1 notice\n", ""},
			{"\tchroot /var/lib/haproxy\n", ""},
			{"\tstats socket /run/haproxy/admin.sock mode 660 level admin\n", ""},
			{"\tuser haproxy\n\tgroup haproxy\n\tdaemon\n", ""},
			{"haproxy/errors/504.http\n", "haproxy/errors/504.http\n<lines>"},
			{"bind :80\n", "bind <address>\n"},
		},
	}
	apache = product{
		name: "Apache", pkg: "apache2",
		command: []string{"/usr/sbin/apache2", "-DFOREGROUND", "-f", "<folder>/config"},
		config:  "/etc/apache2/apache2.conf",
		lines:   "apache.conf",
		edits: []edit{
			{"\nInclude ports.conf\n", "\nListen <address>\nServerName localhost\n"},
			{"\nIncludeOptional mods-enabled/*.load\n", "\nIncludeOptional mods-enabled/*.load\n" + // as a2enmod does
				"Include mods-available/proxy.load\nInclude mods-available/proxy_http.load\nInclude mods-available/proxy.conf\n"},
			{"\nIncludeOptional sites-enabled/*.conf\n", "\n<lines>"},
			{"<VirtualHost *:80>", "<VirtualHost *:<port>>"},
		},
		env: []string{"APACHE_RUN_USER=nobody", "APACHE_RUN_GROUP=nogroup", "APACHE_PID_FILE=<folder>/pid",
			"APACHE_RUN_DIR=<folder>", "APACHE_LOCK_DIR=<folder>", "APACHE_LOG_DIR=<folder>"},
	}
	varnish = product{
		name: "Varnish", pkg: "varnish",
		command: []string{"/usr/sbin/varnishd", "-F", "-f", "<folder>/config", "-s", "malloc,256m", // as its service has it
			"-a", "<address>", "-n", "<folder>/work", "-j", "none"},
		config: "/etc/varnish/default.vcl",
		lines:  "varnish.vcl",
		edits: []edit{
			{"backend default {\n    .host = \"127.0.0.1\";\n    .port = \"8080\";\n}\n", "<lines>"},
			{`.port = "3002";`, `.port = "<server-port>";`},
		},
	}
	caddy = product{
		name: "Caddy", pkg: "caddy",
		command: []string{"/usr/bin/caddy", "run", "--config", "<folder>/config", "--adapter", "caddyfile"},
		config:  "/etc/caddy/Caddyfile",
		lines:   "Caddyfile",
		edits: []edit{
			{"\n:80 {\n", "\n{\n\tadmin off\n\tdefault_bind 127.0.0.1\n}\n\n:<port> {\n"},
			{"\t# reverse_proxy localhost:8080\n", "<lines>"},
		},
		env: []string{"HOME=<folder>"},
	}
	squid = product{
		name: "Squid", pkg: "squid",
		command: []string{"/usr/sbin/squid", "-N", "-f", "<folder>/config"},
		config:  "/etc/squid/squid.conf",
		edits: []edit{
			{"\nhttp_port 3128\n", "\nhttp_port <address>\nvisible_hostname localhost\npid_filename none\n" +
				"cache_log <folder>/log\naccess_log <folder>/access\nnetdb_filename none\n"},
			{"\ncoredump_dir /var/spool/squid\n", "\ncoredump_dir <folder>\n"},
			// Tunnels lead to servers that listen on port 443. A test's server does
			// not.
			{"\nacl SSL_ports port 443\n", "\nacl SSL_ports port 1025-65535\n"},
		},
		forward: true,
	}
)
