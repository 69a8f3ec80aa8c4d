/* The whole page: from the address to a view, again whenever the address or the run changes. */
"use strict";

(() => {
  const { h, put, say, many, get, listen, route, list, focus, showList, showRun, showRuns, refreshRun, showCompare, usualPair } = window.adjudge;
  const { judgementsView, tournamentsView, groupsView } = window.adjudge;

  const main = document.getElementById("main");
  const VIEWS = { judgements: judgementsView, tournaments: tournamentsView, groups: groupsView };
  const AGAIN = 1000;
  let all = null;

  /** Names of the views that a run has something for, with their links. */
  function views(run) {
    const found = [["run", "Run", route.link(["runs", run.run])]];
    for (const [name, title] of [
      ["judgements", "Judgements"],
      ["tournaments", "Tournaments"],
      ["groups", "Groups"],
    ]) {
      if (run.has[name]) found.push([name, title, route.link(["runs", run.run, name])]);
    }
    const pair = usualPair(all, run);
    if (pair) found.push(["compare", "Compare", route.link(["compare"], pair)]);
    return found;
  }

  function navigation(run, view) {
    const nav = document.getElementById("views");
    const focused = nav.contains(document.activeElement) ? document.activeElement.dataset.view : null;
    put(
      nav,
      run
        ? views(run).map(([name, title, href]) => h("a", { href, "data-view": name, "aria-current": name === view ? "page" : null }, title))
        : null,
    );
    if (focused) nav.querySelector(`[data-view="${focused}"]`)?.focus();
    const select = h(
      "select",
      {
        "aria-label": "Run",
        onchange: () => {
          location.hash = select.value;
        },
      },
      all.runs.map((one) => h("option", { value: route.link(["runs", one.run]), selected: one === run }, one.title)),
    );
    const box = document.getElementById("runs");
    const home = h("a", { href: "#/" }, `all ${many(all.runs.length, "run")}`);
    if (!box.contains(document.activeElement)) put(box, all.runs.length > 1 ? (run ? [select, " ", home] : "") : run?.title || "");
  }

  function notFound(text) {
    document.title = "Not here · adjudge view";
    main.classList.remove("full");
    put(main, h("h1", {}, "Not here"), h("p", { class: "notice" }, text), h("p", {}, h("a", { href: "#/" }, home())));
  }

  const home = () => (all.runs.length > 1 ? "To the runs" : `To ${all.runs[0].title}`);

  /** The run that an address is about; of a comparison that of its second side. */
  function runOf({ path, params }) {
    const name = path[0] === "compare" ? params.get("b")?.replace(/:[^:]*$/, "") : path[0] === "runs" ? path[1] : null;
    return all.runs.find((one) => one.run === name) || null;
  }

  async function render() {
    if (location.hash && !location.hash.startsWith("#/")) return; // the link that skips to the content
    const before = document.activeElement;
    await show(route.read());
    if (focus.lost(before)) focus.focusOn(main.querySelector("h1"));
  }

  async function show(at) {
    const [head, , view = "run"] = at.path;
    if (!all.runs.length)
      return void put(main, h("h1", {}, "Nothing to show"), h("p", { class: "absent" }, "No run folder was found here."));
    if ((!head || (head === "runs" && !at.path[1])) && all.runs.length === 1)
      return void route.go(route.link(["runs", all.runs[0].run]), true);
    const run = runOf(at);
    navigation(run, head === "compare" ? "compare" : view);
    if (head !== "runs" || !VIEWS[view]) say(""); // what was counted in a list is no longer here
    main.classList.toggle("full", head === "compare" || view !== "run");
    if (!head || (head === "runs" && !at.path[1])) return void showRuns(main, all);
    if (head === "compare") return void (await showCompare(main, at, all));
    if (head !== "runs") return void notFound(`This page has nothing at the address “#/${at.path.join("/")}”.`);
    if (!run) return void notFound(`There is no run “${at.path[1]}” here.`);
    if (view === "run") return void showRun(main, run, all, at);
    if (!VIEWS[view]) return void notFound(`A run has no view “${view}”.`);
    document.title = `${view} · ${run.title} · adjudge view`;
    await showList(main, VIEWS[view](run), { ...at, path: at.path });
  }

  /* Live: many changes within a second are fetched once. */
  const changes = new Map();
  let timer = 0;

  function changed({ run, what }) {
    changes.set(run, new Set([...(changes.get(run) || []), ...what]));
    timer ||= setTimeout(again, AGAIN);
  }

  async function again() {
    const now = [...changes];
    changes.clear();
    timer = 0;
    try {
      all = await get(["runs"]);
    } catch {
      return; // the next event comes when the server is back
    }
    const at = route.read();
    if (!at.path[0] || at.path.length === 2) await render();
    else navigation(runOf(at), at.path[0] === "compare" ? "compare" : at.path[2]);
    for (const [name, what] of now) {
      const run = all.runs.find((one) => one.run === name);
      if (!run) continue;
      refreshRun(run, [...what], all);
      if (what.has("rows")) list.refresh(name);
    }
  }

  async function start() {
    try {
      all = await get(["runs"]);
      window.addEventListener("hashchange", render);
      await render();
      listen(changed);
    } catch (error) {
      put(main, h("h1", {}, "Nothing can be shown"), h("p", { class: "notice" }, error.message));
    }
  }

  start();
})();
