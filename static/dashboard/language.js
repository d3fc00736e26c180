// Runs before uPlot, which writes numbers in the language of the browser. uPlot does not start if
// Intl does not know that language, such as “C” or an empty one.
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { configurable: true, value: "en" });
}
