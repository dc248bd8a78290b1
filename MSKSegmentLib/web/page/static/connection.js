// Says so when the server has gone, and loads the page again when only the connection was interrupted.
(function () {
  "use strict";
  const EVERY_MS = 3000;
  const SENTENCE =
    "The review has ended, or was started again with a new address. Every change up to the last stroke is saved: open the address " +
    "that 'mskseg review' prints.";
  let failures = 0;

  // trame puts the text #interrupted in the page's place when its connection has gone, and does not connect again by itself.
  function tell() {
    const place = document.getElementById("interrupted");
    if (place && !place.dataset.ended) {
      place.dataset.ended = "yes";
      place.textContent = SENTENCE;
    }
  }

  async function look() {
    try {
      const reply = await fetch("alive", { cache: "no-store" });
      failures = reply.ok ? 0 : 2;
      if (reply.ok && document.getElementById("interrupted")) window.location.reload();
    } catch (error) {
      failures += 1;
    }
    if (failures > 1) tell();
    setTimeout(look, EVERY_MS);
  }

  // Calls that were under way when the connection closed, as while the page is loaded again: nothing that a page must complain of.
  const NOT_OPEN = -32099;
  window.addEventListener("unhandledrejection", (event) => {
    if (event.reason && event.reason.code === NOT_OPEN) event.preventDefault();
  });

  setTimeout(look, EVERY_MS);
})();
