/* The view of a run: how far it is, what it measured, its curves, its newest judgements, what ran and what is missing. */
"use strict";

(() => {
  const { h, put, chip, section, fold, facts, table, whole, many, percent, number, duration, between } = window.adjudge;
  const { get, route, say, term, curvesOf, lightRow } = window.adjudge;

  const KINDS = {
    run: "run",
    rankings: "rankings",
    judgements: "judgements",
    ratings: "ratings",
    rows: "a file of rows",
    groups: "groups of a reward",
  };
  const STATES = {
    finished: ["finished", "right"],
    going: ["going", "kept"],
    stopped: ["unfinished", "undecided"],
    broken: ["broken", "wrong"],
    waiting: ["waiting", ""],
  };
  const NEWEST = 6;
  const made = new WeakMap();
  let current = null;

  const state = (name) => chip(...(STATES[name] || [name, ""]));

  /** Show a run; where it is shown already, only the parts that changed are made anew. */
  function showRun(main, run, all, at) {
    const withs = at.params.getAll("with").filter((name) => name !== run.run && all.runs.some((one) => one.run === name));
    const key = `${run.run} ${withs}`;
    if (!current || current.key !== key || !main.contains(current.head)) {
      current = {
        key,
        run,
        withs,
        head: h("header", {}),
        progress: h("div", {}),
        measured: h("div", {}),
        curves: h("div", {}),
        newest: h("div", {}),
        ran: h("div", {}),
      };
      put(main, current.head, current.progress, current.measured, current.curves, current.newest, current.ran);
      put(current.ran, ran(run));
      refreshRun(run, ["curves", "rows"], all);
    }
    current.run = run;
    again(current.head, [run.state, run.missing, run.has], () => head(run));
    again(current.progress, [run.stages, run.indexed], () => progress(run));
    again(current.measured, accuracies(run), () => measured(run));
  }

  /** Make a part anew where what it shows has changed, so that nobody who is in it loses their place for nothing. */
  function again(part, from, make) {
    const shown = JSON.stringify(from);
    if (made.get(part) === shown) return;
    made.set(part, shown);
    put(part, make());
  }

  /** Fetch again what has changed. */
  async function refreshRun(run, what, all) {
    const shown = current;
    if (!shown || !shown.head.isConnected || ![shown.run.run, ...shown.withs].includes(run.run)) return;
    if (what.includes("curves")) showCurves(shown, all).catch((error) => put(shown.curves, h("p", { class: "notice" }, error.message)));
    if (what.includes("rows") && shown.run.has.judgements)
      showNewest(shown).catch((error) => put(shown.newest, h("p", { class: "notice" }, error.message)));
  }

  const folded = (title, ...children) => h("section", {}, fold(title, h("h2", {}, title), children));

  function head(run) {
    const [last] = Object.values(accuracies(run)).map((by) => by.at(-1));
    document.title = `${run.title} · adjudge view`;
    return [
      h("p", { class: "eyebrow" }, KINDS[run.kind] || run.kind, run.path ? h("span", {}, ` · ${run.path}`) : ""),
      h("h1", {}, run.title, " ", state(run.state)),
      run.missing?.length
        ? h(
            "div",
            { class: "notice" },
            h("p", {}, h("b", {}, run.state === "going" ? "Still to come" : "What is missing")),
            h(
              "ul",
              {},
              run.missing.map((text) => h("li", {}, text)),
            ),
            h("p", { class: "note" }, "Everything below is what there is."),
          )
        : null,
      last ? null : h("p", { class: "summary" }, contents(run)),
    ];
  }

  const NOUNS = { judgements: ["judgement"], curves: ["curve"], tournaments: ["tournament"], groups: ["group"] };
  const contents = (run) => {
    const there = Object.entries(run.has)
      .filter(([name, count]) => count && NOUNS[name])
      .map(([name, count]) => many(count, ...NOUNS[name]));
    return there.length ? `${there.join(", ")}.` : "Nothing has been written yet.";
  };

  /* Progress ------------------------------------------------------------------------------------------------------------------ */

  function progress(run) {
    if (!run.stages.length || run.stages.every((stage) => stage.state === "finished")) return null;
    const rows = run.stages.map((stage) =>
      h(
        "li",
        {},
        h("span", { class: "where" }, stage.name),
        " ",
        state(stage.state),
        stage.seconds ? h("span", { class: "note" }, ` ${duration(stage.seconds)}`) : null,
        stage.state === "finished" ? null : (stage.progress || []).map(bar),
      ),
    );
    return section(
      "Progress",
      h("ul", { class: "plain progress" }, rows),
      run.indexed && !run.indexed.done
        ? h("p", { class: "caption" }, `Reading the records: ${percent(run.indexed.bytes / (run.indexed.of_bytes || 1))}.`)
        : null,
    );
  }

  function bar({ name, done, total }) {
    const label = `${name}: ${whole(done)}${total === null ? "" : ` of ${whole(total)}`}`;
    return h(
      "label",
      { class: "bar-line" },
      h("span", {}, label),
      total === null ? null : h("progress", { max: total || 1, value: done, "aria-label": label }),
    );
  }

  /* What was measured --------------------------------------------------------------------------------------------------------- */

  /** By set, the stages that measured it, in order. */
  function accuracies(run) {
    const found = {};
    for (const stage of run.stages) {
      for (const [name, one] of Object.entries(stage.evaluation || {})) (found[name] ||= []).push({ stage: stage.name, ...one });
    }
    return found;
  }

  function measured(run) {
    const found = Object.entries(accuracies(run));
    if (!found.length) return null;
    return [
      h(
        "div",
        { class: "tiles" },
        found.map(([name, by]) => tile(run, name, by)),
      ),
      section(
        "Accuracy",
        found.map(([name, by]) => accuracyTable(run, name, by)),
        h(
          "p",
          { class: "caption" },
          "Intervals are 95%. An unreadable or truncated judgement counts as not right; a call that failed is left out.",
        ),
      ),
    ];
  }

  function tile(run, name, by) {
    const last = by.at(-1);
    const known = typeof last.accuracy === "number";
    return h(
      "div",
      { class: "tile" },
      h("p", { class: "label" }, name),
      h("p", { class: "figure" }, percent(last.accuracy)),
      h("p", { class: "note" }, `after ${last.stage}${known && last.interval ? `, ${between(last.interval)}` : ""}`),
      h(
        "p",
        { class: "note" },
        by.length > 1 ? `${percent(by[0].accuracy)} as it came` : known ? "the judge as it came" : "no labels, so no accuracy",
      ),
    );
  }

  function accuracyTable(run, name, by) {
    const outcomes = [...new Set(by.flatMap((one) => Object.keys(one.outcomes || {})))].filter((outcome) =>
      by.some((one) => one.outcomes?.[outcome]),
    );
    const link = (one, outcome) => route.link(["runs", run.run, "judgements"], { stage: one.stage, set: name, outcome });
    const rows = by.map((one) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, h("a", { href: link(one) }, one.stage)),
        h("td", { class: "strong" }, percent(one.accuracy)),
        h("td", {}, typeof one.accuracy === "number" && one.interval ? between(one.interval) : "–"),
        h("td", {}, number(one.n)),
        outcomes.map((outcome) =>
          h("td", {}, one.outcomes?.[outcome] ? h("a", { href: link(one, outcome) }, percent(one.outcomes[outcome])) : "0"),
        ),
        h("td", {}, number(one.mean_tokens, 3)),
      ),
    );
    return [h("h3", {}, name), table(["stage", "accuracy", term("95% interval"), "n", ...outcomes, "tokens"], rows, `Accuracy on ${name}`)];
  }

  /* Curves, judgements, what ran ---------------------------------------------------------------------------------------------- */

  async function showCurves(shown, all) {
    const others = all.runs.filter((one) => one.run !== shown.run.run && one.has.curves);
    if (!shown.run.has.curves && !shown.withs.length) return;
    const names = [shown.run.run, ...shown.withs];
    const answers = await Promise.all(names.map(async (name) => ({ run: name, ...(await get(["runs", name, "curves"])) })));
    if (answers.some((one) => one.stages.length)) put(shown.curves, section("Curves", chooser(shown, others), curvesOf(answers)));
  }

  /** Which other runs stand on the same axes. */
  function chooser(shown, others) {
    if (!others.length) return null;
    const boxes = others.map((one) => {
      const box = h("input", {
        type: "checkbox",
        checked: shown.withs.includes(one.run),
        onchange: () => {
          const chosen = box.checked ? [...shown.withs, one.run] : shown.withs.filter((name) => name !== one.run);
          route.go(route.link(["runs", shown.run.run], { with: chosen }));
        },
      });
      return h("label", {}, box, one.title);
    });
    return h("fieldset", {}, h("legend", {}, "On the same axes"), boxes);
  }

  async function showNewest(shown) {
    const { items } = await get(["runs", shown.run.run, "judgements"], { sort: "newest", limit: NEWEST });
    if (!items.length) return;
    const base = ["runs", shown.run.run, "judgements"];
    put(
      shown.newest,
      folded(
        "Newest judgements",
        h(
          "ol",
          { class: "items cards" },
          items.map((row) =>
            h("li", {}, h("a", { class: "row", href: route.link([...base, ...row.id.split("/")], { sort: "newest" }) }, lightRow(row))),
          ),
        ),
        h("p", { class: "caption" }, h("a", { href: route.link(base, { sort: "newest" }) }, `All ${whole(shown.run.has.judgements)}`)),
      ),
    );
  }

  function ran(run) {
    return folded(
      "What ran",
      facts(run.facts || [], "facts"),
      run.stages.length
        ? facts(
            run.stages.filter((stage) => stage.seconds).map((stage) => [stage.name, duration(stage.seconds)]),
            "facts",
          )
        : null,
      run.config
        ? h(
            "details",
            {},
            h(
              "summary",
              {},
              h("span", { class: "where" }, "config.yaml"),
              h("span", { class: "note" }, "the run file with its defaults filled in"),
            ),
            copyButton(run.config),
            h("pre", { tabindex: "0", role: "group", "aria-label": "config.yaml" }, run.config),
          )
        : null,
    );
  }

  function copyButton(text) {
    const button = h(
      "button",
      {
        type: "button",
        class: "quiet",
        onclick: async () => {
          await navigator.clipboard?.writeText(text);
          button.textContent = "Copied";
          say("Copied");
        },
      },
      "Copy",
    );
    return button;
  }

  /** All runs, where there are several. */
  function showRuns(main, all) {
    document.title = "adjudge view";
    const rows = all.runs.map((run) => {
      const measures = Object.entries(accuracies(run))
        .map(([name, by]) => `${name} ${percent(by.at(-1).accuracy)}`)
        .join(", ");
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, h("a", { href: route.link(["runs", run.run]) }, run.title)),
        h("td", { class: "left" }, state(run.state)),
        h("td", { class: "words" }, measures || contents(run)),
        h("td", {}, run.has.judgements ? whole(run.has.judgements) : "–"),
        h("td", { class: "left" }, KINDS[run.kind] || run.kind),
      );
    });
    put(
      main,
      h("h1", {}, many(all.runs.length, "run")),
      h(
        "section",
        { class: "runs" },
        table(["run", ["state", "left"], ["measured", "words"], "judgements", ["what it is", "left"]], rows, "All runs"),
      ),
    );
  }

  Object.assign(window.adjudge, { showRun, showRuns, refreshRun });
})();
