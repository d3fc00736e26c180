// The proxy that older development servers put before a backend: webpack-dev-server, Vue CLI,
// http-proxy-middleware 2. It leads to the server that the argument names, and prints its own
// address.
import http from "node:http";
import httpProxy from "http-proxy";

const proxy = httpProxy.createProxyServer({ target: process.argv[2] });
proxy.on("error", (_error, _request, response) => response.destroy());
const server = http.createServer((request, response) => proxy.web(request, response));
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
