/* Where the keyboard is: the rows of a list are one stop of the Tab key, and what was focused and is gone gives way to what was opened. */
"use strict";

(() => {
  /** Make the rows of a list one stop of the Tab key, from which the arrow keys go to the others. */
  function oneStop(items) {
    items.addEventListener("focusin", (event) => {
      if (event.target.matches("a.row")) stopAt(items, event.target);
    });
    items.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      const rows = [...items.querySelectorAll("a.row")];
      const at = rows.indexOf(document.activeElement);
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      rows[to]?.focus();
    });
  }

  /** The row that the Tab key stops at: this one or, without it, the focused, the open or the first one. */
  function stopAt(items, row) {
    const rows = [...items.querySelectorAll("a.row")];
    const open = (one) => one.hasAttribute("aria-current");
    const stop = row || rows.find((one) => one === document.activeElement) || rows.find(open) || rows[0];
    for (const one of rows) one.tabIndex = one === stop ? 0 : -1;
  }

  /** Whether something had the focus before and nothing that is shown has it now. */
  function lost(before) {
    const now = document.activeElement;
    return before && before !== document.body && (!now || now === document.body || !now.getClientRects().length);
  }

  /** Focus an element that need not be a stop of the Tab key, such as a heading. */
  function focusOn(element) {
    if (!element) return;
    if (!element.matches("a[href], button, input, select, [tabindex]")) element.tabIndex = -1;
    element.focus({ preventScroll: true });
  }

  Object.assign(window.adjudge, { focus: { oneStop, stopAt, lost, focusOn } });
})();
