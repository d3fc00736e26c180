# In /etc/varnish/default.vcl, in place of its backend.
# The lines that begin with #mend are optional: see docs/deployment.md, "What was measured".
backend default {
    .host = "127.0.0.1";
    .port = "3002";
}
#mend sub vcl_recv { if (req.http.Accept ~ "text/event-stream") { return (pipe); } }
