/* A list with search, filters and pages beside what is open of it: the frame of judgements, comparisons, tournaments and groups. */
"use strict";

(() => {
  const { h, put, fill, whole, get, route, say, focus } = window.adjudge;
  const PAGE = 50;
  const PAUSE = 80;
  const MINE = ["heat", "match"];
  let current = null;

  /**
   * Show a list view; where it is shown already, only what has changed is made anew.
   *
   * `view`: key, name (plural noun), path (of the address), source (path, fixed parameters), filters, more, row(item), id(item),
   * detail(id, params), head(answer), none (said where nothing fits), absent (said where nothing is open).
   */
  function showList(main, view, at) {
    if (!current || current.view.key !== view.key || !main.contains(current.frame)) current = build(main, view);
    current.view = view;
    return update(current, at.params, at.path.slice(view.path.length).join("/"));
  }

  function build(main, view) {
    const parts = {
      filters: h("form", { role: "search", "aria-label": `Filter ${view.name}`, class: "filters" }),
      head: h("div", { class: "head" }),
      items: h("ol", { class: "items" }),
      pages: h("div", { class: "pages" }),
      open: h("article", { class: "open", "aria-live": "off", tabindex: "-1" }),
    };
    const side = h("div", { class: "side" }, parts.filters, parts.items, parts.pages);
    const frame = h("div", { class: "panes" }, side, parts.open);
    put(main, h("h1", { class: "unseen" }, view.name), parts.head, frame);
    const list = { view, frame, ...parts, asked: null, shown: null, items_: [], inputs: {} };
    parts.filters.addEventListener("submit", (event) => event.preventDefault());
    focus.oneStop(parts.items);
    parts.items.addEventListener("click", (event) => entered(list, event));
    fill(parts.filters, filters(list));
    return list;
  }

  /** Somebody goes into a row, and not past it as j and k do: what it opens gets the focus. */
  function entered(list, event) {
    const row = event.target.closest("a.row");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (row.dataset.id === list.shown) focus.focusOn(list.open.querySelector("h2"));
    else list.entered = true;
  }

  /* Filters ------------------------------------------------------------------------------------------------------------------- */

  function filters(list) {
    const { filters: first, more } = list.view;
    const shown = first.filter(Boolean).map((one) => control(list, one));
    const rest = (more || []).filter(Boolean);
    return [
      shown,
      rest.length
        ? h(
            "details",
            { class: "more" },
            h("summary", {}, "More filters"),
            h(
              "div",
              { class: "filters" },
              rest.map((one) => control(list, one)),
            ),
          )
        : null,
    ];
  }

  function control(list, one) {
    const id = `filter-${one.name}`;
    const change = (value, replace) => filter(list, { [one.name]: value }, replace);
    let input;
    if (one.options) {
      input = h(
        "select",
        { id, onchange: () => change(input.value) },
        h("option", { value: "" }, one.any || "any"),
        one.options.map(([value, text]) => h("option", { value }, text)),
      );
    } else {
      const kind = one.number
        ? { type: "number", step: "any", inputmode: "decimal" }
        : { type: "search", autocomplete: "off", spellcheck: "false" };
      input = h("input", { id, placeholder: one.hint, ...kind, oninput: delayed(() => change(input.value.trim(), true)) });
    }
    list.inputs[one.name] = input;
    return h("div", { class: one.wide ? "field wide-field" : "field" }, h("label", { for: id }, one.label), input);
  }

  /** What waits PAUSE milliseconds whether more is typed. */
  function delayed(act) {
    let timer = 0;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(act, PAUSE);
    };
  }

  function filter(list, changes, replace) {
    const params = route.changed(route.read().params, { ...changes, offset: null });
    route.go(route.link(openPath(list), params), replace);
  }

  const openPath = (list) => [...list.view.path, ...(list.shown || "").split("/").filter(Boolean)];

  /** Set the controls to what the address says; several values of one filter are shown as such. */
  function synchronise(list, params) {
    for (const [name, input] of Object.entries(list.inputs)) {
      const values = params.getAll(name);
      if (input === document.activeElement && input.tagName === "INPUT") continue;
      if (input.tagName === "SELECT" && values.length && ![...input.options].some((one) => one.value === values.join(","))) {
        input.append(h("option", { value: values.join(",") }, values.join(" or ")));
      }
      input.value = values.join(",");
      input.classList.toggle("set", values.length > 0);
      if (values.length) input.closest("details")?.setAttribute("open", "");
    }
  }

  /* The list ------------------------------------------------------------------------------------------------------------------ */

  function asked(params) {
    const copy = new URLSearchParams(params);
    MINE.forEach((name) => copy.delete(name));
    return copy;
  }

  async function update(list, params, open) {
    const query = asked(params).toString();
    synchronise(list, params);
    list.params = params;
    list.frame.classList.toggle("opened", Boolean(open));
    const work = [];
    if (query !== list.asked) {
      list.asked = query;
      work.push(fetchItems(list));
    }
    if (open !== list.shown || list.opened !== params.get("match")) {
      list.was = list.opened;
      list.opened = params.get("match");
      work.push(openOne(list, open));
    }
    list.shown = open;
    mark(list);
    list.items.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
    await Promise.all(work);
  }

  async function fetchItems(list) {
    list.stop?.abort();
    list.stop = new AbortController();
    const { path, params } = list.view.source;
    const query = new URLSearchParams(list.asked);
    for (const [name, value] of Object.entries(params || {})) query.append(name, value);
    for (const name of [...query.keys()]) {
      const value = query.get(name);
      if (value.includes(",") && list.inputs[name]?.tagName === "SELECT") {
        query.delete(name);
        value.split(",").forEach((one) => query.append(name, one));
      }
    }
    query.set("limit", PAGE);
    try {
      show(list, await get(path, query, list.stop.signal));
    } catch (error) {
      if (error.name !== "AbortError") put(list.items, h("li", { class: "notice" }, error.message));
    }
  }

  function show(list, answer) {
    const focused = document.activeElement?.closest?.(".items a")?.dataset.id;
    const turned = list.pages.contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
    list.items_ = answer.items;
    list.answer = answer;
    put(
      list.items,
      answer.items.map((item) => row(list, item)),
    );
    if (!answer.items.length) put(list.items, h("li", { class: "absent" }, answer.of ? "Nothing fits these filters." : list.view.none));
    put(list.pages, pages(list, answer));
    put(list.head, list.view.head ? list.view.head(answer) : null);
    mark(list);
    if (focused) (rowOf(list, focused) || list.items.querySelector("a.row"))?.focus({ preventScroll: true });
    if (turned) focus.focusOn(list.pages.querySelector(`a[aria-label="${turned}"]`) || list.pages.querySelector("a"));
  }

  const rowOf = (list, id) => list.items.querySelector(`a[data-id="${CSS.escape(id)}"]`);

  function row(list, item) {
    const id = list.view.id(item);
    const anchor = h("a", { class: "row", "data-id": id, href: "#" }, list.view.row(item));
    return h("li", {}, anchor);
  }

  /** Give every row its link under the filters of now, and mark the open one. */
  function mark(list) {
    for (const anchor of list.items.querySelectorAll("a.row")) {
      anchor.href = hrefOf(list, anchor.dataset.id);
      if (anchor.dataset.id === list.shown) {
        anchor.setAttribute("aria-current", "true");
      } else anchor.removeAttribute("aria-current");
    }
    focus.stopAt(list.items);
  }

  const hrefOf = (list, id) =>
    route.link([...list.view.path, ...id.split("/").filter(Boolean)], route.changed(list.params, { match: null }));

  function pages(list, { total, of, offset, items, indexed }) {
    const to = (start, text, label) =>
      h("a", { href: route.link(openPath(list), route.changed(list.params, { offset: start || null })), "aria-label": label }, text);
    const range = total > items.length ? `${whole(offset + 1)}–${whole(offset + items.length)} of ${whole(total)}` : `${whole(total)}`;
    const more = of > total ? `, ${whole(of)} in all` : "";
    say(`${whole(total)} ${list.view.name}`);
    return [
      h("span", {}, `${range}${more}${indexed && indexed.done === false ? ", still reading …" : ""}`),
      offset > 0 ? to(Math.max(0, offset - PAGE), "← before", "Page before") : null,
      offset + items.length < total ? to(offset + PAGE, "next →", "Next page") : null,
    ];
  }

  /* What is open -------------------------------------------------------------------------------------------------------------- */

  async function openOne(list, open) {
    const turn = (list.turn = (list.turn || 0) + 1);
    const before = document.activeElement;
    if (!open) return void closed(list, before);
    const turnTo = (by, text) => h("button", { type: "button", class: "quiet", onclick: () => step(by, false) }, text);
    const back = h(
      "p",
      { class: "between" },
      h("a", { class: "back", href: route.link(list.view.path, route.changed(list.params, { match: null })) }, `← all ${list.view.name}`),
      turnTo(-1, "previous"),
      turnTo(1, "next"),
    );
    const same = list.held === open;
    try {
      const shown = await list.view.detail(open, list.params, list);
      if (turn !== list.turn) return;
      const focused = [...list.open.querySelectorAll(".between button")].indexOf(document.activeElement);
      put(list.open, back, shown);
      back.querySelectorAll("button")[focused]?.focus();
    } catch (error) {
      if (turn === list.turn) put(list.open, back, h("p", { class: "notice" }, error.message));
    }
    if (turn !== list.turn) return;
    list.held = open;
    arrive(list, before, same);
  }

  /** Come to what was opened: its heading, an open match or, where one was closed, the card of it. */
  function arrive(list, before, same) {
    const match = list.params.get("match") && list.open.querySelector(".match-open");
    const card = same && !match && list.was && list.open.querySelector(`a.match[data-match="${CSS.escape(list.was)}"]`);
    if (list.entered || focus.lost(before)) focus.focusOn(match ? match.querySelector("h3") : card || list.open.querySelector("h2"));
    list.entered = false;
    list.open.scrollTop = 0;
    if (match) match.scrollIntoView({ block: "start" });
    else if (card) card.scrollIntoView({ block: "nearest" });
    else if (list.open.getBoundingClientRect().top < 0) window.scrollTo({ top: 0 });
  }

  /** Nothing is open any more: who was in it is at its row again. */
  function closed(list, before) {
    put(list.open, h("p", { class: "absent" }, list.view.absent));
    if (focus.lost(before)) focus.focusOn((list.held && rowOf(list, list.held)) || list.items.querySelector("a.row"));
    list.held = null;
  }

  /** Change what belongs to the open one alone, such as its heat map, in the address, without asking again. */
  function keep(list, changes) {
    list.params = route.changed(list.params, changes);
    history.replaceState(null, "", route.link(openPath(list), list.params));
    mark(list);
  }

  /** Open the next (1) or the previous (-1) of the list; at the end of a page go to the next one. */
  function step(by, focused = true) {
    if (!current || !current.frame.isConnected) return false;
    const ids = current.items_.map((item) => current.view.id(item));
    const place = ids.indexOf(current.shown);
    const next = place < 0 ? (by > 0 ? 0 : ids.length - 1) : place + by;
    if (ids[next] !== undefined) {
      route.go(hrefOf(current, ids[next]), true);
      if (focused) rowOf(current, ids[next])?.focus({ preventScroll: true });
    } else {
      const turn = [...current.pages.querySelectorAll("a")].find(
        (one) => one.getAttribute("aria-label") === (by > 0 ? "Next page" : "Page before"),
      );
      turn?.click();
    }
    return true;
  }

  /** Close the open match or, where there is none, what is open. */
  function close() {
    if (!current?.frame.isConnected || !current.shown) return false;
    const list = current;
    const { shown } = list;
    const match = list.params.get("match");
    route.go(route.link(match ? openPath(list) : list.view.path, route.changed(list.params, { match: null })));
    if (!match) requestAnimationFrame(() => rowOf(list, shown)?.focus());
    return true;
  }

  const search = () => current?.frame.isConnected && current.inputs.text;

  /** Ask again for the page that is shown: something has been written. */
  const refresh = (run) => current?.frame.isConnected && current.view.run === run && fetchItems(current);

  Object.assign(window.adjudge, { showList, list: { step, close, search, refresh, keep } });
})();
