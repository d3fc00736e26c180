// Draws the contract. All files come from this server, and all requests that people try go to
// it: the page's policy allows no other server.
globalThis.Scalar.createApiReference("#reference", {
  url: "/openapi.yaml",
  withDefaultFonts: false,
  telemetry: false,
  proxyUrl: "",
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: "never",
  hideClientButton: true,
  documentDownloadType: "none",
  theme: "none",
  forceDarkModeState: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light",
  hideDarkModeToggle: true,
  defaultHttpClient: { targetKey: "shell", clientKey: "curl" },
  defaultOpenFirstTag: true,
  metaData: { title: "Reference · signaling-server" },
});
