module signaling-server-webhooks

go 1.26.8
