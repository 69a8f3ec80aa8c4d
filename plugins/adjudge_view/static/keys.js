/* The keyboard: j and k, /, ?, Escape; single keys can be switched off for those who dictate or type with aids. */
"use strict";

(() => {
  const { h, list } = window.adjudge;
  const SWITCH = "adjudge-keys-off";
  const KEYS = [
    ["j, k", "open the next one of a list, or the previous one"],
    ["/", "search in the list"],
    ["[, ]", "page before, next page"],
    ["Esc", "leave the search, or close what is open"],
    ["← →", "in a heat map or a plot: from value to value, told in words"],
    ["Tab, Enter", "from link to link, as everywhere"],
    ["?", "this help"],
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
      h("h2", { id: "help-title" }, "Keys"),
      h(
        "dl",
        { class: "facts" },
        KEYS.map(([keys, words]) => h("div", {}, h("dt", {}, h("kbd", {}, keys)), h("dd", {}, words))),
      ),
      h("p", {}, h("label", {}, box, " Single keys are on")),
      h("p", { class: "caption" }, "Every view, filter and open judgement is in the address: copy it to share what you see."),
      close,
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

  const ACTIONS = {
    j: () => list.step(1),
    k: () => list.step(-1),
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
