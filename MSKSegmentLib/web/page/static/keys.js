// Single keys work wherever no widget takes letters itself; the server decides what they do.
(function () {
  const BUTTONS = ["checkbox", "radio", "range", "button", "submit", "reset", "file", "color"];
  const FIELDS = "input" + BUTTONS.map((type) => `:not([type=${type}])`).join("") + ", textarea, select, option";
  const ROLES = ["textbox", "searchbox", "combobox", "spinbutton", "listbox"].map((role) => `[role=${role}]`);
  const TYPING = [FIELDS, "[contenteditable]:not([contenteditable=false])", ...ROLES].join(", ");
  const NAMES = new Set(["n", "a", "e", "s", "u", "d", "r", "h", "?", "1", "2", "p", "x", "z", "y", "j", "k", "ArrowDown", "ArrowUp", "Escape", "[", "]"]);

  function keyOf(event) {
    if (event.altKey) return "";
    if (event.ctrlKey || event.metaKey) {
      const key = event.key.toLowerCase();
      return key === "z" || key === "y" ? (event.shiftKey && key === "z" ? "y" : key) : "";
    }
    return NAMES.has(event.key) ? event.key : "";
  }

  window.addEventListener("keydown", (event) => {
    const key = keyOf(event);
    const trame = window.trame;
    if (!key || !trame || !trame.state) return;
    // While an input method composes a character, its keys are nobody else's.
    if (event.isComposing || event.defaultPrevented) return;
    // The true target, also inside a component with a shadow tree of its own.
    const target = event.composedPath()[0] || event.target;
    if (key !== "Escape" && target.closest && target.closest(TYPING)) return;
    const arrow = key.startsWith("Arrow");
    // Arrows scroll and move sliders elsewhere; in the table they change the row.
    if (arrow && !(target.closest && target.closest("#results-table"))) return;
    if ((key === "z" || key === "y") && !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (key === "?") return trame.state.set("dialog", "keys");
    if (key === "h") trame.state.set("dialog", "history");
    if (key === "Escape" && trame.state.get("dialog")) return trame.state.set("dialog", "");
    trame.trigger("key", [key]);
  });

  // The selected row stays in sight, and has the focus when the table has it.
  function showRow() {
    const row = document.getElementById("row-" + window.trame.state.get("selected"));
    if (!row) return;
    row.scrollIntoView({ block: "nearest" });
    const focused = document.activeElement;
    if (focused && focused.closest("#results-table tbody")) row.focus({ preventScroll: true });
  }

  const waiting = window.setInterval(() => {
    if (!window.trame || !window.trame.state || !window.trame.state.addListener) return;
    window.clearInterval(waiting);
    window.trame.state.addListener(({ type, keys }) => {
      if (type === "dirty-state" && keys.includes("selected")) window.setTimeout(showRow, 30);
    });
  }, 100);

  // A menu closes when something else is clicked.
  window.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target) || event.target.closest("a")) menu.removeAttribute("open");
    }
  });
})();
