// Draws the contract. All files come from this server, and all requests that people try go to
// it: the page's policy allows no other server.
async function draw() {
  const response = await fetch("../openapi.yaml");
  if (!response.ok) throw new Error(`/openapi.yaml answered ${response.status}`);
  const contract = await response.text();
  if (!contract.startsWith("openapi:")) throw new Error("/openapi.yaml was answered by something else");
  globalThis.Scalar.createApiReference("#reference", {
    content: contract,
    servers: [{ url: new URL("..", location.href).href.slice(0, -1) }], // a proxy may serve it below a path
    withDefaultFonts: false,
    telemetry: false,
    proxyUrl: "",
    agent: { disabled: true },
    mcp: { disabled: true },
    showDeveloperTools: "never",
    hideClientButton: true,
    documentDownloadType: "none",
    theme: "none",
    forceDarkModeState: window.matchMedia?.("(prefers-color-scheme: dark)").matches ? "dark" : "light",
    hideDarkModeToggle: true,
    defaultHttpClient: { targetKey: "shell", clientKey: "curl" },
    defaultOpenFirstTag: true,
    onLoaded: () => document.getElementById("without")?.remove(),
    metaData: { title: "Reference · signaling-server" },
  });
}

const giveUp = (failure) => {
  const text = document.getElementById("without-text");
  if (!text) return; // it is drawn
  console.info("The reference cannot be drawn:", failure.message);
  text.textContent = "The reference cannot be drawn here.";
};

draw().catch(giveUp);
// Scalar reports its own failures in the console only. It removes the text if it draws late.
setTimeout(giveUp, 15_000, new Error("it takes too long"));
