// Writes figures and times for people. Intl is not used: a browser without it, or with a language or a
// time zone that Intl does not know, would show nothing.

const upTo = (digits) => (value) => value.toLocaleString("en", { maximumFractionDigits: digits });
const whole = upTo(0);
const tenths = upTo(1);
const hundredths = upTo(2);

export const count = whole;

export const rate = (value) => (value < 100 ? tenths : whole)(value);

export function seconds(value) {
  if (value >= 1) return `${tenths(value)} s`;
  const milliseconds = value * 1000;
  const format = milliseconds < 10 ? hundredths : milliseconds < 100 ? tenths : whole;
  return `${format(milliseconds)} ms`;
}

export const megabytes = (value) => `${tenths(value / 2 ** 20)} MB`;

// The local time: 16:05:09.
export const clock = (milliseconds) => new Date(milliseconds).toTimeString().slice(0, 8);

export const moment = (iso) => `${new Date(iso).toDateString()}, ${clock(Date.parse(iso))}`;

/** @type {[string, number][]} */
const UNITS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];

export const ago = (iso) => before(Date.now() - Date.parse(iso));

// How long ago something was, from the milliseconds since.
export function before(past) {
  const [unit, size] = UNITS.find(([, size]) => past >= size) ?? [];
  return size ? `${Math.floor(past / size)} ${unit} ago` : "now";
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
