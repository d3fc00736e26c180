// Draws the contract. Everything comes from this server, and everything that is
// tried is sent to it: the page may ask no other (see its policy).
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
