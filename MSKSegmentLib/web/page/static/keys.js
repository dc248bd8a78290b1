// Single keys work wherever no widget takes letters itself; the server decides what they do.
(function () {
  const BUTTONS = ["checkbox", "radio", "range", "button", "submit", "reset", "file", "color"];
  const FIELDS = "input" + BUTTONS.map((type) => `:not([type=${type}])`).join("") + ", textarea, select, option";
  const ROLES = ["textbox", "searchbox", "combobox", "spinbutton", "listbox"].map((role) => `[role=${role}]`);
  const TYPING = [FIELDS, "[contenteditable]:not([contenteditable=false])", ...ROLES].join(", ");
  const NAMES = new Set(["n", "a", "b", "c", "e", "s", "u", "d", "r", "h", "o", "t", "?", "1", "2", "p", "x", "z", "y", "j", "k", "Escape", "[", "]"]);
  const SLICES = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 };
  const MODIFIERS = ["Shift", "Control", "Alt", "Meta", "Tab"];
  // The slice view that the mouse was in last.
  let view = "Red";
  let waiting = 0;
  let moving = false;

  function keyOf(event) {
    if (event.altKey) return "";
    if (event.ctrlKey || event.metaKey) {
      const key = event.key.toLowerCase();
      return key === "z" || key === "y" ? (event.shiftKey && key === "z" ? "y" : key) : "";
    }
    return NAMES.has(event.key) ? event.key : "";
  }

  // A key that is held repeats faster than slices are drawn: what has gathered meanwhile is one step.
  async function move() {
    if (moving) return;
    moving = true;
    while (waiting) {
      const by = waiting;
      waiting = 0;
      await window.trame.trigger("slice", [view, by]);
    }
    moving = false;
  }

  // True when the key was an arrow or a page key, and did something.
  function slices(event, target) {
    const by = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey ? 0 : SLICES[event.key];
    const within = (where) => target.closest && target.closest(where);
    if (!by || window.trame.state.get("view_page") !== "case" || within("input[type=range], .dialog, .menu, .reasons")) return false;
    if (within("#table-scroll")) {
      if (!within("#results-table") || !event.key.startsWith("Arrow") || event.key.endsWith("t")) return false;
      window.trame.trigger("key", [event.key === "ArrowDown" ? "j" : "k"]);
    } else {
      waiting += by;
      move();
    }
    return true;
  }

  // While it captures: a view that has the focus would hand the same keys to VTK, which has uses of its own for them.
  window.addEventListener("keydown", (event) => {
    const target = event.composedPath()[0] || event.target;
    if (target.closest && target.closest(".view") && !target.closest("input") && !MODIFIERS.includes(event.key)) event.stopPropagation();
    answer(event, target);
  }, true);

  function answer(event, target) {
    const trame = window.trame;
    if (!trame || !trame.state) return;
    // While an input method composes a character, its keys are nobody else's.
    if (event.isComposing || event.defaultPrevented) return;
    if (event.key !== "Escape" && target.closest && target.closest(TYPING)) return;
    if (slices(event, target)) return event.preventDefault();
    const key = keyOf(event);
    if (!key || ((key === "z" || key === "y") && !(event.ctrlKey || event.metaKey))) return;
    event.preventDefault();
    if (key === "?") return trame.state.set("dialog", "keys");
    if (key === "h") trame.state.set("dialog", "history");
    if (key === "Escape" && trame.state.get("dialog")) return trame.state.set("dialog", "");
    trame.trigger("key", [key]);
  }

  window.addEventListener("pointerover", (event) => {
    const over = event.target.closest && event.target.closest(".view[data-view]");
    if (over) view = over.dataset.view;
  });

  // The pictures that the server draws come without words: each gets them as it enters the page, not only once it has come.
  new MutationObserver((changes) => {
    for (const node of changes.flatMap((change) => [...change.addedNodes])) {
      if (node.nodeType !== Node.ELEMENT_NODE) continue;
      for (const image of node.matches("img") ? [node] : node.querySelectorAll("img")) {
        const where = image.closest(".view");
        if (where && !image.alt) image.alt = where.dataset.words;
      }
    }
  }).observe(document, { childList: true, subtree: true });

  // The selected row stays in sight, and has the focus when the table has it.
  function showRow() {
    const row = document.getElementById("row-" + window.trame.state.get("selected"));
    if (!row) return;
    row.scrollIntoView({ block: "nearest" });
    const focused = document.activeElement;
    if (focused && focused.closest("#results-table tbody")) row.focus({ preventScroll: true });
  }

  // A dialog takes the focus, keeps it inside, and gives it back.
  let before = null;
  function showDialog() {
    const dialog = document.querySelector(".dialog");
    if (dialog && !dialog.contains(document.activeElement)) {
      before = document.activeElement;
      dialog.focus();
    } else if (!dialog && before) {
      before.focus();
      before = null;
    }
  }
  window.addEventListener("focusin", (event) => {
    const dialog = document.querySelector(".dialog");
    if (dialog && !dialog.contains(event.target)) dialog.focus();
  });

  const started = window.setInterval(() => {
    if (!window.trame || !window.trame.state || !window.trame.state.addListener) return;
    window.clearInterval(started);
    window.trame.state.addListener(({ type, keys }) => {
      if (type === "dirty-state" && keys.includes("selected")) window.setTimeout(showRow, 30);
      if (type === "dirty-state" && keys.includes("dialog")) window.setTimeout(showDialog, 30);
    });
  }, 100);

  // A menu closes when something else is clicked.
  window.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target) || event.target.closest("a")) menu.removeAttribute("open");
    }
  });
})();
