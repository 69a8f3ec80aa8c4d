/* The keyboard: j and k, /, ?, Escape, and the help; single keys can be switched off for those who dictate or type with aids. */
"use strict";

(() => {
  const { h, list, allTerms } = window.adjudge;
  const SWITCH = "adjudge-keys-off";
  const KEYS = [
    ["j, k", "open the next one of a list, or the previous one; among the runs, go to it"],
    ["↑ ↓", "in a list: from row to row; Enter opens it"],
    ["/", "search in the list"],
    ["[, ]", "page before, next page"],
    ["Esc", "leave the search, or close the open match or whatever is open"],
    ["← →", "in a heat map or a plot: from value to value, told in words"],
    ["Tab, Enter", "from link to link, as everywhere"],
    ["?", "this help; a word with a dotted line under it tells what it means"],
  ];
  let dialog = null;

  function stored() {
    try {
      return localStorage.getItem(SWITCH) === "yes";
    } catch {
      return false; // a page opened as a file may have no storage
    }
  }

  let off = stored();

  function store(value) {
    off = value;
    try {
      localStorage.setItem(SWITCH, value ? "yes" : "no");
    } catch {
      /* it holds until the page is closed */
    }
  }

  function help() {
    dialog ||= document.body.appendChild(build());
    dialog.showModal();
  }

  function build() {
    const box = h("input", { type: "checkbox", checked: !off, onchange: () => store(!box.checked) });
    const close = h("button", { type: "button", onclick: () => made.close() }, "Close");
    const made = h(
      "dialog",
      { "aria-labelledby": "help-title" },
      h("p", { class: "between" }, close),
      h("h2", { id: "help-title" }, "Keys and words"),
      h(
        "dl",
        { class: "facts" },
        KEYS.map(([keys, words]) => h("div", {}, h("dt", {}, h("kbd", {}, keys)), h("dd", {}, words))),
      ),
      h("p", {}, h("label", {}, box, " Single keys are on")),
      h("p", { class: "caption" }, "Every view, filter and open judgement is in the address: copy it to share what you see."),
      h("h3", {}, "Words"),
      allTerms(),
    );
    return made;
  }

  function turn(label) {
    const link = document.querySelector(`.pages a[aria-label="${label}"]`);
    link?.click();
    return Boolean(link);
  }

  function toSearch() {
    const input = list.search();
    if (!input) return false;
    input.focus();
    input.select();
    return true;
  }

  /** Where there is no list: from row to row of the table of runs. */
  function among(by) {
    const links = [...document.querySelectorAll("main .runs th a")];
    const at = links.indexOf(document.activeElement);
    const to = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by));
    links[to]?.focus();
    return links.length > 0;
  }

  const ACTIONS = {
    j: () => list.step(1) || among(1),
    k: () => list.step(-1) || among(-1),
    "/": toSearch,
    "?": () => {
      help();
      return true;
    },
    "[": () => turn("Page before"),
    "]": () => turn("Next page"),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.matches?.("input:not([type=checkbox]), select, textarea");
    if (event.key === "Escape") {
      if (typing) event.target.blur();
      else list.close();
      return;
    }
    if (typing || off || !ACTIONS[event.key]) return;
    if (ACTIONS[event.key]()) event.preventDefault();
  });

  // By a handler, for the address holds what is shown and is not to become "#main".
  document.querySelector("a.skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
  document.getElementById("help-button").addEventListener("click", help);
})();
