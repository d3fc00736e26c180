package doctor

// What to change. Each text is in docs/deployment.md, or the page /doctor says the same: it
// asks somebody else to do it. A test compares them.
const (
	nothing = "Nothing to change."

	// Names, addresses and encryption
	correctRecords  = "Correct the records of ${host} in DNS: each address in them must lead to the server."
	letPortThrough  = "Start the server, and let port ${port} through the firewalls before it."
	renew           = "Renew the certificate, and let the program that ends TLS load it."
	nameHost        = "Get a certificate that names ${host}."
	serveChain      = "Serve the whole chain: the certificate of the server first, then that of each authority that signed it."
	trustedOnly     = "Get a certificate from an authority that browsers trust, such as Let's Encrypt."
	newerTLS        = "Allow TLS 1.2 and 1.3: browsers refuse older versions."
	endTLS          = "End TLS at this port, in the proxy or by TLS_CERT and TLS_KEY, or write http in the URL."
	serveHTTPS      = "Serve this address by HTTPS. Browsers give camera and microphone only to pages by https and on localhost, and proxies can change what is not encrypted."
	checkOwnClock   = "Set this device's clock by the network."
	serversClock    = "If other devices see the same difference, set the server's clock by the network."
	passwordsExpire = "Passwords with a time limit, such as those of TURN servers, may be refused."

	// Who answers
	writeHTTPS  = "Write https in the URL."
	useFinalURL = "Use the URL of the server itself: a redirect loses what clients post."
	leadThere   = "Start the server, and let the proxy lead to it."
	correctURL  = "Correct the URL, or let the proxy lead to the server."

	// Headers and protocols
	letGet           = "Let GET requests to ${address} through."
	keepHeaders      = "Leave the ${header} ${names} in requests to ${address} unchanged. The server learns from them which client asks, and where its stream continues."
	keepCacheControl = "Leave the header Cache-Control in answers of ${address} unchanged. It keeps streams out of caches and buffers."
	keepAnswers      = "Leave ${names} in answers of ${address} unchanged."
	uncompress       = "Turn off compression of text/event-stream from ${address}. Compression collects events before it passes them on."
	unstore          = "Do not store answers of ${address}. They say Cache-Control: no-store."
	isObeyed         = "Nothing to change if live streams work: nginx takes this header out when it obeys it."
	proxiesName      = "Nothing to change: proxies name themselves in this way."
	anyTabs          = "Nothing to change: calls work in any number of tabs."
	passHTTP2        = "Nothing to change if people open up to five tabs. For more, let HTTP/2 through to browsers."
	serveHTTP2       = "Nothing to change if people open up to five tabs. For more, serve this address by HTTPS and HTTP/2."

	// The ways down and up
	simplestWay    = "Nothing to change: this is the simplest way."
	heldBackWay    = "Nothing to change: pages can use it if the stream by GET is held back."
	slowestWay     = "Nothing to change: pages can use it if streams are held back."
	unbuffer       = "Pass on each piece of an answer of ${address} at once: no response buffering, no virus scan of text/event-stream."
	uninspect      = "Let ${address} through without inspection: even short answers are held back."
	uncut          = "Do not cut long answers of ${address}${path}."
	letThrough     = "Let ${request} at ${address} through."
	mendSending    = "Mend the sending first, as the finding about it says. Then measure again."
	again          = "Measure again in a minute."
	keepToken      = "Leave the header Authorization in requests to ${address}. It says which client sends them."
	letPost        = "Let POST ${address}/events with the content type application/json through."
	rareFailures   = "Nothing to change if this is rare: pages repeat a request that got no answer, with the same Idempotency-Key."
	slowSending    = "Nothing to change in the network. Pages should send events that wait as one batch (/events/batch), because each request takes long."
	oneServer      = "If the proxy leads to several servers, make them one by CLUSTER_URL."
	mendStreams    = "Mend the live streams first, as their findings say. Then measure again."
	raiseIdle      = "Raise the idle timeout for ${address} to 60 s or more."
	lowerHeartbeat = "If that is not possible, set HEARTBEAT_INTERVAL well below ${borne}."
	lowerWait      = "Heartbeats every ${heartbeat} keep live streams open, but long polling waits for 25 s: pages can set “wait” to less than ${borne}."
	lateEnough     = "Nothing to change: heartbeats come every ${heartbeat}, and long polling waits for 25 s."
	neverIdle      = "Nothing to change: the server sends a heartbeat every ${heartbeat}, so no stream is idle for so long."
	waitLonger     = "Let the test run longer than the ${heartbeat} between two heartbeats, to be sure that streams stay open."
	fewTests       = "Measure again in a minute: the server allows only a few of these tests at once."

	// Rooms and pages
	giveToken     = "Nothing to change. To try a room, give an access token in ACCESS_TOKEN."
	acceptedToken = "Issue an access token that the server accepts, and that has not expired."
	listOrigin    = "Add ${origin} to CORS_ORIGIN: only pages of the origins in that list may use the server."
	serverAnswers = "Let requests by OPTIONS, and the headers Access-Control-… of answers, through: the server answers for pages."
	addNothing    = "Let no proxy add headers Access-Control-…, because browsers refuse two of them: the server sends them."

	// STUN and TURN
	nameServers = "Name a STUN and a TURN server (ICE_SERVERS), so that people in different networks can call each other. Both are parts of coturn."
	turnWorks   = "Nothing to change: if two people have no direct way to each other, a TURN server passes sound and picture on."
	stunWorks   = "Nothing to change. A TURN server would help people in stricter networks."
	letTURN     = "Let UDP and TCP to the TURN server through. If that is not possible, offer TURN over TLS on port 443."
	letSTUN     = "Let UDP to the STUN server (port 3478) through. If that is not possible, offer TURN over TLS on port 443."
	shareSecret = "Set TURN_SECRET to the static-auth-secret of the TURN server, and set the clocks of both servers by the network."
	letRelay    = "Let UDP 49152 to 65535 to the TURN server through, and allow it to relay to its own address."
	moreRoom    = "Raise the limits of the TURN server: it lends no more addresses."
	notTried    = "Open the page /doctor in a browser: this program cannot try it."
)
