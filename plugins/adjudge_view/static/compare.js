/* Two stages, or two runs, side by side on the same problems: those that flipped come first. */
"use strict";

(() => {
  const { h, put, chip, whole, percent, many, brief, get, route, judgementArticle, showList } = window.adjudge;

  const CHANGES = { lost: "right before, not after", gained: "right only after", changed: "another outcome", same: "the same" };
  const runOf = (side) => side.slice(0, side.lastIndexOf(":"));
  const nameOf = (side, other) =>
    runOf(side) === runOf(other) ? side.slice(side.lastIndexOf(":") + 1) : side.replace(/:(?=[^:]*$)/, " · ");

  /** All that can be compared: "RUN:STAGE" of every stage that judged a set. */
  function sides(all) {
    const found = all.runs.flatMap((run) =>
      [...new Set(run.sets.filter((one) => one.kind !== "rollouts").map((one) => one.stage))].map((stage) => `${run.run}:${stage}`),
    );
    if (!all.compares) return found;
    const held = new Set(all.compares.flat());
    return found.filter((side) => held.has(side));
  }

  /** The sets that a stage has evaluated or, where no run is behind it, that a command judged: these can be told to be the same. */
  function judgedBy(all, side) {
    const run = all.runs.find((one) => one.run === runOf(side));
    const own = (run?.sets || []).filter((one) => one.stage === side.slice(side.lastIndexOf(":") + 1));
    return run?.kind === "run" ? own.filter((one) => one.kind === "evaluation").map((one) => one.set) : own.map(() => "judgements");
  }

  /** The two of these that are the farthest apart and share a set. */
  function farthest(all, found) {
    const of = found.map((side) => judgedBy(all, side));
    for (let apart = found.length - 1; apart > 0; apart--) {
      for (let first = 0; first + apart < found.length; first++) {
        if (of[first].some((name) => of[first + apart].includes(name))) return { a: found[first], b: found[first + apart] };
      }
    }
    return null;
  }

  /** What to compare to begin with: the first and the last stage that share a set, of this run, else of others; null = nothing. */
  function usual(all, run) {
    const pairs = (all.compares || []).map(([a, b]) => ({ a, b }));
    const held = (pair) => pair && (!all.compares || pairs.some((one) => one.a === pair.a && one.b === pair.b));
    const found = sides(all);
    const of = [run, ...all.runs].filter(Boolean).map((one) => found.filter((side) => runOf(side) === one.run));
    return [...of, found].map((some) => farthest(all, some)).find(held) || pairs[0] || null;
  }

  function show(main, at, all) {
    const pair = usual(all, null);
    if (!pair)
      return void put(
        main,
        h("h1", {}, "Compare"),
        h("p", { class: "absent" }, "No two stages have judged the same set, so nothing can be compared."),
      );
    const [a, b] = [at.params.get("a"), at.params.get("b")];
    if (!a || !b) return void route.go(route.link(at.path, route.changed(at.params, { a: a || pair.a, b: b || pair.b })), true);
    document.title = `${nameOf(a, b)} and ${nameOf(b, a)} · adjudge view`;
    return showList(main, view(all, a, b), at);
  }

  function view(all, a, b) {
    const options = sides(all).map((side) => [side, side.replace(/:(?=[^:]*$)/, " · ")]);
    return {
      key: `compare ${options} ${setsOf(all, a, b)}`,
      run: runOf(b),
      name: "comparisons",
      path: ["compare"],
      source: { path: ["compare"] },
      filters: [
        { name: "a", label: "Before", any: "choose", options },
        { name: "b", label: "After", any: "choose", options },
        { name: "change", label: "Change", options: Object.entries(CHANGES).map(([name, words]) => [name, `${name}: ${words}`]) },
        { name: "set", label: "Set", options: setsOf(all, a, b).map((name) => [name, name]) },
        { name: "text", label: "Search", hint: "prompt, answers, judgement", wide: true },
      ],
      id: (item) => keyOf(item),
      row: (item) => row(item, a, b),
      none: "The two share no problem.",
      absent: "Choose a problem, or press j, to see both judgements of it.",
      head: (answer) => summary(answer),
      detail: (id, params, frame) => both(id, params, frame),
    };
  }

  const keyOf = (item) => `${item.a.id}/with/${item.b.id}`;

  function setsOf(all, a, b) {
    const of = (side) =>
      all.runs
        .find((run) => run.run === runOf(side))
        ?.sets.filter((one) => one.stage === side.slice(side.lastIndexOf(":") + 1))
        .map((one) => one.set) || [];
    return [...new Set(of(a))].filter((name) => of(b).includes(name));
  }

  function summary({ a, b, right, counts, of, only_a: onlyA, only_b: onlyB }) {
    if (!of) return null;
    const known = right?.of
      ? `Of ${many(right.of, "problem")} with a label, ${nameOf(a, b)} judges ${whole(right.a)} right ` +
        `(${percent(right.a / right.of)}) and ${nameOf(b, a)} ` +
        `${whole(right.b)} (${percent(right.b / right.of)}): ${whole(counts.lost || 0)} lost, ${whole(counts.gained || 0)} gained. `
      : `${many(of, "problem")} in both; no label says which verdicts are right. `;
    const changed = counts.changed ? `${whole(counts.changed)} changed without either; ` : "";
    const alone =
      onlyA || onlyB ? ` Left out: ${whole(onlyA)} that only the first judged and ${whole(onlyB)} that only the second did.` : "";
    return h("p", { class: "summary" }, `${known}${changed}${whole(counts.same || 0)} are the same.${alone}`);
  }

  const MARKS = { lost: "wrong", gained: "right", changed: "undecided", same: "" };

  function row(item, a, b) {
    return [
      h(
        "span",
        { class: "line" },
        chip(item.change, MARKS[item.change]),
        h("span", { class: "where" }, item.set),
        h("span", { class: "number" }, `${item.a.outcome} → ${item.b.outcome}`),
      ),
      h("span", { class: "what" }, brief(item.prompt, 90)),
      h("span", { class: "note" }, `${nameOf(a, b)}: ${brief(item.a.snippet, 50)}`),
    ];
  }

  async function both(id, params, frame) {
    const names = [params.get("a"), params.get("b")];
    const ids = id.split("/with/");
    const found = await Promise.all(ids.map((one, place) => get(["runs", runOf(names[place]), "judgements", one])));
    return h(
      "div",
      { class: "sides" },
      found.map((one, place) =>
        h(
          "section",
          { "aria-label": names[place] },
          h("p", { class: "eyebrow" }, place ? "after" : "before", " · ", nameOf(names[place], names[1 - place])),
          judgementArticle(runOf(names[place]), one, params, place ? null : frame),
        ),
      ),
    );
  }

  Object.assign(window.adjudge, { showCompare: show, usualPair: usual });
})();
