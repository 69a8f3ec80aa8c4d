/* Builds elements from data: what a model or a user wrote goes in as text alone and is never read as markup. */
"use strict";

window.adjudge = {};

(() => {
  const LISTENER = /^on[a-z]+$/;

  /** An element: h("p", {class: "note"}, "text", child, null). Attributes that are null or false are left out. */
  function h(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) set(element, name, value);
    return fill(element, ...children);
  }

  function set(element, name, value) {
    if (value === null || value === undefined || value === false) return;
    if (LISTENER.test(name)) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.entries(value).forEach(([key, one]) => element.style.setProperty(key, one));
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }

  /** Put children, however nested, at the end of an element; strings and numbers become text. */
  function fill(element, ...children) {
    for (const child of children.flat(Infinity)) {
      if (child === null || child === undefined || child === false) continue;
      element.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
    return element;
  }

  /** Replace what an element holds. */
  function put(element, ...children) {
    element.replaceChildren();
    return fill(element, ...children);
  }

  /** A section with a heading, or nothing where there is nothing to put into it. */
  function section(title, ...children) {
    const there = children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false);
    return there.length ? h("section", {}, h("h2", {}, title), there) : null;
  }

  const NARROW = "(max-width: 820px)";
  const left = new Map();

  /** A part under its heading that can be folded and on a narrow screen begins so; as a reader leaves it, it is shown again. */
  function fold(key, heading, ...children) {
    const open = left.get(key) ?? !matchMedia(NARROW).matches;
    const made = h("details", { class: "fold", open }, h("summary", {}, heading), children);
    made.addEventListener("toggle", () => made.open === open || left.set(key, made.open));
    return made;
  }

  /** Name and value pairs; a pair whose value is null is left out. */
  function facts(pairs, kind = "inline") {
    const there = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
    return there.length
      ? h(
          "dl",
          { class: kind },
          there.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
        )
      : null;
  }

  /** A table that scrolls sideways, and says so, where it does not fit; a heading may be [text, class]. */
  function table(head, rows, label) {
    const made = h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map((name) => (Array.isArray(name) ? h("th", { scope: "col", class: name[1] }, name[0]) : h("th", { scope: "col" }, name))),
        ),
      ),
      h("tbody", {}, rows),
    );
    return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label }, made);
  }

  /** A word in a small frame, as an outcome or a verdict. */
  const chip = (text, kind) => h("span", { class: `chip ${kind || ""}` }, text);

  /** Tell what has happened to those who cannot see it. */
  function say(text) {
    document.getElementById("said").textContent = text;
  }

  Object.assign(window.adjudge, { h, fill, put, section, fold, facts, table, chip, say });
})();
