// Writes figures and times for people.

const whole = new Intl.NumberFormat("en");
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const hundredths = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const absolute = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
const timeOfDay = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

export const count = (value) => whole.format(value);

export const rate = (value) => (value < 100 ? tenths : whole).format(value);

export function seconds(value) {
  if (value >= 1) return `${tenths.format(value)} s`;
  const milliseconds = value * 1000;
  const format = milliseconds < 10 ? hundredths : milliseconds < 100 ? tenths : whole;
  return `${format.format(milliseconds)} ms`;
}

export const megabytes = (value) => `${tenths.format(value / 2 ** 20)} MB`;

export const clock = (milliseconds) => timeOfDay.format(milliseconds);

export const moment = (iso) => absolute.format(new Date(iso));

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000], ["second", 1000]];

export function ago(iso) {
  const past = Math.max(0, Date.now() - Date.parse(iso));
  const [unit, size] = UNITS.find(([, size]) => past >= size) ?? UNITS[UNITS.length - 1];
  return relative.format(-Math.floor(past / size), unit);
}

// The program and the system, from a User-Agent header.
export function client(userAgent) {
  const [, edge] = userAgent.match(/Edg\/(\d+)/) ?? [];
  const [, firefox] = userAgent.match(/Firefox\/(\d+)/) ?? [];
  const [, chrome] = userAgent.match(/(?:Headless)?Chrome\/(\d+)/) ?? [];
  const [, safari] = userAgent.match(/Version\/(\d+)[\d.]* .*Safari/) ?? [];
  const [, system] = userAgent.match(/(Android|iPhone|iPad|Windows|Macintosh|CrOS|Linux)/) ?? [];
  const browser = edge ? `Edge ${edge}` : firefox ? `Firefox ${firefox}` : chrome ? `Chrome ${chrome}` : safari ? `Safari ${safari}` : null;
  if (browser) return system ? `${browser}, ${system.replace("Macintosh", "macOS")}` : browser;
  return userAgent.split(" ")[0].slice(0, 40);
}
