// Says on the page what keeps the page from working: a file that did not load, a browser that is
// too old, or an error that nothing has caught. This is a classic script in old JavaScript, so that
// it runs in every browser.
(function () {
  "use strict";

  // The first trouble explains those that follow.
  function say(text) {
    if (!document.body) {
      document.addEventListener("DOMContentLoaded", function () { say(text); });
      return;
    }
    if (document.querySelector(".trouble")) return;
    var place = document.createElement("p");
    place.className = "trouble";
    place.setAttribute("role", "alert");
    place.textContent = text;
    document.body.insertBefore(place, document.querySelector("main, #reference"));
  }

  // An extension's errors are not the page's.
  function isOurs(text) {
    return String(text).indexOf(location.origin) >= 0;
  }

  function sayError(message) {
    say("A part of this page does not work in this browser: " + message);
  }

  if (!("noModule" in HTMLScriptElement.prototype)) say("This browser is too old for this page. Use a newer browser.");

  addEventListener("error", function (event) {
    var target = /** @type {any} */ (event.target);
    var file = target.src || target.href;
    if (file) {
      if (isOurs(file)) say("A part of this page did not load: " + file.replace(location.origin, "") + ". Reload the page, or ask your administrator to let the file through.");
    } else if (isOurs(event.filename) && !/^ResizeObserver loop/.test(event.message)) { // which does no harm
      sayError(event.message);
    }
  }, true);

  addEventListener("unhandledrejection", function (event) {
    if (event.reason && isOurs(event.reason.stack)) sayError(event.reason.message);
  });
})();
