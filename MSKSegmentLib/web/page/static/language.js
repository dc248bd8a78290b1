// The page's language: the one chosen here before, or the browser's. The server translates; it has one language for all browsers.
(function () {
  "use strict";
  const KEPT = "mskseg-language";

  function kept() {
    try {
      return window.localStorage.getItem(KEPT);
    } catch (error) {
      return null; // Storage may be forbidden.
    }
  }

  function speak(code) {
    try {
      window.localStorage.setItem(KEPT, code);
    } catch (error) {
      // The choice then lasts as long as the page.
    }
    window.trame.trigger("speak", [code]);
  }

  window.mskseg = Object.assign(window.mskseg || {}, { speak });
  const started = window.setInterval(() => {
    const trame = window.trame;
    if (!trame || !trame.state || !trame.state.addListener) return;
    window.clearInterval(started);
    const mark = () => (document.documentElement.lang = trame.state.get("language") || "en");
    trame.state.addListener(({ type, keys }) => {
      if (type === "dirty-state" && keys.includes("language")) mark();
    });
    mark();
    // Whoever only watches does not change the words of whoever works.
    if (!trame.state.get("watching")) trame.trigger("first_language", [kept() || window.navigator.language]);
  }, 100);
})();
